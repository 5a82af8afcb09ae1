"""Figures of other tasks in a comparison: paired where resamples are there, otherwise said not to be."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edgevision.benchmarks.compare import compare
from edgevision.benchmarks.figures import Figures, plain
from edgevision.benchmarks.judges import Judge
from edgevision.benchmarks.judges.detection import BoxJudge
from edgevision.benchmarks.judges.embedding import PairFigures, PairJudge
from edgevision.benchmarks.judges.generation import ImageJudge
from edgevision.benchmarks.judges.multi_label import TagFigures, TagJudge
from edgevision.benchmarks.judges.segmentation import PixelJudge
from edgevision.benchmarks.report import Report
from edgevision.benchmarks.report.change import Change
from edgevision.benchmarks.report.comparison import ReportComparison
from edgevision.datasets import PairDataset, TagDataset, open_boxes, open_images
from edgevision.datasets.latents import open_latents
from edgevision.datasets.masks import MaskDataset
from tests.benchmarks.test_report import measured, report

NAME = "int8.onnx"


@functools.cache  # and with it the resamples
def tagged(noise: float, n: int = 300, seed: int = 0) -> TagFigures:
    """Scores of two classes, the worse the more noise; the same images whatever the noise and its seed."""
    present = np.random.default_rng(7).random((n, 2)) < 0.4
    scores = present + noise * np.random.default_rng(seed).normal(size=(n, 2))
    return TagFigures(scores.astype(np.float32), present, np.full(2, 0.5, np.float32), ("a", "b"))


@functools.cache
def paired(noise: float, people: int = 30) -> PairFigures:
    """Cosines of all pairs of two images each of so many people."""
    random = np.random.default_rng(1)
    pairs = np.stack(np.triu_indices(2 * people, 1), axis=1)
    same = pairs[:, 0] // 2 == pairs[:, 1] // 2
    cosines = np.clip(0.5 * same + noise * random.normal(size=len(pairs)), -1, 1)
    return PairFigures(cosines, same, pairs, 2 * people, None)


def with_figures(figures: Figures, sha256: str | None = "ab" * 32, **changes: Any) -> Report:
    """A report that holds them; without hash and resamples as one of before."""
    facts: dict[str, Any] = {
        "metric": figures.headline,
        "data": "street",
        "split": "test",
        "artifacts": {NAME: figures.to_dict()},
        "comparisons": [],
    }
    if sha256 is not None:
        facts |= {"unit": figures.unit, "higher_is_better": figures.is_better > 0, "sha256": sha256}
        facts["resamples"] = {NAME: figures.resamples}
    images = {**report().images, "sha256": "12" * 32}
    made = report(artifacts=(measured(NAME, 0.2),), accuracy=None, figures=facts, images=images, **changes)
    return Report.from_json(made.to_json())


def change_of(found: ReportComparison) -> Change:
    (row,) = found.rows
    assert row.accuracy is not None
    return row.accuracy


def test_a_paired_interval_is_that_of_both_artifacts_in_one_evaluation() -> None:
    old, new = tagged(0.4), tagged(0.5)
    found = compare(with_figures(old), with_figures(new))
    change, whole = change_of(found), new.difference(old)
    assert (change.kind, change.metric, change.n) == ("paired", "map", 300)
    assert (change.value, change.low, change.high) == pytest.approx(whole, abs=1e-3)
    assert change.is_worse and found.regressed
    assert found.rows[0].regressions == (f"mAP down by {-whole.value:.1f} points",)


def test_of_an_error_rate_higher_is_worse() -> None:
    worse = compare(with_figures(paired(0.15)), with_figures(paired(0.3)))
    assert change_of(worse).value > 0 and worse.rows[0].regressions[0].startswith("EER up by ")
    better = compare(with_figures(paired(0.3)), with_figures(paired(0.15)))
    assert change_of(better).is_shown and not better.regressed and change_of(better).judged == "1770 pairs"
    assert better.headline().endswith("points.") and "EER changed: int8.onnx" in better.headline()


def test_what_may_be_chance_is_no_regression() -> None:
    for seed in (1, 2):
        found = compare(with_figures(tagged(0.4)), with_figures(tagged(0.4, seed=seed)))
        assert change_of(found).value != 0 and not found.regressed
        assert "No change of mAP can be shown on 300 images." in found.headline()
    assert not compare(with_figures(tagged(0.4)), with_figures(tagged(0.4))).regressed


def test_what_is_printed_as_nothing_is_no_change() -> None:
    """Every score moved by a hair: all resamples agree on a loss that nobody would notice."""
    old, new = with_figures(tagged(0.4)), with_figures(tagged(0.4))
    new.figures["artifacts"][NAME]["map"] -= 0.0004
    new.figures["resamples"][NAME] = [value - 0.0004 for value in new.figures["resamples"][NAME]]
    change = change_of(compare(old, new))
    assert change.high is not None and change.high < 0 and not change.is_shown


def test_without_resamples_the_interval_is_unpaired_and_wider() -> None:
    old, new = tagged(0.4), tagged(0.5)
    sharp = change_of(compare(with_figures(old), with_figures(new)))
    found = compare(with_figures(old, None), with_figures(new))
    wide = change_of(found)
    assert wide.kind == "unpaired" and wide.value == sharp.value
    assert wide.low is not None and wide.high is not None and sharp.low is not None and sharp.high is not None
    ends = [[figures.interval95[i] - figures.value for i in (0, 1)] for figures in (old, new)]
    assert wide.low == pytest.approx(wide.value - 100 * np.hypot(ends[1][0], ends[0][1]))
    assert wide.low < sharp.low and wide.high > sharp.high
    assert "unpaired)" in found.to_text() and any("no resamples to pair" in note for note in found.all_notes())


def test_without_any_interval_a_change_is_told_and_proves_nothing() -> None:
    old, new = with_figures(tagged(0.2), None), with_figures(tagged(2.0), None)
    new.figures["artifacts"][NAME]["interval95"] = [None, None]
    found = compare(old, new)
    assert change_of(found).kind == "none" and change_of(found).value < -20 and not found.regressed
    assert "(no interval)" in found.to_text() and any("may be chance" in note for note in found.all_notes())
    assert "(no interval)" in found.to_html()


@pytest.mark.parametrize(
    "new",
    [
        lambda: with_figures(tagged(2.0), "cd" * 32),
        lambda: with_figures(paired(0.3)),
        lambda: with_figures(tagged(2.0, n=100), None),
        lambda: report(artifacts=(measured(NAME, 0.2),)),
    ],
    ids=["other data", "another figure", "other count, no hash", "classes"],
)
def test_what_was_judged_otherwise_is_not_compared(new: Callable[[], Report]) -> None:
    found = compare(with_figures(tagged(0.2)), new(), allow_different_model=True)
    assert found.rows[0].accuracy is None and not found.regressed
    assert any("saw other images" in note for note in found.all_notes())


def test_the_figure_has_its_name_in_every_form(tmp_path: Path) -> None:
    found = compare(with_figures(paired(0.15)), with_figures(paired(0.3)))
    assert "EER" in found.table_rows()[0] and "accuracy" not in found.table_rows()[0]
    page = found.write(tmp_path / "c.html").read_text()
    assert '<th scope="col" role="columnheader">EER, points</th>' in page and "EER up by" in found.to_markdown()
    row = json.loads(found.to_json())["rows"][0]["accuracy"]
    assert (row["metric"], row["kind"], row["higher_is_better"]) == ("eer", "paired", False)
    assert row["old"] == plain(paired(0.15).value)


@pytest.fixture
def street(tmp_path: Path) -> Path:
    """Four images with a box each."""
    folder = tmp_path / "street"
    folder.mkdir()
    for number in range(4):
        Image.new("RGB", (32, 32), (number, 0, 0)).save(folder / f"{number}.png")
    images = [{"id": n, "file_name": f"{n}.png", "height": 32, "width": 32} for n in range(4)]
    kind = {"category_id": 1, "area": 128, "iscrowd": 0}
    boxes = [{"id": n + 1, "image_id": n, "bbox": [8, 12, 16, 8], **kind} for n in range(4)]
    whole = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "car"}]}
    (folder / "boxes.json").write_text(json.dumps(whole))
    return folder


def test_what_is_judged_by_something_else_is_other_data(street: Path) -> None:
    """The same images beside other boxes, masks, pairs or tags; and the same images in another order."""
    images, boxes = open_images(street), open_boxes(street)
    moved = dataclasses.replace(boxes.truths[2], xyxy=boxes.truths[2].xyxy + 1)
    tags, pairs = np.eye(4, 2, dtype=np.bool_), np.array([[0, 1], [2, 3]], np.int64)
    order, same = np.arange(256, dtype=np.int16), np.array([True, False])
    turned = images.subset([3, 2, 1, 0])
    one: list[Judge] = [
        BoxJudge(boxes, 0.5),
        TagJudge(TagDataset(("a", "b"), images, tags)),
        PairJudge(PairDataset(images, pairs, same), None),
        PixelJudge(MaskDataset(("a",), images, images, order)),
        ImageJudge(images),
        ImageJudge(open_latents("4")),
    ]
    other: list[Judge] = [
        BoxJudge(dataclasses.replace(boxes, truths=(*boxes.truths[:2], moved, boxes.truths[3])), 0.5),
        TagJudge(TagDataset(("a", "b"), images, ~tags)),
        PairJudge(PairDataset(images, pairs, ~same), None),
        PixelJudge(MaskDataset(("a",), images, turned, order)),
        ImageJudge(turned),
        ImageJudge(open_latents("5")),
    ]
    for a, b in zip(one, other):
        assert a.content_hash() == a.content_hash() != b.content_hash(), type(a).__name__
