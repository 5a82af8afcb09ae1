"""ONNX models in onnxruntime: on the CPU, or with its CUDA or TensorRT provider."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from edgevision.runtime.errors import BackendError
from edgevision.runtime.onnx_providers import nodes_by_provider, provider_list
from edgevision.runtime.providers import check_provider, not_there
from edgevision.runtime.session import Session, checked_threads, engine_errors, import_engine
from edgevision.runtime.spec import TensorSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DTYPES = {"float": "float32", "double": "float64"}


class OnnxSession(Session):
    """One onnxruntime session; its ``run`` is thread-safe by itself.

    Providers: "cpu" (the default), "cuda", "tensorrt". onnxruntime itself goes on on the CPU where a provider does not
    start; here that is a BackendError, and so is a provider that runs none of the model's nodes.
    """

    backend: ClassVar[str] = "onnx"

    def __init__(
        self,
        model: bytes,
        *,
        weights: bytes | None = None,
        threads: int | None = None,
        exact_sums: bool = False,
        provider: str | None = None,
    ) -> None:
        count = checked_threads(threads)
        check_provider(provider, "onnx")
        if weights is not None:
            raise BackendError("onnx models have no separate weights file", cure="leave weights out")
        runtime = import_engine("onnxruntime", "onnxruntime", "onnx")
        asked = provider_list(runtime, provider, model)
        with engine_errors("onnxruntime", "load the model", "convert the model again"):
            options = runtime.SessionOptions()
            options.intra_op_num_threads, options.inter_op_num_threads = count, 1
            options.log_severity_level = 4
            if exact_sums:  # else x86 without VNNI adds 8-bit products in 16 bits and saturates
                options.add_session_config_entry("session.x64quantprecision", "1")
            self._session, delegated = _opened(runtime, model, options, asked)
            inputs = [_spec(item) for item in self._session.get_inputs()]
            outputs = [_spec(item) for item in self._session.get_outputs()]
            used = self._session.get_session_options().intra_op_num_threads
        facts = {
            "engine": "onnxruntime",
            "version": str(runtime.__version__),
            "provider": self._session.get_providers()[0],
            "delegated": delegated,
            "float_precision": "float32",
            "threads": used,
        }
        if exact_sums:
            facts["sums"] = "exact, slower: this processor has no VNNI"
        super().__init__(inputs, outputs, facts)

    def _run(self, feeds: dict[str, NDArray[Any]]) -> Sequence[NDArray[Any]]:
        results: Sequence[NDArray[Any]] = self._session.run(None, feeds)
        return results

    def _close(self) -> None:
        self._session = None


def _opened(runtime: Any, model: bytes, options: Any, asked: list[Any]) -> tuple[Any, float]:
    """The session, and the share of nodes that the first provider in the list runs.

    On the CPU that is all of them. Another provider is run once and asked what it did: some start, promise, and leave
    every node to the CPU, others have no code for the very GPU, which shows only when a kernel starts.
    """
    name = asked[0] if isinstance(asked[0], str) else asked[0][0]
    if name == "CPUExecutionProvider":
        return runtime.InferenceSession(model, options, providers=asked), 1.0
    session, nodes = nodes_by_provider(runtime, model, options, asked)
    found = session.get_providers()
    total = sum(nodes.values())
    if found[0] != name or not nodes.get(name):
        got = f"{', '.join(found)}; nodes run: " + (", ".join(f"{v} by {k}" for k, v in nodes.items()) or "none")
        raise not_there(name, "onnxruntime", got=got)
    return session, round(nodes[name] / total, 4)


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
