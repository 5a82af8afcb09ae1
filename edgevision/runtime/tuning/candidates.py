"""What is worth trying on this machine."""

from __future__ import annotations

from collections.abc import Iterator

from edgevision.runtime.choice import Wish
from edgevision.runtime.host import available_cpus


def thread_counts(wish: Wish) -> tuple[int, ...]:
    """1, 2, 4, ... up to the CPUs that this process may use, and those themselves."""
    if wish.threads is not None:
        return (wish.threads,)
    most = available_cpus()
    powers = [1 << i for i in range(most.bit_length()) if 1 << i < most]
    return (*powers, most)


def providers(backend: str, wish: Wish) -> Iterator[str | None]:
    """What a backend could compute on: the processor, and what it finds by itself beside it.

    TensorRT is tried only when asked for, because building its engine takes minutes; so is a TFLite delegate, whose
    library nothing tells of.
    """
    if wish.provider is not None:
        yield wish.provider
        return
    yield None
    if backend == "onnx":
        from edgevision.runtime.onnx_providers import available
        from edgevision.runtime.session import import_engine

        yield from (name for name in available(import_engine("onnxruntime", "onnxruntime", "onnx")) if name == "cuda")
    if backend == "openvino":
        from edgevision.runtime.backends.openvino import import_openvino

        found = {device.partition(".")[0].lower() for device in import_openvino().Core().available_devices}
        yield from sorted(found & {"gpu", "npu"})
