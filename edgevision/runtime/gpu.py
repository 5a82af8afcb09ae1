"""NVIDIA GPUs as the driver's files describe them: nothing is started, nothing is needed, nothing fails elsewhere."""

from __future__ import annotations

import contextlib
import re

from edgevision.runtime.files import below_root, text

_GPUS = "/proc/driver/nvidia/gpus"
_LIBRARIES = (
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib64",
    "/usr/local/tensorrt/lib",
)
_DISTRIBUTIONS = ("tensorrt", "tensorrt-cu13", "tensorrt-cu12", "tensorrt-cu11")


def nvidia_gpu() -> dict[str, str]:
    """What decides whether a TensorRT engine fits; "" for what is not known.

    Returns:
        ``gpu``: model; ``driver``: its version, on a Jetson that of the board support package; ``tensorrt``: version.
    """
    model = _model()
    return {"gpu": model, "driver": _driver(), "tensorrt": _tensorrt() if model else ""}


def is_jetson() -> bool:
    """Whether this is a Jetson, by the note that NVIDIA's board support package leaves."""
    return bool(text("/etc/nv_tegra_release"))


def _model() -> str:
    found = []
    for path in sorted(below_root(_GPUS).glob("*/information")):
        found += re.findall(r"^Model:\s*(.+)$", text(f"{_GPUS}/{path.parent.name}/information"), re.MULTILINE)
    # A Jetson's GPU is part of the module, and its driver lists none.
    return ", ".join(found) or (text("/proc/device-tree/model") if is_jetson() else "")


def _driver() -> str:
    version = re.search(r"Kernel Module.*?\s(\d+\.\d[\d.]*)", text("/proc/driver/nvidia/version"))
    tegra = re.search(r"R(\d+).*?REVISION:\s*([\d.]+)", text("/etc/nv_tegra_release"))
    return ", ".join(filter(None, [version and version[1], tegra and f"L4T {tegra[1]}.{tegra[2]}"]))


def _tensorrt() -> str:
    """From the library's file name, else from the package of Python that brings it."""
    for folder in _LIBRARIES:
        names = [path.name.partition(".so.")[2] for path in below_root(folder).glob("libnvinfer.so.*")]
        if names:
            return max(names, key=len)
    from importlib import metadata  # takes longer to import than all of this module

    for name in _DISTRIBUTIONS:
        with contextlib.suppress(metadata.PackageNotFoundError):
            return metadata.version(name)
    return ""
