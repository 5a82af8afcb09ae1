from __future__ import annotations

import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

from edgevision.converters.metadata import read_metadata, write_metadata
from edgevision.runtime.errors import ModelError


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save(tmp_path / "m.keras")
    return tmp_path / "m.keras"


def test_what_is_written_is_read_and_replaced(saved: Path) -> None:
    before = keras.saving.load_model(saved).get_weights()
    assert read_metadata(saved) is None
    for metadata in ({"labels": ["a", "käse"]}, {"labels": ["b"], "nested": {"x": [1.5, None]}}):
        write_metadata(saved, metadata)
        assert read_metadata(saved) == metadata
    with zipfile.ZipFile(saved) as file:
        assert file.namelist().count("edgevision.json") == 1
    after = keras.saving.load_model(saved).get_weights()
    assert all((one == two).all() for one, two in zip(before, after))
    assert [path.name for path in saved.parent.iterdir()] == ["m.keras"]


def test_other_files_have_none(tmp_path: Path) -> None:
    (tmp_path / "m.h5").write_bytes(b"\x89HDF")
    assert read_metadata(tmp_path / "m.h5") is None
    with pytest.raises(ModelError, match=r"expected a \.keras file"):
        write_metadata(tmp_path / "m.h5", {})
    with pytest.raises(ModelError, match=r"expected a \.keras file"):
        write_metadata(tmp_path / "gone.keras", {})


@pytest.mark.parametrize("content", ["{", "[1]", "null"])
def test_damaged_metadata(saved: Path, content: str) -> None:
    with zipfile.ZipFile(saved, "a") as file:
        file.writestr("edgevision.json", content)
    with pytest.raises(ModelError, match=r"edgevision\.json"):
        read_metadata(saved)


def test_an_interrupted_write_leaves_the_old_file(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = saved.read_bytes()

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(zipfile.ZipFile, "writestr", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_metadata(saved, {"a": np.float64(1).item()})
    assert saved.read_bytes() == before and len(list(saved.parent.iterdir())) == 1
