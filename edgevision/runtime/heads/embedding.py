"""The head of a network that describes an image by a vector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from edgevision.runtime.errors import InputError
from edgevision.runtime.heads import Head


@dataclass(frozen=True, kw_only=True)
class EmbeddingHead(Head):
    """A vector whose direction says what is in the image.

    Attributes:
        output: Name of the output, (1, dimensions) or (1, 1, 1, dimensions); "" is the only output there is.
        threshold: Two images show the same when the cosine of their vectors reaches it, -1..1; None when nobody
            measured one.
    """

    kind: ClassVar[str] = "embedding"
    task: ClassVar[str] = "embedding"
    output: str = ""
    threshold: float | None = None

    def __post_init__(self) -> None:
        if self.threshold is not None and not -1 <= self.threshold <= 1:
            raise InputError("threshold is not usable", expected="a cosine -1..1", got=repr(self.threshold))
