from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgevision.runtime.errors import ImageError, InputError
from edgevision.runtime.gallery import Gallery
from edgevision.runtime.heads.embedding import EmbeddingHead
from edgevision.runtime.predictor import Predictor
from edgevision.runtime.results import Embedding
from tests.runtime.tasks.answers import floats, predictor_of


def of(*values: float) -> Embedding:
    vector = np.array(values, np.float64)
    return Embedding((vector / np.linalg.norm(vector)).astype(np.float32))


def made(threshold: float | None = 0.9, sha256: str = "") -> Predictor:
    """A predictor of vectors of three numbers, from a source model with that hash."""
    predictor = predictor_of(EmbeddingHead(threshold=threshold), {"vector": floats(0, 0, 1)}, labels=())
    provenance = {"source": {"name": "m.keras", "sha256": sha256}} if sha256 else {}
    predictor.manifest = dataclasses.replace(predictor.manifest, provenance=provenance)
    return predictor


@pytest.fixture
def gallery() -> Gallery:
    found = Gallery(made())
    found.enrol("ann", of(1, 0, 0), of(0, 1, 0))
    found.enrol("bob", of(0, 0, 1))
    return found


def test_the_nearest_image_of_each_name_counts(gallery: Gallery) -> None:
    assert len(gallery) == 3 and gallery.names == ("ann", "bob")
    found = gallery.search(of(0, 0.6, 0.8))
    assert [each.name for each in found] == ["bob", "ann"]
    assert [each.cosine for each in found] == pytest.approx([0.8, 0.6])
    (nearest,) = gallery.search(of(0, 2, 1), 1)
    assert nearest.name == "ann" and nearest.cosine == pytest.approx(2 / 5**0.5)
    assert found[0].to_dict() == {"name": "bob", "cosine": pytest.approx(0.8)}


def test_strangers_are_nobody(gallery: Gallery) -> None:
    assert gallery.identify(of(0, 0.6, 0.8)) is None
    known = gallery.identify(of(0, 0.6, 0.8), 0.7)
    assert known is not None and known.name == "bob"
    assert gallery.identify(of(0, 0.1, 1)) == gallery.search(of(0, 0.1, 1), 1)[0]
    with pytest.raises(InputError, match="no threshold"):
        Gallery(made(None)).identify(of(1, 0, 0))


def test_an_empty_gallery_knows_nobody() -> None:
    empty = Gallery(made())
    assert empty.search(of(1, 0, 0)) == () and empty.identify(of(1, 0, 0)) is None and empty.names == ()


def test_somebody_is_taken_out(gallery: Gallery) -> None:
    gallery.remove("ann")
    assert gallery.names == ("bob",) and [each.name for each in gallery.search(of(1, 0, 0))] == ["bob"]
    with pytest.raises(InputError, match="expected bob, got 'ann'"):
        gallery.remove("ann")
    gallery.remove("bob")
    assert gallery.search(of(1, 0, 0)) == ()


@pytest.mark.parametrize("sha256", ["", "a" * 64])
def test_saved_and_loaded(gallery: Gallery, tmp_path: Path, sha256: str) -> None:
    gallery.save(tmp_path / "g.npz")
    again = Gallery.load(tmp_path / "g.npz", made(sha256=sha256))
    assert again.search(of(1, 2, 3)) == gallery.search(of(1, 2, 3)) and len(again) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["g.npz"]
    Gallery(made()).save(tmp_path / "empty.npz")
    assert len(Gallery.load(tmp_path / "empty.npz", made())) == 0


def test_vectors_of_another_model_are_refused(gallery: Gallery, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected 3 dimensions, got 2"):
        gallery.search(of(1, 0))
    one = Gallery(made(sha256="a" * 64))
    one.enrol("ann", of(1, 0, 0))
    one.save(tmp_path / "g.npz")
    with pytest.raises(InputError, match=r"another model: expected model bbbbbbbbbbbb, got model aaaaaaaaaaaa; enrol"):
        Gallery.load(tmp_path / "g.npz", made(sha256="b" * 64))


def test_what_cannot_be_enrolled(gallery: Gallery) -> None:
    for name, images in (("", [of(1, 0, 0)]), ("cy", [])):
        with pytest.raises(InputError, match="a name and one or more images"):
            gallery.enrol(name, *images)
    with pytest.raises(ImageError):
        gallery.enrol("cy", of(1, 0, 0), "missing.jpg")
    assert gallery.names == ("ann", "bob")
    with pytest.raises(InputError, match="task embedding"):
        Gallery(predictor_of(None, {"s": floats(1, 2, 3)}, scores="logits"))


def test_files_that_are_no_gallery(tmp_path: Path) -> None:
    path = tmp_path / "g.npz"
    damaged: list[dict[str, Any]] = [
        {"names": np.array(["a"]), "vectors": np.ones((1, 3), np.float32), "model": np.array("")},
        {"names": np.array(["a", "b"]), "vectors": np.eye(3, dtype=np.float32), "model": np.array("")},
        {"names": np.array(["a"])},
    ]
    for arrays in damaged:
        np.savez(path, **arrays)
        with pytest.raises(InputError, match=r"g\.npz is no gallery"):
            Gallery.load(path, made())
    path.write_bytes(b"no archive")
    for name in (path, tmp_path / "missing.npz"):
        with pytest.raises(InputError, match="is no gallery"):
            Gallery.load(name, made())
