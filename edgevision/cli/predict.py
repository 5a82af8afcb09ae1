"""``edgevision predict``: images in, labels out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from edgevision.cli.console import one_line, results, say
from edgevision.cli.options import json_option
from edgevision.runtime.errors import ImageError

if TYPE_CHECKING:
    from edgevision.runtime.results import Classification


@click.command("predict", short_help="Classify images.")
@click.argument("bundle", metavar="NAME.edge|FILE")
@click.argument("images", metavar="IMAGE...", nargs=-1, required=True)
@click.option("--top", type=click.IntRange(min=1), default=3, show_default=True, help="How many classes to print.")
@click.option("--backend", help="tflite, onnx or openvino.  [default: the first that is installed]")
@click.option("--artifact", help='One model of the bundle, e.g. "int8.onnx", even one that failed its checks.')
@json_option
def command(
    bundle: str, images: tuple[str, ...], top: int, backend: str | None, artifact: str | None, as_json: bool
) -> int:
    """Classify images with a bundle, or with a lone model file out of one.

    An image that cannot be used is named on stderr; the others are still classified, and the exit code is 1.
    """
    from edgevision.runtime.predictor import load_classifier

    found: list[dict[str, Any]] = []
    failed = 0
    with results() as out, load_classifier(bundle, backend, artifact=artifact) as predictor:
        for path in images:
            try:
                result = predictor(path)
            except ImageError as error:
                failed += 1
                say(f"error: {one_line(error)}")
                found.append({"path": path, "error": one_line(error)})
                continue
            if as_json:
                found.append({"path": path, **result.to_dict(top)})
            else:
                out.text(f"{path}  {_line(result, top)}")
        if as_json:
            out.json(found)
    return 1 if failed else 0


def _line(result: Classification, top: int) -> str:
    (label, score), *others = result.top(top)
    rest = ", ".join(f"{other} {value:.2f}" for other, value in others)
    return f"{label} {score:.2f}" + (f"  ({rest})" if rest else "")
