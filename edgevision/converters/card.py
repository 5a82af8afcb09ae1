"""The bundle's README.md: a model card for people, written from the manifest."""

from __future__ import annotations

from edgevision.converters.flips import FLIPS
from edgevision.runtime.manifest import Artifact, Gate, Manifest

_HEAD = (
    "| artifact | KiB | multiply-accumulates in int8 | top-1 | float top-1 "
    "| same top-1 as float | difference, 95 % interval | McNemar p | checks |"
)


def model_card(name: str, manifest: Manifest) -> str:
    """Markdown text: what it does, how to use it, what it takes, what was checked."""
    p, source = manifest.preprocessing, manifest.provenance["source"]["name"]
    antialias = "on" if p.antialias else "off"
    lines = [
        f"# {name}",
        "",
        f"{manifest.task.capitalize()} into {len(manifest.labels)} classes, made by edgevision from `{source}`.",
        "",
        "```python",
        "import edgevision",
        f'with edgevision.load("{name}") as predictor:',
        '    print(predictor("photo.jpg").top(3))',
        "```",
        "",
        f"Input: {p.height}x{p.width} {p.color}, resized by {p.resize} ({p.interpolation}, antialias {antialias}).",
        "",
    ]
    if manifest.gate is not None:
        lines += [_verdict(manifest.gate), "", *(f"- {line}." for line in _data(manifest, manifest.gate)), ""]
    lines += [_HEAD, "|---|--:|--:|--:|--:|--:|--:|--:|---|", *(_row(item) for item in manifest.artifacts), ""]
    lines += _top5(manifest.artifacts)
    return "\n".join([*lines, "Classes: " + ", ".join(manifest.labels), ""])


def _verdict(gate: Gate) -> str:
    undecided = gate.verdict == "undecided"
    verdict = gate.words if undecided else "passed" if gate.passed else "FAILED"
    note = f" ({gate.note})" if gate.note else ""
    limit = f"at most {gate.max_drop:g} point{'' if gate.max_drop == 1 else 's'} lost"
    return f"Accuracy gate: **{verdict}** on {gate.images} images, by {gate.basis}, {limit}{note}."


def _data(manifest: Manifest, gate: Gate) -> list[str]:
    """What calibrated, how it stands to the judging images, and what is odd."""
    used = manifest.provenance["calibration"]["used"]
    lines = [f"Calibration: {used['summary']}"]
    if gate.overlap is not None:
        lines.append(f"Calibration images among the {gate.images} judging ones: {gate.overlap}")
    settled = used["convergence_summary"]
    lines += [settled[0].upper() + settled[1:]] if settled else []
    lines.append(f"Images that an artifact answers otherwise than the float model: {FLIPS}")
    return [*lines, *(f"**Warning**: {each}" for each in gate.warnings)]


def _top5(artifacts: tuple[Artifact, ...]) -> list[str]:
    known = [(item.name, item.agreement) for item in artifacts if item.agreement and item.agreement.top5 is not None]
    if not known:
        return []
    own = ", ".join(f"{name} {found.top5:.2%}" for name, found in known)
    return [f"Right class among the best five: float {known[0][1].float_top5:.2%}, {own}.", ""]


def _row(item: Artifact) -> str:
    agreement = item.agreement
    share = f"{item.int8_macs:.0%}"
    cells = [item.name, f"{item.size / 1024:.0f}", share]
    if agreement is None:
        cells += ["", "", "", "", ""]
    else:
        low, high = agreement.interval
        cells += [
            "" if agreement.top1 is None else f"{agreement.top1:.2%}",
            "" if agreement.float_top1 is None else f"{agreement.float_top1:.2%}",
            f"{agreement.same_top1:.2%}",
            f"{agreement.difference:+.2f} ({low:+.2f} to {high:+.2f})",
            "" if agreement.mcnemar_p is None else f"{agreement.mcnemar_p:.2g}",
        ]
    return "| " + " | ".join([*cells, _checks(item)]) + " |"


def _checks(item: Artifact) -> str:
    if not item.passed:
        return "failed"
    return "passed" if item.agreement is None or item.agreement.verdict != "undecided" else item.agreement.words
