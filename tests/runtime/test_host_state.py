"""Heat, throttling and power mode, read from the files of boards that are not here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgevision.runtime import host_state
from tests.other_machine import lay

PI = {"proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0"}
BITS = "sys/devices/platform/soc/soc:firmware/get_throttled"
JETSON = {"etc/nv_tegra_release": "# R36 (release), REVISION: 4.3"}
MODES = "< POWER_MODEL ID=0 NAME=15W >\nCPU_ONLINE CORE_0 1\n< POWER_MODEL ID=1 NAME=7W >\n"


def test_where_there_is_nothing_nothing_fails(root: Path) -> None:
    assert host_state.host_state() == {"temperature_c": None, "throttled": None, "power_mode": None}


@pytest.mark.parametrize(
    ("given", "bits", "now", "since"),
    [
        ({BITS: "0\n"}, 0, [], []),
        ({BITS: "50005\n"}, 0x50005, ["under-voltage", "throttled"], ["under-voltage", "throttled"]),
        (
            {"bin/vcgencmd": "#!/bin/sh\necho throttled=0xa0000\n"},
            0xA0000,
            [],
            ["frequency capped", "soft temperature limit"],
        ),
    ],
)
def test_a_raspberry_pi(root: Path, given: dict[str, str], bits: int, now: list[str], since: list[str]) -> None:
    lay(root, {**PI, **given})
    assert host_state.throttled() == {"bits": bits, "now": now, "since_boot": since}


@pytest.mark.parametrize(
    "given", [{}, {BITS: "what\n"}, {"bin/vcgencmd": "#!/bin/sh\nexit 1\n"}, {"bin/vcgencmd": "no program"}]
)
def test_a_raspberry_pi_that_does_not_tell(root: Path, given: dict[str, str]) -> None:
    lay(root, {**PI, **given})
    assert host_state.throttled() is None


def test_another_board_is_not_asked(root: Path) -> None:
    lay(root, {BITS: "50005", "bin/nvpmodel": "#!/bin/sh\necho NV Power Mode: MAXN\n"})
    assert (host_state.throttled(), host_state.power_mode()) == (None, None)


@pytest.mark.parametrize(
    ("given", "mode"),
    [
        ({"bin/nvpmodel": "#!/bin/sh\necho NV Power Mode: MAXN_SUPER\necho 2\n"}, "MAXN_SUPER"),
        ({"var/lib/nvpmodel/status": "pmode:0001\n", "etc/nvpmodel.conf": MODES}, "7W"),
        ({"var/lib/nvpmodel/status": "pmode:0003\n", "etc/nvpmodel.conf": MODES}, "mode 3"),
        ({}, None),
    ],
)
def test_a_jetson(root: Path, given: dict[str, str], mode: str | None) -> None:
    lay(root, {**JETSON, **given})
    assert host_state.power_mode() == mode


@pytest.mark.parametrize(
    ("zones", "degrees"),
    [
        ([("x86_pkg_temp", "61000"), ("acpitz", "27800"), ("nvme", "70000")], 61.0),
        ([("cpu-thermal", "48312")], 48.312),
        ([("acpitz", "27800"), ("other", "broken")], 27.8),
    ],
)
def test_the_warmest_zone_of_the_processor(root: Path, zones: list[tuple[str, str]], degrees: float) -> None:
    for i, (kind, value) in enumerate(zones):
        folder = f"sys/class/thermal/thermal_zone{i}"
        lay(root, {f"{folder}/type": kind, f"{folder}/temp": value})
    assert host_state.temperature_c() == degrees


def test_doctor_says_it(root: Path) -> None:
    from edgevision.cli.doctor import _state_lines

    lay(
        root,
        {
            **PI,
            BITS: "1",
            "sys/class/thermal/thermal_zone0/type": "cpu",
            "sys/class/thermal/thermal_zone0/temp": "81500",
        },
    )
    state: dict[str, Any] = host_state.host_state()
    lines = _state_lines(state, {"gpu": "Orin", "driver": "36.4", "tensorrt": ""})
    assert lines[0].split(maxsplit=1) == ["heat", "82 degrees Celsius"]
    assert "under-voltage now, nothing since" in lines[1]
    assert lines[2].endswith("Orin (driver 36.4)")
