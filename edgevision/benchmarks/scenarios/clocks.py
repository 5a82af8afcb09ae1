"""How fast the processors run right now."""

from __future__ import annotations

import re

from edgevision.runtime.files import below_root, text

_CPUS = "/sys/devices/system/cpu"


def clock_mhz() -> float | None:
    """Clock of the fastest processor, MHz, by the frequency driver, else /proc/cpuinfo; None where neither says it."""
    found = []
    for cpu in below_root(_CPUS).glob("cpu[0-9]*"):
        said = text(f"{_CPUS}/{cpu.name}/cpufreq/scaling_cur_freq")
        found += [int(said) / 1000] if said.isdecimal() else []
    if not found:
        found = [float(said) for said in re.findall(r"cpu MHz\s*:\s*([\d.]+)", text("/proc/cpuinfo"))]
    return max(found, default=None)
