"""The one thing a task is: outputs of the model in, a typed result out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from edgevision.runtime.errors import BundleError, TensorError
from edgevision.runtime.tensor_predictor import real_values

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgevision.runtime.manifest import Manifest
    from edgevision.runtime.results import Result
    from edgevision.runtime.spec import TensorSpec

Outputs = Mapping[str, "NDArray[Any]"]


class Task(ABC):
    """Decodes what one head gives. Whatever can be refused is refused when it is made.

    Args:
        manifest: What the bundle says.
        outputs: What the model really gives.

    Raises:
        BundleError: The outputs are not those that the head describes.
    """

    def __init__(self, manifest: Manifest, outputs: Sequence[TensorSpec]) -> None:
        self.labels = manifest.labels
        self._outputs = tuple(outputs)
        self._dtypes = {spec.name: np.dtype(spec.dtype) for spec in outputs}

    @abstractmethod
    def decode(self, outputs: Outputs, size: tuple[int, int]) -> Result:
        """A result from the model's outputs.

        Args:
            outputs: By name, as ``Session.run`` gives them.
            size: Height and width of the source, pixels.

        Raises:
            TensorError: An output is missing, has another shape or dtype than the model's, or is not finite.
        """

    def spec(self, name: str) -> TensorSpec:
        """The output of that name; "" is the only one.

        Raises:
            BundleError: There is none, or more than one where the only one is meant.
        """
        names = ", ".join(f"{spec.name} {spec.shape}" for spec in self._outputs)
        for spec in self._outputs:
            if name in ("", spec.name) and (name or len(self._outputs) == 1):
                return spec
        wanted = f"an output {name!r}" if name else "one output"
        raise BundleError("the model's outputs are not those of its head", expected=wanted, got=names)

    def real(self, outputs: Outputs, spec: TensorSpec) -> NDArray[np.float32]:
        """An output in its real unit, float32 of its whole shape, finite."""
        values = self.unchecked(outputs, spec)
        if not np.isfinite(values).all():
            raise TensorError(f"the output {spec.name!r} is not finite", expected="no NaN and no infinity")
        return values

    def unchecked(self, outputs: Outputs, spec: TensorSpec) -> NDArray[np.float32]:
        """``real`` that may not be finite."""
        found = outputs.get(spec.name)
        right = isinstance(found, np.ndarray) and found.shape == spec.shape and found.dtype == self._dtypes[spec.name]
        if found is None or not right:
            got = f"{found.dtype} {found.shape}" if isinstance(found, np.ndarray) else ", ".join(outputs) or "nothing"
            expected = f"{spec.dtype} {spec.shape}"
            raise TensorError(f"the output {spec.name!r} is not the model's", expected=expected, got=got)
        values: NDArray[np.float32] = real_values(found, spec).astype(np.float32, copy=False)
        return values


def misfit(spec: TensorSpec, expected: str) -> BundleError:
    """What is raised where an output has a shape that its head cannot be decoded from."""
    return BundleError(f"the output {spec.name!r} does not fit its head", expected=expected, got=str(spec.shape))


def channels_last(values: NDArray[np.float32], layout: str) -> NDArray[np.float32]:
    """(h, w, channels) of a map (1, h, w, channels) or, by "nchw", (1, channels, h, w)."""
    found: NDArray[np.float32] = values[0].transpose(1, 2, 0) if layout == "nchw" else values[0]
    return found


def map_shape(spec: TensorSpec, layout: str) -> tuple[int, int, int]:
    """Rows, columns and channels of a map.

    Raises:
        BundleError: It is none.
    """
    if len(spec.shape) != 4 or spec.shape[0] != 1:
        raise misfit(spec, "(1, h, w, channels)" if layout == "nhwc" else "(1, channels, h, w)")
    a, b, c = spec.shape[1:]
    return (b, c, a) if layout == "nchw" else (a, b, c)


def sigmoid(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """1 / (1 + exp(-x)), which never overflows in this form."""
    return cast("NDArray[np.float32]", np.float32(0.5) * (np.float32(1) + np.tanh(np.float32(0.5) * values)))


def softmax(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Over the last axis."""
    powers = np.exp(values - values.max(axis=-1, keepdims=True))
    return cast("NDArray[np.float32]", powers / powers.sum(axis=-1, keepdims=True))
