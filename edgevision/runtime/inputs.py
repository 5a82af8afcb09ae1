"""What a model takes: an image, a window of frames, or arrays of its own. Each form decodes and prepares alike."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from edgevision.runtime import images
from edgevision.runtime.encoding import PixelEncoding
from edgevision.runtime.errors import BundleError, ImageError, InputError, TensorError
from edgevision.runtime.preprocess import resize
from edgevision.runtime.sampling import size_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgevision.runtime.manifest import Manifest
    from edgevision.runtime.spec import Preprocessing, TensorSpec

Feeds = dict[str, "NDArray[Any]"]


class InputForm(ABC):
    """The first two stages of a prediction.

    Attributes:
        takes_lists: Whether a list is one input, not many.
    """

    takes_lists = False

    @abstractmethod
    def decode(self, source: Any) -> Any:
        """Stage 1: what the user has to what ``preprocess`` takes."""

    @abstractmethod
    def preprocess(self, decoded: Any) -> Feeds:
        """Stage 2: to the model's inputs by name, with a batch of 1."""

    @abstractmethod
    def size(self, decoded: Any) -> tuple[int, int]:
        """Height and width of the source, pixels; (0, 0) where it is no image."""

    def read(self, source: Any) -> Any:
        """Stage 1 as a call makes it: what ``decode`` gives, or the same image in a form that costs less."""
        return self.decode(source)

    def prepare(self, found: Any, source: Any) -> Feeds:
        """Stage 2 as a call makes it, of what ``read`` gives for ``source``: the values of ``preprocess``."""
        return self.preprocess(found)

    def feeds(self, source: Any) -> tuple[Feeds, tuple[int, int]]:
        """Both stages as a call makes them, and the size."""
        found = self.read(source)
        return self.prepare(found, source), self.size(found)


class ImageInput(InputForm):
    """One image: uint8 (H, W, 3), RGB, to (1, height, width, channels) or another layout (``PixelEncoding``)."""

    def __init__(self, inputs: Sequence[TensorSpec], p: Preprocessing) -> None:
        if len(inputs) != 1 or inputs[0].shape[:1] != (1,):
            raise _misfit(f"one image of {p.height}x{p.width} with {p.channels} channels, a batch of 1", inputs)
        self._preprocessing, self._name, self._encode = p, inputs[0].name, PixelEncoding(inputs[0], p)

    def decode(self, source: Any) -> NDArray[np.uint8]:
        """Stage 1; see ``images.decode``."""
        return source if _is_decoded(source) else images.decode(source)

    def preprocess(self, decoded: Any) -> Feeds:
        """Stage 2: to the input by name."""
        return {self._name: self._encode(resize(decoded, self._preprocessing, fast=True))[None]}

    def size(self, decoded: Any) -> tuple[int, int]:
        """Height and width of the image, pixels."""
        return size_of(decoded)

    def read(self, source: Any) -> Any:
        """Stage 1 with no copy of the pixels; what it gives is not the caller's to keep."""
        return source if _is_decoded(source) else images.read(source)

    def prepare(self, found: Any, source: Any) -> Feeds:
        """Stage 2, to values that nobody overwrites: those of the very array that came in, or the caller's own."""
        feeds = self.preprocess(found)
        if found is not source and isinstance(found, np.ndarray) and np.may_share_memory(found, feeds[self._name]):
            feeds = {self._name: feeds[self._name].copy()}  # of the model's size: what read returns is not ours to keep
        return feeds


class FramesInput(InputForm):
    """A window of frames to (1, frames, height, width, channels) or another layout (``PixelEncoding``).

    Attributes:
        frames: How many there are in a window.
    """

    takes_lists = True

    def __init__(self, inputs: Sequence[TensorSpec], p: Preprocessing) -> None:
        if len(inputs) != 1 or len(inputs[0].shape) < 3 or inputs[0].shape[0] != 1:
            raise _misfit(f"one window of frames of {p.height}x{p.width} with {p.channels} channels", inputs)
        self.frames, self._preprocessing, self._name = inputs[0].shape[1], p, inputs[0].name
        self._encode = PixelEncoding(inputs[0], p, leading=2)

    def decode(self, source: Any) -> list[NDArray[np.uint8]]:
        """The window's frames, first to last: a list of images, or uint8 (frames, H, W, 3)."""
        is_array = isinstance(source, np.ndarray)
        if not isinstance(source, (list, tuple)) and not (is_array and source.ndim == 4):
            got = f"{source.dtype} {source.shape}" if is_array else type(source).__name__
            raise ImageError("the window is not usable", expected=f"a list of {self.frames} images", got=got)
        if len(source) != self.frames:
            raise ImageError("the window has the wrong length", expected=f"{self.frames} frames", got=f"{len(source)}")
        return [images.decode(frame) for frame in source]

    def decode_frame(self, frame: Any) -> NDArray[np.uint8]:
        """One frame, uint8 (H, W, 3), RGB."""
        return images.decode(frame)

    def prepared(self, frame: NDArray[np.uint8]) -> NDArray[Any]:
        """One decoded frame as it stands in the window."""
        return self._encode(resize(frame, self._preprocessing, fast=True))

    def window(self, prepared: Sequence[NDArray[Any]]) -> Feeds:
        """Prepared frames as the model's input."""
        return {self._name: np.stack(prepared)[None]}

    def preprocess(self, decoded: Any) -> Feeds:
        """Stage 2: to the input by name."""
        return self.window([self.prepared(frame) for frame in decoded])

    def size(self, decoded: Any) -> tuple[int, int]:
        """Height and width of the last frame, pixels."""
        height, width = decoded[-1].shape[:2]
        return height, width


class ArraysInput(InputForm):
    """Arrays in the model's own units: a latent vector, say."""

    def __init__(self, inputs: Sequence[TensorSpec]) -> None:
        self._specs = tuple(inputs)

    def decode(self, source: Any) -> Feeds:
        """The inputs by name.

        Args:
            source: {name: array}; for the only input its array or the path of an .npy, with or without the batch of 1;
                or a whole number: the seed of standard normal values for all inputs.
        """
        if isinstance(source, (int, np.integer)) and not isinstance(source, bool):
            return self._random(int(source))
        if isinstance(source, (str, os.PathLike)):
            source = _loaded(source)
        if not isinstance(source, Mapping):
            if len(self._specs) != 1:
                names = ", ".join(spec.name for spec in self._specs)
                raise InputError(
                    "the model has several inputs", expected=f"{{name: array}} of {names}", got="one array"
                )
            source = {self._specs[0].name: source}
        specs = {spec.name: spec for spec in self._specs}
        return {name: _batched(array, specs.get(name)) for name, array in source.items()}

    def _random(self, seed: int) -> Feeds:
        random = np.random.default_rng(seed)
        if any(spec.dtype != "float32" for spec in self._specs):
            raise _misfit("float32 inputs, to be drawn at random", self._specs)
        return {spec.name: random.standard_normal(spec.shape, np.float32) for spec in self._specs}

    def preprocess(self, decoded: Any) -> Feeds:
        """Stage 2: to the input by name."""
        feeds: Feeds = decoded
        return feeds

    def size(self, decoded: Any) -> tuple[int, int]:
        """Arrays are no image: 0 and 0."""
        return 0, 0


def _is_decoded(source: Any) -> bool:
    """Whether it is an array that ``images.decode`` would return as it is; quicker to see than to be told."""
    if type(source) is not np.ndarray or source.dtype != np.uint8 or source.shape[2:] != (3,):
        return False
    return source.size > 0 and source.flags.c_contiguous


def input_form(manifest: Manifest, inputs: Sequence[TensorSpec]) -> InputForm:
    """How the user's input becomes the model's.

    Raises:
        BundleError: The model's inputs are not what its preprocessing makes.
    """
    if manifest.preprocessing is None:
        return ArraysInput(inputs)
    form = FramesInput if manifest.task == "sequence" else ImageInput
    return form(inputs, manifest.preprocessing)


def _loaded(path: str | os.PathLike[str]) -> NDArray[Any]:
    try:
        found = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        problem, cure = f"{os.fspath(path)} cannot be read", "save it with numpy.save, or give a seed"
        raise TensorError(problem, expected="an .npy file", got=str(error), cure=cure) from error
    if not isinstance(found, np.ndarray):
        raise TensorError(f"{os.fspath(path)} cannot be used", expected="an .npy file", got="several arrays")
    return found


def _batched(array: Any, spec: TensorSpec | None) -> Any:
    """With the batch of 1 in front; what is wrong besides is the session's to say."""
    if spec is not None and isinstance(array, np.ndarray) and array.shape == spec.shape[1:]:
        return array[None]
    return array


def _misfit(expected: str, inputs: Sequence[TensorSpec]) -> BundleError:
    got = ", ".join(f"{spec.dtype} {spec.shape}" for spec in inputs)
    return BundleError("the model's input is not what its preprocessing makes", expected=expected, got=got)
