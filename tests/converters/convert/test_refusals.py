"""What cannot be used is refused, and nothing is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgevision.converters import formats
from edgevision.converters.convert import convert
from edgevision.runtime.errors import (
    ConversionError,
    DatasetError,
    ImageError,
    InputError,
    ModelError,
    OutputExistsError,
)
from tests.converters.convert.common import ONE, put, read


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"formats": ("tensorrt",)}, "formats.*expected one or more of tflite, onnx, openvino, got tensorrt"),
        ({"formats": ()}, "formats.*got none"),
        ({"formats": ("onnx", "onnx")}, "formats"),
        ({"precisions": ("int4",)}, "precisions.*expected one or more of int8, .*, got int4"),
        ({"precisions": ("int16x8",), "formats": ("onnx", "openvino")}, "none of the precisions.*no kernels"),
        ({"target": "x86"}, "target.*expected one or more of any, vnni, arm"),
        ({"golden": "none"}, "golden.*expected one or more of real, synthetic"),
        ({"max_drop": -1}, "max_drop.*from 0 to 100"),
        ({"max_drop": float("nan")}, "max_drop.*got nan"),
        ({"labels": ["a", "b"]}, "number of class names"),
        ({"preprocess": "torch"}, "contradicts"),
        ({"input_size": (8, 8)}, "--input-size contradicts"),
    ],
)
def test_options_that_cannot_be_used(
    options: dict[str, Any], message: str, keras_file: Path, photos: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        convert(keras_file, photos, tmp_path / "m.edge", **options)
    assert not list(tmp_path.iterdir())


def test_data_that_cannot_be_used(keras_file: Path, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    strange = tmp_path / "strange"
    for name in ("cat", "dog"):
        (strange / name).mkdir(parents=True)
        (strange / name / "1.png").write_bytes(next(photos.rglob("*.png")).read_bytes())
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "1.png").write_bytes(b"no image")
    out = tmp_path / "m.edge"
    with pytest.raises(DatasetError, match="empty"):
        convert(keras_file, tmp_path / "empty", out, **ONE)
    with pytest.raises(DatasetError, match="gone"):
        convert(keras_file, tmp_path / "gone", out, **ONE)
    with pytest.raises(DatasetError, match="empty"):
        convert(keras_file, photos, out, evaluate=tmp_path / "empty", **ONE)
    with pytest.raises(DatasetError, match=r"not the model's.*rows.*cat, dog"):
        convert(keras_file, photos, out, evaluate=strange, **ONE)
    with pytest.raises(ImageError, match=r"1\.png"):
        convert(keras_file, broken, out, **ONE)
    assert not out.exists()


def test_models_that_cannot_be_used(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "m.edge"
    with pytest.raises(ModelError, match="nothing at that path"):
        convert(tmp_path / "gone.keras", photos, out)
    assert not out.exists()


def test_an_exporters_refusal_names_the_format(
    keras_file: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise RuntimeError("cannot legalise\n  op Foo")

    monkeypatch.setattr(formats.of("onnx"), "export", refuse)
    with pytest.raises(
        ConversionError, match=r"int8\.onnx could not be made: got RuntimeError: cannot legalise op Foo"
    ):
        convert(keras_file, photos, tmp_path / "m.edge", **ONE)
    assert not list(tmp_path.iterdir())


def test_an_output_that_exists(keras_file: Path, photos: Path, tmp_path: Path, old_bytes: dict[str, bytes]) -> None:
    out = put(tmp_path / "m.edge", old_bytes)
    with pytest.raises(OutputExistsError, match=r"--force"):
        convert(keras_file, photos, out, **ONE)
    assert read(out) == old_bytes
    made = convert(keras_file, photos, out, labels=["w", "x", "y", "z"], force=True, **ONE)
    assert made.manifest.labels == ("w", "x", "y", "z") and sorted(tmp_path.iterdir()) == [out]


def test_what_is_no_bundle_is_refused_before_any_work(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    for out in (photos, tmp_path / "file"):
        with pytest.raises(OutputExistsError, match="not a bundle"):
            convert("a model that is never read.keras", photos, out, force=True)
    assert (tmp_path / "file").read_text() == "precious" and len(list(photos.iterdir())) == 4
