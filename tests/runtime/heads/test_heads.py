"""Heads are checked when they are made, and every kind goes through a bundle and comes back."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgevision
from edgevision.runtime import heads
from edgevision.runtime.bundle import Bundle, file_entry, write_bundle
from edgevision.runtime.embedded import essentials
from edgevision.runtime.errors import BundleError, InputError
from edgevision.runtime.heads import Head, head_class
from edgevision.runtime.heads.anchors import AnchorLevel, Anchors
from edgevision.runtime.heads.classes import MultiLabelHead, SequenceHead
from edgevision.runtime.heads.detection import CenterNetHead, FcosHead, PostprocessedHead, SsdHead, YoloHead
from edgevision.runtime.heads.embedding import EmbeddingHead
from edgevision.runtime.heads.keypoints import DirectKeypointsHead, HeatmapKeypointsHead, InstanceKeypointsHead
from edgevision.runtime.heads.maps import ImageHead, SegmentationHead
from edgevision.runtime.heads.masks import BoxMasksHead, PrototypeMasksHead
from edgevision.runtime.manifest import Artifact, Manifest, from_plain, to_plain
from edgevision.runtime.results import Result
from edgevision.runtime.spec import Preprocessing, TensorSpec
from edgevision.runtime.tasks import _TASKS

Shape = tuple[int, ...]
LABELS = ("cat", "dog")
LEVEL = AnchorLevel(rows=2, columns=3, sizes=((0.5, 0.5), (1, 0.25)))
BOXES = YoloHead(output="rows", layout="rows")

#: One of each kind, with the outputs that it describes.
CASES: list[tuple[Head, dict[str, Shape]]] = [
    (MultiLabelHead(thresholds=(0.5, 0.25)), {"scores": (1, 2)}),
    (SequenceHead(steps="mean"), {"scores": (1, 3, 2)}),
    (SsdHead(boxes=("b",), scores=("s",), anchors=Anchors(levels=(LEVEL,))), {"b": (1, 12, 4), "s": (1, 12, 3)}),
    (
        SsdHead(boxes=("b",), scores=("s",), anchors=Anchors.of(np.full((5, 4), 0.1)), order="xywh"),
        {"b": (1, 5, 4), "s": (1, 5, 3)},
    ),
    (BOXES, {"rows": (1, 9, 6)}),
    (FcosHead(strides=(8,), boxes=("b",), scores=("s",), centerness=("c",)), dict.fromkeys("bsc", (1, 4, 4, 4))),
    (CenterNetHead(heatmap="h", sizes="z", offsets="o"), dict.fromkeys("hzo", (1, 4, 4, 2))),
    (PostprocessedHead(boxes="b"), {"b": (1, 9, 6)}),
    (SegmentationHead(scores="classes"), {"map": (1, 4, 4)}),
    (ImageHead(low=0.0, high=1.0), {"image": (1, 4, 4, 3)}),
    (EmbeddingHead(threshold=0.4), {"vector": (1, 8)}),
    (HeatmapKeypointsHead(names=("a", "b"), skeleton=((0, 1),)), {"heat": (1, 4, 4, 2)}),
    (DirectKeypointsHead(names=("a", "b")), {"points": (1, 6)}),
    (InstanceKeypointsHead(names=("a", "b"), detector=BOXES), {"rows": (1, 9, 12)}),
    (PrototypeMasksHead(detector=BOXES, prototypes="p"), {"rows": (1, 9, 9), "p": (1, 4, 4, 3)}),
    (BoxMasksHead(detector=PostprocessedHead(boxes="b"), masks="m"), {"b": (1, 9, 6), "m": (1, 9, 4, 4)}),
]
CASES[5][1].update(b=(1, 4, 4, 4), s=(1, 4, 4, 2), c=(1, 4, 4, 1))


def manifest_of(head: Head, outputs: dict[str, Shape], *, data: bytes = b"no model") -> Manifest:
    window = (3,) if head.task == "sequence" else ()
    inputs = (TensorSpec("image", (1, *window, 32, 32, 3), "uint8"),)
    made = tuple(TensorSpec(name, shape, "float32") for name, shape in outputs.items())
    item = Artifact("int8.onnx", "onnx", "int8", (file_entry("int8.onnx", data),), inputs, made)
    scores: Any = "sigmoid" if head.task in ("classification", "sequence") else None
    return Manifest(head.task, LABELS, scores, Preprocessing(32, 32), (item,), head=head)


def test_every_kind_and_every_task_has_its_case() -> None:
    assert {head.kind for head, _ in CASES} == set(heads._CLASSES) == set(_TASKS) - {""}
    assert {head.task for head, _ in CASES} | {"tensors"} == set(heads.TASKS)
    assert all(head_class(head.kind) is type(head) for head, _ in CASES)


@pytest.mark.parametrize(("head", "outputs"), CASES, ids=[head.kind for head, _ in CASES])
def test_a_head_goes_through_a_bundle_and_predicts(head: Head, outputs: dict[str, Shape], tmp_path: Path) -> None:
    manifest = manifest_of(head, outputs)
    write_bundle(tmp_path / "a.edge", manifest, {"int8.onnx": b"no model"})
    assert Bundle.open(tmp_path / "a.edge").manifest == manifest
    inside = from_plain(Manifest, json.loads(essentials(manifest, manifest.artifacts[0])))
    assert inside.head == head
    with edgevision.load(tmp_path / "a.edge", "null") as predictor:
        frame = np.zeros((20, 30, 3), np.uint8)
        if head.kind == "embedding":  # zeros are no direction
            return
        found = predictor([frame] * 3 if head.task == "sequence" else frame)
    assert isinstance(found, Result) and isinstance(found.line(), str)
    assert json.loads(json.dumps(found.to_dict())) == found.to_dict()
    assert found.draw(frame).size == ((4, 4) if head.kind == "image" else (30, 20))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "no_such"}, "kind of head"),
        ({"kind": 3}, "kind"),
        ({"score_threshold": 2.0}, "score_threshold"),
        ({"score_threshold": "high"}, "score_threshold"),
        ({"layout": "diagonal"}, "layout"),
        ({"code": "print()"}, "fields"),
        ({"max_detections": 0}, "max_detections"),
        ({"scores": "s", "output": ""}, "two outputs"),
    ],
)
def test_a_head_that_is_not_usable_is_refused_when_it_is_read(change: dict[str, Any], words: str) -> None:
    plain = to_plain(manifest_of(BOXES, {"rows": (1, 9, 6)}))
    plain["head"] |= change
    with pytest.raises(BundleError, match=words):
        from_plain(Manifest, plain)


def test_a_head_within_a_head_is_of_the_right_kind() -> None:
    plain = to_plain(manifest_of(CASES[-2][0], CASES[-2][1]))
    plain["head"]["detector"] = to_plain(PostprocessedHead(boxes="b"))
    with pytest.raises(BundleError, match="yolo"):
        from_plain(Manifest, plain)


def test_head_and_task_belong_together() -> None:
    manifest = manifest_of(BOXES, {"rows": (1, 9, 6)})
    for change in (
        {"task": "segmentation"},
        {"head": None},
        {"head": SegmentationHead()},
        {"task": "juggling"},
        {"preprocessing": None},
    ):
        with pytest.raises(InputError):
            dataclasses.replace(manifest, **change)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Anchors(),
        lambda: Anchors(levels=(LEVEL,), stored="AAAA"),
        lambda: Anchors(stored="no base64"),
        lambda: Anchors(stored="AAAA"),
        lambda: Anchors.of(np.full((3, 4), -1.0)),
        lambda: Anchors.of(np.full((3, 5), 1.0)),
        lambda: Anchors(levels=(AnchorLevel(rows=9999, columns=9999, sizes=((1, 1),)),)),
        lambda: AnchorLevel(rows=0, columns=1, sizes=((1, 1),)),
        lambda: AnchorLevel(rows=1, columns=1, sizes=((1, float("nan")),)),
        lambda: FcosHead(strides=(8, 16), boxes=("b",), scores=("s",)),
        lambda: FcosHead(strides=(8,), boxes=("b", "b"), scores=("s",)),
        lambda: PostprocessedHead(boxes="b", classes="c"),
        lambda: SsdHead(boxes=(), scores=("s",), anchors=Anchors(levels=(LEVEL,))),
        lambda: ImageHead(low=1.0, high=1.0),
        lambda: EmbeddingHead(threshold=7.0),
    ],
)
def test_values_are_checked_when_they_are_made(make: Any) -> None:
    with pytest.raises(InputError) as caught:
        make()
    assert caught.value.expected or caught.value.cure


def test_stored_anchors_are_compact_and_exact() -> None:
    boxes = np.random.default_rng(0).uniform(0.1, 1, (1917, 4)).astype(np.float32)
    stored = Anchors.of(boxes)
    np.testing.assert_array_equal(stored.boxes(), boxes)
    grid = Anchors(levels=(AnchorLevel(rows=40, columns=40, sizes=((0.1, 0.2),) * 3),)).boxes()
    assert len(Anchors.of(grid).stored) < grid.nbytes / 4
