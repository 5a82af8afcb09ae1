"""What one conversion was asked for, once it was checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgevision.converters.formats import NOT_MADE
from edgevision.runtime.manifest import Scores, Target
from edgevision.runtime.spec import Interpolation, ResizePolicy

#: progress(stage, done, total)
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, eq=False)
class Asked:
    """The arguments of ``convert``, whose docstring says what they mean, without its limits.

    Attributes:
        head: As plain values.
    """

    model: Any
    calibration: str | Path
    out: str | Path
    evaluate: str | Path | None
    labels: Sequence[str] | None
    preprocess: str | None
    scores: Scores | None
    head: dict[str, Any] | None
    input_size: tuple[int, int] | None
    resize: ResizePolicy
    interpolation: Interpolation
    antialias: bool
    formats: Sequence[str]
    precisions: Sequence[str]
    target: Target
    max_drop: float
    finetune: int
    finetune_data: str | Path | None
    budget: float
    golden: str
    force: bool
    trust: bool
    progress: Progress | None

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """(format, precision), each precision in all formats before the next."""
        return [(item, precision) for precision in self.precisions for item in self.formats]

    @property
    def wanted(self) -> list[tuple[str, str]]:
        """Those of the pairs that there is."""
        return [pair for pair in self.pairs if pair not in NOT_MADE]
