"""The machine's state from files of machines that are not here."""

from __future__ import annotations

import time
from pathlib import Path

from edgevision.benchmarks.environment import grown, machine_state, own_cpu_s
from tests.other_machine import lay

CPUS = "sys/devices/system/cpu"


def test_where_there_is_nothing_nothing_fails(root: Path) -> None:
    state = machine_state()
    assert state.pop("load_average") is not None
    assert set(state.values()) == {None}


def test_clocks_governor_heat_and_processor_time(root: Path) -> None:
    for number, khz in enumerate((600_000, 2_400_000)):
        where = f"{CPUS}/cpu{number}"
        lay(root, {f"{where}/cpufreq/scaling_governor": "ondemand\n", f"{where}/cpufreq/scaling_cur_freq": f"{khz}\n"})
        lay(root, {f"{where}/thermal_throttle/core_throttle_count": "3\n"})
        lay(root, {f"{where}/thermal_throttle/package_throttle_count": "1\n"})
    lay(root, {f"{CPUS}/cpufreq/policy0": "", "proc/stat": "cpu  100 20 30 9000 50 1 2 40 7 0\ncpu0 1 1 1\n"})
    lay(root, {"sys/fs/cgroup/cpu.stat": "usage_usec 9\nthrottled_usec 2500000\n"})
    lay(root, {"proc/meminfo": "MemTotal: 100 kB\nMemAvailable:    50 kB\n"})
    state = machine_state()
    assert (state["governor"], state["clock_mhz"], state["throttle_count"]) == ("ondemand", [600.0, 2400.0], 8)
    assert (state["busy_s"], state["stolen_s"], state["quota_throttled_s"]) == (1.53, 0.4, 2.5)
    assert state["memory_free_bytes"] == 51_200


def test_clocks_of_an_x86_machine_without_a_governor(root: Path) -> None:
    lay(root, {"proc/cpuinfo": "model name\t: some\ncpu MHz\t\t: 2596.123\n\ncpu MHz\t\t: 800.5\n"})
    assert machine_state()["clock_mhz"] == [800.5, 2596.1]


def test_an_old_control_group(root: Path) -> None:
    lay(root, {"sys/fs/cgroup/cpu/cpu.stat": "nr_periods 2\nthrottled_time 1500000000\n"})
    assert machine_state()["quota_throttled_s"] == 1.5


def test_growth_needs_both_ends() -> None:
    assert grown({"a": 1}, {"a": 3}, "a") == 2
    assert grown({"a": None}, {"a": 3}, "a") is None and grown({}, {"a": 3}, "a") is None


def test_own_time_grows_with_work() -> None:
    before, spent = own_cpu_s(), time.process_time()
    while time.process_time() < spent + 0.1:
        sum(range(10_000))
    assert own_cpu_s() >= before + 0.05
