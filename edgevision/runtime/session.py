"""One interface over every engine: named arrays in, named arrays out, the same inputs refused by all."""

from __future__ import annotations

import dataclasses
import importlib
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from edgevision.runtime.closing import Closing
from edgevision.runtime.errors import BackendError, EdgevisionError, InputError, MissingPackageError, TensorError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgevision.runtime.spec import QuantParams, TensorSpec


class Session(Closing):
    """A model loaded into an engine. Safe to run from many threads at once.

    A backend is a constructor ``(model, *, weights=None, threads=None, provider=None)`` that ends in
    ``super().__init__`` and the hook ``_run``. Everything that is checked is checked here, so that all engines refuse
    the same inputs.

    Attributes:
        backend: Name of the backend, e.g. "onnx".
        inputs: What ``run`` must be fed.
        outputs: What ``run`` returns.
    """

    backend: ClassVar[str]

    def __init__(self, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], facts: dict[str, Any]) -> None:
        self.inputs = tuple(inputs)
        self.outputs = tuple(outputs)
        self._facts = facts
        self._closed = False
        # What every call compares with, looked up once: name, dtype, shape, whether values could be NaN.
        self._fed = [(spec.name, np.dtype(spec.dtype), spec.shape, spec.dtype.startswith("f")) for spec in self.inputs]
        self._given = [(spec.name, np.dtype(spec.dtype), spec.shape) for spec in self.outputs]

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Runs the model once.

        Args:
            feeds: One array per input, by name, of exactly the dtype and shape of its spec; floats are finite.

        Returns:
            One freshly allocated array per output, by name, as its spec says.

        Raises:
            TensorError: A name, dtype or shape is wrong, or a value is not finite. Nothing is cast.
            BackendError: The session is closed, or the engine failed.
        """
        checked = self._checked(feeds)
        try:
            if self._closed:
                raise BackendError("no engine")
            results = self._run(checked)
        except (EdgevisionError, MemoryError) as error:
            if self._closed and isinstance(error, BackendError):  # before the run, or by another thread meanwhile
                raise BackendError(f"the {self.backend} session is closed", cure="open it again") from error
            raise
        except Exception as error:
            cure = "open it again" if self._closed else ""
            problem = (
                f"the {self.backend} session is closed" if self._closed else f"{self.backend} could not run the model"
            )
            raise BackendError(problem, got=_reason(error), cure=cure) from error
        found = {}
        for (name, dtype, shape), result in zip(self._given, results):
            if result.shape != shape or result.dtype != dtype:
                expected, got = f"{dtype} {shape}", f"{result.dtype} {result.shape}"
                raise BackendError(f"output {name!r} is not as declared", expected=expected, got=got)
            found[name] = result
        return found

    @abstractmethod
    def _run(self, feeds: dict[str, NDArray[Any]]) -> Sequence[NDArray[Any]]:
        """Checked, C-contiguous feeds in; fresh arrays in the order of ``outputs`` out.

        It may raise what the engine raises.
        """

    def describe(self) -> dict[str, Any]:
        """What runs, as the engine itself reported it after loading.

        Returns:
            ``backend``, ``engine`` and ``version``; ``provider``: the device code that was really chosen;
            ``delegated``: share of the model's operators that it runs, 0..1 (of a TFLite delegate those inside it);
            ``float_precision``: in what the arithmetic that is not quantised is done; ``threads``: how many are used;
            of OpenVINO also ``node_precisions``: runtime precision -> executed nodes.
        """
        return {"backend": self.backend, **self._facts}

    def add_fact(self, name: str, value: str) -> None:
        """Something more to ``describe``, known to who opened the session: why this model in this engine."""
        self._facts[name] = value

    def learn_quantisation(self, known: Mapping[str, QuantParams]) -> None:
        """How stored integers map to real values, by name of the tensor, where the engine itself does not know."""
        self.inputs, self.outputs = (
            tuple(spec if spec.quant else dataclasses.replace(spec, quant=known.get(spec.name)) for spec in specs)
            for specs in (self.inputs, self.outputs)
        )

    def close(self) -> None:
        """Lets go of the engine. Closing twice does nothing; running afterwards is a BackendError."""
        if not self._closed:
            self._closed = True
            self._close()

    def _close(self) -> None:
        """Drops what the engine holds."""

    def _checked(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        if type(feeds) is dict and len(feeds) == len(self._fed) and all(_fits(feeds, *fed) for fed in self._fed):
            return feeds
        names = [spec.name for spec in self.inputs]
        if not isinstance(feeds, Mapping) or set(feeds) != set(names):
            got = ", ".join(map(str, feeds)) if isinstance(feeds, Mapping) else type(feeds).__name__
            raise TensorError("the feeds are not the model's inputs", expected=", ".join(names), got=got or "none")
        return {spec.name: _checked_array(spec, feeds[spec.name]) for spec in self.inputs}


def _fits(feeds: dict[str, Any], name: str, dtype: np.dtype[Any], shape: tuple[int, ...], is_float: bool) -> bool:
    """Whether an input needs no further look: nearly always, and quicker than finding out what is wrong."""
    value = feeds.get(name)
    if type(value) is not np.ndarray or value.dtype != dtype or value.shape != shape:
        return False
    flags = value.flags
    return flags.c_contiguous and flags.aligned and not (is_float and not np.isfinite(value).all())


def _checked_array(spec: TensorSpec, value: Any) -> NDArray[Any]:
    if not isinstance(value, np.ndarray):
        got = type(value).__name__
        raise TensorError(f"input {spec.name!r} is not a numpy array", expected=_describe(spec), got=got)
    if isinstance(value, np.ma.MaskedArray):
        cure = "fill what is masked out: array.filled(value)"
        raise TensorError(f"input {spec.name!r} is masked", expected=_describe(spec), got="a masked array", cure=cure)
    if value.dtype != spec.dtype or value.shape != spec.shape:
        got = f"{value.dtype} {value.shape}"
        cure = "convert it yourself: nothing is cast or reshaped silently"
        raise TensorError(f"input {spec.name!r} does not fit", expected=_describe(spec), got=got, cure=cure)
    if value.dtype.kind == "f" and not np.isfinite(value).all():
        raise TensorError(f"input {spec.name!r} has values that are not finite", expected="no NaN and no infinity")
    if type(value) is np.ndarray and value.flags.c_contiguous and value.flags.aligned:
        return value
    # Engines read plain memory: what a subclass, a stride or an odd address means, only numpy knows.
    return np.require(value, requirements=("C", "A", "E"))


def _describe(spec: TensorSpec) -> str:
    return f"{spec.dtype} {spec.shape}"


def checked_threads(threads: int | None) -> int:
    """The thread count to use: the one asked for, or 1, which is what small models are fastest with.

    Raises:
        InputError: It is not a whole number of at least 1.
    """
    if threads is None:
        return 1
    if isinstance(threads, bool) or not isinstance(threads, int) or not 1 <= threads <= 1024:
        raise InputError("threads is not usable", expected="a whole number 1..1024", got=repr(threads))
    return threads


def import_engine(module: str, package: str, extra: str) -> Any:
    """An engine's Python module, imported when the first session needs it.

    Args:
        module: What to import, e.g. "onnxruntime".
        package: The distribution that brings it.
        extra: The extra of edgevision that installs it.

    Raises:
        MissingPackageError: It is not installed.
        BackendError: It is installed and cannot be imported.
    """
    try:
        return importlib.import_module(module)
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and error.name in (module, module.partition(".")[0]):
            raise MissingPackageError(package, f"to run {extra} models", extra) from error
        cure = f"reinstall it: pip install --force-reinstall {package}"
        raise BackendError(f"{package} is installed but cannot be imported", got=str(error), cure=cure) from error


@contextmanager
def engine_errors(engine: str, doing: str, cure: str = "") -> Iterator[None]:
    """Turns whatever an engine raises inside the block into a BackendError that says what was being done."""
    try:
        yield
    except (EdgevisionError, MemoryError):
        raise
    except Exception as error:
        raise BackendError(f"{engine} could not {doing}", got=_reason(error), cure=cure) from error


def _reason(error: Exception) -> str:
    """The first line of what an engine says."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)[:300]
