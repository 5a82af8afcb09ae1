"""Options that several commands share, and how their text is read."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

import click

from edgevision.runtime.errors import MissingPackageError, OutputExistsError
from edgevision.runtime.spec import NORMALIZATIONS, Interpolation, ResizePolicy

Command = TypeVar("Command", bound=Callable[..., Any])

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout and nothing else there.")
provider_option = click.option(
    "--provider",
    help="Where to compute: cpu; onnx: cuda, tensorrt; openvino: gpu, npu, auto; tflite: xnnpack, builtin, edgetpu or a"
    " delegate's library. What does not run there is an error.  [default: the CPU]",
)
force_option = click.option("--force", is_flag=True, help="Replace what is at --out.")


def size(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, int] | None:
    """HxW, or one number for a square, to (height, width) in pixels."""
    if value is None:
        return None
    found = re.fullmatch(r"([1-9]\d{0,4})(?:x([1-9]\d{0,4}))?", value.strip().lower())
    if not found:
        raise click.BadParameter(f"expected HEIGHTxWIDTH in pixels, such as 96x128, got {value!r}")
    return int(found[1]), int(found[2] or found[1])


def names(*choices: str) -> Callable[[click.Context, click.Parameter, str | None], tuple[str, ...] | None]:
    """A reader of comma-separated words out of ``choices``; keeps their order, drops repetitions."""

    def read(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, ...] | None:
        if value is None:
            return None
        words = tuple(dict.fromkeys(word.strip() for word in value.split(",") if word.strip()))
        unknown = [word for word in words if word not in choices]
        if unknown or not words:
            raise click.BadParameter(f"expected one or more of {','.join(choices)}, got {value!r}")
        return words

    return read


def input_size_option(text: str) -> Callable[[Command], Command]:
    """--input-size with its help text."""
    return click.option("--input-size", metavar="HxW", callback=size, help=text)


def geometry_options(command: Command) -> Command:
    """How images come to the model's input size. What is not given stays out of the call."""
    for option in (
        click.option(
            "--antialias/--no-antialias",
            default=None,
            help="Widen the kernel when shrinking, or sample it as tf.image.resize does.  [default: antialias]",
        ),
        click.option(
            "--interpolation",
            type=click.Choice(get_args(Interpolation)),
            help="Kernel of the resize.  [default: bilinear]",
        ),
        click.option(
            "--resize",
            type=click.Choice(get_args(ResizePolicy)),
            help="Stretch to the input size, crop the centre, or pad to keep the aspect ratio.  [default: stretch]",
        ),
    ):
        command = option(command)
    return command


def limit_options(command: Command) -> Command:
    """How far a model file is trusted, and what reading it may take."""
    for option in (
        click.option(
            "--time-limit",
            metavar="SECONDS",
            type=click.FloatRange(min=0, min_open=True),
            help="Time it may take.  [default: 3600]",
        ),
        click.option(
            "--memory-limit",
            metavar="GIB",
            type=click.FloatRange(min=1),
            help="Memory it may take.  [default: 8 or 60 times the file, and 1/8 per processor]",
        ),
        click.option(
            "--trust",
            is_flag=True,
            default=None,
            help="Run code that came with a model: Lambda layers, other packages' classes, any operation of a graph.",
        ),
    ):
        command = option(command)
    return command


preprocess_option = click.option(
    "--preprocess",
    type=click.Choice(tuple(NORMALIZATIONS)),
    help="What the model was trained on: raw 0..255, unit 0..1, tf -1..1, torch mean/std, caffe BGR minus mean."
    "  [default: what the model itself says; required when it does not]",
)


def given(**options: Any) -> dict[str, Any]:
    """The options that were given: the API's own defaults apply to the others."""
    return {name: value for name, value in options.items() if value is not None}


def points(value: float) -> str:
    """A number of percentage points in words."""
    return f"{value:g} point" + ("" if value == 1 else "s")


def check_reports(targets: Sequence[Path], force: bool, kinds: Sequence[str] = (".json", ".md", ".html")) -> None:
    """Refuses before the work what would be refused after it.

    Args:
        targets: Files to write.
        force: Whether to replace what is there.
        kinds: What their names may end in.

    Raises:
        OutputExistsError: A report exists and is not to be replaced.
        MissingPackageError: A page is asked for and its template engine is not installed.
    """
    from importlib.util import find_spec

    for target in targets:
        if target.suffix not in kinds:
            wanted = " or ".join((", ".join(kinds[:-1]), kinds[-1]) if len(kinds) > 1 else kinds)
            raise click.BadParameter(f"expected a name that ends in {wanted}, got {str(target)!r}")
        if target.exists() and not force:
            raise OutputExistsError(target)
        if target.suffix == ".html" and find_spec("jinja2") is None:
            raise MissingPackageError("jinja2", f"to write {target.name}", "report")
