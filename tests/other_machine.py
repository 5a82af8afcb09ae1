"""The files and programs of a machine that is not here, for what reads the system's own (fixture ``root``)."""

from __future__ import annotations

import stat
from pathlib import Path


def lay(root: Path, given: dict[str, str]) -> None:
    """Put files there, path -> content; those in bin are programs."""
    for name, content in given.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        if path.parent.name == "bin":
            path.chmod(path.stat().st_mode | stat.S_IXUSR)
