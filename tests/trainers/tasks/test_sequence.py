from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgevision
from edgevision.converters.convert import convert
from edgevision.datasets import open_clips
from edgevision.runtime.errors import DatasetError, ImageError, InputError
from edgevision.runtime.results.classification import Classification
from edgevision.runtime.spec import named_preprocessing
from edgevision.trainers.clips import ClipWindows, divided
from edgevision.trainers.tasks import guessed_task
from edgevision.trainers.train import TrainingResult, train
from tests.trainers.clips import write_clips

P = named_preprocessing("unit", 16, 24)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clips(tmp_path_factory.mktemp("clips") / "data")


def trained(clips: Path, out: Path, **fields: Any) -> TrainingResult:
    options = {"frames": 4, "stride": 1, **fields.pop("options", {})}
    return train(clips, out, input_size=(16, 24), options=options, **{"epochs": 1, **fields})


def test_frame_folders_are_known_as_clips(clips: Path, tmp_path: Path) -> None:
    assert guessed_task(clips).name == "sequence"
    for path in ("cat/a.png", "dog/b.png", "dog/c.png"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes((clips / "left" / "clip0" / "f0.png").read_bytes())
    assert guessed_task(tmp_path).name == guessed_task(tmp_path / "nothing").name == "classification"


def test_the_end_of_each_clip_judges_and_no_frame_is_on_both_sides(clips: Path) -> None:
    train_part, held = divided(open_clips(clips), 0.1, 4, 0)
    assert held is not None and len(train_part.clips) == len(held.clips) == 6
    for parts in zip(train_part.clips, held.clips):
        early, late = ([train_part.images.names[place].rpartition("/f")[2] for place in part] for _, part in parts)
        assert [int(name[:-4]) for name in early + late] == [*range(6), *range(10, 14)]
    whole, last = divided(open_clips(clips), 0.4, 8, 0)  # too short to be cut
    assert last is not None and [len(part.clips) for part in (whole, last)] == [4, 2]
    assert not {name for name, _ in whole.clips} & {name for name, _ in last.clips}
    assert divided(open_clips(clips), 0.0, 4, 0)[1] is None


def test_windows_share_their_frames(clips: Path) -> None:
    windows = ClipWindows(open_clips(clips).windows(4, 2), P)
    assert windows.labels == ("left", "right") and windows.targets.tolist() == [0] * 18 + [1] * 18
    first, second = windows[0], windows[1]
    assert first.pixels.shape == (4, 16, 24, 3) and first.pixels.dtype == np.uint8
    np.testing.assert_array_equal(first.pixels[2:], second.pixels[:2])
    assert windows.name(1) == "left/clip0/f2.png to f5.png"


def test_windows_without_all_their_frames_are_left_out(clips: Path, tmp_path: Path) -> None:
    shutil.copytree(clips, tmp_path / "c")
    damaged = tmp_path / "c" / "left" / "clip0" / "f5.png"
    damaged.write_bytes(damaged.read_bytes()[:60])
    windows = open_clips(tmp_path / "c").windows(4, 2)
    whole, found = ClipWindows(open_clips(clips).windows(4, 2), P), ClipWindows(windows, P, strict=False)
    names = [found.name(index) for index in range(len(found))]
    assert names[:2] == ["left/clip0/f0.png to f3.png", "left/clip0/f6.png to f9.png"] and len(found) == 34
    assert found.targets.tolist() == [0] * 16 + [1] * 18 and "f5.png" in found.unreadable[0]
    np.testing.assert_array_equal(found[1].pixels, whole[3].pixels)
    with pytest.raises(ImageError, match=r"f5\.png"):
        ClipWindows(windows, P)
    with pytest.raises(DatasetError, match="no window has all its frames"):
        ClipWindows(windows.subset([1, 2]), P, strict=False)


def test_clips_that_cannot_be_trained_on(clips: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is too short: expected at least 40 frames"):
        trained(clips, tmp_path / "m.keras", model="cnn-3d", options={"frames": 40})
    with pytest.raises(InputError, match=r"windows are not usable: expected .* of 1 or more, got frames 4, stride 0"):
        trained(clips, tmp_path / "m.keras", model="cnn-3d", options={"stride": 0})
    with pytest.raises(InputError, match="frames are too small"):
        train(clips, tmp_path / "m.keras", input_size=(8, 24), options={"frames": 4})


FAMILIES = {
    "cnn-3d": {"width": 4},
    "cnn-lstm": {"width": 4},
    "frame-transformer": {"width": 4, "blocks": 1},
    "lstm-frames": {"units": 8},
    "attention": {"units": 8},
}
#: Layers that stay in float.
IN_FLOAT = {"cnn-lstm": {"LSTM"}, "lstm-frames": {"LSTM"}, "attention": {"Attention"}}


@pytest.mark.parametrize("model", [pytest.param(name, marks=pytest.mark.slow) for name in FAMILIES])
def test_families_go_through_the_whole_toolkit(model: str, clips: Path, tmp_path: Path) -> None:
    result = trained(clips, tmp_path / "m.keras", model=model, options=FAMILIES[model], epochs=2)
    assert result.recipe.task == "sequence" and result.labels == ("left", "right")
    bundle = convert(tmp_path / "m.keras", clips, tmp_path / "m.edge", evaluate=clips)
    manifest = bundle.manifest
    assert (manifest.task, len(manifest.artifacts)) == ("sequence", 6)
    assert manifest.gate is not None and manifest.gate.basis == "accuracy" and manifest.gate.images == 18
    for item in manifest.artifacts:
        assert item.inputs[0].shape == (1, 4, 16, 24, 3) and item.inputs[0].dtype == "uint8"
        assert item.parity is not None and item.parity.passed, (item.name, item.parity)
        kinds = {op.kind for op in item.float_ops if op.reason != "an operand is not 8-bit"}
        assert kinds == (IN_FLOAT.get(model, set()) if item.precision == "int8" else set())
    found = edgevision.evaluate(bundle.path, clips, all=True)
    assert {figures.n for figures in found.artifacts.values()} == {18} and len(found.artifacts) == 6
    frames = [str(clips / "left" / "clip0" / f"f{number}.png") for number in range(4)]
    with edgevision.load(bundle.path, artifact="int8.tflite") as predictor:
        answer = predictor(frames)
    assert isinstance(answer, Classification) and answer.labels == ("left", "right")


@pytest.mark.slow
def test_motion_is_learned_and_survives_int8(clips: Path, tmp_path: Path) -> None:
    """What one frame cannot tell; through one format, because all take their time."""
    fields: dict[str, Any] = {"options": {"width": 4, "dropout": 0.0}, "augment": (), "validation_split": 0.0}
    result = trained(clips, tmp_path / "m.keras", epochs=12, learning_rate=1e-2, batch_size=6, **fields)
    assert result.recipe.model == "cnn-3d" and (result.images, result.val_images) == (66, 0)
    bundle = convert(tmp_path / "m.keras", clips, tmp_path / "m.edge", evaluate=clips, formats=("onnx",), budget=0)
    found = edgevision.evaluate(bundle.path, clips, all=True).artifacts
    assert found["float32.onnx"].value > 0.9 and abs(found["int8.onnx"].value - found["float32.onnx"].value) < 0.06
