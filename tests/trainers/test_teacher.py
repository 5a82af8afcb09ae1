from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from edgevision.converters.convert import convert
from edgevision.converters.metadata import write_metadata
from edgevision.datasets import Dataset
from edgevision.runtime.errors import EdgevisionError, InputError
from edgevision.runtime.manifest import to_plain
from edgevision.runtime.preprocess import normalize, resize
from edgevision.runtime.spec import named_preprocessing
from edgevision.trainers.teacher import Teacher
from edgevision.trainers.train import train

P = named_preprocessing("unit", 32, 32)
LABELS = ("a", "b", "c", "d")
IMAGES = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)


def teacher_file(path: Path, ending: str | None = None, labels: tuple[str, ...] = LABELS, size: int = 32) -> Any:
    keras.utils.set_random_seed(0)
    layers = [keras.layers.AveragePooling2D(4), keras.layers.Flatten(), keras.layers.Dense(len(labels), ending)]
    model = keras.Sequential([keras.Input((size, size, 3)), *layers])
    model.layers[-1].kernel.assign(model.layers[-1].kernel * 8)
    model.save(path)
    p = named_preprocessing("tf", size, size)
    write_metadata(path, {"labels": list(labels), "preprocessing": to_plain(p), "scores": "logits"})
    return model


def softmax(values: Any) -> Any:
    shares = np.exp(values - values.max(-1, keepdims=True))
    return shares / shares.sum(-1, keepdims=True)


def test_the_loss_is_the_divergence_at_the_temperature(tmp_path: Path) -> None:
    model = teacher_file(tmp_path / "t.keras")
    logits = np.asarray(model(normalize(IMAGES, named_preprocessing("tf", 32, 32))), np.float64)
    student = np.random.default_rng(1).normal(size=(6, 4)).astype(np.float32)
    teacher = Teacher(tmp_path / "t.keras", ("d", "a", "b", "c"), P, "logits", 2.0)
    aim, found = softmax(logits[:, [3, 0, 1, 2]] / 2), softmax(student.astype(np.float64) / 2)
    expected = 4 * (aim * (np.log(aim) - np.log(found))).sum(-1).mean()
    assert float(teacher.loss(IMAGES, {"logits": student})) == pytest.approx(expected, rel=1e-3)
    of_shares = Teacher(tmp_path / "t.keras", ("d", "a", "b", "c"), P, "probabilities", 2.0)
    assert float(of_shares.loss(IMAGES, {"p": softmax(student)})) == pytest.approx(expected, rel=1e-3)


def test_a_teacher_of_another_size_sees_what_the_device_would_show_it(tmp_path: Path) -> None:
    model = teacher_file(tmp_path / "t.keras", "softmax", size=48)
    teacher = Teacher(tmp_path / "t.keras", LABELS, P, "logits", 1.0)
    p = named_preprocessing("tf", 48, 48)
    aim = np.asarray(model(normalize(np.stack([resize(image, p) for image in IMAGES]), p)), np.float64)
    expected = (aim * (np.log(aim) - np.log(0.25))).sum(-1).mean()
    assert float(teacher.loss(IMAGES, {"logits": np.zeros((6, 4), np.float32)})) == pytest.approx(expected, rel=0.05)


@pytest.mark.slow
def test_a_bundle_teaches_what_its_model_does(tmp_path: Path) -> None:
    teacher_file(tmp_path / "t.keras")
    np.savez(tmp_path / "c.npz", images=IMAGES)
    convert(tmp_path / "t.keras", tmp_path / "c.npz", tmp_path / "t.edge", formats=["onnx"])
    found = [
        float(Teacher(tmp_path / name, LABELS, P, "logits", 2.0).loss(IMAGES, {"x": np.zeros((6, 4), np.float32)}))
        for name in ("t.keras", "t.edge")
    ]
    assert found[0] == pytest.approx(found[1], rel=1e-3) and found[0] > 0.01


def test_a_student_comes_nearer_to_its_teacher(few: Dataset, tmp_path: Path) -> None:
    teacher_file(tmp_path / "t.keras", labels=few.labels)
    options: dict[str, Any] = {"epochs": 6, "augment": (), "validation_split": 0.0, "learning_rate": 2e-3}
    result = train(few, tmp_path / "s.keras", teacher=str(tmp_path / "t.keras"), teacher_share=0.9, **options)
    first, *_, last = (epoch.figures["distillation"] for epoch in result.history)
    assert last < 0.8 * first


@pytest.mark.parametrize("scores", ["sigmoid", None])
def test_only_classifiers_are_taught(tmp_path: Path, scores: Any) -> None:
    with pytest.raises(InputError, match="distillation is not for this task"):
        Teacher(tmp_path / "t.keras", LABELS, P, scores, 1.0)


def test_other_classes_and_other_files(tmp_path: Path) -> None:
    teacher_file(tmp_path / "t.keras")
    for labels in (("a", "b", "c", "x"), ("a", "b", "c")):
        with pytest.raises(InputError, match=r"the teacher .*t\.keras knows other classes"):
            Teacher(tmp_path / "t.keras", labels, P, "logits", 1.0)
    with pytest.raises(EdgevisionError, match="gone"):
        Teacher(tmp_path / "gone.keras", LABELS, P, "logits", 1.0)
