"""The plain networks that people bring, each with data to calibrate it: what check_reference_networks.py converts."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.trainers.families import named_family

Arrays = dict[str, NDArray[Any]]
#: (height, width, count): photos as uint8 (count, height, width, 3)
Photos = Callable[[int, int, int], NDArray[np.uint8]]


@dataclass(frozen=True)
class Case:
    """One network.

    Attributes:
        make: Builds it.
        arrays: Its inputs by name, from photos and a count of samples; None: it takes images of its input size.
        preprocess: Convention of its pixels, where it takes images and does not normalise itself.
        classes: How many, where it is an image classifier.
        size: (height, width) of its images.
        samples: How many calibrate and judge it, where it takes arrays.
        kind: "keras", "keras2-h5" or "keras2-saved-model": the file that it is converted from.
        memory_limit: GiB that its conversion may take, where the usual limit is not enough.
    """

    make: Callable[[], Any]
    arrays: Callable[[Photos, int], Arrays] | None = None
    preprocess: str | None = "unit"
    classes: int | None = 10
    size: tuple[int, int] = (32, 32)
    samples: int = 60
    kind: str = "keras"
    memory_limit: float | None = None


def _frames(photos: Photos, count: int, steps: int, size: int) -> NDArray[np.float32]:
    """Clips of a crop that wanders over a photo, float32 (count, steps, size, size, 3), 0..1."""
    large = photos(size + steps, size + steps, count)
    clips = [[photo[t : t + size, t : t + size] for t in range(steps)] for photo in large]
    return np.asarray(clips, np.float32) / 255


def cnn_224() -> Any:
    from keras import Input, Sequential, layers

    parts: list[Any] = [Input((224, 224, 3), name="image")]
    for filters in (32, 64, 128):
        parts += [layers.Conv2D(filters, 3, activation="relu"), layers.MaxPooling2D()]
    return Sequential([*parts, layers.Flatten(), layers.Dense(512, activation="relu"), layers.Dense(10, "softmax")])


def lstm_frames() -> Any:
    from keras import Input, Sequential, layers

    recurrent = [layers.LSTM(128, return_sequences=True), layers.LSTM(128, return_sequences=True), layers.LSTM(128)]
    return Sequential([Input((8, 224 * 224 * 3), name="frames"), *recurrent, layers.Dense(10, activation="softmax")])


def cnn_lstm_frames() -> Any:
    from keras import Input, Sequential, layers

    frame = [layers.Conv2D(16, 3, strides=2, activation="relu"), layers.Conv2D(32, 3, strides=2, activation="relu")]
    parts = [layers.TimeDistributed(layer) for layer in (*frame, layers.GlobalAveragePooling2D())]
    return Sequential([Input((8, 64, 64, 3), name="frames"), *parts, layers.LSTM(64), layers.Dense(10, "softmax")])


def attention() -> Any:
    from keras import Input, Model, layers

    frames = Input((None, 224 * 224 * 3), name="frames")
    hidden = layers.Dense(256, activation="relu")(frames)
    query, key, value = (layers.Dense(64)(hidden) for _ in range(3))
    attended = layers.Attention(use_scale=True)([query, value, key])
    return Model(frames, layers.Dense(10, activation="softmax")(attended))


def attention_classifier() -> Any:
    from keras import Input, Model, layers

    image = Input((64, 64, 3), name="image")
    x = layers.Conv2D(32, 8, strides=8, activation="relu")(image)
    x = layers.Reshape((64, 32))(x)
    query, key, value = (layers.Dense(32)(x) for _ in range(3))
    x = layers.Add()([x, layers.Attention(use_scale=True)([query, value, key])])
    return Model(image, layers.Dense(10)(layers.GlobalAveragePooling1D()(x)))


def encoder(x: Any, heads: int = 2, width: int = 32) -> Any:
    from keras import layers

    y = layers.LayerNormalization()(x)
    x = layers.Add()([x, layers.MultiHeadAttention(heads, width // heads)(y, y)])
    y = layers.Dense(2 * width, activation="gelu")(layers.LayerNormalization()(x))
    return layers.Add()([x, layers.Dense(width)(y)])


def vision_transformer() -> Any:
    from keras import Input, Model, layers

    image = Input((64, 64, 3), name="image")
    x = layers.Reshape((64, 32))(layers.Conv2D(32, 8, strides=8)(image))
    for _ in range(2):
        x = encoder(x)
    return Model(image, layers.Dense(10)(layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x))))


def sequence() -> Any:
    from keras import Input, Sequential, layers

    parts = [layers.Embedding(10_000, 50), layers.LSTM(64, return_sequences=True), layers.Dropout(0.2), layers.LSTM(64)]
    return Sequential([Input((None,), dtype="int32", name="tokens"), *parts, layers.Dense(100, activation="softmax")])


def sequence_encoder() -> Any:
    from keras import Input, Model, layers

    tokens = Input((24,), dtype="int32", name="tokens")
    x = encoder(layers.Embedding(10_000, 32)(tokens))
    return Model(tokens, layers.Dense(100, activation="softmax")(layers.GlobalAveragePooling1D()(x)))


def dcgan_generator() -> Any:
    from keras import Input, Sequential, layers

    parts: list[Any] = [layers.Dense(8 * 8 * 256, use_bias=False), layers.BatchNormalization(), layers.LeakyReLU()]
    parts += [layers.Reshape((8, 8, 256))]
    for filters in (128, 64):
        parts += [layers.Conv2DTranspose(filters, 4, strides=2, padding="same", use_bias=False)]
        parts += [layers.BatchNormalization(), layers.LeakyReLU()]
    last = layers.Conv2DTranspose(3, 4, strides=1, padding="same", activation="tanh")
    return Sequential([Input((100,), name="latent"), *parts, last])


def discriminator() -> Any:
    from keras import Input, Sequential, layers

    dense = [layers.Dense(units, activation="leaky_relu") for units in (1024, 512, 256, 128, 64)]
    return Sequential([Input((32, 32, 3), name="image"), layers.Flatten(), *dense, layers.Dense(1, "sigmoid")])


def conv_discriminator() -> Any:
    from keras import Input, Sequential, layers

    parts: list[Any] = [Input((32, 32, 3), name="image")]
    for filters in (64, 128):
        parts += [layers.Conv2D(filters, 4, strides=2, padding="same"), layers.LeakyReLU(), layers.Dropout(0.3)]
    return Sequential([*parts, layers.Flatten(), layers.Dense(1, activation="sigmoid")])


def unet() -> Any:
    from keras import Input, Model, layers

    def block(x: Any, filters: int) -> Any:
        for _ in range(2):
            x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(filters, 3, padding="same")(x)))
        return x

    x = image = Input((96, 128, 3), name="image")
    skips = []
    for filters in (16, 32):
        x = block(x, filters)
        skips.append(x)
        x = layers.MaxPooling2D()(x)
    x = block(x, 64)
    for filters, skip in zip((32, 16), reversed(skips)):
        x = layers.Concatenate()([layers.Conv2DTranspose(filters, 2, strides=2)(x), skip])
        x = block(x, filters)
    return Model(image, layers.Conv2D(12, 1)(x))


def fcn() -> Any:
    from keras import Input, Model, layers

    x = image = Input((96, 128, 3), name="image")
    for filters in (16, 32, 64):
        x = layers.MaxPooling2D()(layers.Conv2D(filters, 3, padding="same", activation="relu")(x))
    x = layers.UpSampling2D(8, interpolation="bilinear")(layers.Conv2D(12, 1)(x))
    return Model(image, layers.Softmax()(x))


def multi_input() -> Any:
    from keras import Input, Model, layers

    image, facts = Input((48, 48, 3), name="image"), Input((6,), name="facts")
    x = layers.Conv2D(16, 3, strides=2, activation="relu")(layers.Rescaling(1 / 255)(image))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(32, 3, strides=2, activation="relu")(x))
    x = layers.Concatenate()([x, layers.Dense(16, activation="relu")(facts)])
    return Model([image, facts], layers.Dense(10, activation="softmax")(x))


def two_outputs() -> Any:
    from keras import Input, Model, layers

    image = Input((64, 64, 3), name="image")
    x = layers.Conv2D(32, 3, strides=2, activation="relu")(layers.Conv2D(16, 3, strides=2, activation="relu")(image))
    boxes = layers.Reshape((-1, 4), name="boxes")(layers.Conv2D(8, 3, padding="same")(x))
    scores = layers.Reshape((-1, 3), name="scores")(layers.Conv2D(6, 3, padding="same", activation="sigmoid")(x))
    return Model(image, [boxes, scores])


def nested() -> Any:
    import keras
    from keras import Input, Model, layers

    base = keras.applications.MobileNetV2((96, 96, 3), include_top=False, weights=None, alpha=0.35)
    image = Input((96, 96, 3), name="image")
    x = layers.GlobalAveragePooling2D()(base(layers.Rescaling(1 / 127.5, -1)(image)))
    return Model(image, layers.Dense(10)(layers.Dropout(0.2)(x)))


def conv3d() -> Any:
    from keras import Input, Sequential, layers

    parts = [layers.Conv3D(16, 3, activation="relu"), layers.MaxPooling3D(), layers.GlobalAveragePooling3D()]
    return Sequential([Input((8, 32, 32, 3), name="frames"), *parts, layers.Dense(10, activation="softmax")])


def _tokens(length: int) -> Callable[[Photos, int], Arrays]:
    return lambda photos, count: {
        "tokens": np.random.default_rng(0).zipf(1.3, (count, length)).clip(max=9_999).astype(np.int32)
    }


def _flat(photos: Photos, count: int) -> Arrays:
    return {"frames": _frames(photos, count, 8, 224).reshape(count, 8, -1)}


def _clips(size: int) -> Callable[[Photos, int], Arrays]:
    return lambda photos, count: {"frames": _frames(photos, count, 8, size)}


def _latent(photos: Photos, count: int) -> Arrays:
    return {"latent": np.random.default_rng(0).normal(size=(count, 100)).astype(np.float32)}


def _facts(photos: Photos, count: int) -> Arrays:
    facts = np.random.default_rng(0).normal(size=(count, 6)).astype(np.float32)
    return {"image": photos(48, 48, count).astype(np.float32), "facts": facts}


def trainers(name: str) -> Callable[[], Any]:
    """A network of the trainers, by its name."""

    def make() -> Any:
        family = named_family(name)
        shape = (*family.defaults["input_size"], family.channels)
        return family.build(shape, tuple("0123456789"), family.options).model

    return make


def keras2_mobilenet() -> Any:
    """Depthwise convolutions as Keras 2 wrote them."""
    import tf_keras

    return tf_keras.applications.MobileNet((96, 96, 3), alpha=0.25, weights=None, classes=10)


def save(case: Case, folder: Path) -> Path:
    """The network in a file of its kind; the same weights each time."""
    import keras

    keras.utils.set_random_seed(0)
    path = folder / {"keras": "model.keras", "keras2-h5": "model.h5", "keras2-saved-model": "model"}[case.kind]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the older formats
        case.make().save(str(path))
    return path


CASES: dict[str, Case] = {
    "cnn-cifar": Case(trainers("cnn-cifar")),
    "cnn-cifar-wide": Case(trainers("cnn-cifar-wide")),
    "cnn-folder": Case(trainers("cnn-folder")),
    "cnn-mnist": Case(trainers("cnn-mnist"), size=(28, 28)),
    "cnn-224": Case(cnn_224, size=(224, 224)),
    "lstm-frames": Case(lstm_frames, _flat, preprocess=None, samples=30),
    "cnn-lstm-frames": Case(cnn_lstm_frames, _clips(64), preprocess=None),
    "conv3d-frames": Case(conv3d, _clips(32), preprocess=None),
    "attention": Case(attention, _flat, preprocess=None, samples=30),
    "attention-classifier": Case(attention_classifier, size=(64, 64)),
    "vision-transformer": Case(vision_transformer, size=(64, 64)),
    "sequence": Case(sequence, _tokens(24), preprocess=None),
    "sequence-encoder": Case(sequence_encoder, _tokens(24), preprocess=None),
    "dcgan-generator": Case(dcgan_generator, _latent, preprocess=None),
    "dcgan-discriminator": Case(discriminator, preprocess="tf", classes=2),
    "dcgan-discriminator-conv": Case(conv_discriminator, preprocess="tf", classes=2),
    "unet": Case(unet, classes=None, size=(96, 128)),
    "fcn-bilinear": Case(fcn, classes=None, size=(96, 128)),
    "multi-input": Case(multi_input, _facts, preprocess=None),
    "two-outputs": Case(two_outputs, classes=None, size=(64, 64)),
    "nested": Case(nested, preprocess=None, size=(96, 96)),
    "keras2-h5-depthwise": Case(keras2_mobilenet, preprocess="tf", size=(96, 96), kind="keras2-h5"),
    "keras2-saved-model": Case(keras2_mobilenet, preprocess="tf", size=(96, 96), kind="keras2-saved-model"),
}
