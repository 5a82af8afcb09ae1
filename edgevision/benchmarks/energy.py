"""Energy where a machine can say it: Intel and AMD by RAPL, Jetsons by INA3221, a Raspberry Pi 5 by its PMIC.

Counters of energy are subtracted; sensors of power are read again and again and summed over time. Nothing is read while
predictions are timed: see ``measure.Cell.use_energy``. A meter sees the whole processor or board, not one process.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from edgevision.runtime.files import below_root, said_by, text

_RAPL = "/sys/class/powercap"
_HWMON = "/sys/class/hwmon"
#: Rails of a Jetson that hold all others, by board: summed together with theirs everything would count twice.
_WHOLE = ("VDD_IN", "POM_5V_IN")
_PMIC = re.compile(r"^\s*(\w+)_([AV])\s+(?:current|volt)\(\d+\)=([\d.]+)[AV]\s*$", re.MULTILINE)

Values = tuple[float, ...]


@dataclass
class Reading:
    """What a meter showed, from entering ``Meter.reading`` to leaving it.

    Attributes:
        taken: (seconds, values) of every look at the meter.
    """

    meter: Meter
    clock: Callable[[], float]
    taken: list[tuple[float, Values]] = field(default_factory=list)

    def take(self) -> None:
        """One look at the meter."""
        self.taken.append((self.clock(), self.meter.read()))

    @property
    def seconds(self) -> float:
        """From the first look to the last."""
        return self.taken[-1][0] - self.taken[0][0]

    @property
    def joules(self) -> float:
        """Energy from the first look to the last."""
        pairs = list(zip(self.taken, self.taken[1:]))
        if self.meter.wraps:
            return sum(self._counted(before[1], after[1]) for before, after in pairs)
        return sum((b[0] - a[0]) * (sum(a[1]) + sum(b[1])) / 2 for a, b in pairs)

    def _counted(self, before: Values, after: Values) -> float:
        steps = zip(before, after, self.meter.wraps)
        return sum(end - start if end >= start else end - start + wrap for start, end, wrap in steps)


@dataclass(frozen=True)
class Meter:
    """One way to read energy or power.

    Attributes:
        name: What is read, for reports.
        read: The counters in joules, or the powers in watts.
        wraps: Of counters where each starts again, joules; empty for powers.
    """

    name: str
    read: Callable[[], Values]
    wraps: Values = ()

    @contextmanager
    def reading(self, clock: Callable[[], float] = time.perf_counter) -> Iterator[Reading]:
        """Looks at the meter when entered and when left; ``Reading.take`` looks in between."""
        reading = Reading(self, clock)
        reading.take()
        yield reading
        reading.take()


def find_meter() -> Meter | None:
    """The meter of this machine; None where there is none, or where only root may read it."""
    return _rapl() or _ina3221() or _pmic()


def idle_watts(meter: Meter, seconds: float = 1.0) -> float:
    """What the machine takes while nothing is asked of it, watts."""
    with meter.reading() as reading:
        for _ in range(5):
            time.sleep(seconds / 5)
            reading.take()
    return reading.joules / reading.seconds


def _rapl() -> Meter | None:
    """Packages of processors (with their graphics) and of memory; parts of a package are in it already."""
    zones = sorted(path.name for path in below_root(_RAPL).glob("intel-rapl:*"))
    chosen = [zone for zone in zones if re.match(r"package|dram", text(f"{_RAPL}/{zone}/name"))]
    files = [f"{_RAPL}/{zone}/energy_uj" for zone in chosen]
    limits = [text(f"{_RAPL}/{zone}/max_energy_range_uj") for zone in chosen]
    if not files or not all(text(file).isdigit() for file in files) or not all(limit.isdigit() for limit in limits):
        return None
    names = ", ".join(text(f"{_RAPL}/{zone}/name") for zone in chosen)
    return Meter(f"RAPL {names}", lambda: _numbers(files, 1e6), tuple(int(limit) / 1e6 for limit in limits))


def _numbers(files: list[str], unit: float) -> Values:
    return tuple(float(text(file) or 0) / unit for file in files)


def _ina3221() -> Meter | None:
    """Channels with a label: bus voltage in mV, current in mA (the kernel's Documentation/hwmon/ina3221.rst)."""
    chips = [path.name for path in below_root(_HWMON).glob("hwmon*") if text(f"{_HWMON}/{path.name}/name") == "ina3221"]
    rails = {
        label: f"{_HWMON}/{chip}/{{}}{channel}_input"
        for chip in sorted(chips)
        for channel in (1, 2, 3)
        if (label := text(f"{_HWMON}/{chip}/in{channel}_label")) and text(f"{_HWMON}/{chip}/curr{channel}_input")
    }
    whole = [label for label in rails if label in _WHOLE]
    chosen = whole or [label for label in rails if label.startswith(("VDD", "VIN"))]
    if not chosen:
        return None
    volts, amperes = ([rails[label].format(kind) for label in chosen] for kind in ("in", "curr"))

    def watts() -> Values:
        return tuple(v * a for v, a in zip(_numbers(volts, 1e3), _numbers(amperes, 1e3)))

    return Meter(f"INA3221 {', '.join(chosen)}", watts)


def _pmic() -> Meter | None:
    """The rails behind a Raspberry Pi 5's power management; what USB and the 5 V pins take is not among them."""
    if "raspberry pi" not in text("/proc/device-tree/model").lower() or not _rails():
        return None
    return Meter("PMIC of the Raspberry Pi", _rails)


def _rails() -> Values:
    found = {(rail, kind): float(value) for rail, kind, value in _PMIC.findall(said_by("vcgencmd", "pmic_read_adc"))}
    return tuple(
        found[rail, "A"] * found[rail, "V"] for rail, kind in sorted(found) if kind == "A" and (rail, "V") in found
    )
