"""What all results can do, and how their arrays are checked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np

from edgevision.runtime.errors import TensorError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    from edgevision.runtime.images import ImageSource


class Result(ABC):
    """A prediction: plain values for programs, a line for people, a picture for both."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Plain values ready for JSON."""

    @abstractmethod
    def line(self) -> str:
        """One line for people."""

    @abstractmethod
    def draw(self, image: ImageSource) -> Image:
        """The picture with the prediction on it.

        Args:
            image: The image that was predicted, as ``images.decode`` takes it.

        Returns:
            A new PIL image, RGB, of the source's size.

        Raises:
            ImageError: The image cannot be used, or is of another size than the one that was predicted.
        """


def check_array(name: str, array: Any, shape: tuple[int | None, ...], *dtypes: str) -> None:
    """Refuses an array of another shape (None is any size) or dtype.

    Raises:
        TensorError: It is none of those.
    """
    right = isinstance(array, np.ndarray) and array.ndim == len(shape) and array.dtype.name in dtypes
    if not right or any(wanted not in (None, size) for wanted, size in zip(shape, array.shape)):
        sizes = ", ".join("n" if size is None else str(size) for size in shape) + ("," if len(shape) == 1 else "")
        got = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
        raise TensorError(f"{name} cannot be used", expected=f"{' or '.join(dtypes)} ({sizes})", got=got)


def rounded(values: NDArray[Any], digits: int) -> list[Any]:
    """The array as nested lists of Python numbers with so many digits behind the point."""
    found: list[Any] = np.round(values.astype(np.float64), digits).tolist()
    return found
