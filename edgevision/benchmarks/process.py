"""The parent's side of a worker: one child process that holds one artifact open."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import edgevision
from edgevision.runtime.closing import Closing
from edgevision.runtime.errors import BackendError

_COMMAND = [sys.executable, "-m", "edgevision.benchmarks.worker"]
#: Seconds between two readings of a power meter; nothing is timed meanwhile.
POLL_S = 0.1


class WorkerProcess(Closing):
    """A running worker. As a context manager it never outlives its block.

    Attributes:
        artifact: What it measures, for messages.
    """

    def __init__(self, artifact: str, folder: Path) -> None:
        """Starts it in ``folder``, which holds no modules that could be imported by mistake."""
        self.artifact = artifact
        self._log = tempfile.TemporaryFile(mode="w+", errors="replace")  # noqa: SIM115 - closed with the worker
        self._process = subprocess.Popen(
            _COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            cwd=folder,
            env=environment(),
        )

    def ask(self, do: str, *, meanwhile: Callable[[], object] | None = None, **request: Any) -> dict[str, Any]:
        """Sends one request and waits for its reply; until then ``meanwhile`` is called every ``POLL_S`` seconds.

        Raises:
            BackendError: The worker died; the message names the artifact and the last line it wrote to stderr.
        """
        assert self._process.stdin is not None and self._process.stdout is not None, "both are pipes"
        try:
            self._process.stdin.write(json.dumps({"do": do, **request}) + "\n")
            self._process.stdin.flush()
            while meanwhile is not None and not select.select([self._process.stdout], [], [], POLL_S)[0]:
                meanwhile()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise self._death(do)
        reply: dict[str, Any] = json.loads(line)
        return reply

    def close(self) -> None:
        """Ends the process, gently first."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None and not pipe.closed:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue
        try:
            self._process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def _death(self, do: str) -> BackendError:
        code = self._process.wait()
        self._log.seek(0)
        lines = [line.strip() for line in self._log if line.strip()]
        end = f"signal {-code}" if code < 0 else f"exit code {code}"
        got = f"{end}, last words: {lines[-1] if lines else 'none'}"
        return BackendError(
            f"measuring {self.artifact} failed at {do}",
            got=got,
            cure="measure the other artifacts by name, or report it",
        )


def environment() -> dict[str, str]:
    """The environment, in which a checkout that is imported without being installed is found again."""
    root = Path(edgevision.__file__).resolve().parent.parent
    if root.name in ("site-packages", "dist-packages"):
        return dict(os.environ)
    paths = [str(root), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
