"""Memory stays where it is over 10,000 calls and over 200 reloads, in a process that does nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import edgevision
from tests import tiny

#: Bytes that the resident set may grow by. A leak of one input of 8x8 pixels a call would be 2 MB and a page or more
#: with its object; one of a session each reload some MB at least.
LIMIT = 6 << 20

_CODE = """
import gc, sys
import numpy as np
import edgevision

bundle, backend, what, times = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])

def resident():
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

def load():
    return edgevision.load(bundle, backend, "int8", 2, tune=False)

image = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
predictor = load()

def call():
    predictor(image)

def reload():
    with load() as other:
        other(image)

work = {"calls": call, "reloads": reload}[what]
for _ in range(times // 5):  # what engines keep for later
    work()
before = resident()
for _ in range(times):
    work()
print(resident() - before)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("what", "times"), [("calls", 10_000), ("reloads", 200)])
@pytest.mark.parametrize("backend", tiny.ENGINES)
def test_memory_does_not_grow(
    tiny_bundle: Path, backend: str, what: str, times: int, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [sys.executable, "-c", _CODE, str(tiny_bundle), backend, what, str(times)]
    root = Path(edgevision.__file__).parents[1]
    done = subprocess.run(words, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    grown = int(done.stdout)
    with capsys.disabled():
        print(f"\n{backend}: {times} {what}: {grown / 1024:+.0f} KiB")
    assert grown < LIMIT
