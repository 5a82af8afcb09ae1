"""How much memory and time the conversion of a file may take."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgevision.runtime.errors import InputError
from edgevision.runtime.host import host_description

GIB = 2**30
#: Memory unless told otherwise: so much, and for every processor the stacks of the threads that engines start there;
#: never more than this part of the machine's.
_MEMORY_GIB, _PER_CPU_GIB, _PART = 8.0, 0.125, 0.8
#: Or so many times the model's file, where that is more: a recurrent network of 310 MB takes 14 GiB. A small file that
#: claims to be large gets nothing out of it.
_PER_FILE = 60
#: Time unless told otherwise, seconds.
TIME_S = 3600.0
#: Less does not even hold the imports.
_LEAST_GIB = 1.0


@dataclass(frozen=True)
class Limits:
    """Limits of one conversion.

    Attributes:
        memory_gib: Memory that may be written to, GiB (RLIMIT_DATA; nothing on systems without it).
        time_s: Seconds until it is stopped.
    """

    memory_gib: float
    time_s: float

    def __post_init__(self) -> None:
        if not self.memory_gib >= _LEAST_GIB:
            raise InputError(
                "memory_limit is not usable", expected=f"at least {_LEAST_GIB:g} GiB", got=f"{self.memory_gib:g}"
            )
        if not self.time_s > 0:
            raise InputError("time_limit is not usable", expected="seconds above 0", got=f"{self.time_s:g}")

    @classmethod
    def of(cls, memory_gib: float | None, time_s: float | None, model: Any = None) -> Limits:
        """The given limits, for None those that a model's file gets; ``model``: its path, or a model in memory."""
        size = _bytes(Path(model)) if isinstance(model, (str, Path)) else 0
        return cls(default_memory_gib(size) if memory_gib is None else memory_gib, TIME_S if time_s is None else time_s)

    def __str__(self) -> str:
        return f"{self.memory_gib:.3g} GiB and {self.time_s:g} s"


def default_memory_gib(file_bytes: int = 0) -> float:
    """8 GiB or 60 times the file, and 1/8 for every processor; at most 80 % of the memory that is there, at least 1."""
    total = host_description()["memory_bytes"]
    wanted = max(_MEMORY_GIB, _PER_FILE * file_bytes / GIB) + _PER_CPU_GIB * (os.cpu_count() or 1)
    return max(_LEAST_GIB, wanted if total is None else min(wanted, _PART * total / GIB))


def _bytes(path: Path) -> int:
    """Of a file, or of all files of a folder; 0 where there is none: who reads it says so."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(each.stat().st_size for each in files if each.is_file())
