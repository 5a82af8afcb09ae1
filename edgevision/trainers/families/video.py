"""Networks for windows of frames: float32 (batch, frames, height, width, channels) in, class scores out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from edgevision.runtime.errors import InputError
from edgevision.runtime.heads.classes import SequenceHead, Steps
from edgevision.runtime.manifest import Scores
from edgevision.trainers.engine import import_keras
from edgevision.trainers.families.family import Built, Family
from edgevision.trainers.families.units import SLOW, normalized, rectified

Shape = tuple[int, ...]

#: Recurrent layers of more steps are no longer written out step by step when they are converted.
_MOST_FRAMES = 64
_LEAST_SIDE = 16


def cnn_3d(shape: Shape, labels: tuple[str, ...], options: Mapping[str, Any]) -> Built:
    """Convolutions over rows, columns and frames (Tran et al. 2015), the first over each frame alone."""
    keras, inputs, width = _begun(shape, options)
    layers, x = keras.layers, inputs
    for filters, kernel, strides, pool in (
        (width, (1, 5, 5), (1, 2, 2), (1, 2, 2)),
        (2 * width, (3, 3, 3), (1, 1, 1), (1, 2, 2)),
        (4 * width, (3, 3, 3), (1, 1, 1), (1, 1, 1)),
    ):
        x = layers.Conv3D(filters, kernel, strides, padding="same", use_bias=False)(x)
        x = rectified(x, momentum=SLOW)
        x = layers.MaxPooling3D(pool)(x) if max(pool) > 1 else x
    x = layers.Dropout(options["dropout"])(layers.GlobalAveragePooling3D()(x))
    return _ended(keras, inputs, layers.Dense(len(labels), name="logits")(x), "cnn_3d")


def cnn_lstm(shape: Shape, labels: tuple[str, ...], options: Mapping[str, Any]) -> Built:
    """A small convolutional network over each frame, an LSTM over what it found (Donahue et al. 2015)."""
    keras, inputs, width = _begun(shape, options)
    layers = keras.layers
    x = _each_frame(keras, inputs, width)
    x = layers.LSTM(4 * width)(x)
    x = layers.Dropout(options["dropout"])(x)
    return _ended(keras, inputs, layers.Dense(len(labels), name="logits")(x), "cnn_lstm")


def frame_transformer(shape: Shape, labels: tuple[str, ...], options: Mapping[str, Any]) -> Built:
    """A small convolutional network over each frame, then blocks of attention between frames (Arnab et al. 2021).

    The order comes in through convolutions over the frames (conditional position encodings, Chu et al. 2021), and the
    blocks end in batch normalisation: both fold into 8-bit kernels, where a layer normalisation would stay in float.
    """
    keras, inputs, width = _begun(shape, options)
    layers, size = keras.layers, 4 * width
    x = _each_frame(keras, inputs, width)
    for _ in range(options["blocks"]):
        x = _added(x, layers.Conv1D(size, 3, padding="same")(x))
        x = _added(x, layers.MultiHeadAttention(4, size // 4)(x, x))
        x = _added(x, layers.Dense(size)(layers.Dense(2 * size, activation="relu")(x)))
    x = layers.Dropout(options["dropout"])(layers.GlobalAveragePooling1D()(x))
    return _ended(keras, inputs, layers.Dense(len(labels), name="logits")(x), "frame_transformer")


def lstm_frames(shape: Shape, labels: tuple[str, ...], options: Mapping[str, Any]) -> Built:
    """Three LSTM layers over the bare pixels of each frame: a network of tutorials, kept to be compared with."""
    keras, inputs, _ = _begun(shape, options)
    layers, units = keras.layers, options["units"]
    x = layers.Reshape((shape[0], shape[1] * shape[2] * shape[3]))(inputs)
    for number in range(3):
        x = layers.LSTM(units, return_sequences=number < 2)(x)
    scores = layers.Dense(len(labels), activation="softmax", name="probabilities")(x)
    return _ended(keras, inputs, scores, "lstm_frames", "probabilities")


def attention(shape: Shape, labels: tuple[str, ...], options: Mapping[str, Any]) -> Built:
    """Dot-product attention between the bare pixels of frames, an answer at each: a network of tutorials likewise."""
    keras, inputs, _ = _begun(shape, options)
    layers, units = keras.layers, options["units"]
    x = layers.Reshape((shape[0], shape[1] * shape[2] * shape[3]))(inputs)
    x = layers.Dense(4 * units, activation="relu")(x)
    query, key, value = (layers.Dense(units)(x) for _ in range(3))
    x = layers.Attention(use_scale=True)([query, value, key])
    scores = layers.Dense(len(labels), activation="softmax", name="probabilities")(x)
    return _ended(keras, inputs, scores, "attention", "probabilities", "mean")


def _begun(shape: Shape, options: Mapping[str, Any]) -> tuple[Any, Any, int]:
    """Keras, the input and the width of the first layer."""
    frames, height, width, _ = shape
    if frames > _MOST_FRAMES:
        raise InputError("the windows are too long", expected=f"at most {_MOST_FRAMES} frames", got=str(frames))
    if min(height, width) < _LEAST_SIDE:
        least, cure = f"at least {_LEAST_SIDE}x{_LEAST_SIDE}", "choose a larger --input-size"
        raise InputError("the frames are too small", expected=least, got=f"{height}x{width}", cure=cure)
    keras = import_keras()
    return keras, keras.Input(shape, name="frames"), options.get("width", 0)


def _each_frame(keras: Any, inputs: Any, width: int) -> Any:
    """(batch, frames, 4 * width): the same network on every frame; its last map is small and is not averaged."""
    layers = keras.layers
    parts: list[Any] = [keras.Input(inputs.shape[2:])]
    for filters in (width, 2 * width, 2 * width):
        kernel = 5 if filters == width else 3
        parts.append(layers.Conv2D(filters, kernel, 2, "same", activation="relu", kernel_initializer="he_uniform"))
    parts += [layers.Flatten(), layers.Dense(4 * width, activation="relu", kernel_initializer="he_uniform")]
    return layers.TimeDistributed(keras.Sequential(parts, name="frame"), name="each_frame")(inputs)


def _added(x: Any, y: Any) -> Any:
    return normalized(import_keras().layers.Add()([x, y]), momentum=SLOW)


def _ended(keras: Any, inputs: Any, outputs: Any, name: str, scores: Scores = "logits", steps: Steps = "last") -> Built:
    return Built(keras.Model(inputs, outputs, name=name), SequenceHead(steps=steps), scores)


def _family(
    name: str, summary: str, build: Callable[..., Built], options: Mapping[str, Any], **defaults: Any
) -> Family:
    wanted = {"input_size": (48, 64), "batch_size": 16, "epochs": 20, "augment": ("shift=0.05",), **defaults}
    windows = {"frames": 8, "stride": 2}
    return Family(name, "sequence", summary, build, wanted, {**windows, **options}, channels=3)


FAMILIES = (
    _family("cnn-3d", "What moves, in short windows", cnn_3d, {"width": 16, "dropout": 0.2}),
    _family("cnn-lstm", "What happens in which order, in longer windows", cnn_lstm, {"width": 16, "dropout": 0.2}),
    _family(
        "frame-transformer",
        "What happens in which order, frames compared with each other",
        frame_transformer,
        {"width": 16, "blocks": 2, "dropout": 0.2},
    ),
    _family("lstm-frames", "Tutorials' LSTM over bare pixels", lstm_frames, {"units": 128}, gradient_clip=1.0),
    _family("attention", "Tutorials' attention over bare pixels", attention, {"units": 64}),
)
