"""Reading and conversion of a file in a process of its own: a hostile or broken file cannot take the caller down."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from edgevision.benchmarks.process import environment
from edgevision.converters.limits import GIB, Limits
from edgevision.converters.messages import ChildTraceback, to_error
from edgevision.runtime.bundle import Bundle
from edgevision.runtime.errors import ConversionError, EdgevisionError, InputError, ModelError

_COMMAND = [sys.executable, "-m", "edgevision.converters.child_main"]
#: Seconds between asking the child to end and ending it.
_GRACE_S = 3.0
#: The first stage of a conversion: what goes wrong there is the file's fault.
_READING = "reading the model"

Progress = Callable[[str, int, int], None]


def convert_file(options: dict[str, Any], limits: Limits, progress: Progress | None) -> Bundle:
    """``convert_here`` in a child process.

    Args:
        options: Its arguments by name, plain values; ``model`` is a path.
        limits: Memory and time it may take.
        progress: Called here for every stage there.

    Raises:
        ModelError: The file cannot be read, or the process ended while it was read.
        ConversionError: The process ended later, or a limit was reached; the message names limit and cure.
        InputError: An option is no plain value.
        EdgevisionError: Whatever ``convert_here`` raises, of the same class.
    """
    return Bundle.open(_ask("convert", options, limits, progress))


def inspect_file(options: dict[str, Any], limits: Limits) -> dict[str, Any]:
    """``inspect.inspect_keras`` in a child process.

    Args:
        options: Its arguments by name; ``model`` is a path.
        limits: Memory and time it may take.

    Raises:
        ModelError: The file cannot be read, the process ended, or a limit was reached.
        EdgevisionError: Whatever ``inspect_keras`` raises, of the same class.
    """
    found: dict[str, Any] = _ask("inspect", options, limits, None)
    return found


def _ask(task: str, options: dict[str, Any], limits: Limits, progress: Progress | None) -> Any:
    request = _request(task, options, limits)
    with (
        tempfile.TemporaryDirectory(prefix="edgevision-") as folder,  # the child's own temporary files lie in it too
        _Child(Path(folder), request, limits, str(options["model"])) as child,
    ):
        return child.follow(progress)


def _request(task: str, options: dict[str, Any], limits: Limits) -> str:
    plain = {name: str(value) if isinstance(value, Path) else value for name, value in options.items()}
    for name, value in plain.items():
        if not _is_plain(value):
            raise InputError(
                f"{name} cannot be handed to the process that converts a file",
                expected="text, numbers and lists of them",
                got=type(value).__name__,
                cure="load the model yourself and pass it: convert(keras.models.load_model(...), ...)",
            )
    path = list(sys.path) if options.get("trust") else []
    return json.dumps({"task": task, "options": plain, "memory_bytes": int(limits.memory_gib * GIB), "path": path})


def _is_plain(value: Any) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True


class _Child:
    """A running child. As a context manager it never outlives its block."""

    def __init__(self, folder: Path, request: str, limits: Limits, model: str) -> None:
        self._limits, self._model, self._stage = limits, Path(model).name, _READING
        self._deadline = time.monotonic() + limits.time_s
        self._log = (folder / "log").open("w+", encoding="utf-8", errors="replace")
        # A session of its own: Ctrl-C at a terminal reaches the parent alone, which ends its child in order.
        self._process = subprocess.Popen(
            _COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**environment(), "PYTHONSAFEPATH": "1", "TMPDIR": str(folder)},
            start_new_session=True,
        )
        assert self._process.stdin is not None, "it is a pipe"
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(request.encode() + b"\n")
            self._process.stdin.flush()

    def follow(self, progress: Progress | None) -> Any:
        """Hands on what the child tells until it is done; its result."""
        for event in self._events():
            kind = event["event"]
            if kind == "progress":
                self._stage = event["stage"]
                if progress is not None:
                    progress(event["stage"], event["done"], event["total"])
            elif kind == "warning":
                warnings.warn(event["text"], stacklevel=4)
            elif kind == "done":
                return event["result"]
            elif kind == "memory":
                raise self._failure("there was not enough memory", f"more than {self._limits.memory_gib:.3g} GiB")
            else:
                raise to_error(event["error"]) from ChildTraceback(event["trace"])
        raise self._death()

    def _events(self) -> Iterator[dict[str, Any]]:
        """Events until the child ends.

        Raises:
            ConversionError: Or a ModelError: time is up.
        """
        assert self._process.stdout is not None, "it is a pipe"
        source, rest = self._process.stdout.fileno(), b""
        while True:
            left = self._deadline - time.monotonic()
            if left <= 0 or not select.select([source], [], [], left)[0]:
                raise self._failure("there was not enough time", f"more than {self._limits.time_s:g} s")
            data = os.read(source, 65536)
            if not data:
                return
            *lines, rest = (rest + data).split(b"\n")
            yield from map(json.loads, lines)

    def _failure(self, problem: str, got: str) -> EdgevisionError:
        kind = ModelError if self._stage == _READING else ConversionError
        cure = "if the file is sound, allow more with --memory-limit GIB (memory_limit) or --time-limit S (time_limit)"
        return kind(f"{problem} for {self._model} while {self._stage}", expected=str(self._limits), got=got, cure=cure)

    def _death(self) -> EdgevisionError:
        code = self._process.wait()
        name = signal.Signals(-code).name if -code in signal.Signals._value2member_map_ else str(-code)
        self._log.seek(0)
        words = [line.strip() for line in self._log.read()[-2000:].splitlines() if line.strip()]
        end = f"signal {name}" if code < 0 else f"exit code {code}"
        return self._failure("the process ended", f"{end}, last words: {words[-1][:200] if words else 'none'}")

    def __enter__(self) -> _Child:
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the child, gently first; then whatever it left of its own."""
        try:
            if self._process.poll() is None:
                self._signal(signal.SIGTERM)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(_GRACE_S)
        finally:
            self._signal(signal.SIGKILL)
            self._process.wait()
            for stream in (self._process.stdin, self._process.stdout, self._log):
                with contextlib.suppress(BrokenPipeError):
                    assert stream is not None, "all three are open"
                    stream.close()

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)
