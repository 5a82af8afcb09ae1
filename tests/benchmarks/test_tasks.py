"""Bundles of other tasks than classification are measured and verified; their accuracy is another matter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import edgevision
from edgevision.benchmarks.verify import verify
from edgevision.runtime.errors import DatasetError
from edgevision.runtime.heads.detection import YoloHead
from edgevision.runtime.heads.embedding import EmbeddingHead
from edgevision.runtime.heads.maps import ImageHead
from tests.constant import bundle_of


def test_a_detector_is_measured_on_photos_and_verified(tmp_path: Path) -> None:
    rows = np.array([[[16, 16, 16, 8, 0.9, 0.1]]], np.float32)
    bundle = bundle_of(tmp_path / "street.edge", YoloHead(layout="rows"), (1, 32, 32, 3), rows)
    (tmp_path / "photos" / "a").mkdir(parents=True)
    Image.new("RGB", (64, 32)).save(tmp_path / "photos" / "a" / "1.png")
    report = edgevision.benchmark(bundle, tmp_path / "photos", runs=2, min_s=0, quick=True)
    assert report.accuracy is None and "no classifier" in report.remarks[0]
    stages = report.artifacts[0].stages_ns
    assert all(min(stages[name]) > 0 for name in ("decode", "preprocess", "infer", "postprocess"))
    assert verify(bundle).passed
    with pytest.raises(DatasetError, match="no boxes"):
        edgevision.evaluate(bundle, tmp_path / "photos")


@pytest.mark.parametrize("head", [ImageHead(), EmbeddingHead()], ids=["generation", "embedding"])
def test_golden_inputs_are_run_where_there_are_no_photos(head: ImageHead | EmbeddingHead, tmp_path: Path) -> None:
    """The null run's zeros are no direction: that must not end the measurement."""
    shape = (1, 4) if head.task == "generation" else (1, 32, 32, 3)
    answer = np.ones((1, 8, 6, 3) if head.task == "generation" else (1, 16), np.float32)
    report = edgevision.benchmark(bundle_of(tmp_path / "a.edge", head, shape, answer), runs=2, min_s=0, quick=True)
    assert min(report.artifacts[0].stages_ns["postprocess"]) > 0
    assert report.overhead is not None
