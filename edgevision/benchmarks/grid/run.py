"""benchmark_grid(): every cell that is not finished yet, one after the other."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgevision.benchmarks.grid.child import error_facts, measure_in_child
from edgevision.benchmarks.grid.plan import Cell, Plan, plan_grid
from edgevision.benchmarks.grid.settings import GridSettings, read_grid
from edgevision.benchmarks.grid.store import WORK, Store
from edgevision.benchmarks.grid.summary import GridResult, Outcome
from edgevision.benchmarks.report.model import Report
from edgevision.runtime.errors import EdgevisionError

#: Called with ("grid", cells done, cells, what is measured now and how long the rest takes).
GridProgress = Callable[[str, int, int, str], None]
Measure = Callable[[Cell, GridSettings, Path], Report]


def benchmark_grid(
    grid: str | Path | Mapping[str, Any],
    out: str | Path | None = None,
    progress: GridProgress | None = None,
    *,
    measure: Measure = measure_in_child,
) -> GridResult:
    """Benchmarks every cell of a grid: bundles x artifacts x providers x threads x batch sizes.

    A finished cell is a report in ``out``/cells, written whole or not at all. A call with the same grid and the same
    ``out`` goes on where an earlier one was stopped or killed: finished cells are not measured again, those that failed
    are. A cell counts as the same while the bundle's files, the settings, the data, the machine, its engines and the
    version of edgevision are the same.

    Args:
        grid: A .toml or .json file, or a mapping: ``bundles`` and optionally ``artifacts``, ``providers``, ``threads``,
            ``batch``, ``data``, ``runs``, ``min_s``, ``processes``, ``quick``; see ``GridSettings``.
        out: The folder of the results; None takes the file's name with "-results" in the working directory.
        progress: Called when a cell begins, and at the end.
        measure: What measures one cell.

    Returns:
        What came of every cell. It is also written to ``out`` as index.json, index.md and, with jinja2, index.html.

    Raises:
        InputError: The grid cannot be used, or another run is at work in ``out``.
        BundleError, DatasetError: A bundle or the data cannot be used.
    """
    settings = read_grid(grid)
    plan = plan_grid(settings)
    folder = Path(out) if out is not None else Path(f"{_stem(grid)}-results")
    with Store(folder) as store:
        reports = {cell: store.finished(cell) for cell in plan.cells}
        _measure_all([cell for cell in plan.cells if reports[cell] is None], plan, store, reports, progress, measure)
        outcomes = [Outcome(cell, reports[cell], store.failure(cell)) for cell in plan.cells]
        result = GridResult(folder, tuple(outcomes), plan.left_out)
        result.write_index(store)
    return result


def _stem(grid: str | Path | Mapping[str, Any]) -> str:
    return "grid" if isinstance(grid, Mapping) else Path(grid).stem


def _measure_all(
    left: Sequence[Cell],
    plan: Plan,
    store: Store,
    reports: dict[Cell, Report | None],
    progress: GridProgress | None,
    measure: Measure,
) -> None:
    """Measures what is left. What was begun before and not finished comes last: it may be what killed the run."""
    starts, total = store.starts(), len(plan.cells)
    for place, cell in enumerate(sorted(left, key=lambda cell: starts[cell.name])):
        if progress is not None:
            progress("grid", total - len(left) + place, total, f"{time_left(store, len(left) - place)}{cell.label}")
        reports[cell] = _measured(cell, plan.settings, store, measure)
    if progress is not None:
        progress("grid", total, total, "")


def _measured(cell: Cell, settings: GridSettings, store: Store, measure: Measure) -> Report | None:
    store.begin(cell)
    start = time.perf_counter()
    try:
        report = measure(cell, settings, store.folder / WORK)
    except (EdgevisionError, OSError, MemoryError) as error:
        store.fail(cell, error_facts(error), time.perf_counter() - start)
        return None
    store.finish(cell, report, time.perf_counter() - start)
    return report


def time_left(store: Store, cells: int) -> str:
    """How long so many cells will take if they take as long as the finished ones: "about 12 min left, "."""
    known = store.seconds()
    if not known:
        return ""
    seconds = cells * statistics.fmean(known)
    if seconds < 60:
        return f"about {seconds:.0f} s left, "
    return f"about {seconds / 60:.0f} min left, " if seconds < 5400 else f"about {seconds / 3600:.1f} h left, "
