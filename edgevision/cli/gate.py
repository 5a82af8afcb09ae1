"""The gate's verdict and what calibrated, in lines for the terminal."""

from __future__ import annotations

from edgevision.cli.options import points
from edgevision.runtime.manifest import Artifact, Gate, Manifest


def check_word(artifact: Artifact) -> str:
    """What became of an artifact's checks, for a table's cell."""
    if not artifact.passed:
        return "FAILED"
    agreement = artifact.agreement
    if agreement is None or agreement.verdict != "undecided":
        return "passed"
    return "too few samples" if agreement.signals else "too few images"


def gate_lines(gate: Gate) -> list[str]:
    """The verdict, how it was judged, and what is odd about the data."""
    asked = f"at most {points(gate.max_drop)} lost in {gate.basis} on {gate.images} images"
    if gate.least_sqnr_db is not None:
        asked = f"at least {gate.least_sqnr_db:g} dB signal to noise against float on {gate.images} samples"
    if gate.verdict == "undecided":
        line = f"gate undecided: {asked}, {gate.words}"
    else:
        line = f"gate {'passed' if gate.passed else 'FAILED'}: {asked}"
    return [line, *([gate.note] if gate.note else []), *(f"warning: {each}" for each in gate.warnings)]


def search_lines(manifest: Manifest) -> list[str]:
    """What the search took to float; empty where it did not search."""
    found = manifest.provenance.get("search")
    if not found:
        return []
    chosen = next(row for row in found["candidates"] if row["is_chosen"])
    names = ", ".join(chosen["reverted"]) or "nothing"
    return [f"in float on purpose: {names}", found["summary"], *([found["remark"]] if found["remark"] else [])]


def calibration_lines(manifest: Manifest) -> list[str]:
    """How it was quantised, where there is something to say, what calibrated and fine-tuned; empty without."""
    notes = manifest.provenance.get("recipe", {}).get("notes", [])
    used = manifest.provenance.get("calibration", {}).get("used", {})
    if not used:
        return [*notes]
    gate = manifest.gate
    shared = None if gate is None else gate.overlap
    samples = "images" if manifest.is_classifier else "samples"
    found = "" if gate is None or shared is None else f"; {shared} of them among the {gate.images} judging {samples}"
    settled = used.get("convergence_summary")
    tuning = manifest.provenance.get("recipe", {}).get("finetuning")
    tuned = [f"fine-tuning: {part}" for part in (tuning["summary"], *tuning["notes"])] if tuning else []
    return [*notes, f"calibration: {used['summary']}{found}", *([settled] if settled else []), *tuned]
