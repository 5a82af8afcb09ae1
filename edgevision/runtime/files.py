"""Small files that a system may or may not have."""

from __future__ import annotations

from pathlib import Path

#: Where the file system begins; another folder only in tests.
ROOT = Path("/")


def text(path: str | Path) -> str:
    """What a file says, without the zeros and blanks around it; "" where it cannot be read."""
    try:
        return below_root(path).read_text(errors="replace").strip("\0 \n")
    except OSError:
        return ""


def below_root(path: str | Path) -> Path:
    """An absolute path as seen from ``ROOT``."""
    return ROOT / str(path).lstrip("/") if Path("/") != ROOT else Path(path)
