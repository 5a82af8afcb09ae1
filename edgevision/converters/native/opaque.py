"""Models whose layers cannot be seen: subclassed ones, and SavedModels that are nothing but a TensorFlow graph."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgevision.converters.calibration import CalibrationSet
from edgevision.converters.files.saved_model import SavedGraph
from edgevision.converters.formats.exported import INPUT, OUTPUT
from edgevision.converters.native.scores import EXAMPLES, scores_of
from edgevision.converters.native.source import Network, network_of
from edgevision.converters.quantize.graph import Graph, Op
from edgevision.converters.quantize.observe import Batch
from edgevision.converters.source import CHOICES, SourceModel, stored_labels, stored_preprocessing
from edgevision.converters.source_ends import image_shape
from edgevision.runtime.errors import InputError, ModelError
from edgevision.runtime.manifest import Scores
from edgevision.runtime.preprocess import normalize
from edgevision.runtime.spec import Preprocessing, named_preprocessing

_REBUILD = "write it with keras.Model(inputs, outputs): then its layers can be seen"
#: How ``scores_from`` says that the caller said it.
AS_GIVEN = "what was given"


@dataclass(frozen=True)
class OpaqueModel(SourceModel):
    """An image classifier whose layers cannot be seen. Its ``graph`` holds one operation: all of the model.

    Attributes:
        network: How to call it.
        reason: Why its layers cannot be seen.
        scores_from: How it became known what its outputs are.
    """

    network: Network
    reason: str
    scores_from: str

    def answer(self, batch: Batch) -> Batch:
        """What the model itself makes of {"image": uint8 (n, H, W, C)}: {"output": float32 (n, classes)}."""
        assert self.preprocessing is not None, "it takes an image"
        return {OUTPUT: _call(self.network, normalize(batch[INPUT], self.preprocessing))}


def is_opaque(model: Any) -> bool:
    """Whether a model that was read, or was handed over, has no layers that could be traced."""
    import keras

    if isinstance(model, SavedGraph):
        return True
    is_plain = isinstance(model, keras.Sequential) or bool(getattr(model, "inputs", None))
    return isinstance(model, keras.Model) and not is_plain


def open_opaque(
    model: Any,
    name: str,
    sha256: str,
    metadata: dict[str, Any] | None,
    preprocess: str | None,
    input_size: tuple[int, int] | None,
    geometry: dict[str, Any],
    calibration: str | Path | None,
    scores: Scores | None,
) -> OpaqueModel:
    """Settle input, preprocessing and scores of a model for which ``is_opaque`` holds.

    Args:
        model: A built keras.Model, or a SavedGraph.
        name: What to call it.
        sha256: Hex digest of its file.
        metadata: What a trainer stored with it.
        preprocess: Name of the convention it was trained with.
        input_size: (height, width), pixels.
        geometry: resize, interpolation and antialias, where the model does not carry them.
        calibration: Images that show what its outputs are, unless ``scores`` says so.
        scores: What its outputs are.

    Raises:
        ModelError: It is no classifier of one image.
        InputError: Preprocessing, size or scores are not known, or contradict the model.
        DatasetError: There are no images.
    """
    network = network_of(model, name)
    size = _image_of(network, name, input_size)
    prepared = _preprocessing(name, metadata, preprocess, size, geometry)
    classes = _classes(network, name, prepared)
    reason = model.reason if isinstance(model, SavedGraph) else "subclassed model: its layers cannot be seen"
    ops = {
        INPUT: Op(INPUT, "Input", [], size, dtype="uint8"),
        OUTPUT: Op(OUTPUT, "Opaque", [INPUT], (classes,)),
    }
    graph, labels, source = Graph(ops, {OUTPUT: OUTPUT}), stored_labels(metadata, name), AS_GIVEN
    if scores is None:
        scores, source = _told(network, name, prepared, calibration)
    elif classes == 1 and scores not in ("sigmoid", "sigmoid_logits"):
        raise InputError(f"{name} has one output", expected="sigmoid or sigmoid_logits", got=scores)
    return OpaqueModel(model, graph, name, sha256, labels, prepared, scores, None, None, network, reason, source)


def _image_of(network: Network, name: str, input_size: tuple[int, int] | None) -> tuple[int, int, int]:
    shape = network.shape
    if shape is None:
        cure = (
            "call it once with images before converting it, or export it with a signature that says its input's shape"
        )
        raise ModelError(f"{name} does not say what it takes", expected="an input (batch, H, W, C)", cure=cure)
    if len(shape) != 4 or shape[3] not in (1, 3) or network.dtype != "float32":
        raise _no_classifier(name, f"an input {network.dtype} {shape}")
    if shape[0] not in (None, 1):
        cure = "export it again with an open batch: model.export(...)"
        raise ModelError(f"{name} takes {shape[0]} images at once", expected="one, or any number", cure=cure)
    return image_shape(shape, name, input_size)


def _no_classifier(name: str, got: str) -> ModelError:
    return ModelError(
        f"{name} has no visible layers and is no classifier of one image",
        expected="float32 (batch, H, W, 1 or 3) in and one output (batch, classes)",
        got=got,
        cure=_REBUILD,
    )


def _preprocessing(
    name: str,
    metadata: dict[str, Any] | None,
    preprocess: str | None,
    size: tuple[int, int, int],
    geometry: dict[str, Any],
) -> Preprocessing:
    if metadata and "preprocessing" in metadata:
        return stored_preprocessing(metadata["preprocessing"], size, preprocess)
    if preprocess is None:
        raise InputError(
            f"how pixels were prepared in training cannot be read from {name}, whose layers cannot be seen",
            expected="a convention",
            cure=f"give {CHOICES}",
        )
    return named_preprocessing(preprocess, *size, **geometry)


def _classes(network: Network, name: str, preprocessing: Preprocessing) -> int:
    """How many values the output has, by trying."""
    size = (preprocessing.height, preprocessing.width, preprocessing.channels)
    black = normalize(np.zeros((1, *size), np.uint8), preprocessing)
    try:
        found = network.call(black)
    except Exception as error:  # its layers and TensorFlow's kernels raise whatever they like
        got = " ".join(str(error).split())[:200]
        what = "x".join(map(str, size[:2]))
        raise InputError(
            f"{name} cannot take images of {what}", got=got, cure="give another --input-size HxW"
        ) from error
    shapes = [tuple(getattr(item, "shape", ())) for item in found]
    if len(shapes) != 1 or len(shapes[0]) != 2 or shapes[0][0] != 1:
        raise _no_classifier(name, f"{len(shapes)} outputs {', '.join(map(str, shapes))}")
    if not np.isfinite(np.asarray(found[0])).all():
        cure = "train it again, with a smaller learning rate"
        raise ModelError(
            f"{name} answers what is no number", expected="finite values", got="NaN or infinity", cure=cure
        )
    return int(shapes[0][1])


def _told(network: Network, name: str, preprocessing: Preprocessing, data: str | Path | None) -> tuple[Scores, str]:
    if data is None:
        raise InputError(f"what the outputs of {name} are is not known", expected="calibration images or scores")
    pixels = CalibrationSet(data, preprocessing).ranges.head(EXAMPLES)[INPUT]
    answers = _call(network, normalize(pixels, preprocessing))
    return scores_of(answers), f"its answers to {len(pixels)} calibration images"


def _call(network: Network, values: Any) -> Any:
    """Outputs float32 (n, classes) for float32 (n, H, W, C), one by one where the model takes one at a time."""
    is_single = network.shape is not None and network.shape[0] == 1
    rows = [values[i : i + 1] for i in range(len(values))] if is_single else [values]
    return np.concatenate([np.asarray(network.call(row)[0], np.float32) for row in rows])
