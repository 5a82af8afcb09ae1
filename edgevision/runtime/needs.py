"""What artifacts need of a device: "vnni" (8-bit sums that do not saturate) or "tflite>=X.Y" (new enough an engine)."""

from __future__ import annotations

from edgevision.runtime.backends import engine_distribution
from edgevision.runtime.host import lacks_vnni
from edgevision.runtime.manifest import Artifact


def need_words(need: str) -> str:
    """A need as people read it."""
    if need == "vnni":
        return "VNNI on x86 (elsewhere nothing)"
    return f"TensorFlow Lite {need.removeprefix('tflite>=')} (any ai-edge-litert)"


def wants_exact_sums(artifact: Artifact) -> bool:
    """Whether 8-bit sums of this artifact could saturate on this processor."""
    return "vnni" in artifact.needs and lacks_vnni()


def unmet(artifact: Artifact) -> str:
    """Why the artifact would not run rightly on this machine, in words; "" when it would.

    ONNX Runtime can be told to add 8-bit products exactly, which ``OnnxSession`` does; OpenVINO cannot.
    """
    if artifact.format == "openvino" and wants_exact_sums(artifact):
        return "this processor has no VNNI: OpenVINO's 8-bit sums can saturate"
    oldest = next((need.removeprefix("tflite>=") for need in artifact.needs if need.startswith("tflite>=")), None)
    name, version = engine_distribution("tflite") if oldest else ("", "")
    if oldest and name == "tflite-runtime" and _numbers(version) < _numbers(oldest):
        return f"tflite-runtime {version} is older than TensorFlow Lite {oldest}"
    return ""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
