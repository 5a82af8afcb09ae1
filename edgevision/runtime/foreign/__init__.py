"""Models that edgevision did not make: what the file says, what the user says, and what had to be guessed."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgevision.runtime.heads import Head, Scores
    from edgevision.runtime.spec import ColorOrder, Preprocessing

    AnyLabels = Sequence[str] | str | os.PathLike[str]
    AnyHead = Head | Mapping[str, Any] | str

#: Suffix of a model file -> which engine runs it.
FORMATS = {".tflite": "tflite", ".onnx": "onnx", ".xml": "openvino"}


@dataclass(frozen=True, kw_only=True)
class Said:
    """What the user says about a model that does not say it itself; None leaves it to be read or guessed.

    Attributes:
        task: One of ``heads.TASKS``.
        preprocess: A name out of ``spec.NORMALIZATIONS``, or all of it.
        labels: Class names in the order of the outputs, or the path of a text file with one a line.
        head: What the outputs are: a Head, its fields with their ``kind``, or the kind alone.
        color: Channel order that the model was trained on.
        scores: What the outputs of a classifier or a sequence are.
        changes: Fields of Preprocessing that replace those of the name in ``preprocess``.
    """

    task: str | None = None
    preprocess: str | Preprocessing | None = None
    labels: AnyLabels | None = None
    head: AnyHead | None = None
    color: ColorOrder | None = None
    scores: Scores | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def anything(self) -> bool:
        """Whether anything was said at all."""
        return any(value is not None and value != {} for value in vars(self).values())
