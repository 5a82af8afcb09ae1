"""A Keras file, and what has to be known about it before it can be quantised."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.converters.files import content_hash, read_model
from edgevision.converters.metadata import read_metadata
from edgevision.converters.quantize.build import Compiled
from edgevision.converters.quantize.fold import close_with_activation, fold, prepend_normalization
from edgevision.converters.quantize.graph import Graph, Op
from edgevision.converters.quantize.merge import merge
from edgevision.converters.quantize.observe import Batch
from edgevision.converters.quantize.quantize import Quantized
from edgevision.converters.quantize.trace import trace_tensors
from edgevision.converters.source_ends import Ends, refuse_image_options, settle_ends
from edgevision.converters.trained import read_trained
from edgevision.runtime.errors import BundleError, InputError, ModelError
from edgevision.runtime.heads import Head
from edgevision.runtime.manifest import Scores, from_plain, head_from_plain
from edgevision.runtime.preprocess import normalize
from edgevision.runtime.spec import Interpolation, Preprocessing, ResizePolicy, named_preprocessing

CHOICES = "--preprocess raw (0..255), unit (0..1), tf (-1..1), torch or caffe"


@dataclass(frozen=True)
class SourceModel:
    """A trained Keras model ready to convert.

    Attributes:
        model: keras.Model; takes what ``preprocessing`` makes, float32 (batch, H, W, C), or the model's own values.
        graph: Its operations, folded; takes raw pixels, or the model's own values.
        name: File name, or the model's own name.
        sha256: Hex digest of the file; "" for a model in memory.
        labels: Class names stored with the model; None when it has none.
        preprocessing: From a decoded image to the model's input; None when it takes no images.
        scores: What a classifier's outputs are; None of any other model. A classifier names one class of an image, or
            of a window of frames.
        head: What the outputs are; None of a classifier of one label and of the task "tensors".
        trained: The quantised model that was trained with it and is stored in its file; None without.
    """

    model: Any
    graph: Graph
    name: str
    sha256: str
    labels: tuple[str, ...] | None
    preprocessing: Preprocessing | None
    scores: Scores | None
    head: Head | None
    trained: Quantized | None

    @property
    def task(self) -> str:
        """The head's; without one "classification", or "tensors": named arrays in, named arrays out."""
        if self.head is not None:
            return self.head.task
        return "tensors" if self.scores is None else "classification"

    @property
    def is_classifier(self) -> bool:
        """Whether it names one class: then answers are counted, else signals compared."""
        return self.scores is not None

    @property
    def frames(self) -> int:
        """How many a window holds; 0 of a model that takes no window."""
        return self.graph.input.shape[0] if self.task == "sequence" and self.preprocessing is not None else 0

    @property
    def classes(self) -> int:
        """How many class names a classifier needs: a single sigmoid output tells two classes apart."""
        outputs = self.graph.ops[self.graph.output].shape[-1]
        return 2 if outputs == 1 else outputs

    def answer(self, batch: Batch) -> Batch:
        """What the model itself makes of named arrays that are as the artifacts take them, by name of the output."""
        import keras

        values = [self._prepared(op, batch[op.name]) for op in self.graph.inputs]
        found = keras.tree.flatten(self._callable(values if len(values) > 1 else values[0], training=False))
        return {name: np.asarray(value) for name, value in zip(self.graph.outputs, found, strict=True)}

    def _prepared(self, op: Op, values: NDArray[Any]) -> NDArray[Any]:
        return values if self.preprocessing is None or op.dtype != "uint8" else normalize(values, self.preprocessing)

    @functools.cached_property
    def _callable(self) -> Any:
        """The model, taking a list where it takes several arrays, however they are nested."""
        import keras

        flat = self.model if len(self.model.inputs) == 1 else keras.Model(self.model.inputs, self.model.outputs)
        return Compiled(flat)


def load_source(
    model: Any,
    *,
    preprocess: str | None = None,
    input_size: tuple[int, int] | None = None,
    resize: ResizePolicy = "stretch",
    interpolation: Interpolation = "bilinear",
    antialias: bool = True,
    trust: bool = False,
    calibration: str | Path | None = None,
    scores: Scores | None = None,
    head: Head | None = None,
) -> SourceModel:
    """Read a model and settle its inputs.

    Args:
        model: Path of a .keras or .h5 file (Keras 2 or 3) or of a SavedModel directory, or a keras.Model.
        preprocess: Name of the convention it was trained with (``spec.NORMALIZATIONS``); None reads it from the model.
        input_size: (height, width) in pixels; needed when the model leaves them open.
        resize: Resize policy when the model does not carry one.
        interpolation: Kernel of the resize when the model does not carry one.
        antialias: Whether shrinking widens the kernel, when the model does not carry it.
        trust: Run code that came with a file.
        calibration: The .npz whose arrays fix what inputs that are no images leave open, such as a sequence's length;
            images that show what the outputs of a model without visible layers are.
        scores: What the outputs of such a model are, where that is known.
        head: What the outputs are, where they are not the scores of one class each; None takes what the model carries.

    Returns:
        A ``native.opaque.OpaqueModel`` for a model whose layers cannot be seen: a subclassed one, a bare SavedModel.

    Raises:
        UnsafeModelError: The file holds code, and ``trust`` is not given.
        ModelError: The file cannot be read, or the model is not usable.
        InputError: The preprocessing or the input size is missing or contradicts the model.
        DatasetError: The calibration arrays are not the model's inputs.
        MissingPackageError: Keras is not installed.
    """
    from edgevision.converters.native.opaque import is_opaque, open_opaque  # it builds on what is defined here

    loaded, name, digest, metadata = _loaded(model, trust)
    geometry: dict[str, Any] = {"resize": resize, "interpolation": interpolation, "antialias": antialias}
    head = head or stored_head(metadata, name)
    if is_opaque(loaded):
        if head is not None:
            raise ModelError(f"the layers of {name} cannot be seen", expected="a classifier", got=f"task {head.task}")
        return open_opaque(loaded, name, digest, metadata, preprocess, input_size, geometry, calibration, scores)
    if scores is not None:
        raise InputError(f"the layers of {name} say what its outputs are", got=scores, cure="leave --scores out")
    ends = settle_ends(loaded, name, input_size, calibration, head=head)
    graph = _traced(loaded, name, ends)
    if ends.image is None:
        refuse_image_options(name, preprocess, input_size)
        preprocessing = None
    else:
        preprocessing = _preprocessing(graph, ends.image, metadata, preprocess, geometry)
    found = output_scores(graph) if ends.is_classifier else None
    if preprocessing is not None:
        prepend_normalization(graph, preprocessing)
    fold(graph)
    merge(graph)
    trained = read_trained(model, graph) if metadata else None
    return SourceModel(loaded, graph, name, digest, stored_labels(metadata, name), preprocessing, found, head, trained)


def _loaded(model: Any, trust: bool) -> tuple[Any, str, str, dict[str, Any] | None]:
    """The model, its name, and of a file its hash and what a trainer stored in it."""
    if not isinstance(model, (str, Path)):
        return model, getattr(model, "name", "model"), "", None
    path = Path(model)
    loaded = read_model(path, trust)
    metadata = read_metadata(path) if path.is_file() else None
    return loaded, path.name, content_hash(path), metadata


def _traced(model: Any, name: str, ends: Ends) -> Graph:
    """The model's operations, with weights that can be computed with."""
    try:
        graph = trace_tensors(model, ends.inputs, ends.outputs)
    except ValueError as error:  # what Keras raises where nothing is left of the image on its way through the layers
        size = "x".join(map(str, ends.image[:2] if ends.image else ends.inputs[0].shape))
        reason = " ".join(str(error).split())[:200]
        what, cure = ("images", "give another --input-size HxW") if ends.image else ("arrays", "give other arrays")
        raise InputError(f"{name} cannot take {what} of {size}", got=reason, cure=cure) from error
    for op in graph:
        if not all(np.isfinite(weight).all() for weight in op.weights):
            raise ModelError(
                f"layer {op.name!r} of {name} has weights that are no numbers",
                expected="finite weights",
                got="NaN or infinity",
                cure="train it again, with a smaller learning rate",
            )
    if len({op.name for op in graph.inputs} | set(graph.outputs.values())) < len(ends.inputs) + len(ends.outputs):
        raise ModelError(
            f"an output of {name} is one of its inputs or another output again",  # formats know one name for a value
            expected="different values",
            cure="leave it out: whoever runs the model has that value already",
        )
    close_with_activation(graph)
    return graph


def _preprocessing(
    graph: Graph,
    shape: tuple[int, int, int],
    metadata: dict[str, Any] | None,
    preprocess: str | None,
    geometry: dict[str, Any],
) -> Preprocessing:
    """What the trainer stored, else what the caller and the model's first layers say."""
    if metadata and "preprocessing" in metadata:
        return stored_preprocessing(metadata["preprocessing"], shape, preprocess)
    return named_preprocessing(_convention(graph, preprocess), *shape, **geometry)


def stored_preprocessing(plain: dict[str, Any], shape: tuple[int, int, int], preprocess: str | None) -> Preprocessing:
    """The preprocessing that the trainer stored with the model.

    Raises:
        ModelError: It is damaged, or not for images of ``shape`` (H, W, C).
        InputError: The convention ``preprocess`` contradicts it.
    """
    try:
        stored = from_plain(Preprocessing, plain)
    except BundleError as error:
        raise ModelError("the preprocessing stored with the model is damaged", got=str(error)) from error
    if (stored.height, stored.width, stored.channels) != shape:
        got = f"{stored.height}x{stored.width}x{stored.channels}"
        raise ModelError(
            "the model's stored preprocessing does not fit its input", expected="x".join(map(str, shape)), got=got
        )
    if preprocess is not None:
        asked = named_preprocessing(preprocess, *shape)
        if (asked.color, asked.mean, asked.scale) != (stored.color, stored.mean, stored.scale):
            raise InputError(
                f"--preprocess {preprocess} contradicts what the model was trained with",
                expected=f"{stored.color}, mean {stored.mean}, scale {stored.scale}",
                cure="leave --preprocess out",
            )
    return stored


def stored_labels(metadata: dict[str, Any] | None, name: str) -> tuple[str, ...] | None:
    """The class names that the trainer stored with the model.

    Raises:
        ModelError: They are damaged.
    """
    labels = (metadata or {}).get("labels")
    if not labels:
        return None
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise ModelError(
            f"the labels stored with {name} are damaged", expected="a list of names", got=repr(labels)[:60]
        )
    return tuple(labels)


def stored_head(metadata: dict[str, Any] | None, name: str) -> Head | None:
    """The head that the trainer stored with the model.

    Raises:
        ModelError: It is damaged.
    """
    if not metadata or metadata.get("head") is None:
        return None
    try:
        return head_from_plain(metadata["head"])
    except (BundleError, InputError) as error:
        raise ModelError(f"the head stored with {name} is damaged", got=str(error)) from error


def _convention(graph: Graph, preprocess: str | None) -> str:
    """The named convention; a normalisation inside the model means that it takes raw pixels."""
    first = graph.sole_consumer(graph.input.name)
    # A batch norm in front is no such layer: it takes whatever the training gave it.
    is_inside = first is not None and bool(first.config.get("is_normalization"))
    if preprocess is None and not is_inside:
        raise InputError(
            "how the model's training prepared pixels is not known", expected="a convention", cure=f"give {CHOICES}"
        )
    if preprocess not in (None, "raw", "caffe") and is_inside and first is not None:
        raise InputError(
            f"pixels would be normalised twice: the model does it itself in layer {first.name!r}",
            expected="--preprocess raw, or none",
            got=str(preprocess),
        )
    return preprocess or "raw"


def output_scores(graph: Graph) -> Scores:
    """What the sole output's values are, by the activation that the model ends in."""
    last = graph.ops[graph.output]
    activation = last.config.get("activation") if last.kind == "Activation" else None
    if activation == "tanh":
        raise ModelError(
            "the model ends in tanh", expected="logits, softmax or sigmoid", cure="replace the last activation"
        )
    if activation == "softmax":
        return "probabilities"
    if activation == "sigmoid":
        return "sigmoid"
    return "sigmoid_logits" if last.shape == (1,) else "logits"
