"""edgevision as on a Raspberry Pi 4, a Pi 5 and a Jetson, under emulation: `python -m tests.arm64 [--full]`.

On each board, with each engine: golden verification, a prediction from a JPEG file, int8 and float32 answers beside
those of the same engine on this machine, and the contract suite. --full adds more boards, Pythons and networks, and
lets `load` measure. Exit code 1 when anything fails or an int8 TFLite or ONNX model answers differently here: other
best classes, or more than one 8-bit step. Where a machine cannot emulate, that is said and ends with 0, but with 1
where CI is set.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from edgevision.benchmarks.report import text_table
from edgevision.runtime.host import available_cpus
from tests.arm64.agreement import Agreement, compare
from tests.arm64.boards import FULL, GAPS, ROOT, SMOKE, Board, Outcome, ask, set_up
from tests.arm64.bundles import save_tiny_models, take_bundle


def main() -> int:
    options = _options()
    wanted = None if options.only is None else {*options.only, "x86"}  # what tflite-runtime is compared with
    boards = [each for each in (FULL if options.full else SMOKE) if wanted is None or each.name in wanted]
    with tempfile.TemporaryDirectory(prefix="arm64-") as name:
        folder = Path(name)
        (folder / "tiny").mkdir()
        missing = _set_up(boards, options.cache, folder)
        boards = [each for each in boards if each not in missing]
        wrong = bool(boards) and _try_all(boards, options, folder)
    for board, reason in missing.items():
        print(f"NOT RUN: {board.key}: {reason}")
    is_short = bool(missing) and bool(os.environ.get("CI"))
    print("FAILED" if wrong or is_short else "SKIPPED, nothing was tried" if not boards else "all boards agree")
    return int(wrong or is_short)


def _try_all(boards: list[Board], options: argparse.Namespace, folder: Path) -> bool:
    """Make what the boards are asked, ask all and this machine; whether anything is wrong."""
    save_tiny_models(folder / "tiny")
    for bundle in options.bundles:
        take_bundle(folder, bundle)
    if not options.bundles:
        _make_bundles(folder, ["branched", "plain"] if options.full else ["branched"])
    for backend in {each.backend for each in boards if each.extra != "tflite-legacy"}:
        _ask_here(folder, backend)
    return _ask_all(boards, options, folder)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundles", nargs="*", type=Path, help="NAME.edge to ask about; default: small ones, made first")
    parser.add_argument("--full", action="store_true", help="every board, Python and engine; minutes")
    parser.add_argument("--only", nargs="+", metavar="BOARD", help="these boards")
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    cache = Path(os.environ.get("ARM64_CACHE") or base / "edgevision-arm64")
    parser.set_defaults(cache=cache)
    return parser.parse_args()


def _set_up(boards: list[Board], cache: Path, folder: Path) -> dict[Board, str]:
    """Fetch what is not there; boards that this machine cannot have, and why."""
    found = {board: set_up(board, cache, folder) for board in boards}
    reasons = {board.extra: reason for board, reason in found.items() if board.name == "x86"}
    found = {board: reason or reasons.get(board.extra, "") for board, reason in found.items()}
    return {board: reason for board, reason in found.items() if reason}


def _make_bundles(folder: Path, names: list[str]) -> None:
    program = (
        "import pathlib, sys; from tests.arm64.bundles import *; make_bundles(pathlib.Path(sys.argv[1]), sys.argv[2:])"
    )
    variables = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder), *names], env=variables, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])


def _ask_here(folder: Path, backend: str) -> None:
    variables = os.environ | {"PYTHONPATH": str(ROOT), "EDGEVISION_TUNE": "0", "EDGEVISION_CACHE": str(folder / "here")}
    words = [sys.executable, "-m", "tests.arm64.guest", str(folder), str(folder / f"here-{backend}"), backend]
    subprocess.run(words, env=variables, stderr=subprocess.DEVNULL, check=True)


def _ask_all(boards: list[Board], options: argparse.Namespace, folder: Path) -> bool:
    """Print the table; whether anything is wrong."""
    start = time.monotonic()
    with ThreadPoolExecutor(available_cpus()) as pool:
        outcomes = list(pool.map(lambda board: ask(board, options.cache, folder, tune=options.full), boards))
    rows, problems = [], []
    for board, outcome in zip(boards, outcomes):
        its_rows, its_problems = judge(board, outcome, folder)
        rows += its_rows
        problems += [f"{board.key}: {each}" for each in its_problems]
    if rows:
        print(text_table(rows))
    print(f"{len(boards)} boards with an engine in {time.monotonic() - start:.0f} s")
    for line in problems:
        print(line)
    return bool(problems)


def judge(board: Board, outcome: Outcome, folder: Path) -> tuple[list[dict[str, str]], list[str]]:
    """Rows of the table, one per int8 or float32 model of a bundle, and what is wrong."""
    rows, problems = [], list(outcome.problems)
    answers = (folder / board.key).with_suffix(".npz")
    if not answers.exists():
        return [{"board": board.name, "engine": board.extra, "result": "FAILED"}], problems or ["no answers"]
    facts = json.loads(answers.with_suffix(".json").read_text(encoding="utf-8"))
    reference = "x86-bookworm-tflite-legacy" if board.extra == "tflite-legacy" else f"here-{board.backend}"
    with np.load(answers) as there, np.load(folder / f"{reference}.npz") as here:
        for name in here:
            bundle, artifact, _ = name.split("/")
            agreement = compare(here[name], there[name]) if name in there else None
            ours = facts["bundles"][bundle]
            check = next(each for each in ours["verify"]["checks"] if each["artifact"] == artifact)
            result = verdict(board, artifact, check["passed"], agreement, ours["prediction"]["described"]["artifact"])
            if result == "FAILED":
                problems.append(f"{bundle} {artifact}: {agreement} against x86; verify: {check}")
            rows.append(
                {
                    "board": board.name,
                    "engine": check["engine"],
                    "Python, numpy": f"{facts['host']['python'].split()[-1]}, {facts['numpy']}",
                    "contract": outcome.contract or "-",
                    "model": f"{bundle.removesuffix('.edge')} {artifact}",
                    "against x86": agreement.words if agreement else "no answer",
                    "other top-1": str(agreement.others) if agreement else "",
                    "verify": f"{check['max_difference']:.1g} of {check['tolerance']:.1g}" if check["engine"] else "",
                    "result": result,
                }
            )
    problems += _predictions(board, facts, folder / f"{reference}.json")
    return rows, problems


def verdict(board: Board, artifact: str, verified: bool, agreement: Agreement | None, used: str) -> str:
    """ "passed", "FAILED", or "passed over": a gap of the engine, whose model the prediction did not use."""
    if (board.name, artifact) in GAPS and not verified and used != artifact:
        return "passed over"
    must = artifact in ("int8.tflite", "int8.onnx")
    holds = verified and agreement is not None and (agreement.holds or not must)
    return "passed" if holds else "FAILED"


def _predictions(board: Board, facts: dict[str, Any], reference: Path) -> list[str]:
    """What is wrong with the predictions from files."""
    wanted = json.loads(reference.read_text(encoding="utf-8"))["bundles"]
    labels = {name: its["prediction"]["label"] for name, its in facts["bundles"].items()}
    expected = {name: its["prediction"]["label"] for name, its in wanted.items()}
    problems = [] if labels == expected else [f"predicted {labels} where x86 predicts {expected}"]
    if board.name != "x86" and facts["host"]["machine"] not in ("aarch64", "armv7l"):
        problems.append(f"ran on {facts['host']['machine']}")
    return problems


if __name__ == "__main__":
    sys.exit(main())
