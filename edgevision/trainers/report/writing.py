"""The page: what is on it, in words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import edgevision
from edgevision.benchmarks.report import words
from edgevision.benchmarks.report.html import fill
from edgevision.runtime.errors import InputError, MissingPackageError, OutputExistsError
from edgevision.runtime.manifest import to_plain
from edgevision.trainers.data_report import data_report
from edgevision.trainers.report.curves import called, curve_pictures
from edgevision.trainers.report.findings import findings
from edgevision.trainers.report.sections import Table

if TYPE_CHECKING:
    from edgevision.trainers.examples import TrainingData
    from edgevision.trainers.history import Epoch
    from edgevision.trainers.tasks.task import Predict, Task
    from edgevision.trainers.train import TrainingResult

#: Figures that are shares of what was judged, and read best in percent.
_SHARES = ("accuracy", "balanced_accuracy", "pixel_accuracy", "precision", "recall")
#: Rows of the table of classes, at most.
_CLASSES = 50


def check_report(path: Path, force: bool) -> None:
    """Refuses before a training what would be refused after it.

    Raises:
        InputError: Another suffix than .html.
        OutputExistsError: It exists and is not to be replaced.
        MissingPackageError: The template engine is not installed.
    """
    from importlib.util import find_spec

    if path.suffix != ".html":
        raise InputError(
            f"{path.name} is no report of a training", expected="NAME.html", got=path.suffix or "no suffix"
        )
    if path.exists() and not force:
        raise OutputExistsError(path)
    if find_spec("jinja2") is None:
        raise MissingPackageError("jinja2", f"to write {path.name}", "report")


def write_report(
    path: Path, result: TrainingResult, task: Task, predict: Predict, data: TrainingData, pictures: bool
) -> Path:
    """Writes the page, in place of what is there.

    Args:
        path: The .html file.
        result: What came out.
        task: With the trained network.
        predict: That network, as ``Step.predict``.
        data: What it learned from.
        pictures: Whether images may be part of it.

    Raises:
        MissingPackageError: jinja2 is not installed.
    """
    content = {
        "result": result,
        "created": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "version": edgevision.__version__,
        "verdict": verdict(result),
        "metric": called(result.metric),
        "tiles": _tiles(result),
        "curves": curve_pictures(result.history, result.metric, result.best_epoch),
        "epochs": epoch_rows(result.history),
        "sections": (*task.sections(predict, data, pictures), data_section(data)),
        "findings": findings(result, task.chooses[1]),
        "facts": {"What it learned from": _data_rows(data), "Recipe": _recipe_rows(result)},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(fill("training.html.j2", content, Path(__file__).parent), encoding="utf-8")
    return path


def verdict(result: TrainingResult) -> str:
    """What came out, in a sentence."""
    if result.folds:
        told = f"{figure(result.metric, result.folds[result.metric])} {called(result.metric)}"
        return f"{told} of networks like this one on what was held out of their training alone"
    if result.value is None:
        return f"Trained for {words.count(len(result.history), 'epoch')}; nothing was held out to judge it by"
    held = words.count(result.val_images, "example")
    told = f"{figure(result.metric, result.value)} {called(result.metric)}"
    return f"{told} on {held} held out, in epoch {result.best_epoch}"


def figure(name: str, value: float) -> str:
    """A figure as people read it."""
    return words.percent(value) if name in _SHARES else f"{value:.3f}"


def duration(seconds: float) -> str:
    """ "12 s", "3 min 20 s", "2 h 5 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    return f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"


def epoch_rows(epochs: Sequence[Epoch]) -> list[dict[str, str]]:
    """Every epoch in numbers."""
    return [
        {
            "epoch": str(epoch.number),
            **{name.replace("val_", "held-out ").replace("_", " "): f"{v:.4f}" for name, v in epoch.figures.items()},
            "learning rate": f"{epoch.learning_rate:.3g}",
            "time": duration(epoch.seconds),
        }
        for epoch in epochs
    ]


def data_section(data: TrainingData) -> Table:
    """What the data is like, and what ought to be looked at."""
    found = data_report({"training": data.train, "held out": data.validation})
    head, *rows = found.rows()
    sizes = [
        f"{split.name}: {' to '.join(f'{w}x{h}' for h, w in split.sizes[::2])}" for split in found.splits if split.sizes
    ]
    warned = [f"{line[0].upper()}{line[1:]}." for line in found.warnings]
    lead = " ".join([f"Sizes in pixels, {'; '.join(sizes)}." if sizes else "", *warned]).strip()
    shown = rows if len(rows) <= _CLASSES else [*rows[: _CLASSES - 1], rows[-1]]
    return Table("The data", lead or "Nothing stands out.", tuple(dict(zip(head, row)) for row in shown))


def _tiles(result: TrainingResult) -> list[dict[str, str]]:
    epochs, best = len(result.history), result.history[result.best_epoch - 1]
    own = best.figures.get(result.metric)
    told = "" if own is None else f" On the training examples, as augmented: {figure(result.metric, own)}."
    value = words.DASH if result.value is None else figure(result.metric, result.value)
    recipe, each = result.recipe, duration(result.seconds / epochs)
    height, width = recipe.input_size
    return [
        {
            "name": f"Held-out {called(result.metric)}",
            "value": value,
            "text": f"Of epoch {result.best_epoch} of {epochs}, whose weights were kept.{told}",
        },
        {
            "name": "Training time",
            "value": duration(result.seconds),
            "text": f"{words.count(epochs, 'epoch')} over {result.images:,} examples, {each} each.",
        },
        {
            "name": "Network",
            "value": recipe.model,
            "text": f"{result.parameters:,} parameters, input {height}\N{MULTIPLICATION SIGN}{width}.",
        },
    ]


def _data_rows(data: TrainingData) -> list[dict[str, str]]:
    facts = data.provenance()
    rows = [{"item": "training examples", "value": f"{facts['images']:,}"}]
    rows.append({"item": "held-out examples", "value": f"{facts['val_images']:,}"})
    rows.append({"item": "classes", "value": f"{len(data.labels)}: {', '.join(data.labels)}"[:400]})
    hashes = (("training data, sha256", "data_sha256"), ("held-out data, sha256", "val_data_sha256"))
    return rows + [{"item": name, "value": facts[key]} for name, key in hashes if facts[key]]


def _recipe_rows(result: TrainingResult) -> list[dict[str, str]]:
    plain = to_plain(result.recipe)
    plain |= plain.pop("options")
    return [{"item": name.replace("_", " "), "value": _plain(value)} for name, value in plain.items() if value != ""]


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_plain, value)) or words.DASH
    return value if isinstance(value, str) else json.dumps(value)
