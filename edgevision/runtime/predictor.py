"""The whole way from an image to a typed result, and ``load``, which opens it from a bundle or a lone model file."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgevision.runtime.bundle import Bundle
from edgevision.runtime.choice import Wish, choose
from edgevision.runtime.closing import Closing
from edgevision.runtime.errors import BundleError, EdgevisionError, ImageError, InputError
from edgevision.runtime.foreign import FORMATS, Said
from edgevision.runtime.heads import with_thresholds
from edgevision.runtime.host import available_cpus
from edgevision.runtime.inputs import input_form
from edgevision.runtime.line import Line
from edgevision.runtime.opening import open_best, open_parts
from edgevision.runtime.tasks import task_of
from edgevision.runtime.tensor_predictor import TensorPredictor, described

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edgevision.runtime.foreign import AnyHead, AnyLabels
    from edgevision.runtime.heads import Scores
    from edgevision.runtime.inputs import Feeds
    from edgevision.runtime.manifest import Artifact, Manifest
    from edgevision.runtime.results import Match
    from edgevision.runtime.session import Session
    from edgevision.runtime.sources import AnySource
    from edgevision.runtime.spec import ColorOrder, Preprocessing
    from edgevision.runtime.stream import OnError, Stream


#: Images of a list that may wait for the model.
_AHEAD = 2


class Predictor(Closing):
    """An image in, the task's result out. Safe to call from many threads at once.

    A call gives what ``decode``, ``preprocess``, ``infer`` and ``postprocess`` give, which can be timed one by one.

    ============================ ==================================== ==========================================
    task                         takes                                gives
    ============================ ==================================== ==========================================
    classification               an image                             Classification
    detection                    an image                             Detections
    instance_segmentation        an image                             Detections with masks
    segmentation                 an image                             SegmentationMap
    keypoints                    an image                             Keypoints, or Detections with keypoints
    embedding                    an image                             Embedding
    generation                   arrays, or an image                  GeneratedImage
    sequence                     a list of frames                     Classification
    ============================ ==================================== ==========================================

    Attributes:
        session: The model in its engine.
        manifest: What the bundle or the lone file says.
        artifact: Which model of it runs.
        labels: Class names in the order of the scores.
        form: What goes in.
        task: What comes out.
    """

    def __init__(
        self,
        session: Session,
        manifest: Manifest,
        artifact: Artifact,
        *,
        score_threshold: float | None = None,
        iou_threshold: float | None = None,
    ) -> None:
        """The thresholds replace those of the manifest's head; see ``load``."""
        self.session, self.artifact, self.labels = session, artifact, manifest.labels
        try:
            head = with_thresholds(manifest.head, score_threshold, iou_threshold)
            self.manifest = manifest if head is manifest.head else dataclasses.replace(manifest, head=head)
            self.form = input_form(self.manifest, session.inputs)
            self.task = task_of(self.manifest, session.outputs)
        except EdgevisionError:
            session.close()
            raise

    def __call__(self, source: Any) -> Any:
        """Predicts one input, or each of a list.

        Args:
            source: A path, bytes, PIL image or uint8 array as ``images.decode`` takes it, or a list of them. Of the
                task "sequence" a list is one window of frames; of models of arrays see ``ArraysInput.decode``.

        Returns:
            The task's result; for a list a list of them in the same order (reading and preparing overlap with the
            model's work). For a folder see ``stream``.

        Raises:
            ImageError: An image cannot be used; in a list the message says which one.
            TensorError: The model's output is not finite, or cannot be decoded.
            BackendError: The predictor is closed, or the engine failed.
        """
        if isinstance(source, (list, tuple)) and not self.form.takes_lists:
            return self._many(source)
        feeds, size = self.form.feeds(source)
        return self.postprocess(self.infer(feeds), size)

    def _many(self, sources: Sequence[Any]) -> list[Any]:
        """Each in turn; the next are read and prepared meanwhile, where there is a processor for it."""
        prepared = (self._numbered(source, number, len(sources)) for number, source in enumerate(sources, 1))
        # An array is ready sooner than another thread takes it: lists of small ones took twice as long.
        if len(sources) < 2 or available_cpus() < 2 or isinstance(sources[0], np.ndarray):
            return [self.postprocess(self.infer(feeds), size) for feeds, size in prepared]
        line = Line()
        try:
            ahead = line.run("preprocess", prepared, _AHEAD)
            return [self.postprocess(self.infer(feeds), size) for feeds, size in ahead]
        finally:
            line.stop()

    def _numbered(self, source: Any, number: int, total: int) -> tuple[Feeds, tuple[int, int]]:
        try:
            return self.form.feeds(source)
        except ImageError as error:
            problem = f"image {number} of {total}: {error.problem}"
            raise ImageError(problem, expected=error.expected, got=error.got, cure=error.cure) from error

    def decode(self, source: Any) -> Any:
        """Stage 1: any image to uint8 (H, W, 3), RGB; frames to a list of these; arrays to arrays by name."""
        return self.form.decode(source)

    def preprocess(self, decoded: Any) -> dict[str, NDArray[Any]]:
        """Stage 2: what ``decode`` gives to the model's inputs by name, e.g. (1, height, width, channels)."""
        return self.form.preprocess(decoded)

    def infer(self, feeds: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Stage 3: the model's outputs by name."""
        return self.session.run(feeds)

    def postprocess(self, outputs: dict[str, NDArray[Any]], size: tuple[int, int]) -> Any:
        """Stage 4: outputs to the task's result.

        Args:
            outputs: As ``infer`` gives them.
            size: Height and width of the source, pixels (``decoded.shape[:2]``): results are in its coordinates.
        """
        return self.task.decode(outputs, size)

    def verify(self, a: Any, b: Any, threshold: float | None = None) -> Match:
        """Whether two images show the same, by a model of the task "embedding".

        Args:
            a: An image, or the Embedding of one.
            b: The other.
            threshold: Least cosine, -1..1; None takes the manifest's.

        Raises:
            InputError: The model's task is another one, or there is no threshold.
            ImageError: An image cannot be used.
        """
        from edgevision.runtime.heads.embedding import EmbeddingHead
        from edgevision.runtime.results.embedding import Embedding, match

        head = self.manifest.head
        if not isinstance(head, EmbeddingHead):
            raise InputError("the model makes no embeddings", expected="task embedding", got=self.manifest.task)
        limit = head.threshold if threshold is None else threshold
        if limit is None:
            raise InputError("there is no threshold", expected="a cosine -1..1", cure="pass threshold=")
        first, second = (item if isinstance(item, Embedding) else self(item) for item in (a, b))
        return match(first, second, limit)

    def stream(self, source: AnySource, *, latest: bool = False, on_error: OnError = "raise", depth: int = 2) -> Stream:
        """Results for every frame of a camera, video, folder or iterable; reading, preparing and inferring overlap.

        Args:
            source: What ``sources.open_source`` takes: an image, a folder, a pattern, a video file, a camera's number,
                a URL, "picamera", a GStreamer pipeline, an iterable of images, or a Source.
            latest: Always take the newest frame and drop those that came meanwhile; for what is live. A video file is
                then played at its own speed.
            on_error: What a damaged frame does: "raise" ends the stream, "skip" counts it, a function is called with
                the ImageError. A source that breaks off ends the stream always.
            depth: How many frames may wait between two stages; memory grows with it.

        Returns:
            An iterator of ``StreamResult`` in the order of the frames; also a context manager. It stops its threads at
            the end, on an error, on Ctrl-C, on ``close()`` and when it is dropped.

        Raises:
            SourceError: The source cannot be opened; while iterating, it broke off.
            MissingPackageError: The source needs a package that is not installed.
            InputError: An option is not usable.
        """
        from edgevision.runtime.stream import Stream

        return Stream(self, source, latest=latest, on_error=on_error, depth=depth)

    def describe(self) -> dict[str, Any]:
        """What runs: the artifact and its precision, and the session's engine, version, provider and threads.

        Of a model that edgevision did not make also ``guessed``: what it was taken to be without being told.
        """
        return described(self.artifact, self.manifest, self.session)

    def close(self) -> None:
        """Lets go of the engine; calling afterwards is a BackendError."""
        self.session.close()


def load(
    path: str | os.PathLike[str],
    backend: str | None = None,
    precision: str | None = None,
    threads: int | None = None,
    *,
    artifact: str | None = None,
    provider: str | None = None,
    tune: bool | None = None,
    score_threshold: float | None = None,
    iou_threshold: float | None = None,
    task: str | None = None,
    preprocess: str | Preprocessing | None = None,
    labels: AnyLabels | None = None,
    head: AnyHead | None = None,
    color: ColorOrder | None = None,
    scores: Scores | None = None,
) -> Any:
    """Opens a bundle, or a lone .tflite, .onnx or .xml, ready to predict.

    Of a bundle the fastest model runs that passed the accuracy gate and gives its golden outputs on this machine. Which
    one that is, on what and with how many threads is measured by the first call, in a process of its own: about 3 s
    after the models were opened, which takes some seconds more on a small board; 10 s after the first one was opened no
    other is begun. Later calls know it (``$EDGEVISION_CACHE``, else ``~/.cache/edgevision``) until bundle, processor,
    usable CPUs or engine versions change. ``edgevision tune`` does the same ahead of time.

    Args:
        path: The NAME.edge directory or the model file.
        backend: "tflite", "onnx" or "openvino"; "null" runs no engine at all and answers zeros.
        precision: "int8", "dynamic-int8", "float32", "float16" or "int16x8".
        threads: How many threads to compute with.
        artifact: Name of one artifact, e.g. "int8.onnx"; even one that failed its checks, with a warning. Nothing is
            measured then: it runs with one thread unless told otherwise.
        provider: Where to compute: "cpu"; onnx: "cuda", "tensorrt"; openvino: "gpu", "npu", "auto"; tflite:
            "xnnpack", "builtin", "edgetpu" or the path of a delegate's library. What does not run there is an error.
        tune: False measures nothing: the first artifact by rule (precisions in the order above, engines in that order)
            runs with one thread, once its golden outputs hold. True measures even if ``artifact`` is named. None is
            True but for a named artifact, and False where $EDGEVISION_TUNE is 0. A lone file is never measured.
        score_threshold: Least score of objects, of the classes of a multi-label classifier, of points, 0..1; None
            takes the bundle's.
        iou_threshold: From which intersection over union on two boxes of one class are one object, 0..1; likewise.
        task: Of a lone file that edgevision did not make what it does, e.g. "classification". This and the following
            are for such files alone (docs/import.md). What they leave open is guessed: a warning and ``describe`` say
            what. What contradicts the model is refused.
        preprocess: What its pixels were scaled to: "raw", "unit", "tf", "torch" or "caffe", or a Preprocessing.
        labels: Class names in the order of the outputs, or the path of a text file with one a line.
        head: What the outputs are (docs/tasks.md): a Head, its fields with their ``kind``, or the kind alone.
        color: "rgb" or "bgr".
        scores: Of a classifier: "logits", "probabilities", "sigmoid_logits" or "sigmoid".

    Returns:
        A Predictor, or a TensorPredictor for a bundle of the task "tensors". (The type is left open, because which one
        it is stands in the bundle; ``load_classifier`` knows.)

    Raises:
        BundleError: The path cannot be opened or holds nothing that fits (BundleDamagedError, BundleVersionError), or
            nothing that fits gives its golden outputs here.
        InputError: The precision, the provider, the number of threads or a threshold is not usable, or the model's head
            has no such threshold.
        UnknownBackendError: There is no such backend.
        MissingPackageError: The engine is not installed; the message holds the install line.
        BackendError: The engine refuses the model, or does not run it on the provider that was asked for.
    """
    wish = Wish(backend, precision, artifact, threads, provider)
    said = Said(task=task, preprocess=preprocess, labels=labels, head=head, color=color, scores=scores)
    location = Path(path)
    is_bundle = location.is_dir() or location.suffix.lower() not in FORMATS
    if is_bundle and said.anything:
        cure = "leave task, preprocess, labels, head, color and scores out"
        raise InputError("a bundle says itself what it is", expected="a lone model file", got=str(path), cure=cure)
    if is_bundle:
        bundle = Bundle.open(location)
        manifest = bundle.manifest
        chosen, session = open_best(bundle, wish, tune)
    elif said.anything:
        from edgevision.runtime.foreign.opening import open_foreign

        manifest, chosen, session = open_foreign(location, wish, said)
    else:
        manifest, parts = _lone(location)
        chosen = choose(manifest.artifacts, wish)[0]
        session = open_parts(chosen, parts, wish)
    thresholds = {"score_threshold": score_threshold, "iou_threshold": iou_threshold}
    if manifest.task != "tensors" or any(value is not None for value in thresholds.values()):
        return Predictor(session, manifest, chosen, **thresholds)
    return TensorPredictor(session, manifest, chosen)


def load_classifier(
    path: str | os.PathLike[str],
    backend: str | None = None,
    threads: int | None = None,
    *,
    artifact: str | None = None,
    provider: str | None = None,
    tune: bool | None = None,
) -> Predictor:
    """``load`` of an image classifier.

    Raises:
        BundleError: The model is none; and what ``load`` raises.
    """
    found = load(path, backend, threads=threads, artifact=artifact, provider=provider, tune=tune)
    if isinstance(found, Predictor) and found.manifest.task == "classification":
        return found
    found.close()
    raise no_classifier(path, found.manifest.task)


def no_classifier(path: str | os.PathLike[str], task: str) -> BundleError:
    """What is raised where only image classifiers will do."""
    call = "run({name: array})" if task == "tensors" else "an image"
    cure = f"run it with edgevision.load(path) and {call}, and check it with 'edgevision verify'"
    return BundleError(
        f"{Path(path).name} is no image classifier",
        expected="the task classification",
        got=f"the task {task}",
        cure=cure,
    )


def _lone(path: Path) -> tuple[Manifest, list[bytes]]:
    from edgevision.runtime.embedded import read_embedded
    from edgevision.runtime.foreign.opening import read_parts

    parts = read_parts(path)
    return read_embedded(parts[0], FORMATS[path.suffix.lower()]), parts
