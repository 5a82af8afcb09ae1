"""OpenVINO models (.xml and .bin): on the CPU, or on a GPU or NPU of Intel."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from edgevision.runtime.errors import BackendError
from edgevision.runtime.providers import check_provider, not_there
from edgevision.runtime.session import Session, checked_threads, engine_errors, import_engine
from edgevision.runtime.spec import TensorSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TELEMETRY = "openvino_telemetry"
#: OpenVINO's names of float types -> numpy's ("bf16" has none of its own), the narrowest first.
_FLOATS = {"bf16": "bfloat16", "f16": "float16", "f32": "float32"}


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
    """One compiled model; each run takes an infer request that no other thread is using.

    Providers: "cpu" (the default), "gpu", "npu", "auto" (OpenVINO chooses; ``describe`` says what it chose).
    """

    backend: ClassVar[str] = "openvino"

    def __init__(
        self, model: bytes, *, weights: bytes | None = None, threads: int | None = None, provider: str | None = None
    ) -> None:
        count = checked_threads(threads)
        device = (check_provider(provider, "openvino") or "cpu").upper()
        openvino = import_openvino()
        core = openvino.Core()
        _check_device(core, device)
        with engine_errors("openvino", "load the model", "convert the model again; an .xml needs its .bin beside it"):
            network = core.read_model(model, weights or b"")
            _fix_batch(network)
            self._compiled = core.compile_model(network, device, _settings(device, count))
            inputs, outputs = (
                [_spec(port) for port in ports] for ports in (self._compiled.inputs, self._compiled.outputs)
            )
            facts = {
                "engine": "openvino",
                "version": str(openvino.__version__),
                **_read_back(self._compiled, device, count),
            }
        self._requests: list[tuple[Any, list[NDArray[Any]]]] = []
        super().__init__(inputs, outputs, facts)

    def _run(self, feeds: dict[str, NDArray[Any]]) -> Sequence[NDArray[Any]]:
        try:
            used = self._requests.pop()
        except IndexError:
            used = self._new_request()
        request, places = used
        # Handing arrays over costs OpenVINO's Python layer more than copying them to where the request has its own.
        for (name, *_), place in zip(self._fed, places):
            np.copyto(place, feeds[name])
        request.infer(share_outputs=True)
        results = [request.get_output_tensor(i).data.copy() for i in range(len(self.outputs))]
        self._requests.append(used)  # not reached after an error: a request in an unknown state is dropped
        return results

    def _new_request(self) -> tuple[Any, list[NDArray[Any]]]:
        """A request, and views of its inputs."""
        request = self._compiled.create_infer_request()
        return request, [request.get_input_tensor(i).data for i in range(len(self.inputs))]

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


def _check_device(core: Any, device: str) -> None:
    found = [each.partition(".")[0] for each in core.available_devices]
    if device != "AUTO" and device not in found:
        cure = "install the device's driver, or leave provider out to run on the CPU"
        raise not_there(device.lower(), "openvino", got=f"the devices {', '.join(found) or 'none'}", cure=cure)


def _settings(device: str, threads: int) -> dict[str, Any]:
    settings: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY"}
    if device != "NPU":  # which has no float32
        settings["INFERENCE_PRECISION_HINT"] = "f32"  # left alone a CPU computes in bf16, a GPU in f16
    if device in ("CPU", "AUTO"):
        settings["INFERENCE_NUM_THREADS"] = threads
    if device == "AUTO":  # else it begins on the CPU and changes later, and what was read after loading is not so
        settings |= {"ENABLE_STARTUP_FALLBACK": False, "ENABLE_RUNTIME_FALLBACK": False}
    return settings


def _read_back(compiled: Any, device: str, threads: int) -> dict[str, Any]:
    """What runs and where, asked of the compiled model.

    Raises:
        BackendError: Another device than the one asked for would run it.
    """
    devices = [str(each) for each in compiled.get_property("EXECUTION_DEVICES")]
    if device != "AUTO" and any(each.partition(".")[0] != device for each in devices):
        raise not_there(device.lower(), "openvino", got=f"execution on {', '.join(devices)}")
    nodes = _node_precisions(compiled)
    # AUTO does not say: what its nodes compute in, and the threads that it was told to take, stand for it.
    precision = next((words for name, words in _FLOATS.items() if name in nodes), "none")
    if device in ("CPU", "GPU"):
        precision = compiled.get_property("INFERENCE_PRECISION_HINT").to_dtype().name
    if device == "CPU":
        threads = compiled.get_property("INFERENCE_NUM_THREADS")
    return {
        "provider": "+".join(devices),
        "delegated": 1.0,
        "float_precision": precision,
        "node_precisions": nodes,
        "threads": threads if devices == ["CPU"] else 1,
    }


def _node_precisions(compiled: Any) -> dict[str, int]:
    """Runtime precision -> how many of the executed nodes have it; empty where the device does not tell."""
    try:
        nodes = [node.get_rt_info() for node in compiled.get_runtime_model().get_ordered_ops()]
        facts = [(item["layerType"].astype(str), item["runtimePrecision"].astype(str)) for item in nodes]
    except (KeyError, RuntimeError, AttributeError):
        return {}
    return dict(Counter(precision for kind, precision in facts if kind not in ("Input", "Output", "Const")))


def _spec(port: Any) -> TensorSpec:
    name = port.get_any_name() if port.get_names() else port.get_node().get_friendly_name()
    shape = port.get_partial_shape()
    if shape.is_dynamic:
        cure = "fix the input size when converting"
        raise BackendError(f"shape of tensor {name!r} is not fixed", expected="numbers", got=str(shape), cure=cure)
    return TensorSpec(name, tuple(shape.to_shape()), port.get_element_type().to_dtype().name)
