"""What a command writes: results on stdout, everything else on stderr."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, TextIO

import click

_BAR = 24
_REDRAW_S = 0.05


def say(line: str) -> None:
    """One line to the person: on stderr, with the program's name."""
    click.echo(f"edgevision: {line}", err=True)


def one_line(error: object) -> str:
    """The message without line breaks; its type's name when it has none."""
    return " ".join(str(error).split()) or type(error).__name__


class Results:
    """stdout, kept for results. Whatever else writes there meanwhile, libraries and child processes included, goes
    to stderr: ``--json`` must stay pure JSON.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def text(self, text: str) -> None:
        """Writes a text and ends its line."""
        self._stream.write(text.rstrip("\n") + "\n")

    def json(self, value: Any) -> None:
        """Writes plain values as JSON."""
        self.text(json.dumps(value, indent=2, allow_nan=False))


@contextlib.contextmanager
def results() -> Iterator[Results]:
    """stdout for the time of a command."""
    with _diverted(sys.stdout) as stream, contextlib.redirect_stdout(sys.stderr):
        yield Results(stream)
        stream.flush()


@contextlib.contextmanager
def _diverted(stdout: TextIO) -> Iterator[TextIO]:
    """File descriptor 1 leads to stderr inside; what is yielded still leads to where stdout led."""
    if not _is_descriptor(stdout, 1) or not _is_descriptor(sys.stderr, 2):  # captured by a test or a caller
        yield stdout
        return
    stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with os.fdopen(os.dup(kept), "w", encoding=stdout.encoding, errors="backslashreplace") as stream:
            yield stream
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def _is_descriptor(stream: Any, number: int) -> bool:
    try:
        return bool(stream.fileno() == number)
    except (AttributeError, OSError, ValueError):
        return False


class Progress:
    """Called with (stage, done, total): a bar on a terminal, otherwise one line when a stage begins."""

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._live = self._stream.isatty()
        self._clock, self._drawn, self._stage, self._open = clock, 0.0, "", False

    def __call__(self, stage: str, done: int, total: int) -> None:
        """``done`` of ``total`` steps of the stage are over; a ``total`` of 0 is unknown."""
        new = stage != self._stage
        if new:
            self.close()
            self._stage = stage
        if not self._live:
            if new:
                self._write(f"{stage}\n")
            return
        now = self._clock()
        if new or done >= total or now - self._drawn >= _REDRAW_S:
            self._drawn = now
            self._draw(done, total)

    def close(self) -> None:
        """Leaves the last bar standing and ends its line."""
        if self._open:
            self._write("\n")
        self._open, self._stage = False, ""

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _draw(self, done: int, total: int) -> None:
        full = _BAR * min(done, total) // total if total > 0 else 0
        count = f"{done}/{total}" if total > 0 else ""
        self._write(f"\r\033[K{self._stage:<24} [{'#' * full}{'.' * (_BAR - full)}] {count}")
        self._open = True

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
