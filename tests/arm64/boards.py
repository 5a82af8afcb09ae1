"""Which boards are tried with which engines, and how each is set up and asked."""

from __future__ import annotations

import configparser
import importlib.util
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "arm64.sh"
#: scripts/arm64.sh ends so where a machine cannot be set up.
CANNOT, TIMEOUT_S = 3, 900
PYTHONS = {"bookworm": "3.11", "trixie": "3.13"}


@dataclass(frozen=True)
class Board:
    """A board with one engine.

    Attributes:
        name: As scripts/arm64.sh knows it, or "x86" for an environment of its own on this machine.
        extra: The extra of setup.cfg that brings the engine.
        suite: Debian's, which decides the Python.
        contract: Whether the contract suite runs too.
    """

    name: str
    extra: str
    suite: str = "bookworm"
    contract: bool = True

    @property
    def backend(self) -> str:
        """The engine's name in edgevision."""
        return self.extra.partition("-")[0]

    @property
    def key(self) -> str:
        """A name for files and log lines."""
        return f"{self.name}-{self.suite}-{self.extra}"


#: (board, model) whose golden outputs need not hold, as long as the runtime then takes another model: for processors
#: without the 8-bit dot product OpenVINO 2026.2 and newer cannot compile some int8 models, and 2026.0 was wrong.
GAPS = {("pi4", "int8.xml")}
SMOKE = (
    *(Board(name, extra) for name in ("pi4", "pi5", "jetson-orin") for extra in ("tflite", "onnx")),
    Board("pi4", "openvino", contract=False),
    Board("pi5", "openvino", contract=False),
    Board("jetson-orin", "openvino", contract=False),
)
FULL = (
    *(Board(name, extra) for name in ("pi4", "pi5", "jetson-orin") for extra in ("tflite", "onnx")),
    Board("pi4", "openvino"),
    Board("pi5", "openvino"),
    Board("jetson-orin", "openvino"),
    *(Board("pi5", extra, "trixie") for extra in ("tflite", "onnx", "openvino")),
    *(Board("jetson-nano", extra) for extra in ("tflite", "onnx")),
    Board("x86", "tflite-legacy"),
    Board("pi4", "tflite-legacy"),
    Board("pi4-32", "tflite-legacy"),
)


def requirements(board: Board) -> list[str]:
    """What pip gets, from setup.cfg. 32-bit boards have numpy and Pillow from Debian: there are no wheels."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    lines = config["options"]["install_requires"] + config["options.extras_require"][board.extra]
    wanted = {
        re.split(r"[<>=!~]", line)[0]: line.partition(";")[0].strip() for line in lines.split("\n") if line.strip()
    }
    if board.name == "pi4-32":
        del wanted["numpy"], wanted["Pillow"]
    # pip is told there to install nothing that is not named.
    return [*wanted.values(), "pytest>=8.2,<10", "iniconfig", "packaging", "pluggy", "pygments"]


def command(board: Board, cache: Path) -> list[str]:
    """What runs Python on the board."""
    if board.name == "x86":
        return [str(cache / "legacy" / "bin" / "python")]
    return [str(SCRIPT), board.name]


def environment(board: Board, cache: Path, folder: Path) -> dict[str, str]:
    """Variables for ``command``: nothing of this machine's Python is seen, and nothing is kept in the user's cache."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "EDGEVISION_"))}
    return kept | {
        "SUITE": board.suite,
        "PACKAGES": " ".join(requirements(board)),
        "ARM64_CACHE": str(cache),
        "PYTHON": os.environ.get("PYTHON") or (sys.executable if importlib.util.find_spec("pip") else "python3"),
        "EXTRA_PYTHONPATH": str(ROOT),
        "PYTHONPATH": str(ROOT),
        "SELFTEST": "1" if board.contract else "",
        "EDGEVISION_CACHE": str(folder / f"cache-{board.key}"),
        "EDGEVISION_TINY_MODELS": str(folder / "tiny"),
    }


def set_up(board: Board, cache: Path, folder: Path) -> str:
    """Fetch what the board needs, unless it is there; why this machine cannot, "" where it can."""
    if board.name == "x86":
        return _set_up_legacy(board, cache / "legacy")
    done = _run(command(board, cache), environment(board, cache, folder))
    if done.returncode == 0:
        return ""
    lines = [line for line in done.stderr.splitlines() if line and not line.startswith("WARNING")]
    reason = "\n".join(lines[-5:])
    if done.returncode != CANNOT:
        raise RuntimeError(f"{board.key}: exit code {done.returncode}\n{reason}")
    return reason


def _set_up_legacy(board: Board, folder: Path) -> str:
    """An environment with tflite-runtime and numpy 1, for which Python may not be newer than 3.11."""
    marker = folder / ".complete"
    if marker.exists() and marker.read_text(encoding="utf-8") == str(requirements(board)):
        return ""
    versions = (sys.executable, "python3.11", "python3.10", *_pyenv())
    is_old = "import sys, venv; sys.exit(sys.version_info >= (3, 12))"
    python = next((each for each in versions if _succeeds([each, "-c", is_old])), None)
    if python is None:
        return "tflite-runtime needs Python 3.10 or 3.11, which is not installed"
    install = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *requirements(board)]
    if not (_succeeds([python, "-m", "venv", "--clear", str(folder)]) and _succeeds(install)):
        return f"{python} cannot make an environment with tflite-runtime"
    marker.write_text(str(requirements(board)), encoding="utf-8")
    return ""


def _pyenv() -> list[str]:
    folder = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    return [str(path) for pattern in ("3.11.*", "3.10.*") for path in folder.glob(f"{pattern}/bin/python")]


def _succeeds(words: list[str]) -> bool:
    try:
        done = subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    except FileNotFoundError:
        return False
    return done.returncode == 0


@dataclass(frozen=True)
class Outcome:
    """What came of one board: how the contract suite ended ("" when it was not run), what went wrong, seconds."""

    contract: str
    problems: tuple[str, ...]
    seconds: float


def ask(board: Board, cache: Path, folder: Path, *, tune: bool) -> Outcome:
    """Run tests/arm64/guest.py, which leaves its answers in ``folder``, and the contract suite on a board."""
    start, problems, contract = time.monotonic(), [], ""
    variables = environment(board, cache, folder) | ({} if tune else {"EDGEVISION_TUNE": "0"})
    words = command(board, cache)
    guest = ["-m", "tests.arm64.guest", str(folder), str(folder / board.key), board.backend]
    done = _run([*words, *guest], variables | {"SELFTEST": ""})
    if done.returncode:
        problems.append(f"exit code {done.returncode}: {(done.stderr.strip() or 'nothing was said').splitlines()[-1]}")
    if board.contract:
        suite = [
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "tests/contract",
            "-m",
            "not slow",
            "-k",
            board.backend,
        ]
        done = _run([*words, *suite], variables)
        contract = done.stdout.strip().splitlines()[-1].partition(",")[0] if done.stdout.strip() else ""
        if done.returncode or "passed" not in contract:
            problems.append(f"contract suite: exit code {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return Outcome(contract, tuple(problems), time.monotonic() - start)


def _run(words: list[str], variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            words, env=variables, cwd=ROOT, capture_output=True, text=True, check=False, timeout=TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(words, 124, "", f"not done after {TIMEOUT_S} s")
