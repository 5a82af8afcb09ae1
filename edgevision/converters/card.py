"""The bundle's README.md: a model card for people, written from the manifest."""

from __future__ import annotations

from edgevision.converters.flips import FLIPS
from edgevision.runtime.manifest import Artifact, Gate, Manifest
from edgevision.runtime.needs import need_words

_HEAD = (
    "| artifact | KiB | multiply-accumulates in int8 | top-1 | float top-1 "
    "| same top-1 as float | difference, 95 % interval | McNemar p | checks |"
)


_TASKS = {
    "tensors": "Named arrays in and out",
    "classification": "Classification with several labels at once",
    "detection": "Object detection",
    "segmentation": "Semantic segmentation",
    "instance_segmentation": "Instance segmentation",
    "keypoints": "Keypoints",
    "embedding": "Embedding",
    "generation": "Generation of images",
    "sequence": "Classification of a window of frames",
}


def model_card(name: str, manifest: Manifest) -> str:
    """Markdown text: what it does, how to use it, what it takes, what was checked."""
    source, is_classifier = manifest.provenance["source"]["name"], manifest.names_one_class
    what = _TASKS[manifest.task] if manifest.task != "classification" or manifest.head else "Classification"
    what += f" into {len(manifest.labels)} classes" if is_classifier else ""
    sources = '["frame1.jpg", ...]' if manifest.task == "sequence" else '"photo.jpg"'
    call = f"predictor({sources}).top(3)" if is_classifier else "predictor.run({...})"
    call = call if is_classifier or manifest.preprocessing is None else 'predictor("photo.jpg")'
    lines = [
        f"# {name}",
        "",
        f"{what}, made by edgevision from `{source}`.",
        "",
        "```python",
        "import edgevision",
        f'with edgevision.load("{name}") as predictor:',
        f"    print({call})",
        "```",
        "",
        *_tensors(manifest),
    ]
    if manifest.gate is not None:
        notes = [*manifest.provenance.get("recipe", {}).get("notes", ()), *_data(manifest, manifest.gate)]
        lines += [_verdict(manifest.gate), "", *(f"- {line}." for line in notes), ""]
    if not is_classifier:
        classes = ["", "Classes: " + ", ".join(manifest.labels)] if manifest.labels else []
        return "\n".join([*lines, *signal_table(manifest.artifacts), *classes, ""])
    lines += [_HEAD, "|---|--:|--:|--:|--:|--:|--:|--:|---|", *(_row(item) for item in manifest.artifacts), ""]
    lines += [*(f"- {line}." for line in _needs(manifest)), ""] if _needs(manifest) else []
    lines += _top5(manifest.artifacts)
    lines += _searched(manifest)
    return "\n".join([*lines, "Classes: " + ", ".join(manifest.labels), ""])


def _tensors(manifest: Manifest) -> list[str]:
    """What goes in and comes out."""
    p, lines = manifest.preprocessing, []
    if p is not None:
        antialias = "on" if p.antialias else "off"
        size = f"{p.height}x{p.width} {p.color}"
        lines = [f"Input: {size}, resized by {p.resize} ({p.interpolation}, antialias {antialias}).", ""]
    if manifest.task == "tensors":
        for title, specs in (("In", manifest.artifacts[0].inputs), ("Out", manifest.artifacts[0].outputs)):
            lines += [f"- {title}: `{spec.name}` {spec.dtype} {spec.shape}" for spec in specs]
        lines.append("")
    return lines


def _verdict(gate: Gate) -> str:
    undecided = gate.verdict == "undecided"
    verdict = gate.words if undecided else "passed" if gate.passed else "FAILED"
    note = f" ({gate.note})" if gate.note else ""
    limit, samples = f"at most {gate.max_drop:g} point{'' if gate.max_drop == 1 else 's'} lost", "images"
    if gate.least_sqnr_db is not None:
        limit, samples = f"at least {gate.least_sqnr_db:g} dB signal to noise in every output", "samples"
    return f"Accuracy gate: **{verdict}** on {gate.images} {samples}, by {gate.basis}, {limit}{note}."


def _data(manifest: Manifest, gate: Gate) -> list[str]:
    """What calibrated, how it stands to the judging images, and what is odd."""
    used = manifest.provenance["calibration"]["used"]
    lines = [f"Calibration: {used['summary']}"]
    if gate.overlap is not None:
        samples = "images" if manifest.names_one_class else "samples"
        lines.append(f"Calibration {samples} among the {gate.images} judging ones: {gate.overlap}")
    settled = used["convergence_summary"]
    lines += [settled[0].upper() + settled[1:]] if settled else []
    tuning = manifest.provenance.get("recipe", {}).get("finetuning")
    lines += [f"Fine-tuning: {part}" for part in (tuning["summary"], *tuning["notes"])] if tuning else []
    if manifest.names_one_class:
        lines.append(f"Images that an artifact answers otherwise than the float model: {FLIPS}")
    return [*lines, *(f"**Warning**: {each}" for each in gate.warnings)]


def _needs(manifest: Manifest) -> list[str]:
    """What devices must have, and what was asked for and is not here."""
    needs = [
        f"{item.name} needs {' and '.join(map(need_words, item.needs))}" for item in manifest.artifacts if item.needs
    ]
    missing = manifest.provenance.get("left_out", ())
    return [*needs, *(f"{item['precision']} in {item['format']} was left out: {item['reason']}" for item in missing)]


def _top5(artifacts: tuple[Artifact, ...]) -> list[str]:
    known = [(item.name, item.agreement) for item in artifacts if item.agreement and item.agreement.top5 is not None]
    if not known:
        return []
    own = ", ".join(f"{name} {found.top5:.2%}" for name, found in known)
    return [f"Right class among the best five: float {known[0][1].float_top5:.2%}, {own}.", ""]


def _searched(manifest: Manifest) -> list[str]:
    """What had to stay in float, and what else there was to choose from."""
    found = manifest.provenance.get("search")
    if found is None:
        return []
    rows = found["candidates"]
    (chosen,) = [row for row in rows if row["is_chosen"]]
    names = ", ".join(chosen["reverted"]) or "nothing"
    formats = list(dict.fromkeys(item.format for item in manifest.artifacts))
    lines = [f"In float on purpose: {names}. {found['summary'][0].upper()}{found['summary'][1:]}.", ""]
    lines += ["| model | int8 work | same top-1 | divergence, nats |" + "".join(f" {f}, KiB, ms |" for f in formats)]
    lines += ["|---|--:|--:|--:|" + "--:|" * len(formats)]
    for row in rows:
        cells = [row["model"], f"{row['int8_macs']:.0%}", f"{row['same_top1']:.1%}", f"{row['divergence_nats']:.2g}"]
        for name in formats:
            known = f"{name}_ms" in row
            cells.append(f"{row[f'{name}_bytes'] / 1024:.0f}, {row[f'{name}_ms']:.3g}" if known else "")
        lines.append("| " + " | ".join(cells) + " |")
    return [*lines, ""]


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
            "" if agreement.same_top1 is None else f"{agreement.same_top1:.2%}",
            f"{agreement.difference:+.2f} ({low:+.2f} to {high:+.2f})",
            "" if agreement.mcnemar_p is None else f"{agreement.mcnemar_p:.2g}",
        ]
    return "| " + " | ".join([*cells, _checks(item)]) + " |"


def signal_table(artifacts: tuple[Artifact, ...]) -> list[str]:
    """One row per output of each artifact, of the task "tensors"."""
    lines = [
        "| artifact | KiB | multiply-accumulates in int8 | output | signal to noise, dB, 95 % interval "
        "| same best class as float | checks |",
        "|---|--:|--:|---|--:|--:|---|",
    ]
    for item in artifacts:
        first = [item.name, f"{item.size / 1024:.0f}", f"{item.int8_macs:.0%}"]
        for signal in () if item.agreement is None else item.agreement.signals:
            low, high = signal.interval
            ratio = f"{signal.sqnr_db:.1f} ({low:.1f} to {high:.1f})"
            same = "" if signal.same_top1 is None else f"{signal.same_top1:.2%}"
            lines.append("| " + " | ".join([*first, signal.output, ratio, same, _checks(item)]) + " |")
    return [*lines, *_metrics(artifacts)]


def _metrics(artifacts: tuple[Artifact, ...]) -> list[str]:
    """What each artifact got by the task's own metric; nothing where signals alone were compared."""
    rows = []
    for item in artifacts:
        found = item.agreement
        if found is not None and found.value is not None and found.float_value is not None:
            low, high = found.interval
            points = f"{found.difference:+.2f} ({low:+.2f} to {high:+.2f})"
            rows.append(f"| {item.name} | {found.metric} | {found.value:.4f} | {found.float_value:.4f} | {points} |")
    head = ["", "| artifact | metric | it | float | difference in points, 95 % interval |", "|---|---|--:|--:|--:|"]
    return [*head, *rows] if rows else []


def _checks(item: Artifact) -> str:
    if not item.passed:
        return "failed"
    return "passed" if item.agreement is None or item.agreement.verdict != "undecided" else item.agreement.words
