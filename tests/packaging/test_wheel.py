"""What is in the wheel: the package, whole, and nothing else."""

from __future__ import annotations

import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

import edgevision
from tests.packaging.conftest import ROOT


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_files_are_exactly_those_of_the_package(names: set[str]) -> None:
    source = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "edgevision").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    info = f"edgevision-{edgevision.__version__}.dist-info"
    facts = {f"{info}/{name}" for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "top_level.txt")}
    assert names == source | facts | {f"{info}/licenses/LICENSE"}


def test_templates_and_the_typing_marker_are_in(names: set[str]) -> None:
    assert "edgevision/py.typed" in names
    assert any(name.startswith("edgevision/benchmarks/report/") and name.endswith(".j2") for name in names)


def test_one_top_level_name_and_one_script(wheel: Path, names: set[str]) -> None:
    assert {name.split("/")[0].split("-")[0] for name in names} == {"edgevision"}
    with zipfile.ZipFile(wheel) as archive:
        (scripts,) = (name for name in names if name.endswith("entry_points.txt"))
        assert archive.read(scripts).decode().split("\n")[:2] == [
            "[console_scripts]",
            "edgevision = edgevision.cli.main:main",
        ]


def test_a_plain_install_asks_for_three_packages(wheel: Path, names: set[str]) -> None:
    (metadata,) = (name for name in names if name.endswith("METADATA"))
    with zipfile.ZipFile(wheel) as archive:
        message = Parser().parsestr(archive.read(metadata).decode())
    wanted = message.get_all("Requires-Dist") or []
    assert {line.split("<")[0].split(">")[0].lower() for line in wanted if "extra ==" not in line} == {
        "numpy",
        "pillow",
        "click",
    }
    assert message["License-Expression"] == "Apache-2.0"
    assert all("<" in line or line.startswith("edgevision[") for line in wanted), "every dependency has an upper bound"
