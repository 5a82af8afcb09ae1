"""--help and --version work where nothing but click is installed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import edgevision
from edgevision.cli.main import COMMANDS
from tests.cli.conftest import Run

_ALONE = """
import json, sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in {"click", "edgevision", "typing_extensions"} and top not in sys.stdlib_module_names:
            raise ModuleNotFoundError(f"{name} is not installed", name=name)

sys.meta_path.insert(0, Refuse())
from edgevision.cli.main import main
codes = [main(words) for words in json.loads(sys.argv[1])]
print(json.dumps({"codes": codes, "modules": sorted(sys.modules)}))
"""


def test_help_needs_nothing_but_click() -> None:
    calls = [["--help"], ["--version"], *([name, "--help"] for name in COMMANDS)]
    root = Path(edgevision.__file__).parents[1]
    words = [sys.executable, "-W", "error", "-c", _ALONE, json.dumps(calls)]
    done = subprocess.run(words, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    last = json.loads(done.stdout.splitlines()[-1])
    assert last["codes"] == [0] * len(calls)
    assert "numpy" not in last["modules"]
    for name in COMMANDS:
        assert f"Usage: edgevision {name}" in done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_that_reports_offers_json(run: Run, name: str) -> None:
    outcome = run(name, "--help")
    assert "--json" in outcome.out


def test_the_group_names_every_command(run: Run) -> None:
    listed = run("--help").out.split("Commands:")[1].strip().splitlines()
    assert [line.split()[0] for line in listed] == list(COMMANDS)
