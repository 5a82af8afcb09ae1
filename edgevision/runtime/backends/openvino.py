"""OpenVINO models (.xml and .bin) on the CPU plug-in."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from edgevision.runtime.errors import BackendError
from edgevision.runtime.session import Session, checked_threads, engine_errors, import_engine
from edgevision.runtime.spec import TensorSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TELEMETRY = "openvino_telemetry"


def import_openvino() -> Any:
    """The openvino module, imported without its telemetry, which would send an event on import.

    Raises:
        MissingPackageError: openvino is not installed.
        BackendError: It is installed and cannot be imported.
    """
    if "openvino" in sys.modules:
        return import_engine("openvino", "openvino", "openvino")
    before = sys.modules.get(_TELEMETRY)
    sys.modules[_TELEMETRY] = None  # type: ignore[assignment]  # an import of it now fails, and openvino goes on without
    try:
        return import_engine("openvino", "openvino", "openvino")
    finally:
        del sys.modules[_TELEMETRY]
        if before is not None:
            sys.modules[_TELEMETRY] = before


class OpenvinoSession(Session):
    """One compiled model; each run takes an infer request that no other thread is using."""

    backend: ClassVar[str] = "openvino"

    def __init__(self, model: bytes, *, weights: bytes | None = None, threads: int | None = None) -> None:
        openvino = import_openvino()
        wanted = {
            "INFERENCE_PRECISION_HINT": "f32",  # left alone it computes in bf16 where the CPU can
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": checked_threads(threads),
        }
        with engine_errors("openvino", "load the model", "convert the model again; an .xml needs its .bin beside it"):
            network = openvino.Core().read_model(model, weights or b"")
            _fix_batch(network)
            self._compiled = openvino.Core().compile_model(network, "CPU", wanted)
            inputs, outputs = (
                [_spec(port) for port in ports] for ports in (self._compiled.inputs, self._compiled.outputs)
            )
            facts = {"engine": "openvino", "version": str(openvino.__version__), **_read_back(self._compiled)}
        self._requests: list[Any] = []
        super().__init__(inputs, outputs, facts)

    def _run(self, feeds: dict[str, NDArray[Any]]) -> Sequence[NDArray[Any]]:
        with engine_errors("openvino", "run the model"):
            try:
                request = self._requests.pop()
            except IndexError:
                request = self._compiled.create_infer_request()
            request.infer([feeds[spec.name] for spec in self.inputs], share_inputs=True)
            results = [request.get_output_tensor(i).data.copy() for i in range(len(self.outputs))]
            self._requests.append(request)  # not reached after an error: a request in an unknown state is dropped
        return results

    def _close(self) -> None:
        self._requests.clear()
        self._compiled = None


def _fix_batch(network: Any) -> None:
    shapes = {port: port.get_partial_shape() for port in network.inputs}
    if any(shape.is_dynamic for shape in shapes.values()):
        for shape in shapes.values():
            if shape[0].is_dynamic:
                shape[0] = 1
        network.reshape(shapes)


def _read_back(compiled: Any) -> dict[str, Any]:
    precision = compiled.get_property("INFERENCE_PRECISION_HINT").to_dtype().name
    provider = "+".join(compiled.get_property("EXECUTION_DEVICES"))
    return {"provider": provider, "precision": precision, "threads": compiled.get_property("INFERENCE_NUM_THREADS")}


def _spec(port: Any) -> TensorSpec:
    name = port.get_any_name() if port.get_names() else port.get_node().get_friendly_name()
    shape = port.get_partial_shape()
    if shape.is_dynamic:
        cure = "fix the input size when converting"
        raise BackendError(f"shape of tensor {name!r} is not fixed", expected="numbers", got=str(shape), cure=cure)
    return TensorSpec(name, tuple(shape.to_shape()), port.get_element_type().to_dtype().name)
