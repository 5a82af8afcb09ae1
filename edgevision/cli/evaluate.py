"""``edgevision evaluate``: accuracy on labelled data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from edgevision.cli.console import Progress, results
from edgevision.cli.options import json_option

if TYPE_CHECKING:
    from edgevision.benchmarks.evaluate import Evaluation
    from edgevision.benchmarks.figures import Comparison

# Figure -> heading and form. Those that an artifact has are its columns, in this order.
_COLUMNS = {
    "top1": ("top-1", "{:.1%}"),
    "top5": ("top-5", "{:.1%}"),
    "map": ("mAP", "{:.3f}"),
    "ap50": ("AP50", "{:.3f}"),
    "ap": ("AP", "{:.3f}"),
    "miou": ("mIoU", "{:.3f}"),
    "pixel_accuracy": ("pixels right", "{:.1%}"),
    "eer": ("EER", "{:.2%}"),
    "balanced_accuracy": ("balanced accuracy", "{:.1%}"),
    "mean_absolute": ("grey levels off", "{:.2f}"),
    "psnr_db": ("PSNR dB", "{:.1f}"),
    "f1_macro": ("F1", "{:.3f}"),
    "calibration_error": ("calibration error", "{:.3f}"),
}
_COUNTED = {"embedding": "pairs", "sequence": "windows"}


@click.command("evaluate", short_help="Accuracy on labelled data.")
@click.argument("bundle", metavar="NAME.edge")
@click.argument("data")
@click.option("--artifact", help='One model of the bundle, e.g. "int8.tflite".  [default: the first by rule]')
@click.option("--all", "every", is_flag=True, help="Every model whose engine is installed, int8 compared with float32.")
@click.option("--split", help="train, val or test.  [default: test where there is one]")
@click.option("--skip-unreadable", is_flag=True, help="Leave damaged images out and list them, instead of stopping.")
@json_option
def command(
    bundle: str, data: str, artifact: str | None, every: bool, split: str | None, skip_unreadable: bool, as_json: bool
) -> None:
    """Measure accuracy on DATA, labelled for the bundle's task: a folder or .zip of CLASS/IMAGE (or an .npz, digits,
    cifar10), of CLASS/CLIP/FRAME or CLASS/CLIP.mp4, with COCO or VOC boxes, outlines or points, masks, pairs.csv or
    labels.csv; of a generator the number of images to make.
    """
    from edgevision.benchmarks.evaluate import evaluate

    if artifact is not None and every:
        raise click.UsageError("--artifact and --all exclude each other")
    with results() as out:
        with Progress() as progress:
            found = evaluate(bundle, data, artifact, every, progress, split=split, skip_unreadable=skip_unreadable)
        if as_json:
            out.json(found.to_dict())
        else:
            out.text(_text(found))


def _text(found: Evaluation) -> str:
    from edgevision.benchmarks.report import text_table

    against = {each.artifact: each for each in found.comparisons}
    rows = []
    for name, figures in found.artifacts.items():
        row = {"artifact": name, **_cells(figures.headline, figures.to_dict(), _COUNTED.get(found.task, "images"))}
        if against:
            each = against.get(name)
            row[f"{figures.unit} against float32"] = _difference(each) if each else ""
            row |= _changes(against.values(), each)
        rows.append(row)
    lines = [f"{found.data}, split {found.split}", text_table(rows).rstrip("\n")]
    lines += [f"not measured: {name}: {reason}" for name, reason in found.skipped.items()]
    lines += [f"left out, not readable: {name}" for name in found.unreadable]
    return "\n".join(lines)


def _cells(headline: str, facts: dict[str, Any], counted: str) -> dict[str, str]:
    """The figures there are, the headline with its interval first."""
    cells = {}
    for name in (headline, *_COLUMNS):
        title, form = _COLUMNS[name]
        if name in facts and title not in cells:
            cells[title] = _formed(form, facts[name])
            if name == headline:
                cells["95 % interval"] = " to ".join(_formed(form, limit) for limit in facts["interval95"])
    return {**cells, counted: str(facts["n"])}


def _formed(form: str, value: float | None) -> str:
    return "-" if value is None else form.format(value)


def _difference(each: Comparison) -> str:
    value, low, high = (round(number, 2) + 0.0 for number in each.difference)  # no -0.00
    return f"{value:+.2f} ({low:+.2f} to {high:+.2f})"


def _changes(all_: Any, each: Comparison | None) -> dict[str, str]:
    """Columns for what the comparisons know beside the difference."""
    cells = {}
    if any("same_top1" in other.changes for other in all_):
        cells["same answer"] = f"{each.changes['same_top1']:.1%}" if each else ""
    if any("threshold_shift" in other.changes for other in all_):
        shift = each.changes.get("threshold_shift", {}).get("shift") if each else None
        cells["threshold for the same precision"] = "" if shift is None else f"{shift:+.3f}"
    return cells
