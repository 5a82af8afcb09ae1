"""Small files and programs that a system may or may not have; files written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: Where the file system begins; another folder only in tests.
ROOT = Path("/")
_TIMEOUT_S = 2.0


def text(path: str | Path) -> str:
    """What a file says, without the zeros and blanks around it; "" where it cannot be read."""
    try:
        return below_root(path).read_text(errors="replace").strip("\0 \n")
    except OSError:
        return ""


def below_root(path: str | Path) -> Path:
    """An absolute path as seen from ``ROOT``."""
    return ROOT / str(path).lstrip("/") if Path("/") != ROOT else Path(path)


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A file beside ``path`` to write to, which takes its place at the end; after an error it is gone."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def said_by(program: str, *words: str) -> str:
    """What a program prints; "" where there is none or it fails."""
    import shutil
    import subprocess

    found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/bin:/opt/vc/bin")
    if found is None:
        return ""
    try:
        done = subprocess.run([found, *words], capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
