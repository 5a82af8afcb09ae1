"""What changes while a machine runs and makes it slower: heat, throttling, the power mode. Nothing here fails."""

from __future__ import annotations

import re
from typing import Any

from edgevision.runtime.files import below_root, said_by, text
from edgevision.runtime.gpu import is_jetson

_ZONES = "/sys/class/thermal"
_FIRMWARE = "/sys/devices/platform/soc/soc:firmware/get_throttled"
#: Bits of a Raspberry Pi's get_throttled; 16 higher: since it was started. From the Raspberry Pi documentation.
_BITS = {0: "under-voltage", 1: "frequency capped", 2: "throttled", 3: "soft temperature limit"}


def host_state() -> dict[str, Any]:
    """How this machine is now.

    Returns:
        ``temperature_c``: the warmest processor zone, degrees Celsius; ``throttled``: of a Raspberry Pi ``bits`` (int)
        and their names ``now`` and ``since_boot``; ``power_mode``: of a Jetson, e.g. "15W". None where unknown.
    """
    return {"temperature_c": temperature_c(), "throttled": throttled(), "power_mode": power_mode()}


def temperature_c() -> float | None:
    """The warmest thermal zone of the processor, degrees Celsius; of any zone where none says that it is one."""
    found: dict[bool, list[float]] = {True: [], False: []}
    for zone in below_root(_ZONES).glob("thermal_zone*"):
        kind, value = (text(f"{_ZONES}/{zone.name}/{name}") for name in ("type", "temp"))
        if re.fullmatch(r"-?\d+", value):
            found[bool(re.search(r"cpu|soc|pkg", kind.lower()))].append(int(value) / 1000)
    return max(found[True] or found[False], default=None)


def throttled() -> dict[str, Any] | None:
    """What a Raspberry Pi's firmware says of power and heat; None elsewhere."""
    if "raspberry pi" not in text("/proc/device-tree/model").lower():
        return None
    said = text(_FIRMWARE) or said_by("vcgencmd", "get_throttled").rpartition("=")[2]
    if not re.fullmatch(r"(0x)?[0-9a-fA-F]+", said):
        return None
    bits = int(said, 16)
    now, before = ([name for bit, name in _BITS.items() if bits >> (bit + by) & 1] for by in (0, 16))
    return {"bits": bits, "now": now, "since_boot": before}


def power_mode() -> str | None:
    """The name of a Jetson's power mode, which decides how many cores run and how fast; None elsewhere."""
    if not is_jetson():
        return None
    asked = re.search(r"NV Power Mode:\s*(\S+)", said_by("nvpmodel", "-q"))
    if asked:
        return asked[1]
    number = re.search(r"pmode:\s*(\d+)", text("/var/lib/nvpmodel/status"))
    if number is None:
        return None
    named = re.search(rf"POWER_MODEL\s+ID={int(number[1])}\s+NAME=(\S+)", text("/etc/nvpmodel.conf"))
    return named[1] if named else f"mode {int(number[1])}"
