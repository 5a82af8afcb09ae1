"""What the search had to choose from: accuracy, size and measured latency of a few mixtures, for the manifest."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgevision.converters.answers import run_each
from edgevision.converters.export import export_all, open_artifact
from edgevision.converters.quantize.graph import Graph
from edgevision.converters.quantize.macs import mac_shares
from edgevision.converters.quantize.observe import Batch
from edgevision.converters.quantize.search import Found
from edgevision.converters.quantize.sensitivity import mac_share
from edgevision.converters.quantize.trials import Trial
from edgevision.runtime.manifest import Artifact, Manifest
from edgevision.runtime.session import Session

#: Mixtures between the all-int8 model and the chosen one that are exported to be measured.
_BETWEEN = 2
#: Runs that are not counted, and how many are: from the least up to what fits into so many seconds.
_WARM, _LEAST, _MOST, _SECONDS = 3, 7, 50, 0.5
#: Sensitivities that are written down.
_SHOWN = 20


def search_record(
    found: Found, graph: Graph, manifest: Manifest, folder: Path, exported: Sequence[Artifact], image: Batch
) -> dict[str, Any]:
    """Plain values for the manifest: how the search went, and the list to choose from.

    Args:
        found: By the search.
        graph: Float graph, raw pixels in.
        manifest: What goes into every file: task, labels, scores, preprocessing.
        folder: Where the bundle's artifacts lie; those of the other mixtures are written below it.
        exported: The bundle's artifacts.
        image: One image to time with.
    """
    formats = [item.format for item in exported if item.precision == "int8"]
    files: dict[str, list[tuple[Artifact, Path]]] = {}
    front = _front(found)
    for number, trial in enumerate(front):
        if trial is found.chosen:
            files[str(number)] = [(item, folder) for item in exported if item.precision == "int8"]
        else:
            place = folder / f"mixture-{number}"
            place.mkdir()
            mixture = found.mixture(trial)
            made = export_all(graph, mixture, manifest, place, [(name, "int8") for name in formats], lambda _: None)
            files[str(number)] = [(item, place) for item in made]
    files["float32"] = [(item, folder) for item in exported if item.precision == "float32"]
    measured = _measured(files, image)
    rows = [_row(found, trial) | measured[str(number)] for number, trial in enumerate(front)]
    if files["float32"]:
        exact = {
            "model": "float32",
            "is_chosen": False,
            "reverted": [],
            "divergence_nats": 0.0,
            "same_top1": 1.0,
            "int8_macs": 0.0,
        }
        rows.append(exact | measured["float32"])
    return {**_summary(found), "candidates": rows}


def _summary(found: Found) -> dict[str, Any]:
    met = "met" if found.is_met else "not met"
    cut = "" if found.is_complete else ", when the budget was spent"
    words = (
        f"{found.start.changed:.1%} of {found.images} answers changed in int8, {found.chosen.changed:.1%} now: "
        f"the search's goal of {found.goal:.1%} was {met}{cut}"
    )
    return {
        "summary": words,
        "goal_met": found.is_met,
        "complete": found.is_complete,
        "images": found.images,
        "changed_allowed": found.allowed,
        "changed_aimed_at": found.goal,
        "note": "the judging images had no part in it; latency: median of one image on one thread, taken in turns",
        "sensitivity": [
            {"units": sorted(each.units), "gain_nats": round(each.gain, 6), "macs": round(each.macs, 4)}
            for each in found.sensitivities[:_SHOWN]
        ],
    }


def _front(found: Found) -> list[Trial]:
    """The all-int8 model, the chosen one, and a few between that no other one beats in both work and divergence."""
    if found.chosen.reverted == found.start.reverted:
        return [found.chosen]
    share = {trial: mac_share(found.quantized, trial.reverted) for trial in found.trials}
    between, best = [], found.start.divergence
    for trial in sorted(found.trials, key=lambda trial: (share[trial], trial.divergence)):
        if found.chosen.divergence < trial.divergence < best and share[trial] <= share[found.chosen]:
            best = trial.divergence
            between.append(trial)
    step = max(1, -(-len(between) // _BETWEEN))
    return [found.start, *between[::step], found.chosen]


def _row(found: Found, trial: Trial) -> dict[str, Any]:
    name = "all int8" if not trial.reverted else f"{len(trial.reverted)} in float"
    return {
        "model": name + (", chosen" if trial is found.chosen else ""),
        "is_chosen": trial is found.chosen,
        "reverted": sorted(trial.reverted),
        "divergence_nats": float(f"{trial.divergence:.4g}"),
        "same_top1": round(1 - trial.changed, 4),
        "int8_macs": round(1 - mac_share(found.quantized, trial.reverted) - _kept(found.quantized.graph), 4),
    }


def _kept(graph: Graph) -> float:
    """Share of the multiply-accumulates of layers without an 8-bit form, 0..1."""
    return sum(share for name, share in mac_shares(graph).items() if graph.ops[name].kind == "Kept")


def _measured(files: Mapping[str, Sequence[tuple[Artifact, Path]]], image: Batch) -> dict[str, dict[str, Any]]:
    """Per row: bytes and milliseconds of each format, as "tflite_bytes" and "tflite_ms"."""
    with contextlib.ExitStack() as stack:
        sessions = {
            (row, item.format): stack.enter_context(open_artifact(item, place))
            for row, items in files.items()
            for item, place in items
        }
        times = _latencies(sessions, image)
    rows: dict[str, dict[str, Any]] = {}
    for row, items in files.items():
        rows[row] = {}
        for item, _ in items:
            rows[row] |= {f"{item.format}_bytes": item.size, f"{item.format}_ms": times[row, item.format]}
    return rows


def _latencies(sessions: Mapping[Any, Session], image: Batch) -> dict[Any, float]:
    """Median milliseconds; everybody runs once in each round, so that a slow moment of the machine hits all alike."""
    seconds: dict[Any, list[float]] = {key: [] for key in sessions}
    begun, rounds = time.monotonic(), 0
    while rounds < _WARM + _LEAST or (
        rounds < _WARM + _MOST and time.monotonic() - begun < _SECONDS * max(1, len(sessions))
    ):
        for key, session in sessions.items():
            before = time.perf_counter()
            run_each(session, image)
            seconds[key].append(time.perf_counter() - before)
        rounds += 1
    return {key: round(1000 * statistics.median(taken[_WARM:]), 4) for key, taken in seconds.items()}
