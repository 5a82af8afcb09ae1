"""What a command writes: results on stdout, everything else on stderr."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

if TYPE_CHECKING:
    from edgevision.benchmarks.report.document import Document

_BAR = 24
_REDRAW_S = 0.05


def say(line: str) -> None:
    """One line to the person: on stderr, with the program's name."""
    click.echo(f"edgevision: {line}", err=True)


def program() -> str:
    """How this program is called here: its name where the shell would find it, else the way it was called."""
    called = Path(sys.argv[0])
    if called.name != "edgevision":
        return "python -m edgevision"
    found = shutil.which("edgevision")
    return "edgevision" if found is not None and Path(found).resolve() == called.resolve() else str(called)


def one_line(error: object) -> str:
    """The message without line breaks; its type's name when it has none."""
    return " ".join(str(error).split()) or type(error).__name__


class Results:
    """stdout, kept for results: ``--json`` must stay pure JSON whatever libraries print meanwhile."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def text(self, text: str) -> None:
        """Writes a text and ends its line."""
        self._stream.write(text.rstrip("\n") + "\n")

    def json(self, value: Any) -> None:
        """Writes plain values as JSON."""
        self.text(json.dumps(value, indent=2, allow_nan=False))

    def document(self, found: Document, targets: Iterable[Path], *, force: bool, as_json: bool) -> None:
        """Writes what was found to its files, and shows it.

        Args:
            found: It.
            targets: Files to write, which ``check_reports`` let pass.
            force: Whether to replace what is there.
            as_json: Show its plain values, not its text.
        """
        for target in targets:
            found.write(target, force=force)
        if as_json:
            self.json(found.to_dict())
        else:
            self.text(found.to_text())


@contextlib.contextmanager
def results() -> Iterator[Results]:
    """stdout for the time of a command.

    What Python code prints meanwhile goes to stderr. What native libraries and child processes write goes nowhere:
    every engine and TensorFlow greet on stderr, and no variable stops all of them. With --debug it is shown.
    """
    context = click.get_current_context(silent=True)
    debug = context is not None and context.find_root().obj is True
    with contextlib.ExitStack() as stack:
        stdout: TextIO = sys.stdout
        if _is_descriptor(sys.stdout, 1) and _is_descriptor(sys.stderr, 2):  # not captured by a test or a caller
            stdout = stack.enter_context(_kept(sys.stdout, 1))
            stderr = stack.enter_context(_kept(sys.stderr, 2))
            stack.enter_context(contextlib.redirect_stderr(stderr))
            if debug:
                os.dup2(stderr.fileno(), 1)
            else:
                _to_nowhere(1, 2)
        stack.enter_context(contextlib.redirect_stdout(sys.stderr))
        yield Results(stdout)
        stdout.flush()


@contextlib.contextmanager
def _kept(stream: TextIO, number: int) -> Iterator[TextIO]:
    """Another way to where the descriptor leads; afterwards the descriptor leads there again."""
    stream.flush()
    with os.fdopen(os.dup(number), "w", buffering=1, encoding=stream.encoding, errors="backslashreplace") as kept:
        try:
            yield kept
        finally:
            os.dup2(kept.fileno(), number)


def _to_nowhere(*numbers: int) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for number in numbers:
        os.dup2(nowhere, number)
    os.close(nowhere)


def _is_descriptor(stream: Any, number: int) -> bool:
    try:
        return bool(stream.fileno() == number)
    except (AttributeError, OSError, ValueError):
        return False


class Progress:
    """Called with (stage, done, total): a bar on a terminal, otherwise one line per stage or note."""

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._live = self._stream.isatty()
        self._clock, self._drawn, self._stage, self._note, self._open = clock, 0.0, "", "", False

    def __call__(self, stage: str, done: int, total: int, note: str = "") -> None:
        """``done`` of ``total`` steps of the stage are over, a ``total`` of 0 is unknown; ``note``: what is next."""
        new = stage != self._stage
        if new:
            self.close()
            self._stage = stage
        told, self._note = note == self._note, note
        if not self._live:
            if new or (note and not told):
                self._write(f"{stage} {done}/{total}: {note}\n" if note else f"{stage}\n")
            return
        now = self._clock()
        if new or not told or done >= total or now - self._drawn >= _REDRAW_S:
            self._drawn = now
            self._draw(done, total)

    def live(self, stage: str, done: int, total: int, note: str) -> None:
        """A bar on a terminal whose note changes all the time; elsewhere nothing."""
        now = self._clock()
        if self._live and (done >= total or now - self._drawn >= _REDRAW_S):
            self._drawn, self._stage, self._note = now, stage, note
            self._draw(done, total, shutil.get_terminal_size().columns - 1)

    def line(self, text: str) -> None:
        """A line that stays, in place of the bar."""
        self._write(f"\r\033[K{text}\n" if self._open else f"{text}\n")
        self._open, self._stage = False, ""

    def close(self) -> None:
        """Leaves the last bar standing and ends its line."""
        if self._open:
            self._write("\n")
        self._open, self._stage = False, ""

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _draw(self, done: int, total: int, width: int | None = None) -> None:
        full = _BAR * min(done, total) // total if total > 0 else 0
        count = f" {done}/{total}" if total > 0 else ""
        note = f" {self._note}" if self._note else ""
        text = f"{self._stage:<{24 if width is None else 0}} [{'#' * full}{'.' * (_BAR - full)}]{count}{note}"
        self._write(f"\r\033[K{text[:width]}")
        self._open = True

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
