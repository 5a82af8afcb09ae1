"""TFLite models in LiteRT, or in the older tflite-runtime where there is no LiteRT. Never in tensorflow."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from edgevision.runtime.errors import BackendError, MissingPackageError
from edgevision.runtime.session import Session, checked_threads, engine_errors, import_engine
from edgevision.runtime.spec import QuantParams, TensorSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray


class TfliteSession(Session):
    """One interpreter and a lock: the interpreter itself is not thread-safe."""

    backend: ClassVar[str] = "tflite"

    def __init__(self, model: bytes, *, weights: bytes | None = None, threads: int | None = None) -> None:
        count = checked_threads(threads)
        if weights is not None:
            raise BackendError("tflite models have no separate weights file", cure="leave weights out")
        engine, version, interpreter_class = _engine()
        self._lock = threading.Lock()
        with engine_errors(engine, "load the model", "convert the model again"):
            self._interpreter = interpreter_class(model_content=model, num_threads=count)
            self._interpreter.allocate_tensors()
            names = _signature_names(self._interpreter)
            provider = _provider(self._interpreter)
            inputs, outputs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
            input_specs, output_specs = ([_spec(item, names) for item in items] for items in (inputs, outputs))
        self._input_index = [(names.get(item["index"], item["name"]), item["index"]) for item in inputs]
        self._output_index = [item["index"] for item in outputs]
        facts = {"engine": engine, "version": version, "provider": provider, "precision": "float32", "threads": count}
        super().__init__(input_specs, output_specs, facts)

    def _run(self, feeds: dict[str, NDArray[Any]]) -> Sequence[NDArray[Any]]:
        with self._lock, engine_errors("the tflite interpreter", "run the model"):
            for name, index in self._input_index:
                self._interpreter.set_tensor(index, feeds[name])
            self._interpreter.invoke()
            return [self._interpreter.get_tensor(index) for index in self._output_index]  # copies

    def _close(self) -> None:
        with self._lock:
            self._interpreter = None


def _engine() -> tuple[str, str, Any]:
    """(name, version, Interpreter class) of the engine that is installed."""
    try:
        module = import_engine("ai_edge_litert.interpreter", "ai-edge-litert", "tflite")
        package = import_engine("ai_edge_litert", "ai-edge-litert", "tflite")
        return "ai-edge-litert", str(getattr(package, "__version__", "unknown")), module.Interpreter
    except MissingPackageError as missing:
        try:
            module = import_engine("tflite_runtime.interpreter", "tflite-runtime", "tflite-legacy")
        except MissingPackageError:
            raise missing from None
        package = import_engine("tflite_runtime", "tflite-runtime", "tflite-legacy")
        return "tflite-runtime", str(getattr(package, "__version__", "unknown")), module.Interpreter


def _provider(interpreter: Any) -> str:
    """Which kernels run: a delegate that took over operators is itself one more operator, called DELEGATE."""
    operators = interpreter._get_ops_details()  # there is no public way to ask
    return "CPU (XNNPACK)" if any(item["op_name"] == "DELEGATE" for item in operators) else "CPU"


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
