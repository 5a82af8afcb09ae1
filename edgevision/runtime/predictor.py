"""The whole way from an image to a typed answer, and ``load``, which opens it from a bundle or a lone model file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from edgevision.runtime import images
from edgevision.runtime.backends import check_backend, open_session
from edgevision.runtime.bundle import Bundle
from edgevision.runtime.choice import choose
from edgevision.runtime.errors import BundleError, ImageError
from edgevision.runtime.needs import wants_exact_sums
from edgevision.runtime.preprocess import normalize, resize
from edgevision.runtime.results import Classification
from edgevision.runtime.tasks.classification import scores_from
from edgevision.runtime.tensor_predictor import TensorPredictor, real_values

if TYPE_CHECKING:
    from types import TracebackType

    from numpy.typing import NDArray

    from edgevision.runtime.images import ImageSource
    from edgevision.runtime.manifest import Artifact, Manifest, Scores
    from edgevision.runtime.session import Session
    from edgevision.runtime.spec import Preprocessing

_FORMATS = {".tflite": "tflite", ".onnx": "onnx", ".xml": "openvino"}


class Predictor:
    """An image in, a Classification out. Safe to call from many threads at once.

    A call is exactly ``decode``, ``preprocess``, ``infer``, ``postprocess``, which can be timed one by one.

    Attributes:
        session: The model in its engine.
        manifest: What the bundle or the lone file says.
        artifact: Which model of it runs.
        labels: Class names in the order of the scores.
    """

    def __init__(self, session: Session, manifest: Manifest, artifact: Artifact) -> None:
        self.session, self.manifest, self.artifact = session, manifest, artifact
        self.labels = manifest.labels
        self._preprocessing, self._scores = _check_fit(session, manifest)
        self._input = session.inputs[0]

    @overload
    def __call__(self, source: list[ImageSource] | tuple[ImageSource, ...]) -> list[Classification]: ...
    @overload
    def __call__(self, source: ImageSource) -> Classification: ...
    def __call__(self, source: Any) -> Any:
        """Classifies one image, or each of a list.

        Args:
            source: A path, bytes, PIL image or uint8 array as ``images.decode`` takes it, or a list of them.

        Returns:
            A Classification; for a list a list of them in the same order.

        Raises:
            ImageError: An image cannot be used; in a list the message says which one.
            BackendError: The predictor is closed, or the engine failed.
        """
        if isinstance(source, (list, tuple)):
            return [self._numbered(item, i, len(source)) for i, item in enumerate(source, 1)]
        return self._one(source)

    def _one(self, source: ImageSource) -> Classification:
        return self.postprocess(self.infer(self.preprocess(self.decode(source))))

    def _numbered(self, source: ImageSource, number: int, total: int) -> Classification:
        try:
            return self._one(source)
        except ImageError as error:
            problem = f"image {number} of {total}: {error.problem}"
            raise ImageError(problem, expected=error.expected, got=error.got, cure=error.cure) from error

    def decode(self, source: ImageSource) -> NDArray[np.uint8]:
        """Stage 1: any image to uint8 (H, W, 3), RGB."""
        return images.decode(source)

    def preprocess(self, image: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        """Stage 2: uint8 (H, W, 3) to the model's input, (1, height, width, channels), by name."""
        pixels = resize(image, self._preprocessing)
        tensor = pixels if self._input.dtype == "uint8" else normalize(pixels, self._preprocessing)
        return {self._input.name: tensor[None]}

    def infer(self, feeds: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Stage 3: the model's outputs by name."""
        return self.session.run(feeds)

    def postprocess(self, outputs: dict[str, NDArray[Any]]) -> Classification:
        """Stage 4: outputs to probabilities, one per label."""
        spec = self.session.outputs[0]
        values = real_values(outputs[spec.name].reshape(-1), spec)
        scores = scores_from(values.astype(np.float32, copy=False), self._scores, len(self.labels))
        return Classification(scores, self.labels)

    def describe(self) -> dict[str, Any]:
        """What runs: the artifact, and the session's engine, version, provider, precision and threads."""
        return {
            "artifact": self.artifact.name,
            "artifact_precision": self.artifact.precision,
            **self.session.describe(),
        }

    def close(self) -> None:
        """Lets go of the engine; calling afterwards is a BackendError."""
        self.session.close()

    def __enter__(self) -> Predictor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def load(
    path: str | os.PathLike[str],
    backend: str | None = None,
    precision: str | None = None,
    threads: int | None = None,
    *,
    artifact: str | None = None,
) -> Any:
    """Opens a bundle, or a lone .tflite, .onnx or .xml made by edgevision, ready to predict.

    Args:
        path: The NAME.edge directory or the model file.
        backend: "tflite", "onnx" or "openvino"; None takes the first that is installed, in that order.
            "null" runs no engine at all and answers zeros.
        precision: "int8", "dynamic-int8", "float32", "float16" or "int16x8"; None prefers them in this order.
        threads: How many threads to compute with; None lets the backend choose.
        artifact: Name of one artifact, e.g. "int8.onnx"; even one that failed its checks, with a warning.

    Returns:
        A Predictor for an image classifier, a TensorPredictor for a bundle of the task "tensors". (The type is left
        open, because which one it is stands in the bundle; ``load_classifier`` knows.)

    Raises:
        BundleError: The path cannot be opened or holds nothing that fits (BundleDamagedError, BundleVersionError).
        UnknownBackendError: There is no such backend.
        MissingPackageError: The engine is not installed; the message holds the install line.
        BackendError: The engine refuses the model.
    """
    if backend is not None:
        check_backend(backend)
    location = Path(path)
    if location.is_dir() or location.suffix.lower() not in _FORMATS:
        bundle = Bundle.open(location)
        manifest = bundle.manifest
        chosen = choose(manifest.artifacts, backend, precision, artifact)
        parts = [bundle.read(entry.name) for entry in chosen.files]
    else:
        manifest, parts = _lone(location)
        chosen = choose(manifest.artifacts, backend, precision, artifact)
    kind = TensorPredictor if manifest.task == "tensors" else Predictor
    return kind(_open(chosen, parts, backend, threads), manifest, chosen)


def load_classifier(
    path: str | os.PathLike[str], backend: str | None = None, threads: int | None = None, *, artifact: str | None = None
) -> Predictor:
    """``load`` of an image classifier.

    Raises:
        BundleError: The model is none; and what ``load`` raises.
    """
    found = load(path, backend, threads=threads, artifact=artifact)
    if isinstance(found, Predictor):
        return found
    found.close()
    raise no_classifier(path)


def no_classifier(path: str | os.PathLike[str]) -> BundleError:
    """What is raised where only image classifiers will do."""
    cure = "run it with edgevision.load(path).run({name: array}), and check it with 'edgevision verify'"
    return BundleError(
        f"{Path(path).name} is no image classifier",
        expected="the task classification",
        got="the task tensors",
        cure=cure,
    )


def _lone(path: Path) -> tuple[Manifest, list[bytes]]:
    from edgevision.runtime.embedded import read_embedded

    kind = _FORMATS[path.suffix.lower()]
    try:
        parts = [path.read_bytes()]
        if kind == "openvino":
            parts.append(path.with_suffix(".bin").read_bytes())
    except OSError as error:
        cure = "check the path; an .xml needs its .bin beside it"
        raise BundleError(f"{error.filename} cannot be read", got=error.strerror or str(error), cure=cure) from error
    return read_embedded(parts[0], kind), parts


def _open(chosen: Artifact, parts: list[bytes], backend: str | None, threads: int | None) -> Session:
    if backend == "null":
        from edgevision.runtime.backends.null import describe_model

        return open_session("null", describe_model(chosen.inputs, chosen.outputs), None, threads)
    exact_sums = wants_exact_sums(chosen)
    return open_session(chosen.format, parts[0], parts[1] if len(parts) > 1 else None, threads, exact_sums=exact_sums)


def _check_fit(session: Session, manifest: Manifest) -> tuple[Preprocessing, Scores]:
    """Refuses a model whose input is not the preprocessing's image, or whose task has no post-processing."""
    p, scores = manifest.preprocessing, manifest.scores
    if manifest.task != "classification" or len(session.outputs) != 1 or p is None or scores is None:
        session.close()
        got = f"{manifest.task} with {len(session.outputs)} outputs"
        raise BundleError("the model is of an unknown task", expected="classification with one output", got=got)
    shape, dtypes = (1, p.height, p.width, p.channels), ("uint8", "float32")
    got = ", ".join(f"{spec.dtype} {spec.shape}" for spec in session.inputs)
    if len(session.inputs) != 1 or session.inputs[0].shape != shape or session.inputs[0].dtype not in dtypes:
        session.close()
        raise BundleError(
            "the model's input is not what its preprocessing makes", expected=f"one uint8 or float32 {shape}", got=got
        )
    return p, scores
