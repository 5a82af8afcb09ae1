"""An image as a direction, and whether two images point the same way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edgevision.runtime.errors import InputError, TensorError
from edgevision.runtime.results.result import Result, check_array, rounded

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    from edgevision.runtime.images import ImageSource


@dataclass(frozen=True, eq=False)
class Embedding(Result):
    """A vector of length 1.

    Attributes:
        vector: float32 (dimensions,), its Euclidean norm is 1.
    """

    vector: NDArray[np.float32]

    def __post_init__(self) -> None:
        check_array("vector", self.vector, (None,), "float32")
        norm = float(np.linalg.norm(self.vector))
        if not abs(norm - 1) < 1e-3:
            raise TensorError("the vector is not normalised", expected="a norm of 1", got=f"{norm:g}")

    def cosine(self, other: Embedding) -> float:
        """Cosine of the angle to another image's vector, -1..1; 1 is the same direction.

        Raises:
            InputError: The other has another number of dimensions.
        """
        if self.vector.shape != other.vector.shape:
            expected, got = str(self.vector.shape), str(other.vector.shape)
            raise InputError("the vectors are of different models", expected=expected, got=got)
        return float(np.clip(self.vector.astype(np.float64) @ other.vector.astype(np.float64), -1, 1))

    def to_dict(self) -> dict[str, Any]:
        """The vector as a list."""
        return {"vector": rounded(self.vector, 6)}

    def line(self) -> str:
        """ "128 dimensions  (0.12, -0.03, 0.25, ...)"."""
        first = ", ".join(f"{value:.3f}" for value in self.vector[:3])
        return f"{len(self.vector)} dimensions  ({first}, ...)"

    def draw(self, image: ImageSource) -> Image:
        """The image as it is: a direction is nothing to be seen; see ``Result.draw``."""
        from edgevision.runtime.drawing import Canvas

        return Canvas(image).image


@dataclass(frozen=True)
class Match:
    """Whether two images show the same.

    Attributes:
        same: Whether the cosine reaches the threshold.
        cosine: Of their vectors, -1..1.
        threshold: What was asked for.
    """

    same: bool
    cosine: float
    threshold: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values ready for JSON."""
        return {"same": self.same, "cosine": self.cosine, "threshold": self.threshold}


def match(a: Embedding, b: Embedding, threshold: float) -> Match:
    """Whether two embeddings are of the same thing: their cosine reaches ``threshold``, -1..1.

    Raises:
        InputError: They are of different models.
    """
    cosine = a.cosine(b)
    return Match(cosine >= threshold, cosine, threshold)
