"""A gallery of known people (or things): enrol images under names, ask whose image another one is."""

from __future__ import annotations

import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgevision.runtime.errors import InputError, TensorError
from edgevision.runtime.files import replaced
from edgevision.runtime.heads.embedding import EmbeddingHead
from edgevision.runtime.results.embedding import Embedding

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgevision.runtime.predictor import Predictor


@dataclass(frozen=True)
class Candidate:
    """Somebody whom an image may show.

    Attributes:
        name: As enrolled.
        cosine: To the nearest of the images under that name, -1..1.
    """

    name: str
    cosine: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values ready for JSON."""
        return {"name": self.name, "cosine": self.cosine}


class Gallery:
    """Vectors by name, searched by their cosine to an image's. Only vectors are kept, no images.

    Args:
        predictor: Of a bundle of the task "embedding"; it stays the caller's to close.

    Raises:
        InputError: The model's task is another one.
    """

    def __init__(self, predictor: Predictor) -> None:
        head = predictor.manifest.head
        if not isinstance(head, EmbeddingHead):
            raise InputError("the model makes no embeddings", expected="task embedding", got=predictor.manifest.task)
        self._predictor, self._threshold = predictor, head.threshold
        self._names: list[str] = []
        self._vectors: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        """How many images are enrolled."""
        return len(self._names)

    @property
    def names(self) -> tuple[str, ...]:
        """Who is enrolled, each once, in the order of their first images."""
        return tuple(dict.fromkeys(self._names))

    @property
    def model(self) -> str:
        """Hex sha256 of the model that the bundle was made of; "" of a lone file, which does not know."""
        source = self._predictor.manifest.provenance.get("source")
        return str(source.get("sha256", "")) if isinstance(source, dict) else ""

    def enrol(self, name: str, *images: Any) -> None:
        """Adds images, or their Embeddings, under a name; several images of somebody are found more surely than one.

        Raises:
            InputError: The name is empty, no image is given, or an Embedding is of another model.
            ImageError: An image cannot be used; then none of them is added.
        """
        if not name or not images:
            got = f"{name!r} with {len(images)} images"
            raise InputError("nobody can be enrolled like this", expected="a name and one or more images", got=got)
        vectors = np.stack([self._vector(image) for image in images])
        self._vectors = vectors if self._vectors is None else np.concatenate([self._vectors, vectors])
        self._names += [name] * len(images)

    def remove(self, name: str) -> None:
        """Takes out all images under a name.

        Raises:
            InputError: Nobody is enrolled under it.
        """
        if name not in self._names:
            raise InputError("nobody is enrolled under that name", expected=" or ".join(self.names), got=repr(name))
        assert self._vectors is not None, "somebody is enrolled"
        self._vectors = self._vectors[[each != name for each in self._names]]
        self._names = [each for each in self._names if each != name]

    def search(self, image: Any, count: int = 5) -> tuple[Candidate, ...]:
        """The names nearest to an image, or to its Embedding, nearest first, at most ``count``.

        Raises:
            ImageError: The image cannot be used.
            InputError: The Embedding is of another model.
        """
        vector = self._vector(image)
        if self._vectors is None:
            return ()
        cosines = np.clip(self._vectors.astype(np.float64) @ vector.astype(np.float64), -1, 1)
        best: dict[str, float] = {}
        for index in np.argsort(-cosines, kind="stable"):
            best.setdefault(self._names[index], float(cosines[index]))
        return tuple(Candidate(*item) for item in list(best.items())[:count])

    def identify(self, image: Any, threshold: float | None = None) -> Candidate | None:
        """Whose image it is; None where nobody's cosine reaches the threshold.

        Args:
            image: An image, or its Embedding.
            threshold: Least cosine, -1..1; None takes the bundle's. Of many enrolled people one comes near by chance
                more often than of one: raise it where a false name is worse than none.

        Raises:
            InputError: There is no threshold.
            ImageError: The image cannot be used.
        """
        limit = self._threshold if threshold is None else threshold
        if limit is None:
            raise InputError("there is no threshold", expected="a cosine -1..1", cure="pass threshold=")
        found = self.search(image, 1)
        return found[0] if found and found[0].cosine >= limit else None

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes names and vectors to an .npz, whole or not at all."""
        vectors = np.empty((0, 0), np.float32) if self._vectors is None else self._vectors
        with replaced(Path(path)) as temporary, temporary.open("wb") as file:
            np.savez(file, names=np.array(self._names, np.str_), vectors=vectors, model=np.array(self.model))

    @classmethod
    def load(cls, path: str | os.PathLike[str], predictor: Predictor) -> Gallery:
        """What ``save`` wrote, to go on with the same model, in whatever format and precision.

        Raises:
            InputError: The file cannot be read or is no gallery, or its vectors are another model's.
        """
        gallery = cls(predictor)
        names, vectors, model = _read(Path(path))
        if model and gallery.model and model != gallery.model:
            expected, got = (f"model {digest[:12]}" for digest in (gallery.model, model))
            cure = "enrol the images again: vectors of different models cannot be compared"
            raise InputError(f"{path} was made with another model", expected=expected, got=got, cure=cure)
        if names:
            gallery._names, gallery._vectors = names, vectors
        return gallery

    def _vector(self, image: Any) -> NDArray[np.float32]:
        found = image if isinstance(image, Embedding) else self._predictor(image)
        vector: NDArray[np.float32] = found.vector
        if self._vectors is not None and vector.shape != self._vectors.shape[1:]:
            expected, got = f"{self._vectors.shape[1]} dimensions", f"{len(vector)}"
            raise InputError("the vectors are of different models", expected=expected, got=got)
        return vector


def _read(path: Path) -> tuple[list[str], NDArray[np.float32], str]:
    try:
        with np.load(path, allow_pickle=False) as file:
            names, vectors, model = (file[name] for name in ("names", "vectors", "model"))
        if names.ndim != 1 or names.dtype.kind != "U" or vectors.ndim != 2 or len(vectors) != len(names):
            raise ValueError(f"names {names.shape}, vectors {vectors.shape}")
        for vector in vectors:
            Embedding(vector)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, TensorError) as error:
        expected = "an .npz that a gallery was saved to"
        raise InputError(f"{path} is no gallery", expected=expected, got=" ".join(str(error).split())) from error
    return [str(name) for name in names], vectors, str(model)
