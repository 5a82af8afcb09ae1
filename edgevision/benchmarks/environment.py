"""The machine before and after the timed phase, and what changed in between. Where a file is missing nothing fails."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from edgevision.runtime.files import below_root, text
from edgevision.runtime.host import free_memory
from edgevision.runtime.host_state import host_state

_CPUS = "/sys/devices/system/cpu"


def machine_state() -> dict[str, Any]:
    """How this machine is now.

    Returns:
        What ``host_state`` says, and: ``load_average`` of the last minute; ``memory_free_bytes``; ``governor``: names,
        joined; ``clock_mhz``: lowest and highest clock; ``throttle_count``: how often processors told of heat since the
        start (x86); ``quota_throttled_s``: seconds for which the control group's quota held processes back;
        ``busy_s`` and ``stolen_s``: processor time that all programs, and the hypervisor, took since the start.
        None where unknown.
    """
    (busy, stolen), clocks = _busy(), clocks_mhz()
    return {
        **host_state(),
        "load_average": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "memory_free_bytes": free_memory(),
        "governor": ", ".join(sorted(set(_of_cpus("cpufreq/scaling_governor")))) or None,
        "clock_mhz": [round(min(clocks), 1), round(max(clocks), 1)] if clocks else None,
        "throttle_count": _throttle_count(),
        "quota_throttled_s": _quota_throttled(),
        "busy_s": busy,
        "stolen_s": stolen,
    }


def clocks_mhz() -> list[float]:
    """How fast each processor runs right now, MHz, by the governor's files, else /proc/cpuinfo (x86); perhaps none."""
    clocks = [int(each) / 1000 for each in _of_cpus("cpufreq/scaling_cur_freq") if each.isdigit()]
    found = re.findall(r"^cpu MHz\s*:\s*([\d.]+)$", text("/proc/cpuinfo"), re.MULTILINE)
    return clocks or [float(each) for each in found]


def own_cpu_s() -> float:
    """Seconds of processor time that this process and its ended children took so far."""
    taken = os.times()
    return taken.user + taken.system + taken.children_user + taken.children_system


def grown(before: Mapping[str, Any], after: Mapping[str, Any], key: str) -> float | None:
    """By how much a counter of ``machine_state`` grew; None where one of the two does not say."""
    first, second = before.get(key), after.get(key)
    return None if first is None or second is None else float(second - first)


def _of_cpus(name: str) -> list[str]:
    cpus = sorted(path.name for path in below_root(_CPUS).glob("cpu[0-9]*"))
    return [found for cpu in cpus if (found := text(f"{_CPUS}/{cpu}/{name}"))]


def _throttle_count() -> int | None:
    """Every core counts its own heat, and each of them that of the package: the sum only matters by its growth."""
    counts = [int(each) for kind in ("core", "package") for each in _of_cpus(f"thermal_throttle/{kind}_throttle_count")]
    return sum(counts) if counts else None


def _quota_throttled() -> float | None:
    found = re.search(r"^throttled_usec (\d+)$", text("/sys/fs/cgroup/cpu.stat"), re.MULTILINE)
    if found:
        return int(found[1]) / 1e6
    found = re.search(r"^throttled_time (\d+)$", text("/sys/fs/cgroup/cpu/cpu.stat"), re.MULTILINE)
    return int(found[1]) / 1e9 if found else None


def _busy() -> tuple[float | None, float | None]:
    """Seconds: user, nice, system, both kinds of interrupts; and those stolen (man 5 proc_stat); guests are in user."""
    fields = text("/proc/stat").partition("\n")[0].split()
    if len(fields) < 9 or fields[0] != "cpu" or not hasattr(os, "sysconf"):
        return None, None
    user, nice, system, _, _, irq, softirq, steal = (int(each) / os.sysconf("SC_CLK_TCK") for each in fields[1:9])
    return round(user + nice + system + irq + softirq, 2), round(steal, 2)
