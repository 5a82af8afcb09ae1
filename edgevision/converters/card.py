"""The bundle's README.md: a model card for people, written from the manifest."""

from __future__ import annotations

from edgevision.runtime.manifest import Artifact, Gate, Manifest

_HEAD = (
    "| artifact | KiB | multiply-accumulates in int8 | top-1 | float top-1 "
    "| same top-1 as float | difference, 95 % interval | checks |"
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
        lines += [_verdict(manifest.gate), ""]
    lines += [_HEAD, "|---|--:|--:|--:|--:|--:|--:|---|", *(_row(item) for item in manifest.artifacts), ""]
    return "\n".join([*lines, "Classes: " + ", ".join(manifest.labels), ""])


def _verdict(gate: Gate) -> str:
    verdict = "passed" if gate.passed else "FAILED"
    note = f" ({gate.note})" if gate.note else ""
    limit = f"at most {gate.max_drop:g} point{'' if gate.max_drop == 1 else 's'} lost"
    return f"Accuracy gate: **{verdict}** on {gate.images} images, by {gate.basis}, {limit}{note}."


def _row(item: Artifact) -> str:
    agreement = item.agreement
    share = f"{item.int8_macs:.0%}"
    cells = [item.name, f"{item.size / 1024:.0f}", share]
    if agreement is None:
        cells += ["", "", "", ""]
    else:
        low, high = agreement.interval
        cells += [
            "" if agreement.top1 is None else f"{agreement.top1:.2%}",
            "" if agreement.float_top1 is None else f"{agreement.float_top1:.2%}",
            f"{agreement.same_top1:.2%}",
            f"{agreement.difference:+.2f} ({low:+.2f} to {high:+.2f})",
        ]
    return "| " + " | ".join([*cells, "passed" if item.passed else "failed"]) + " |"
