"""TFLite models in LiteRT, or in the older tflite-runtime where there is no LiteRT. Never in tensorflow."""

from __future__ import annotations

import ctypes
import platform
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from edgevision.runtime.errors import BackendError, MissingPackageError
from edgevision.runtime.flatbuffer_check import check_whole
from edgevision.runtime.providers import check_provider, not_there
from edgevision.runtime.session import Session, checked_threads, engine_errors, import_engine
from edgevision.runtime.spec import QuantParams, TensorSpec
from edgevision.runtime.tflite_operators import delegated

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: The library of a Coral accelerator, by system.
_EDGETPU = {"Linux": "libedgetpu.so.1", "Darwin": "libedgetpu.1.dylib", "Windows": "edgetpu.dll"}


class _Engine(NamedTuple):
    name: str
    version: str
    module: Any


class TfliteSession(Session):
    """One interpreter and a lock: the interpreter itself is not thread-safe.

    Providers: "cpu" takes XNNPACK where the engine has it, "xnnpack" insists on it, "builtin" does without; "edgetpu"
    and the path of a library load an external delegate, beside which the built-in kernels run what it leaves over.
    """

    backend: ClassVar[str] = "tflite"

    def __init__(
        self, model: bytes, *, weights: bytes | None = None, threads: int | None = None, provider: str | None = None
    ) -> None:
        count = checked_threads(threads)
        check_provider(provider, "tflite")
        if weights is not None:
            raise BackendError("tflite models have no separate weights file", cure="leave weights out")
        engine = _engine()
        if engine.name == "tflite-runtime":
            check_whole(model)
        self._lock = threading.Lock()
        with engine_errors(engine.name, "load the model", "convert the model again"):
            self._interpreter = _interpreter(engine, model, count, provider)
            self._interpreter.allocate_tensors()
            names = _signature_names(self._interpreter)
            ran = _provider(self._interpreter, provider, engine.name)
            inputs, outputs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
            input_specs, output_specs = ([_spec(item, names) for item in items] for items in (inputs, outputs))
        self._input_index = [(names.get(item["index"], item["name"]), item["index"]) for item in inputs]
        self._output_index = [item["index"] for item in outputs]
        facts = {
            "engine": engine.name,
            "version": engine.version,
            **ran,
            "float_precision": "float32",
            "threads": count,
        }
        super().__init__(input_specs, output_specs, facts)

    def _run(self, feeds: dict[str, NDArray[Any]]) -> Sequence[NDArray[Any]]:
        with self._lock:
            interpreter = self._interpreter
            for name, index in self._input_index:
                interpreter.set_tensor(index, feeds[name])
            interpreter.invoke()
            return [interpreter.get_tensor(index) for index in self._output_index]  # copies

    def _close(self) -> None:
        with self._lock:
            self._interpreter = None


def _engine() -> _Engine:
    """The engine that is installed; ``module`` has Interpreter and load_delegate."""
    try:
        module = import_engine("ai_edge_litert.interpreter", "ai-edge-litert", "tflite")
        package = import_engine("ai_edge_litert", "ai-edge-litert", "tflite")
        return _Engine("ai-edge-litert", str(getattr(package, "__version__", "unknown")), module)
    except MissingPackageError as missing:
        try:
            module = import_engine("tflite_runtime.interpreter", "tflite-runtime", "tflite-legacy")
        except MissingPackageError:
            raise missing from None
        package = import_engine("tflite_runtime", "tflite-runtime", "tflite-legacy")
        return _Engine("tflite-runtime", str(getattr(package, "__version__", "unknown")), module)


def _interpreter(engine: _Engine, model: bytes, threads: int, provider: str | None) -> Any:
    """The interpreter, with an external delegate where one was asked for.

    Beside an external delegate XNNPACK stays off: it would take what the other leaves, and nobody could tell them
    apart.
    """
    options: dict[str, Any] = {"model_content": model, "num_threads": threads}
    if provider not in (None, "cpu", "xnnpack"):
        resolver = engine.module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        options["experimental_op_resolver_type"] = resolver
        if provider != "builtin":
            options["experimental_delegates"] = [_delegate(engine, str(provider))]
    return engine.module.Interpreter(**options)


def _delegate(engine: _Engine, provider: str) -> Any:
    library = _EDGETPU.get(platform.system(), _EDGETPU["Linux"]) if provider == "edgetpu" else provider
    try:
        ctypes.CDLL(library)  # LiteRT's own class stumbles over itself when the library is not there
        return engine.module.load_delegate(library)
    except Exception as error:
        got = str(error).strip() or f"{library} refused to start"
        cure = f"check that {library} is installed, fits this {engine.name}, and that its device is plugged in"
        raise not_there(provider, engine.name, got=got, cure=cure) from error


def _provider(interpreter: Any, provider: str | None, engine: str) -> dict[str, Any]:
    """Which kernels run, and the share of the model's operators that a delegate took over."""
    operators = interpreter._get_ops_details()  # there is no public way to ask
    share = delegated(operators)
    is_external = provider not in (None, "cpu", "xnnpack", "builtin")
    if not share and (is_external or provider == "xnnpack"):
        cure = "for a Coral compile the model with edgetpu_compiler" if provider == "edgetpu" else ""
        raise not_there(str(provider), engine, got="a delegate that takes none of the model's operators", cure=cure)
    name = str(provider) if is_external else "CPU (XNNPACK)" if share else "CPU"
    return {"provider": name, "delegated": share}


def _signature_names(interpreter: Any) -> dict[int, str]:
    """Tensor index -> the name in the model's only signature: what its maker called it, e.g. "image"."""
    keys = list(interpreter.get_signature_list())
    if len(keys) != 1:
        return {}
    runner = interpreter.get_signature_runner(keys[0])
    details = {**runner.get_output_details(), **runner.get_input_details()}
    return {item["index"]: name for name, item in details.items()}


def _spec(item: dict[str, Any], names: dict[int, str]) -> TensorSpec:
    shape = tuple(int(size) for size in item["shape"])
    free = [size for size in item["shape_signature"][1:] if size < 0]
    if free:
        got = str(tuple(int(size) for size in item["shape_signature"]))
        cure = "fix the input size when converting"
        raise BackendError(f"shape of tensor {item['name']!r} is not fixed", expected="numbers", got=got, cure=cure)
    scale, zero_point = item["quantization"]
    dtype = np.dtype(item["dtype"])
    quant = QuantParams(float(scale), int(zero_point)) if scale and dtype.kind in "iu" else None
    return TensorSpec(names.get(item["index"], item["name"]), shape, dtype.name, quant)
