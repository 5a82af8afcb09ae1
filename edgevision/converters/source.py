"""A Keras file, and what has to be known about it before it can be quantised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgevision.converters.files import content_hash, read_model
from edgevision.converters.metadata import read_metadata
from edgevision.converters.quantize.fold import close_with_activation, fold, prepend_normalization
from edgevision.converters.quantize.graph import Graph
from edgevision.converters.quantize.trace import trace
from edgevision.runtime.errors import BundleError, InputError, ModelError
from edgevision.runtime.manifest import Scores, from_plain
from edgevision.runtime.spec import Interpolation, Preprocessing, ResizePolicy, named_preprocessing

_CHOICES = "--preprocess raw (0..255), unit (0..1), tf (-1..1), torch or caffe"


@dataclass(frozen=True)
class SourceModel:
    """A trained Keras model ready to convert.

    Attributes:
        model: keras.Model; takes what ``preprocessing`` makes, float32 (batch, H, W, C).
        graph: Its operations, folded, taking raw pixels.
        name: File name, or the model's own name.
        sha256: Hex digest of the file; "" for a model in memory.
        labels: Class names stored with the model; None when it has none.
        preprocessing: From a decoded image to the model's input.
        scores: What its outputs are.
    """

    model: Any
    graph: Graph
    name: str
    sha256: str
    labels: tuple[str, ...] | None
    preprocessing: Preprocessing
    scores: Scores

    @property
    def classes(self) -> int:
        """How many class names it needs: a single sigmoid output tells two classes apart."""
        outputs = self.graph.ops[self.graph.output].shape[0]
        return 2 if outputs == 1 else outputs


def load_source(
    model: Any,
    *,
    preprocess: str | None = None,
    input_size: tuple[int, int] | None = None,
    resize: ResizePolicy = "stretch",
    interpolation: Interpolation = "bilinear",
    antialias: bool = True,
    trust: bool = False,
) -> SourceModel:
    """Read a model and settle its input.

    Args:
        model: Path of a .keras or .h5 file (Keras 2 or 3) or of a SavedModel directory, or a keras.Model.
        preprocess: Name of the convention it was trained with (``spec.NORMALIZATIONS``); None reads it from the model.
        input_size: (height, width) in pixels; needed when the model leaves them open.
        resize: Resize policy when the model does not carry one.
        interpolation: Kernel of the resize when the model does not carry one.
        antialias: Whether shrinking widens the kernel, when the model does not carry it.
        trust: Run code that came with a file.

    Raises:
        UnsafeModelError: The file holds code, and ``trust`` is not given.
        ModelError: The file cannot be read, or is no image classifier with one input and one output.
        InputError: The preprocessing or the input size is missing or contradicts the model.
        UnsupportedLayerError: A layer cannot be quantised.
        MissingPackageError: Keras is not installed.
    """
    metadata, digest = None, ""
    name = getattr(model, "name", "model")
    if isinstance(model, (str, Path)):
        path = Path(model)
        name, loaded = path.name, read_model(path, trust)
        metadata, digest = read_metadata(path) if path.is_file() else None, content_hash(path)
    else:
        loaded = model
    shape = _image_shape(loaded, name, input_size)
    graph = _traced(loaded, name, shape)
    if metadata and "preprocessing" in metadata:
        preprocessing = _stored(metadata["preprocessing"], shape, preprocess)
    else:
        convention = _convention(graph, preprocess)
        height, width, channels = shape
        preprocessing = named_preprocessing(
            convention, height, width, channels, resize=resize, interpolation=interpolation, antialias=antialias
        )
    scores = _scores(graph)
    prepend_normalization(graph, preprocessing)
    fold(graph)
    return SourceModel(loaded, graph, name, digest, _stored_labels(metadata, name), preprocessing, scores)


def _image_shape(model: Any, name: str, input_size: Sequence[int] | None) -> tuple[int, int, int]:
    inputs, outputs = getattr(model, "inputs", None) or [], getattr(model, "outputs", None) or []
    if len(inputs) != 1 or len(outputs) != 1:
        got = f"{len(inputs)} inputs and {len(outputs)} outputs"
        raise ModelError(
            f"{name} is no image classifier",
            expected="a functional or sequential model, one input, one output",
            got=got,
        )
    shape = tuple(inputs[0].shape)
    if len(shape) != 4 or shape[3] not in (1, 3):
        raise ModelError(f"{name} does not take images", expected="input (batch, H, W, 1 or 3)", got=str(shape))
    if len(outputs[0].shape) != 2:
        raise ModelError(
            f"{name} is no classifier", expected="output (batch, classes)", got=str(tuple(outputs[0].shape))
        )
    fixed = shape[1:3]
    if input_size is not None and any(size not in (None, asked) for size, asked in zip(fixed, input_size)):
        raise InputError(
            "--input-size contradicts the model",
            expected=f"{fixed[0]}x{fixed[1]}",
            got=f"{input_size[0]}x{input_size[1]}",
        )
    if input_size is not None and min(input_size) < 1:
        raise InputError("--input-size is not usable", expected="at least 1x1", got=f"{input_size[0]}x{input_size[1]}")
    height, width = input_size or fixed
    if height is None or width is None:
        raise InputError(
            f"{name} leaves its input size open", expected="a size", got=str(shape), cure="give --input-size HxW"
        )
    return int(height), int(width), int(shape[3])


def _traced(model: Any, name: str, shape: tuple[int, int, int]) -> Graph:
    """The model's operations, with weights that can be computed with."""
    try:
        graph = trace(model, shape)
    except ValueError as error:  # what Keras raises where nothing is left of the image on its way through the layers
        size, reason = f"{shape[0]}x{shape[1]}", " ".join(str(error).split())[:200]
        raise InputError(
            f"{name} cannot take images of {size}", got=reason, cure="give another --input-size HxW"
        ) from error
    for op in graph:
        if not all(np.isfinite(weight).all() for weight in op.weights):
            raise ModelError(
                f"layer {op.name!r} of {name} has weights that are no numbers",
                expected="finite weights",
                got="NaN or infinity",
                cure="train it again, with a smaller learning rate",
            )
    close_with_activation(graph)
    return graph


def _stored(plain: dict[str, Any], shape: tuple[int, int, int], preprocess: str | None) -> Preprocessing:
    """The preprocessing that the trainer stored with the model."""
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


def _stored_labels(metadata: dict[str, Any] | None, name: str) -> tuple[str, ...] | None:
    labels = (metadata or {}).get("labels")
    if not labels:
        return None
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise ModelError(
            f"the labels stored with {name} are damaged", expected="a list of names", got=repr(labels)[:60]
        )
    return tuple(labels)


def _convention(graph: Graph, preprocess: str | None) -> str:
    """The named convention; a normalisation inside the model means that it takes raw pixels."""
    first = graph.sole_consumer(graph.input.name)
    # A batch norm in front is no such layer: it takes whatever the training gave it.
    is_inside = first is not None and bool(first.config.get("is_normalization"))
    if preprocess is None and not is_inside:
        raise InputError(
            "how the model's training prepared pixels is not known", expected="a convention", cure=f"give {_CHOICES}"
        )
    if preprocess not in (None, "raw", "caffe") and is_inside and first is not None:
        raise InputError(
            f"pixels would be normalised twice: the model does it itself in layer {first.name!r}",
            expected="--preprocess raw, or none",
            got=str(preprocess),
        )
    return preprocess or "raw"


def _scores(graph: Graph) -> Scores:
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
