"""One cell in a process of its own, so that an engine that crashes takes the grid not with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from edgevision.benchmarks.grid.plan import Cell
from edgevision.benchmarks.grid.settings import GridSettings
from edgevision.benchmarks.process import environment
from edgevision.benchmarks.report.model import Report
from edgevision.runtime.errors import BackendError, EdgevisionError

_COMMAND = [sys.executable, "-m", "edgevision.benchmarks.grid.child"]
_REQUEST, _REPORT, _ERROR, _LOG = "request.json", "report.json", "error.json", "stderr.txt"


class CellError(BackendError):
    """A cell failed; ``facts`` are what is recorded of it.

    Attributes:
        facts: Type of the error, its parts and its message.
    """

    def __init__(self, facts: dict[str, str]) -> None:
        self.facts = facts
        super().__init__(facts["problem"], got=facts.get("got", ""))


def measure_in_child(cell: Cell, settings: GridSettings, folder: Path) -> Report:
    """``benchmark`` of one cell.

    Args:
        cell: Which.
        settings: How it is measured.
        folder: Where the process may leave files.

    Raises:
        CellError: It failed, or its process died.
    """
    options = {
        "bundle_path": cell.bundle,
        "data": _absolute(settings.data),
        "artifacts": [cell.artifact],
        "provider": cell.provider,
        "threads": cell.threads,
        **settings.protocol,
    }
    with tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as name:
        where = Path(name)
        (where / _REQUEST).write_text(json.dumps(options), encoding="utf-8")
        with (where / _LOG).open("w") as log:
            # The pipe says nothing: it ends when this process does, however it ends, and then so does the child.
            child = subprocess.Popen(
                [*_COMMAND, str(where)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=where,
                env={**environment(), "TMPDIR": str(where)},
            )
            try:
                code = child.wait()
            finally:
                child.kill()
                child.wait()
                if child.stdin is not None:
                    child.stdin.close()
        return _outcome(where, code)


def _absolute(data: str) -> str | None:
    """Data as the child, which works elsewhere, finds it; names of known data sets stay."""
    return str(Path(data).resolve()) if data and Path(data).exists() else data or None


def _outcome(where: Path, code: int) -> Report:
    if code == 0 and (where / _REPORT).exists():
        return Report.from_json((where / _REPORT).read_text(encoding="utf-8"))
    if (where / _ERROR).exists():
        raise CellError(json.loads((where / _ERROR).read_text(encoding="utf-8")))
    lines = [line.strip() for line in (where / _LOG).read_text(errors="replace").splitlines() if line.strip()]
    end = f"signal {-code}" if code < 0 else f"exit code {code}"
    raise CellError(error_facts(BackendError("the benchmark's process died", got=f"{end}, last words: {_last(lines)}")))


def _last(lines: list[str]) -> str:
    return lines[-1] if lines else "none"


def error_facts(error: Exception) -> dict[str, str]:
    """What is recorded of an error: its type, its parts, its message in one line."""
    if isinstance(error, CellError):
        return error.facts
    message = " ".join(str(error).split()) or type(error).__name__
    facts = {"type": type(error).__name__, "problem": message, "message": message}
    if isinstance(error, EdgevisionError):
        facts |= {"problem": error.problem, "expected": error.expected, "got": error.got, "cure": error.cure}
    return facts


def main(folder: str) -> int:
    """The child's side."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    from edgevision.benchmarks.benchmark import benchmark

    where = Path(folder)
    options: dict[str, Any] = json.loads((where / _REQUEST).read_text(encoding="utf-8"))
    try:
        report = benchmark(**options)
    except (EdgevisionError, OSError, MemoryError) as error:
        (where / _ERROR).write_text(json.dumps(error_facts(error)), encoding="utf-8")
        return 1
    (where / _REPORT).write_text(report.to_json(), encoding="utf-8")
    return 0


def _end_with_parent() -> None:
    os.read(0, 1)  # not through sys.stdin, whose lock would be held when Python ends
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
