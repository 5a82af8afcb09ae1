"""What this machine is, from the standard library and the files Linux offers; nothing here fails elsewhere."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path
from typing import Any

from edgevision.runtime.files import text as _text

X86 = ("x86_64", "AMD64", "i686")
#: Words of /proc/cpuinfo -> instruction that multiplies and adds four pairs of 8-bit integers at once.
_INT8_DOT = {
    "avx512_vnni": "AVX-512 VNNI",
    "avx_vnni": "AVX-VNNI",
    "amx_int8": "AMX int8",
    "asimddp": "dotprod",
    "i8mm": "i8mm",
}

#: Words of /proc/cpuinfo about vector arithmetic, the only ones that the speed of a model depends on.
_VECTORS = (
    *("sse4_2", "avx", "avx2", "fma", "avx512f", "avx512_bf16", "avx512_fp16"),
    *("neon", "asimd", "asimdhp", "bf16", "sve", "sve2"),
    *_INT8_DOT,
)

_CGROUP = Path("/sys/fs/cgroup")


def available_cpus() -> int:
    """How many CPUs this process may really use: affinity mask and control-group quota (v1, v2), at least 1."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota()
    return max(1, min(affinity, int(quota)) if quota else affinity)


def host_description() -> dict[str, Any]:
    """This machine in plain values.

    Returns:
        ``machine``: instruction set, e.g. "aarch64"; ``cpu``: model name; ``instructions``: vector instructions it
        has, as Linux names them; ``board``: model of a single-board computer, None elsewhere; ``cpus``: usable;
        ``cpus_total``: present; ``memory_bytes``: None when unknown; ``os``; ``python``.
    """
    return {
        "machine": platform.machine(),
        "cpu": _cpu_model(),
        "instructions": [word for word in _VECTORS if word in _words()],
        "board": _text("/proc/device-tree/model") or None,
        "cpus": available_cpus(),
        "cpus_total": os.cpu_count() or 1,
        "memory_bytes": _memory(),
        "os": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }


def host_key() -> dict[str, Any]:
    """What decides how fast and how exactly a model runs here: where it is equal, so is what was measured."""
    from edgevision import __version__
    from edgevision.runtime.backends import engine_marks
    from edgevision.runtime.gpu import nvidia_gpu

    facts = host_description()
    return {
        **{name: facts[name] for name in ("machine", "cpu", "board", "instructions", "cpus", "cpus_total")},
        "power_mode": _text("/var/lib/nvpmodel/status"),
        "engines": engine_marks(),
        "edgevision": __version__,
        **nvidia_gpu(),
    }


def int8_instructions() -> list[str] | None:
    """Names of the 8-bit dot-product instructions this processor has; None when the system does not tell."""
    words = _words()
    return [name for word, name in _INT8_DOT.items() if word in words] if words else None


def lacks_vnni() -> bool:
    """Whether this is an x86 processor whose 8-bit sums may saturate. Where the system does not tell, it is not."""
    return platform.machine() in X86 and int8_instructions() == []


def _words() -> set[str]:
    """What /proc/cpuinfo says that the processor has; nothing where there is no such file."""
    words: set[str] = set()
    for line in _text("/proc/cpuinfo").splitlines():
        key, _, value = line.partition(":")
        if key.strip().lower() in ("flags", "features"):
            words.update(value.split())
    return words


def free_memory() -> int | None:
    """Bytes that programs may still take without pushing others out; None where the system does not tell."""
    for line in _text("/proc/meminfo").splitlines():
        key, _, value = line.partition(":")
        if key == "MemAvailable":
            return int(value.split()[0]) * 1024
    return None


def _quota() -> float | None:
    """CPUs that the control group allows, None without a limit. Limits of groups above count too."""
    limits = [*map(_quota_v2, _groups("")), *map(_quota_v1, _groups("cpu"))]
    found = [limit for limit in limits if limit is not None]
    return min(found) if found else None


def _groups(controller: str) -> list[Path]:
    """This process' directory in a hierarchy and those above it."""
    for line in _text("/proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        if names == controller or (controller and controller in names.split(",")):
            root = _CGROUP / names if names else _CGROUP
            inner = root / path.lstrip("/")
            return [directory for directory in (inner, *inner.parents) if directory.is_relative_to(root)]
    return []


def _quota_v2(directory: Path) -> float | None:
    quota, _, period = _text(directory / "cpu.max").partition(" ")
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() else None


def _quota_v1(directory: Path) -> float | None:
    quota, period = _text(directory / "cpu.cfs_quota_us"), _text(directory / "cpu.cfs_period_us")
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() else None


def _cpu_model() -> str:
    for line in _text("/proc/cpuinfo").splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("model name", "Model", "Hardware"):
            return value.strip()
    return platform.processor() or platform.machine()


def _memory() -> int | None:
    if sys.platform == "win32" or not hasattr(os, "sysconf"):
        return None
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return None
