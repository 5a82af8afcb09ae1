"""``edgevision train``: labelled images in, a .keras model out."""

from __future__ import annotations

from pathlib import Path

import click

from edgevision.cli.console import Progress, program, results
from edgevision.cli.options import force_option, geometry_options, given, input_size_option, json_option


@click.command("train", short_help="Labelled images in, a .keras model out.")
@click.argument("data")
@click.option("--out", required=True, metavar="MODEL.keras", type=click.Path(path_type=Path), help="Where to save it.")
@click.option(
    "--model", default="cnn-cifar", show_default=True, help="cnn-cifar, cnn-cifar-wide, cnn-folder, cnn-mnist."
)
@click.option("--epochs", type=click.IntRange(min=1), default=10, show_default=True, help="Passes over the images.")
@input_size_option("Size of the model's input.  [default: the network's own]")
@click.option("--batch-size", type=click.IntRange(min=1), help="Images a step.  [default: the network's own]")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Decides everything random.")
@geometry_options
@force_option
@json_option
def command(
    data: str,
    out: Path,
    model: str,
    epochs: int,
    input_size: tuple[int, int] | None,
    batch_size: int | None,
    seed: int,
    resize: str | None,
    interpolation: str | None,
    antialias: bool | None,
    force: bool,
    as_json: bool,
) -> None:
    """Train a network on DATA: a folder or .zip of CLASS/IMAGE, an .npz, digits or cifar10.

    The model file carries its labels and preprocessing: convert needs no more options.
    """
    from edgevision.trainers.train import train

    asked = given(
        input_size=input_size, batch_size=batch_size, resize=resize, interpolation=interpolation, antialias=antialias
    )
    with results() as stdout:
        with Progress() as progress:
            found = train(data, out, model=model, epochs=epochs, seed=seed, force=force, progress=progress, **asked)
        if as_json:
            stdout.json(found.to_dict())
            return
        held = "" if found.value is None else f", {found.metric} {found.value:.4f} on {found.val_images} held out"
        stdout.text(f"{found.path}: {found.recipe.model}, {found.parameters:,} parameters, {found.images} images{held}")
        stdout.text(f"next: {program()} convert {found.path} --calibration {data} --out {found.path.stem}.edge")
