"""``edgevision train``: labelled data in, a .keras model out, and with --to a bundle."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgevision.cli.console import Progress, program, results, say
from edgevision.cli.convert import GATE_FAILED, passed
from edgevision.cli.options import force_option, geometry_options, given, input_size_option, json_option
from edgevision.cli.training_bar import TrainingBar
from edgevision.runtime.spec import NORMALIZATIONS

if TYPE_CHECKING:
    from edgevision.trainers.train import TrainingResult

INTERRUPTED = 130
_WIDTH = 100
_DEFAULT = "[default: the network's own]"


def _list(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    """Prints the networks there are, and ends."""
    if value:
        click.echo(networks())
        context.exit()


def _words(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    """Comma-separated words; "none" is none."""
    if value is None:
        return None
    return () if value.strip() == "none" else tuple(word.strip() for word in value.split(",") if word.strip())


def _pairs(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for text in values:
        name, equals, value = text.partition("=")
        if not (name.strip() and equals):
            raise click.BadParameter(f"expected KEY=VALUE, got {text!r}")
        found[name.strip().replace("-", "_")] = value.strip()
    return found


@click.command("train", short_help="Labelled data in, a .keras model out.")
@click.argument("data")
@click.option("--out", required=True, metavar="MODEL.keras", type=click.Path(path_type=Path), help="Where to save it.")
@click.option("--task", help="What is to be learned.  [default: told from the data]")
@click.option("--model", help="A network by name, see --list.  [default: the task's]")
@click.option("--list", is_flag=True, is_eager=True, expose_value=False, callback=_list, help="Networks by name.")
@click.option(
    "--config",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Settings as .toml, or the .keras file of a training to repeat; options come before it.",
)
@click.option("--epochs", type=click.IntRange(min=1), help=f"Passes over the data.  {_DEFAULT}")
@click.option("--batch-size", type=click.IntRange(min=1), help=f"Examples a step.  {_DEFAULT}")
@input_size_option(f"Size of the model's input.  {_DEFAULT}")
@click.option("--preprocess", type=click.Choice(tuple(NORMALIZATIONS)), help=f"Of the pixels.  {_DEFAULT}")
@click.option("--augment", metavar="NAME[=X],...", callback=_words, help=f'Random changes, or "none".  {_DEFAULT}')
@click.option(
    "--augment-sheet", "sheet", metavar="FILE.png", type=click.Path(path_type=Path), help="A picture of them."
)
@click.option("--optimizer", help=f"sgd, momentum, rmsprop, adam, adamw.  {_DEFAULT}")
@click.option("--learning-rate", type=float, help=f"Its highest value.  {_DEFAULT}")
@click.option("--schedule", help=f"cosine, linear, steps, constant.  {_DEFAULT}")
@click.option("--loss", help="Of classifiers cross-entropy, focal, mae, mse.  [default: the task's]")
@click.option(
    "--patience", type=click.IntRange(min=0), help="End after so many epochs that are no better.  [default: 0]"
)
@click.option("--weights", metavar="imagenet|FILE", help="What the network begins with.  [default: chance]")
@click.option(
    "--freeze", metavar="N", type=click.IntRange(min=0), help="Epochs in which such weights stay.  [default: 0]"
)
@click.option("--teacher", metavar="FILE", help="A .keras file or a bundle of the same classes to learn from, too.")
@click.option("--sparsity", type=click.FloatRange(0, 1, max_open=True), help="Share of weights that end as zero.")
@click.option(
    "--keep-channels", type=click.FloatRange(0, 1, min_open=True), help="Share of --weights' channels to keep."
)
@click.option(
    "--qat", metavar="N", type=click.IntRange(min=0), help="Quantisation-aware epochs at the end.  [default: 0]"
)
@click.option("--strict", is_flag=True, default=None, help="An image that cannot be read ends it, and is not left out.")
@click.option("--seed", type=click.IntRange(min=0), help="Decides everything random.  [default: 0]")
@click.option(
    "--set",
    "more",
    metavar="KEY=VALUE",
    multiple=True,
    callback=_pairs,
    help="Any other setting, or the network's own.",
)
@click.option("--resume", is_flag=True, help="Go on with the training of --out that was interrupted.")
@click.option("--report", metavar="FILE.html", type=click.Path(path_type=Path), help="Curves, mistakes, confusion.")
@click.option("--no-images", is_flag=True, help="Leave images out of the report.")
@click.option("--tensorboard", metavar="DIR", type=click.Path(path_type=Path), help="Logs for TensorBoard.")
@click.option("--to", metavar="NAME.edge", type=click.Path(path_type=Path), help="Convert, verify and measure it, too.")
@geometry_options
@force_option
@json_option
def command(
    data: str,
    out: Path,
    more: dict[str, str],
    resume: bool,
    no_images: bool,
    force: bool,
    as_json: bool,
    **options: Any,
) -> int:
    """Train a network on DATA: a folder or .zip of CLASS/IMAGE, an .npz, digits or cifar10; for other tasks as evaluate
    takes it.

    The model file carries its labels, preprocessing and recipe: convert needs no more options, and --config
    MODEL.keras repeats the training. Killed or interrupted, --resume goes on where it was.
    """
    from edgevision.trainers.train import train

    asked = {**given(**options), **_settings(more)}
    with results() as stdout:
        with Progress() as bar:
            watch = TrainingBar(bar)
            try:
                found = train(
                    data,
                    out,
                    **asked,
                    resume=resume,
                    pictures=not no_images,
                    force=force,
                    progress=watch.progress,
                    on_step=watch.on_step,
                    on_epoch=watch.on_epoch,
                )
            except KeyboardInterrupt:
                bar.close()
                say(_farewell(out))
                return INTERRUPTED
        if as_json:
            stdout.json(found.to_dict())
        else:
            stdout.text(describe(found, data))
    return 0 if found.bundle is None or passed(found.bundle) else GATE_FAILED


def networks() -> str:
    """The networks there are, by task."""
    from edgevision.trainers.families import FAMILIES
    from edgevision.trainers.tasks import TASKS

    lines = []
    for task in TASKS.values():
        found = [family for family in FAMILIES.values() if family.task == task.name]
        width = max((len(family.name) for family in found), default=0)
        lines += ["", f"{task.name} (--model {task.default} unless told otherwise)"]
        for family in sorted(found, key=lambda family: family.name):
            size = "x".join(map(str, family.defaults["input_size"]))
            own = "".join(f"  --set {name}={value}" for name, value in family.options.items())
            lines.append(f"  {family.name:<{width}}  {size:<9}  {family.summary}{own}")
    return "\n".join(lines[1:])


def describe(found: TrainingResult, data: str) -> str:
    """What came out, where it is, and what to do next."""
    held = "" if found.value is None else f", {found.metric} {found.value:.4f} on {found.val_images} held out"
    held += f", {found.metric} {found.folds[found.metric]:.4f} of networks like it on its folds" if found.folds else ""
    lines = [f"{found.path}: {found.recipe.model}, {found.parameters:,} parameters, {found.images} images{held}"]
    lines += [f"report: {found.report}"] if found.report else []
    if found.bundle is None or found.latency is None:
        name = f"{found.path.stem}.edge"
        return "\n".join([*lines, f"next: {program()} convert {found.path} --calibration {data} --out {name}"])
    from edgevision.benchmarks.report import text_table

    table = text_table(found.latency.summary_rows())
    lines += ["", table, "", textwrap.fill(found.latency.headline(), _WIDTH), f"bundle: {found.bundle.path}"]
    return "\n".join(lines)


def _settings(more: dict[str, str]) -> dict[str, Any]:
    """What --set gives: fields of the recipe, and the rest as the network's options."""
    from edgevision.trainers.recipe import FIELDS, from_text

    fields = {name: from_text(name, text) for name, text in more.items() if name in FIELDS}
    own = {name: from_text(name, text) for name, text in more.items() if name not in FIELDS}
    return {**fields, **({"options": own} if own else {})}


def _farewell(out: Path) -> str:
    from edgevision.trainers.checkpoint import interrupted

    state = interrupted(out)
    if state is None:
        return "interrupted before the first epoch was over: nothing to go on with"
    return f"interrupted: the same call with --resume goes on after epoch {state[1]} of {state[0].get('epochs')}"
