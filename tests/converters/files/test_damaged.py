"""Damaged files and files of other kinds end in one line that says what helps; bombs do so at once."""

from __future__ import annotations

import json
import resource
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgevision.converters.files import bombs, read_model
from edgevision.runtime.errors import ModelError, UnsupportedLayerError
from tests.converters.files import makers


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the same sound network as new.keras and new.h5."""
    import keras

    folder = tmp_path_factory.mktemp("good")
    layers = [keras.Input((8, 8, 1)), keras.layers.Conv2D(4, 3), keras.layers.Flatten(), keras.layers.Dense(3)]
    model = keras.Sequential(layers)
    for name in ("new.keras", "new.h5", "new.weights.h5"):
        save = model.save_weights if "weights" in name else lambda path: makers.save(model, Path(path))
        save(folder / name)
    return folder


def _refused(path: Path, words: str) -> None:
    with pytest.raises(ModelError, match=words) as caught:
        read_model(path)
    assert not isinstance(caught.value, UnsupportedLayerError)
    assert "\n" not in str(caught.value)
    assert caught.value.cure, "it says what helps"


@pytest.mark.parametrize("name", ["new.keras", "new.h5"])
@pytest.mark.parametrize("part", [0.0, 0.02, 0.3, 0.7, 0.999])
def test_truncated(good: Path, name: str, part: float, tmp_path: Path) -> None:
    content = (good / name).read_bytes()
    (tmp_path / name).write_bytes(content[: int(len(content) * part)])
    _refused(tmp_path / name, "an empty file" if part == 0 else "truncated or damaged|cannot be read|is damaged")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.keras", b"\x00" * 100, "begins with"),
        ("a.h5", b"TFL3" * 100, "begins with"),
        ("a.keras", None, "nothing at that path"),
    ],
)
def test_other_files(name: str, content: bytes | None, words: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    _refused(tmp_path / name, words)


def test_other_folders(tmp_path: Path) -> None:
    _refused(tmp_path, "without saved_model.pb and config.json")
    (tmp_path / "saved_model.pb").write_bytes(b"x")
    _refused(tmp_path, "saved_model.pb in .* is damaged")
    (tmp_path / "keras_metadata.pb").write_bytes(b"\xff\xff")
    _refused(tmp_path, "variables.index")
    (tmp_path / "variables").mkdir()
    (tmp_path / "variables" / "variables.index").write_bytes(b"x")
    _refused(tmp_path, "keras_metadata.pb in .* is damaged")


def test_parts_that_are_missing(good: Path, tmp_path: Path) -> None:
    target = tmp_path / "a.keras"
    _refused(makers.repack(good / "new.keras", target, config=None), "expected the architecture.*got weights only")
    _refused(makers.repack(good / "new.keras", target, weights=None), "expected the weights")
    _refused(makers.repack(good / "new.keras", target, weights=b"no HDF5"), "truncated or damaged")
    _refused(makers.repack(good / "new.keras", target, config=b"{"), "configuration in .* is damaged")
    _refused(makers.repack(good / "new.keras", target, config=b'{"a": 1}'), "holds no Keras model")
    _refused(makers.repack(good / "new.keras", target, config=b"[" * 100_000), "damaged|nested too deeply")


def test_weights_only(good: Path) -> None:
    _refused(good / "new.weights.h5", "weights only.*load_weights")


def test_an_h5_file_of_something_else(tmp_path: Path) -> None:
    import h5py

    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["table"] = np.arange(3)
    _refused(tmp_path / "a.h5", "an HDF5 file of table")


def test_weights_of_another_model(good: Path, tmp_path: Path) -> None:
    import keras

    other = makers.save(keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]), tmp_path / "other.keras")
    with zipfile.ZipFile(other) as file:
        weights = file.read("model.weights.h5")
    _refused(makers.repack(good / "new.keras", tmp_path / "a.keras", weights=weights), "cannot be read")


def _zip_bomb(good: Path, path: Path) -> None:
    made = good / "bomb.zip"
    if not made.exists():
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("config.json", json.dumps(makers.recipe(good / "new.keras")))
            with file.open("model.weights.h5", "w") as entry:
                for _ in range(640):
                    entry.write(bytes(2**20))
    path.write_bytes(made.read_bytes())


def _h5_bomb(good: Path, path: Path) -> None:
    import h5py

    path.write_bytes((good / "new.h5").read_bytes())
    with h5py.File(path, "a") as file:
        file["model_weights"].create_dataset("huge", (2**30,), "f8", chunks=(2**16,), compression="gzip")


def _h5_elsewhere(good: Path, path: Path) -> None:
    import h5py

    path.write_bytes((good / "new.h5").read_bytes())
    (path.parent / "secret").write_bytes(bytes(8))
    with h5py.File(path, "a") as file:
        file["model_weights"].create_dataset("far", (1,), "f8", external=[(str(path.parent / "secret"), 0, 8)])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (_zip_bomb, "model.weights.h5 in .* unpacks to far more.*671,088,640 bytes"),
        (_h5_bomb, "unpacks to far more"),
        (_h5_elsewhere, "lies in another file"),
    ],
)
def test_bombs(make: Callable[[Path, Path], None], words: str, good: Path, tmp_path: Path) -> None:
    make(good, tmp_path / "a.keras")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    _refused(tmp_path / "a.keras", words)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024, "KiB"


def test_a_directory_that_lies_unpacks_no_more_than_it_says(good: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.keras"
    _zip_bomb(good, path)
    makers.declare(path, "model.weights.h5", 1000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    _refused(path, "model.weights.h5 in .* is damaged")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024, "KiB"


def test_what_is_large_and_honest_passes() -> None:
    bombs.check_size("a", 10 * 2**30, 10 * 2**30)
    bombs.check_size("zeros", 2**20, 100)


def test_damage_never_gets_past_the_reader(good: Path, tmp_path: Path) -> None:
    content = (good / "new.keras").read_bytes()
    rng = np.random.default_rng(0)
    for at in rng.integers(0, len(content), 30):
        damaged = bytearray(content)
        damaged[at] ^= 0xFF
        (tmp_path / "a.keras").write_bytes(bytes(damaged))
        try:
            found: Any = read_model(tmp_path / "a.keras")
        except ModelError:
            continue
        assert found.output_shape == (None, 3), "the byte was between the parts"
