"""``edgevision import``: a bundle around a model file that edgevision did not make."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import click

from edgevision.cli.console import results, say
from edgevision.cli.options import force_option, geometry_options, given, json_option
from edgevision.runtime.heads import TASKS, Scores
from edgevision.runtime.spec import NORMALIZATIONS


def _numbers(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[float, ...] | None:
    """One number for all channels, or three with commas."""
    if value is None:
        return None
    try:
        found = tuple(float(word) for word in value.split(","))
    except ValueError:
        found = ()
    if len(found) not in (1, 3):
        raise click.BadParameter(f"expected one number or three with commas, got {value!r}")
    return found


@click.command("import", short_help="Make a bundle of a model file from elsewhere.")
@click.argument("model", metavar="MODEL")
@click.option("--out", required=True, metavar="NAME.edge", help="The bundle to write.")
@click.option("--task", type=click.Choice(TASKS), help="What it does.  [default: classification, if it looks like it]")
@click.option(
    "--preprocess",
    type=click.Choice(tuple(NORMALIZATIONS)),
    help="What its pixels were scaled to.  [default: what an 8-bit input tells; required when it does not]",
)
@click.option("--mean", callback=_numbers, help="Subtracted from pixels 0..255, one number or three.")
@click.option("--std", callback=_numbers, help="What pixels are divided by then, one number or three.")
@click.option("--color", type=click.Choice(("rgb", "bgr")), help="Channel order it was trained on.  [default: rgb]")
@click.option("--labels", metavar="FILE", help="Class names in the order of the outputs, one a line.")
@click.option(
    "--head", metavar="JSON", help='What its outputs are: a kind, {"kind": ...} or a .json file (docs/tasks.md).'
)
@click.option(
    "--scores", type=click.Choice(get_args(Scores)), help="What a classifier's outputs are.  [default: guessed]"
)
@click.option("--golden", metavar="IMAGE", multiple=True, help="Store as a golden input; repeat.  [default: patterns]")
@geometry_options
@force_option
@json_option
def command(
    model: str,
    out: str,
    mean: tuple[float, ...] | None,
    std: tuple[float, ...] | None,
    resize: str | None,
    interpolation: str | None,
    antialias: bool | None,
    golden: tuple[str, ...],
    as_json: bool,
    **options: Any,
) -> None:
    """Make a bundle of MODEL, a .tflite, .onnx or OpenVINO .xml from elsewhere, unchanged.

    What is not said is guessed, and every guess is named; what contradicts the model is refused. Nothing is judged.
    """
    from edgevision.runtime.foreign.importing import import_model

    changes = given(resize=resize, interpolation=interpolation, antialias=antialias)
    if mean is not None or std is not None:
        width = max(len(mean or ()), len(std or ()))
        changes["mean"] = _wide(mean or (0.0,), width)
        changes["scale"] = tuple(1 / each if each else float("inf") for each in _wide(std or (1.0,), width))
    with results() as shown:
        bundle = import_model(model, out, changes=changes, golden=golden, **given(**options))
        manifest = bundle.manifest
        for guess in manifest.provenance["guessed"]:
            say(f"guessed: {guess}")
        say(f"written: {Path(out)}, accuracy not judged")
        if as_json:
            shown.json({"bundle": str(out), "task": manifest.task, **manifest.provenance})
            return
        artifact = manifest.artifacts[0]
        shown.text(f"{out}  {manifest.task}  {artifact.name}  {len(manifest.labels)} classes")


def _wide(values: tuple[float, ...], width: int) -> tuple[float, ...]:
    return values * width if len(values) == 1 else values
