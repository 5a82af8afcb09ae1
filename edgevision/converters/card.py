"""The bundle's README.md: a model card for people, written from the manifest."""

from __future__ import annotations

from edgevision.runtime.manifest import Artifact, Manifest

_HEAD = "| artifact | KiB | multiply-accumulates in int8 | top-1 | float top-1 | same top-1 as float | difference, 95 % interval | checks |"


def model_card(name: str, manifest: Manifest) -> str:
    """Markdown text."""
    p = manifest.preprocessing
    gate = manifest.gate
    lines = [
        f"# {name}",
        "",
        f"{manifest.task.capitalize()} into {len(manifest.labels)} classes, made by edgevision from `{manifest.provenance['source']['name']}`.",
        "",
        "```python",
        "import edgevision",
        f'with edgevision.load("{name}") as predictor:',
        '    print(predictor("photo.jpg").top(3))',
        "```",
        "",
        f"Input: {p.height}x{p.width} {p.color}, resized by {p.resize} ({p.interpolation}, antialias {'on' if p.antialias else 'off'}).",
        "",
    ]
    if gate is not None:
        verdict = "passed" if gate.passed else "FAILED"
        note = f" ({gate.note})" if gate.note else ""
        lines += [
            f"Accuracy gate: **{verdict}** on {gate.images} images, by {gate.basis}, at most {gate.max_drop:g} point lost{note}.",
            "",
        ]
    lines += [_HEAD, "|---|--:|--:|--:|--:|--:|--:|---|", *(_row(item) for item in manifest.artifacts), ""]
    lines += ["Classes: " + ", ".join(manifest.labels), ""]
    return "\n".join(lines)


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
