"""The page of a training: what it says of made-up courses, and what a browser says of it."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgevision.runtime.errors import InputError, OutputExistsError
from edgevision.trainers.history import Epoch
from edgevision.trainers.report import check_report, write_report
from edgevision.trainers.report.curves import curve_pictures
from edgevision.trainers.report.findings import findings
from edgevision.trainers.report.sections import Section, Sheet, Table, picture
from edgevision.trainers.report.writing import duration, verdict
from edgevision.trainers.tasks.classification import Classification
from edgevision.trainers.train import TrainingResult
from tests.browser import DESK, PHONE, browser
from tests.trainers import small


def epochs(*held: float, loss: tuple[float, ...] = (), own: tuple[float, ...] = ()) -> tuple[Epoch, ...]:
    found = []
    for index, value in enumerate(held):
        figures = {"loss": own[index] if own else 1.0, "accuracy": value, "val_accuracy": value}
        figures["val_loss"] = loss[index] if loss else 1.0
        found.append(Epoch(index + 1, 2.0, figures, 1e-3))
    return tuple(found)


def result(history: tuple[Epoch, ...], best: int, *, of: int = 0, held: int = 500, **changes: Any) -> TrainingResult:
    recipe = small.recipe(epochs=of or len(history))
    value = history[best - 1].figures["val_accuracy"]
    plain = TrainingResult(
        Path("m.keras"), recipe, ("dark", "light"), history, best, "accuracy", value, 16, held, 99, None, 61.0
    )
    return dataclasses.replace(plain, **changes)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (result(epochs(0.5, 0.6, 0.55), 2), []),
        (result(epochs(0.5, 0.6), 2), ["The last epoch was the best"]),
        (result(epochs(0.5, 0.6, 0.6, 0.6), 2, of=9), ["ended after 4 of 9 epochs: 2 epochs in a row were no better"]),
        (result(epochs(0.5, 0.6, 0.55), 2, held=20), ["Only 20 held-out examples"]),
        (result(epochs(0.5, 0.6, 0.4), 2), ["no better at the end"]),
        (result(epochs(0.5, 0.6, 0.55, loss=(1, 0.8, 1.2), own=(1, 0.8, 0.4)), 2), ["learns its examples by heart"]),
        (result(epochs(0.5, 0.6, 0.55, loss=(1, 0.8, 1.2), own=(1, 0.8, 0.9)), 2), []),
        (result(epochs(0.5, 0.6), 2, value=None), ["Nothing was held out"]),
    ],
)
def test_what_the_curves_tell(found: TrainingResult, said: list[str]) -> None:
    told = findings(found, higher=True)
    assert len(told) == len(said) and all(wanted in text for wanted, text in zip(said, told))


def test_figures_in_words() -> None:
    assert [duration(seconds) for seconds in (2.34, 61.0, 7500)] == ["2.3 s", "1 min 1 s", "2 h 5 min"]
    assert verdict(result(epochs(0.5, 0.625), 2)) == "62.5 % accuracy on 500 examples held out, in epoch 2"
    assert "nothing was held out" in verdict(result(epochs(0.5), 1, value=None))


def test_curves_are_to_scale_and_leave_gaps_where_nothing_is_known() -> None:
    pictures = curve_pictures(epochs(0.25, 0.75, float("nan"), 0.5), "accuracy", 2)
    assert [each["name"] for each in pictures] == ["loss", "accuracy", "learning rate"]
    training, validation = pictures[1]["lines"]
    points = [tuple(map(float, point.split(","))) for point in validation["points"].split()]
    assert [x for x, _ in points] == [125, 375, 875] and validation["dot"] == {"x": 37.5, "y": points[1][1]}
    lowest, highest, middle = points[0][1], points[1][1], points[2][1]
    assert lowest > middle > highest and lowest - middle == pytest.approx(middle - highest)
    assert "in epoch 2 0.75" in validation["text"] and training["kind"] == "training"


class Seen(Classification):
    """With one of every kind of section."""

    def sections(self, *args: Any) -> tuple[Section, ...]:
        grid = picture(np.zeros((90, 200, 3), np.uint8), "A grid <of> samples")
        table = Table("Layers", "One row.", ({"layer": "a&b", "share": "5 %"},))
        return (*super().sections(*args), Sheet("Samples", "Made.", grid), table)


def written(folder: Path, pictures: bool = True) -> Path:
    from edgevision.trainers.step import answering

    task = small.task()
    seen = Seen(task.recipe, task.built, task.labels, task.p)
    history, data = epochs(0.25, 0.5, 0.75, 0.5), small.data(folder)
    found = result(history, 3, recipe=task.recipe)
    return write_report(folder / "new" / "r.html", found, seen, answering(task.built.model, task.p), data, pictures)


def test_the_page_opens_alone_and_is_accessible_in_both_themes(tmp_path: Path) -> None:
    path = written(tmp_path)
    text = path.read_text(encoding="utf-8")
    assert len(re.findall("<img ", text)) == 8 + 1 and "A grid &lt;of&gt; samples" in text and "a&amp;b" in text
    for words in ("75.0\N{NO-BREAK SPACE}% accuracy", "What the network confuses", "--config m.keras"):
        assert words in text
    assert len(path.read_bytes()) < 200_000
    with browser() as window:
        for theme, size in (("light", DESK), ("dark", PHONE)):
            window.show(theme=theme, size=size)
            opened = window.open(path)
            assert opened.requests == () and opened.errors == () and window.violations() == []


def test_images_can_be_left_out(tmp_path: Path) -> None:
    text = written(tmp_path, pictures=False).read_text(encoding="utf-8")
    assert len(re.findall("<img ", text)) == 1 and "Images were left out." in text and "<dt>label</dt>" in text


def test_reports_are_refused_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "r.html").write_text("old", encoding="utf-8")
    with pytest.raises(OutputExistsError):
        check_report(tmp_path / "r.html", force=False)
    check_report(tmp_path / "r.html", force=True)
    with pytest.raises(InputError, match=r"expected NAME\.html"):
        check_report(tmp_path / "r.json", force=False)
