"""Are a bundle's int8 models right on x86 processors without VNNI? Runs them on an emulated one.

    python scripts/check_without_vnni.py NAME.edge

Needs qemu-x86_64 (apt-get install qemu-user) and an x86 machine. Each model answers the bundle's golden images here and
under `qemu-x86_64 -cpu Haswell-noTSX`: as plain engines run it, and as edgevision's runtime does. Exit code 1 when the
runtime's answers differ by more than `verify` allows, or a model that does not say that it needs VNNI is wrong.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.runtime import needs
from edgevision.runtime.backends import open_session
from edgevision.runtime.bundle import Bundle
from edgevision.runtime.golden import allowed
from edgevision.runtime.needs import unmet, wants_exact_sums

EMULATED = ("qemu-x86_64", "-cpu", "Haswell-noTSX", sys.executable)
TIMEOUT_S = 900


def answers(path: str, name: str, *, by_runtime: bool) -> NDArray[Any]:
    """What a model answers here to the golden images, (images, values); empty where the runtime passes it over."""
    bundle = Bundle.open(path)
    artifact = bundle.artifact(name)
    if by_runtime and unmet(artifact):
        return np.empty(0)
    parts = [bundle.read(entry.name) for entry in artifact.files]
    weights = parts[1] if len(parts) > 1 else None
    exact_sums = by_runtime and wants_exact_sums(artifact)
    with open_session(artifact.format, parts[0], weights, 1, exact_sums=exact_sums) as session:
        inputs = bundle.golden().inputs
        samples = len(next(iter(inputs.values())))
        rows = [session.run({name: values[i : i + 1] for name, values in inputs.items()}) for i in range(samples)]
    return np.stack([np.concatenate([value.ravel() for value in row.values()]) for row in rows])


def emulated(path: str, name: str, how: str) -> NDArray[Any]:
    """The same on a processor without VNNI."""
    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder) / "answers.npy")
        command = [*EMULATED, __file__, path, name, how, out]
        subprocess.run(command, check=True, timeout=TIMEOUT_S, stderr=subprocess.DEVNULL)
        found: NDArray[Any] = np.load(out)
    return found


def main(path: str) -> int:
    """Print a line per int8 model; the exit code."""
    if shutil.which(EMULATED[0]) is None:
        print(f"{EMULATED[0]} is not installed: apt-get install qemu-user", file=sys.stderr)
        return 2
    wrong = 0
    for artifact in Bundle.open(path).manifest.artifacts:
        if "int8" not in artifact.precision:
            continue
        here = answers(path, artifact.name, by_runtime=False)
        plain, ours = (emulated(path, artifact.name, how) for how in ("plain", "runtime"))
        limit = allowed(here, artifact.precision)
        differences = [float(np.abs(each - here).max()) if each.size else None for each in (plain, ours)]
        by_engine, by_runtime = ("passed over" if item is None else f"{item:.4f}" for item in differences)
        wanted = ", ".join(artifact.needs) or "nothing"
        print(
            f"{artifact.name}: needs {wanted}; largest difference {by_engine} by the engine alone, {by_runtime} by us"
        )
        is_silent = "vnni" not in artifact.needs
        wrong += any(
            item is not None and item > limit for item in (differences[1], differences[0] if is_silent else None)
        )
    return int(wrong > 0)


if __name__ == "__main__":
    if len(sys.argv) == 5:
        needs.lacks_vnni = lambda: True  # /proc/cpuinfo is that of the machine outside
        np.save(sys.argv[4], answers(sys.argv[1], sys.argv[2], by_runtime=sys.argv[3] == "runtime"))
    elif len(sys.argv) == 2:
        sys.exit(main(sys.argv[1]))
    else:
        sys.exit(__doc__)
