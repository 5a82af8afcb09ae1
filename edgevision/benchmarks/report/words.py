"""Numbers and findings in words. Units and rounding are decided here and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from edgevision.benchmarks.report.findings import (
    FEW_IMAGES,
    Quality,
    cost_of_int8,
    fastest,
    qualities,
)
from edgevision.benchmarks.report.model import Measured, Report
from edgevision.benchmarks.report.validity import validity
from edgevision.benchmarks.statistics import Estimate, is_supported
from edgevision.runtime.manifest import Gate

MINUS = "\N{MINUS SIGN}"
DASH = "\N{EN DASH}"
TIMES = "\N{MULTIPLICATION SIGN}"


def milliseconds(value: float) -> str:
    """About three significant digits: 0.213 ms, 14.2 ms, 1203 ms."""
    digits = 3 if value < 1 else 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:.{digits}f} ms"


def size(count: int) -> str:
    """Bytes in decimal units: "134 kB", "1.5 MB"."""
    if count < 1_000_000:
        return f"{count / 1000:.0f} kB" if count >= 10_000 else f"{count / 1000:.1f} kB"
    return f"{count / 1e6:.1f} MB" if count < 100_000_000 else f"{count / 1e6:.0f} MB"


def count(number: int, noun: str) -> str:
    """ "1 thread", "2 threads"."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def header(column: str) -> str:
    """A table's column as a heading: "Process to result", "p50", "MHz"."""
    return column if re.fullmatch(r"p\d+.*", column) else column[:1].upper() + column[1:]


def percent(share: float) -> str:
    """A share 0..1 with one decimal: "97.2 %"; never "100.0 %" for what is less than all."""
    shown = f"{100 * share:.1f}"
    return f"{'>99.9' if shown == '100.0' and share < 1 else shown} %"


def points(value: float, digits: int = 1) -> str:
    """Signed points with a real minus sign: "+0.3", "-1.2", "0.0"."""
    shown = f"{abs(value):.{digits}f}"
    return shown if float(shown) == 0 else f"{'+' if value > 0 else MINUS}{shown}"


def span(low: float, high: float, digits: int = 1) -> str:
    """An interval of points: "-0.9 to +0.3"."""
    return f"{points(low, digits)} to {points(high, digits)}"


def ratio(estimate: Estimate) -> str:
    """How many times, with its interval: "1.42x (1.38 to 1.47)"."""
    return f"{estimate.value:.2f}\N{MULTIPLICATION SIGN} ({estimate.low:.2f} to {estimate.high:.2f})"


def images(report: Report) -> str:
    """See ``images_run``."""
    return images_run(report.images)


def images_run(facts: Mapping[str, Any]) -> str:
    """What was run: "200 distinct images of photos.zip (test)".

    Args:
        facts: ``Report.images``.
    """
    plural = "image" if facts["distinct"] == 1 else "images"
    if facts["kind"] == "golden":
        return f"{facts['distinct']} golden {plural} of the bundle"
    if facts["kind"] == "golden arrays":
        return f"{facts['distinct']} golden inputs of the bundle"
    split = f" ({facts['split']})" if facts["split"] not in ("", "all") else ""
    return f"{facts['distinct']} distinct {plural} of {facts['name']}{split}"


def gate_sentence(report: Report) -> str:
    """The gate's verdict."""
    gate = report.gate
    if gate is None:
        return "No accuracy gate was run on this bundle."
    if gate.least_sqnr_db is not None:
        limit = f"{gate.least_sqnr_db:g} dB of signal to noise against float on {gate.images} samples"
        return f"Gate {gate_word(gate)}: every output of every artifact was to reach {limit}."
    limit = f"{gate.max_drop:g} point{'' if gate.max_drop == 1 else 's'}"
    basis = "of full agreement with float" if gate.basis == "agreement" else "of float"
    if gate.verdict == "undecided":
        few = f"{gate.words[0].upper()}{gate.words[1:]}."
        return f"Gate undecided: every artifact was seen within {limit} {basis} on {gate.images} images. {few}"
    if gate.passed:
        return f"Gate passed: every artifact stayed within {limit} {basis} on {gate.images} images."
    return f"Gate failed: an artifact fell more than {limit} short {basis} on {gate.images} images."


def gate_word(gate: Gate) -> str:
    """The verdict in a word: "passed", "failed" or "undecided"."""
    return "undecided" if gate.verdict == "undecided" else "passed" if gate.passed else "failed"


def fastest_sentence(report: Report) -> str:
    """Which artifact is fastest here, or that it cannot be said."""
    best = fastest(report)
    if not best.ratios:
        return f"{best.name} is the only artifact measured."
    if best.tied:
        names = listed([best.name, *best.tied])
        return f"{names} are the fastest here and cannot be told apart."
    nearest = min((each for each in best.ratios.items() if each[1]), key=lambda item: item[1].value if item[1] else 0)
    assert nearest[1] is not None, "an artifact without a ratio is tied"
    return f"{best.name} is the fastest here: the next, {nearest[0]}, takes {ratio(nearest[1])} as long."


def cost_sentence(report: Report) -> str:
    """What int8 costs in accuracy, with its interval."""
    found = cost_of_int8(report)
    if found is None or found[1].difference is None:
        return "What int8 costs in accuracy was not measured."
    name, quality = found
    value, low, high = found[1].difference
    where = f"on {quality.n} images" + (" when it was converted" if quality.source == "at conversion" else "")
    if quality.kind == "agreement":
        return f"{name} names the same class as float in {100 + value:.1f} % of cases {where}."
    interval = f"(95 % interval {span(low, high)})"
    if quality.kind != "accuracy":
        return f"{name} changes {quality.kind} by {points(value)} points {interval} {where}."
    if low <= 0 <= high:
        return f"int8 costs no accuracy that can be shown: {points(value)} points {interval} for {name} {where}."
    verb = "costs" if value < 0 else "gains"
    return f"{name} {verb} {abs(value):.1f} points of accuracy {interval} {where}."


def headline(report: Report) -> str:
    """Gate, fastest and cost of int8; before them, if the run is invalid, that it is."""
    sentences = [gate_sentence(report), fastest_sentence(report), cost_sentence(report)]
    if validity(report).state == "invalid":
        sentences.insert(0, validity_sentence(report))
    return " ".join(sentences)


def around(estimate: Estimate) -> str:
    """A latency with its interval, milliseconds: "1.42 ms (1.38 to 1.47)"."""
    low, high = (milliseconds(value).removesuffix(" ms") for value in estimate[1:])
    return f"{milliseconds(estimate.value)} ({low} to {high})"


def energy(joules: float | None) -> str:
    """Energy of a prediction: "13.2 mJ"; "not measured" without a meter."""
    return "not measured" if joules is None else f"{1e3 * joules:.3g} mJ"


def accuracy(quality: Quality | None) -> str:
    """Accuracy with its interval: "97.2 % (95.1-98.5)"; a dash when it is unknown."""
    if quality is None or quality.top1 is None:
        return DASH
    if quality.interval is None:
        return percent(quality.top1)
    return f"{percent(quality.top1)} ({100 * quality.interval[0]:.1f}{DASH}{100 * quality.interval[1]:.1f})"


def difference(quality: Quality | None) -> str:
    """Difference to float with its interval: "-0.3 (-0.9 to +0.3)"; a dash for float itself."""
    if quality is None or quality.difference is None:
        return DASH
    value, low, high = quality.difference
    return f"{points(value)} ({span(low, high)})"


def place(report: Report, run: Measured) -> str:
    """Where an artifact stands: "fastest", "tied", "1.42x", or that it failed its checks."""
    best = fastest(report)
    if not run.passed and run.artifact not in (best.name, *best.ratios):
        return "failed"
    if run.artifact == best.name:
        return "tied" if best.tied else "fastest"
    if run.artifact in best.tied:
        return "tied"
    estimate = best.ratios[run.artifact]
    return f"{estimate.value:.2f}\N{MULTIPLICATION SIGN}" if estimate else "tied"


def notes(report: Report) -> list[str]:
    """What cannot be trusted or was left out, each in a sentence or two."""
    return [
        *validity(report).reasons,
        *_notes_on_protocol(report),
        *report.remarks,
        *_notes_on_gate(report),
        *_notes_on_artifacts(report),
        *_notes_on_images(report),
    ]


def _notes_on_gate(report: Report) -> list[str]:
    if report.gate is None:
        return []
    found = [f"{each[0].upper()}{each[1:]}." for each in report.gate.warnings]
    if report.gate.overlap:
        found.append(f"{report.gate.overlap} calibration images were among the {report.gate.images} that judged.")
    return found


def _notes_on_artifacts(report: Report) -> list[str]:
    found = [f"{name} was not measured: {why}." for name, why in report.skipped.items()]
    failed = [run.artifact for run in report.artifacts if not run.passed]
    if failed:
        found.append(f"Failed the checks of the conversion, and not to be used: {listed(failed)}.")
    return found


def _notes_on_images(report: Report) -> list[str]:
    found = []
    if report.images["kind"] == "golden":
        found.append(
            "Latency was measured on the bundle's golden images, which are already of the model's size: decoding and "
            "resizing of real photos come on top. Pass data to measure them."
        )
    known = [each for each in qualities(report).values() if each.source == "measured here"]
    if known and known[0].n < FEW_IMAGES:
        width = max(100 * (each.interval[1] - each.interval[0]) / 2 for each in known if each.interval)
        found.append(
            f"Accuracy rests on {known[0].n} images only: it is uncertain by \N{PLUS-MINUS SIGN}{width:.0f} points."
        )
    elif not known and qualities(report):
        found.append("Accuracy is that of the conversion; it was not measured in this run.")
    fewest = min(run.runs for run in report.artifacts)
    missing = [name for name, p in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99)) if not is_supported(p, fewest)]
    if missing:
        found.append(
            f"{listed(missing)} left out where they are not supported: a percentile is given only when at least ten "
            f"runs lie beyond it, and the shortest series has {fewest}."
        )
    return found


def _notes_on_protocol(report: Report) -> list[str]:
    facts = report.protocol
    if facts.get("quick"):
        return [
            "This was a quick look: one process of each model for about half a second. What two starts of one program "
            "differ by is not in the intervals; measure without --quick for figures to rely on."
        ]
    return []


def validity_sentence(report: Report) -> str:
    """Whether the latencies can be believed; the reasons are in the notes."""
    found = validity(report)
    if found.state == "invalid":
        return f"This run is invalid: {found.reasons[0][0].lower()}{found.reasons[0][1:]} Measure again."
    if found.state == "degraded":
        return f"This run is degraded: see the notes ({len(found.reasons)})."
    return "This run is valid."


def listed(names: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def verdict(report: Report) -> str:
    """The headline in one short breath: gate, fastest, change of accuracy with its interval."""
    gate, best, cost = report.gate, fastest(report), cost_of_int8(report)
    parts = ["This run is invalid."] if validity(report).state == "invalid" else []
    parts.append("No gate was run." if gate is None else f"Gate {gate_word(gate)}.")
    names = [best.name, *best.tied]
    parts.append(f"{listed(names)} {'is' if len(names) == 1 else 'are'} fastest here.")
    if cost is None or cost[1].difference is None:
        parts.append("What int8 costs in accuracy was not measured.")
    else:
        value, low, high = cost[1].difference
        what = "agreement with float" if cost[1].kind == "agreement" else cost[1].kind
        parts.append(f"int8 changes {what} by {points(value)} points (95 % interval {span(low, high)}).")
    return " ".join(parts)
