"""Does a training survive being killed? Kills it at random moments, goes on with it, and compares what comes out.

    python scripts/check_resume.py DATA [--kills 10] [--images 600] [--epochs 6] [--seed 0] [-- OPTIONS OF TRAIN]

Trains twice without interruption, which shows what two equal runs differ by. Then, as often as asked: begins the same
training, sends SIGKILL at a random moment of a random epoch, reads whatever state lies there, and lets ``--resume``
bring it to its end. Exit code 1 when a state is damaged, something is left behind, or the final figures differ by more
than twice the noise (and more than 1e-3).
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from edgevision.datasets import open_dataset
from edgevision.trainers.checkpoint import has_state, interrupted, state_folder

#: Figures that differ by less are the same: the least step of an accuracy on 1,000 images.
LEAST = 1e-3


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--images", type=int, default=600, help="how many of the data")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    options, more = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as name:
        folder, moments = Path(name), random.Random(options.seed)
        few = write_few(options.data, options.images, folder / "few.npz")
        words = [few, "--epochs", str(options.epochs), "--json", *(word for word in more if word != "--")]
        whole, again = (train(words, folder / name) for name in ("whole.keras", "again.keras"))
        noise = difference(whole, again)
        rounds = [killed(words, folder / f"{i}.keras", moments, whole) for i in range(options.kills)]
        return verdict(whole, noise, rounds, [path.name for path in folder.iterdir() if path.name.startswith(".")])


def write_few(data: str, count: int, path: Path) -> str:
    """So many images of each data set, spread over it, as an .npz."""
    found = open_dataset(data, prefer="train")
    found = found.subset(np.linspace(0, len(found) - 1, min(count, len(found))).astype(int))
    images = np.stack([sample.decode() for sample in found])
    np.savez(path, images=images, labels=found.targets, label_names=np.array(found.labels))
    return str(path)


def train(words: list[str], out: Path, *more: str) -> dict[str, Any]:
    """A training to its end."""
    done = subprocess.run(command(words, out, *more), capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def command(words: list[str], out: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "edgevision", "train", *words, "--out", str(out), *more]


def killed(words: list[str], out: Path, moments: random.Random, whole: dict[str, Any]) -> dict[str, Any]:
    """A training that is killed somewhere in its course and then resumed."""
    while True:
        epoch, delay = moments.randrange(len(whole["history"])), moments.uniform(0, whole["history"][1]["seconds"])
        process = subprocess.Popen(command(words, out), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None, "a pipe was asked for"
        # A line says what is trained, then there is one for each epoch.
        seen = sum(1 for _ in itertools.islice((line for line in process.stderr if _tells(line)), epoch + 1))
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stderr.close()
        if seen and (not out.exists() or has_state(out)):
            break
        out.unlink(missing_ok=True)  # it was at its end before: another moment
    damaged, epochs = read_state(out)
    found = train(words, out, "--resume")
    moment = f"killed {delay:.1f} s after {epoch} epochs, {epochs} of them saved"
    print(f"{moment}: {found['metric']} {found['value']:.4f}", flush=True)
    return {**found, "epochs": epochs, "damaged": damaged}


def _tells(line: str) -> bool:
    return " held out" in line or line.startswith("epoch ")


def read_state(out: Path) -> tuple[bool, int]:
    """Whether the state that was left is damaged, read to its last byte, and how many epochs it holds."""
    path = state_folder(out) / "state.npz"
    if not path.exists():
        return False, 0
    try:
        with np.load(path, allow_pickle=False) as file:
            for name in file.files:
                file[name]
        state = interrupted(out)
    except Exception as error:
        print(f"{path}: {error}")
        return True, 0
    return False, 0 if state is None else state[1]


def difference(one: dict[str, Any], two: dict[str, Any]) -> float:
    """The largest difference of a validation figure of the last epoch, or of the best value."""
    first, second = one["history"][-1]["figures"], two["history"][-1]["figures"]
    held = [abs(first[name] - second[name]) for name in first if name.startswith("val_")]
    return max(abs(one["value"] - two["value"]), *held)


def verdict(whole: dict[str, Any], noise: float, rounds: list[dict[str, Any]], left: list[str]) -> int:
    worst = max(difference(whole, each) for each in rounds)
    damaged = sum(each["damaged"] for each in rounds)
    short = sum(len(each["history"]) != len(whole["history"]) for each in rounds)
    saved = sorted(each["epochs"] for each in rounds)
    print(f"uninterrupted: {whole['metric']} {whole['value']:.4f}; two such runs differ by {noise:.2g} at most")
    print(f"{len(rounds)} kills, {saved[0]} to {saved[-1]} epochs saved: final figures differ by {worst:.2g} at most,")
    print(f"{damaged} damaged states, {short} histories of another length, left behind: {', '.join(left) or 'nothing'}")
    return int(worst > max(2 * noise, LEAST) or damaged + short > 0 or bool(left))


if __name__ == "__main__":
    sys.exit(main())
