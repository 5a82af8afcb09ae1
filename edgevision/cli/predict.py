"""``edgevision predict``: images in, one line, value or picture each out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgevision.cli.console import one_line, results, say
from edgevision.cli.options import force_option, json_option, provider_option
from edgevision.runtime.errors import ImageError, InputError, OutputExistsError

if TYPE_CHECKING:
    from edgevision.runtime.predictor import Predictor
    from edgevision.runtime.results import Result
    from edgevision.runtime.tensor_predictor import TensorPredictor

_SHARE = click.FloatRange(0, 1)
_PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")


@click.command("predict", short_help="Run a bundle on images.")
@click.argument("bundle", metavar="NAME.edge|FILE")
@click.argument("images", metavar="IMAGE...", nargs=-1, required=True)
@click.option("--top", type=click.IntRange(min=1), default=3, show_default=True, help="How many classes to print.")
@click.option("--backend", help="tflite, onnx or openvino.  [default: the fastest here]")
@click.option("--artifact", help='One model of the bundle, e.g. "int8.onnx", even one that failed its checks.')
@provider_option
@click.option("--score-threshold", type=_SHARE, help="Least score of an object or label.  [default: the bundle's]")
@click.option(
    "--iou-threshold", type=_SHARE, help="Overlap from which on boxes are one object.  [default: the bundle's]"
)
@click.option(
    "--draw",
    metavar="OUT",
    type=click.Path(path_type=Path),
    help="Draw on the image and save it; for several images a folder.",
)
@force_option
@json_option
def command(
    bundle: str,
    images: tuple[str, ...],
    top: int,
    backend: str | None,
    artifact: str | None,
    provider: str | None,
    score_threshold: float | None,
    iou_threshold: float | None,
    draw: Path | None,
    force: bool,
    as_json: bool,
) -> int:
    """Run a bundle, or a lone model file out of one, on images.

    An image that cannot be used is named on stderr; the others are still predicted, and the exit code is 1. Of a model
    that takes windows of frames all images together are one window; of a generator they are .npy files or seeds.
    """
    from edgevision.runtime.predictor import load

    thresholds: dict[str, Any] = {"score_threshold": score_threshold, "iou_threshold": iou_threshold}
    found: list[dict[str, Any]] = []
    with results() as out, load(bundle, backend, artifact=artifact, provider=provider, **thresholds) as predictor:
        sources = _sources(bundle, predictor, images)
        targets = _targets(draw, [name for name, _ in sources], force)
        for (name, source), target in zip(sources, targets):
            try:
                result: Result = predictor(source)
                if target is not None:
                    _save(result, source, target)
            except ImageError as error:
                say(f"error: {one_line(error)}")
                found.append({"path": name, "error": one_line(error)})
                continue
            found.append({"path": name, **_values(result, top)})
            if not as_json:
                out.text(f"{name}  {_line(result, top)}")
        if as_json:
            out.json(found)
    return 1 if any("error" in item for item in found) else 0


def _sources(bundle: str, predictor: Predictor | TensorPredictor, images: tuple[str, ...]) -> list[tuple[str, Any]]:
    """What is predicted, with the name that stands in front of its result."""
    from edgevision.runtime.predictor import no_classifier

    manifest = predictor.manifest
    if manifest.task == "tensors":
        raise no_classifier(bundle, manifest.task)
    if manifest.task == "sequence":
        return [(f"{images[0]} .. {images[-1]}", list(images))]
    if manifest.preprocessing is None:
        return [(name, int(name) if name.isdecimal() else name) for name in images]
    return [(name, name) for name in images]


def _targets(draw: Path | None, names: list[str], force: bool) -> list[Path | None]:
    """Where each picture goes: one into the file, several, or into a folder that is there, under their own names.

    Raises:
        OutputExistsError: A picture exists and is not to be replaced.
        BadParameter: The file's name does not say what kind of picture it is.
    """
    if draw is None:
        return [None] * len(names)
    if len(names) == 1 and not draw.is_dir():
        if draw.suffix.lower() not in _PICTURES:
            raise click.BadParameter(f"expected a name that ends in {' or '.join(_PICTURES)}, got {str(draw)!r}")
        targets = [draw]
    else:
        stems = [Path(name).stem for name in names]
        targets = [draw / f"{stem}{_again(stems[:index], stem)}.png" for index, stem in enumerate(stems)]
    for target in targets:
        if target.exists() and not force:
            raise OutputExistsError(target)
        target.parent.mkdir(parents=True, exist_ok=True)
    return [*targets]


def _again(before: list[str], stem: str) -> str:
    """What tells pictures of one name apart: "", "-2", "-3"."""
    count = before.count(stem)
    return f"-{count + 1}" if count else ""


def _save(result: Result, source: Any, target: Path) -> None:
    picture = result.draw(source[-1] if isinstance(source, list) else source)
    try:
        picture.save(target)
    except OSError as error:
        raise InputError(f"{target} cannot be written", got=str(error), cure="check space and permissions") from error


def _values(result: Result, top: int) -> dict[str, Any]:
    from edgevision.runtime.results import Classification

    return result.to_dict(top) if isinstance(result, Classification) else result.to_dict()


def _line(result: Result, top: int) -> str:
    from edgevision.runtime.results import Classification

    return result.line(top) if isinstance(result, Classification) else result.line()
