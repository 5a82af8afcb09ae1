"""ONNX models in onnxruntime, on the CPU."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from edgevision.runtime.errors import BackendError
from edgevision.runtime.session import Session, checked_threads, engine_errors, import_engine
from edgevision.runtime.spec import TensorSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DTYPES = {"float": "float32", "double": "float64"}


class OnnxSession(Session):
    """One onnxruntime session; its ``run`` is thread-safe by itself."""

    backend: ClassVar[str] = "onnx"

    def __init__(
        self, model: bytes, *, weights: bytes | None = None, threads: int | None = None, exact_sums: bool = False
    ) -> None:
        count = checked_threads(threads)
        if weights is not None:
            raise BackendError("onnx models have no separate weights file", cure="leave weights out")
        runtime = import_engine("onnxruntime", "onnxruntime", "onnx")
        with engine_errors("onnxruntime", "load the model", "convert the model again"):
            options = runtime.SessionOptions()
            options.intra_op_num_threads, options.inter_op_num_threads = count, 1
            options.log_severity_level = 4
            if exact_sums:  # else x86 without VNNI adds 8-bit products in 16 bits and saturates
                options.add_session_config_entry("session.x64quantprecision", "1")
            self._session = runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
            inputs = [_spec(item) for item in self._session.get_inputs()]
            outputs = [_spec(item) for item in self._session.get_outputs()]
            used = self._session.get_session_options().intra_op_num_threads
            provider = self._session.get_providers()[0]
        version = str(runtime.__version__)
        facts = {
            "engine": "onnxruntime",
            "version": version,
            "provider": provider,
            "precision": "float32",
            "threads": used,
        }
        if exact_sums:
            facts["sums"] = "exact, slower: this processor has no VNNI"
        super().__init__(inputs, outputs, facts)

    def _run(self, feeds: dict[str, NDArray[Any]]) -> Sequence[NDArray[Any]]:
        with engine_errors("onnxruntime", "run the model"):
            results: Sequence[NDArray[Any]] = self._session.run(None, feeds)
        return results

    def _close(self) -> None:
        self._session = None


def _spec(item: Any) -> TensorSpec:
    kind = re.sub(r"^tensor\((.+)\)$", r"\1", item.type)
    shape = list(item.shape)
    if shape and not isinstance(shape[0], int):
        shape[0] = 1  # a free batch: this package runs one image at a time
    if not all(isinstance(size, int) for size in shape):
        cure = "fix the input size when converting"
        raise BackendError(
            f"shape of tensor {item.name!r} is not fixed", expected="numbers", got=str(item.shape), cure=cure
        )
    return TensorSpec(item.name, tuple(shape), _DTYPES.get(kind, kind))
