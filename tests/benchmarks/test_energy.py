"""Energy from the files and programs of machines that are not here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edgevision.benchmarks.energy import Meter, find_meter, idle_watts
from edgevision.benchmarks.measure import Cell, Job
from edgevision.benchmarks.protocol import Protocol
from tests.other_machine import lay

RAPL = "sys/class/powercap"
HWMON = "sys/class/hwmon"


def zone(number: str, name: str, microjoules: int) -> dict[str, str]:
    where = f"{RAPL}/intel-rapl:{number}"
    return {
        f"{where}/name": f"{name}\n",
        f"{where}/energy_uj": f"{microjoules}\n",
        f"{where}/max_energy_range_uj": "262143328850\n",
    }


def seconds() -> Iterator[float]:
    yield from (0.0, 1.0, 3.0)


def test_where_there_is_no_meter_nothing_fails(root: Path) -> None:
    assert find_meter() is None


def test_rapl_counts_packages_and_memory_once_and_survives_a_new_start(root: Path) -> None:
    lay(root, zone("0", "package-0", 262_143_000_000) | zone("0:0", "core", 5) | zone("0:1", "dram", 1_000_000))
    meter = find_meter()
    assert meter is not None and meter.name == "RAPL package-0, dram"
    with meter.reading(seconds().__next__) as reading:
        lay(root, zone("0", "package-0", 2_000_000) | zone("0:0", "core", 10**9) | zone("0:1", "dram", 1_500_000))
    assert reading.joules == pytest.approx(0.32885 + 2.0 + 0.5, abs=1e-4) and reading.seconds == 1


def test_what_only_root_may_read_is_not_measured(root: Path) -> None:
    lay(root, zone("0", "package-0", 1))
    (root / RAPL / "intel-rapl:0" / "energy_uj").unlink()
    assert find_meter() is None


@pytest.mark.parametrize(
    ("labels", "name"),
    [
        (("VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC"), "INA3221 VDD_IN"),
        (("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"), "INA3221 VDD_GPU_SOC, VDD_CPU_CV, VIN_SYS_5V0"),
    ],
)
def test_a_jetsons_whole_input_or_all_its_rails(root: Path, labels: tuple[str, ...], name: str) -> None:
    lay(root, {f"{HWMON}/hwmon0/name": "nvme\n", f"{HWMON}/hwmon3/name": "ina3221\n"})
    for channel, label in enumerate(labels, 1):
        lay(root, {f"{HWMON}/hwmon3/in{channel}_label": label, f"{HWMON}/hwmon3/in{channel}_input": "5000"})
        lay(root, {f"{HWMON}/hwmon3/curr{channel}_input": "1200"})
    meter = find_meter()
    assert meter is not None and meter.name == name
    assert sum(meter.read()) == pytest.approx(6.0 * len(meter.read()))


def test_power_is_summed_over_time(root: Path) -> None:
    watts = iter([(2.0, 1.0), (4.0, 1.0), (4.0, 3.0)])
    with Meter("some", lambda: next(watts)).reading(seconds().__next__) as reading:
        reading.take()
    assert reading.joules == pytest.approx((3 + 5) / 2 * 1 + (5 + 7) / 2 * 2)


def test_a_raspberry_pi_5_sums_the_rails_of_which_it_knows_both(root: Path) -> None:
    said = "VDD_CORE_A current(7)=1.5A\n 3V3_SYS_A current(1)=0.2A\n VDD_CORE_V volt(15)=0.8V\n"
    said += "3V3_SYS_V volt(9)=3.3V\n EXT5V_V volt(24)=5.1V\n"
    lay(root, {"bin/vcgencmd": f"#!/bin/sh\n[ $1 = pmic_read_adc ] && printf '%s' '{said}'\n"})
    assert find_meter() is None, "another board is not asked"
    lay(root, {"proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0"})
    meter = find_meter()
    assert meter is not None and sum(meter.read()) == pytest.approx(1.5 * 0.8 + 0.2 * 3.3)


def test_idle_power(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgevision.benchmarks.energy.time.sleep", lambda _: None)
    assert idle_watts(Meter("some", lambda: (2.5,))) == pytest.approx(2.5)


class Reader:
    """A worker that lets the meter be read twice while it predicts, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []

    def ask(self, do: str, **request: object) -> dict[str, object]:
        meanwhile = request["meanwhile"]
        assert callable(meanwhile)
        meanwhile()
        meanwhile()
        runs = request["runs"]
        assert isinstance(runs, int)
        self.asked.append((do, runs))
        return {"start_ns": 0, "stages_ns": [(1, 1, 1, 1)] * runs}

    def close(self) -> None:
        """Nothing to end."""


def test_energy_is_read_over_predictions_that_are_not_recorded() -> None:
    joules = iter([(0.0,), (1.0,), (1.5,), (2.0,)])
    cell, worker = Cell(Job("a"), Protocol()), Reader()
    cell.facts.append({"warm": {"per_run_ns": 10_000_000}})
    cell.use_energy(worker, Meter("some", lambda: next(joules), wraps=(9.0,)))
    assert worker.asked == [("block", 100)] and cell.facts[0]["joules_per_run"] == pytest.approx(0.02)
    assert not any(cell.stages.values())
