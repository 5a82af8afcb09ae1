"""Where the cells of a grid are kept, so that a run that is killed at any moment loses none and repeats none."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from edgevision.benchmarks.grid.plan import Cell
from edgevision.benchmarks.report.model import Report
from edgevision.runtime.closing import Closing
from edgevision.runtime.errors import InputError

#: Names in the folder.
CELLS, FAILED, LOG, WORK = "cells", "failed", "log.jsonl", ".work"


class Store(Closing):
    """The folder of one grid, held by one run at a time.

    ``cells/NAME.json`` is the report of a finished cell, ``failed/NAME.json`` the error of one that failed. Both appear
    whole or not at all. ``log.jsonl`` says when which cell began and ended; ``.work`` belongs to the run.
    """

    def __init__(self, folder: Path) -> None:
        """Makes the folder and takes hold of it.

        Raises:
            InputError: Another run is at work in it, or it holds other things.
        """
        folder = self.folder = folder.resolve()  # cells are measured in another working directory
        if folder.exists() and not (folder.is_dir() and (not any(folder.iterdir()) or (folder / LOG).exists())):
            raise InputError(f"{folder} is not the folder of a grid", expected="a new one, or one that a grid made")
        folder.mkdir(parents=True, exist_ok=True)
        self._log = (folder / LOG).open("ab", buffering=0)
        try:
            self._hold()
        except OSError as error:
            self._log.close()
            raise InputError(
                f"another run is at work in {folder}", cure="wait for it, or choose another --out"
            ) from error
        self._end_torn_line()
        shutil.rmtree(folder / WORK, ignore_errors=True)
        for name in (CELLS, FAILED, WORK):
            (folder / name).mkdir(exist_ok=True)

    def _hold(self) -> None:
        import fcntl

        fcntl.flock(self._log, fcntl.LOCK_EX | fcntl.LOCK_NB)  # ends with the process, however that ends

    def _end_torn_line(self) -> None:
        data = (self.folder / LOG).read_bytes()
        if data and not data.endswith(b"\n"):
            self._log.write(b"\n")

    def close(self) -> None:
        """Lets go of the folder."""
        shutil.rmtree(self.folder / WORK, ignore_errors=True)
        self._log.close()

    def finished(self, cell: Cell) -> Report | None:
        """The report of a cell; None when it was not finished, or when its file was damaged since."""
        try:
            return Report.from_json(self._path(CELLS, cell).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def failure(self, cell: Cell) -> dict[str, Any] | None:
        """What was recorded of a cell that failed when it was last tried."""
        try:
            found = json.loads(self._path(FAILED, cell).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return found["error"] if isinstance(found, dict) and isinstance(found.get("error"), dict) else None

    def begin(self, cell: Cell) -> None:
        """Notes that a cell is measured from now on."""
        self._note("start", cell)

    def finish(self, cell: Cell, report: Report, seconds: float) -> None:
        """Keeps a cell's report."""
        self._write(self._path(CELLS, cell), report.to_json())
        self._path(FAILED, cell).unlink(missing_ok=True)
        self._note("done", cell, seconds=round(seconds, 3))

    def fail(self, cell: Cell, error: Mapping[str, str], seconds: float) -> None:
        """Keeps the error of a cell that failed."""
        settings = {name: value for name, value in vars(cell).items() if name != "bundle"}
        plain = {"cell": {"model": cell.model, **settings}, "error": dict(error)}
        self._write(self._path(FAILED, cell), json.dumps(plain, indent=2) + "\n")
        self._note("failed", cell, seconds=round(seconds, 3))

    def starts(self) -> Counter[str]:
        """How often each cell was begun, by its name."""
        return Counter(event["cell"] for event in self._events() if event.get("event") == "start")

    def seconds(self) -> list[float]:
        """How long each finished cell took."""
        return [float(event["seconds"]) for event in self._events() if event.get("event") == "done"]

    def write_index(self, name: str, text: str) -> None:
        """Writes a file of the summary, whole or not at all."""
        self._write(self.folder / name, text)

    def _events(self) -> list[dict[str, Any]]:
        found = []
        for line in (self.folder / LOG).read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                event = json.loads(line)
            except ValueError:  # the run was killed while it wrote
                continue
            if isinstance(event, dict) and "cell" in event:
                found.append(event)
        return found

    def _note(self, event: str, cell: Cell, **facts: Any) -> None:
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        self._log.write((json.dumps({"at": now, "event": event, "cell": cell.name, **facts}) + "\n").encode())

    def _path(self, kind: str, cell: Cell) -> Path:
        return self.folder / kind / f"{cell.name}.json"

    def _write(self, path: Path, text: str) -> None:
        """A temporary file in ``.work``, flushed to disk, then renamed; the folder's entry is flushed as well."""
        new = self.folder / WORK / path.name
        with new.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
        descriptor = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
