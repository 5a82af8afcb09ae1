"""``edgevision evaluate``: accuracy on labelled images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from edgevision.cli.console import Progress, results
from edgevision.cli.options import json_option

if TYPE_CHECKING:
    from edgevision.benchmarks.evaluate import Evaluation


@click.command("evaluate", short_help="Accuracy on labelled images.")
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
    """Measure accuracy on DATA: a folder or .zip of CLASS/IMAGE, an .npz, digits or cifar10."""
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
    for name, accuracy in found.artifacts.items():
        low, high = accuracy.interval95
        row = {
            "artifact": name,
            "top-1": f"{accuracy.top1:.1%}",
            "95 % interval": f"{low:.1%} to {high:.1%}",
            "images": str(accuracy.n),
        }
        if against:
            each = against.get(name)
            row["points against float32"] = (
                f"{each.difference.value:+.2f} ({each.difference.low:+.2f} to {each.difference.high:+.2f})"
                if each
                else ""
            )
            row["same answer"] = f"{each.same_top1:.1%}" if each else ""
        rows.append(row)
    lines = [f"{found.data}, split {found.split}", text_table(rows).rstrip("\n")]
    lines += [f"not measured: {name}: {reason}" for name, reason in found.skipped.items()]
    lines += [f"left out, not readable: {name}" for name in found.unreadable]
    return "\n".join(lines)
