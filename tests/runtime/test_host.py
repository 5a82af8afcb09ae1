from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from edgevision.runtime import host
from edgevision.runtime.files import text


def test_description_is_plain() -> None:
    facts = host.host_description()
    assert json.loads(json.dumps(facts)) == facts
    assert facts["machine"]
    assert facts["cpu"]
    assert 1 <= facts["cpus"] <= facts["cpus_total"]
    assert facts["memory_bytes"] is None or facts["memory_bytes"] > 1e8


def cgroup(monkeypatch: pytest.MonkeyPatch, root: Path, line: str, files: dict[str, str]) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    monkeypatch.setattr(host, "_CGROUP", root)
    monkeypatch.setattr(host, "_text", lambda path: line if str(path) == "/proc/self/cgroup" else text(path))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)


@pytest.mark.parametrize(
    ("line", "files", "expected"),
    [
        ("0::/", {"cpu.max": "max 100000"}, 8),
        ("0::/", {"cpu.max": "250000 100000"}, 2),
        ("0::/", {"cpu.max": "50000 100000"}, 1),
        ("0::/", {}, 8),
        ("0::/app/job", {"app/cpu.max": "300000 100000", "app/job/cpu.max": "max 100000"}, 3),
        ("4:cpu,cpuacct:/", {"cpu,cpuacct/cpu.cfs_quota_us": "400000", "cpu,cpuacct/cpu.cfs_period_us": "100000"}, 4),
        ("4:cpu,cpuacct:/", {"cpu,cpuacct/cpu.cfs_quota_us": "-1", "cpu,cpuacct/cpu.cfs_period_us": "100000"}, 8),
        ("", {}, 8),
    ],
)
def test_control_group_limits_count(
    line: str, files: dict[str, str], expected: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cgroup(monkeypatch, tmp_path, line, files)
    assert host.available_cpus() == expected


def test_affinity_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cgroup(monkeypatch, tmp_path, "0::/", {"cpu.max": "max 100000"})
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {2, 5}, raising=False)
    assert host.available_cpus() == 2


def test_what_was_measured_holds_for_this_machine_only(monkeypatch: pytest.MonkeyPatch) -> None:
    here = host.host_key()
    assert here == host.host_key()
    assert all("-" in mark for marks in here["engines"].values() for mark in marks)
    monkeypatch.setattr(host, "available_cpus", lambda: 77)
    fewer = host.host_key()
    assert {name for name in here if here[name] != fewer[name]} == {"cpus"}
    assert 1e8 < (host.free_memory() or 1e9) < 1e14


def test_without_proc_nothing_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "_text", lambda _: "")
    assert host.host_description()["cpu"]
    assert host.available_cpus() >= 1


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("flags\t\t: fpu sse avx512_vnni amx_int8\n", ["AVX-512 VNNI", "AMX int8"]),
        ("flags\t\t: fpu sse avx2\n", []),
        ("Features\t: fp asimd asimddp\n", ["dotprod"]),
        ("Features\t: fp asimd\n", []),
        ("", None),
    ],
)
def test_int8_instructions(monkeypatch: pytest.MonkeyPatch, said: str, found: list[str] | None) -> None:
    monkeypatch.setattr(host, "_text", lambda path: said)
    assert host.int8_instructions() == found
    for machine in ("x86_64", "aarch64"):
        monkeypatch.setattr("platform.machine", lambda machine=machine: machine)
        assert host.lacks_vnni() == (machine == "x86_64" and found == [])
