"""Plain networks by name: the ones that tutorials of image recognition use."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from edgevision.runtime.errors import InputError
from edgevision.runtime.manifest import Scores
from edgevision.trainers.engine import import_keras
from edgevision.trainers.families.family import Built, Family

#: More parameters than this are refused: with Adam's two moments and the gradients they would take 1.6 GB.
MAX_PARAMETERS = 100_000_000


@dataclass(frozen=True)
class Network:
    """Convolutions 3x3, stride 1, ReLU, some followed by 2x2 max pooling; one hidden dense layer; the classes.

    Attributes:
        name: Name on the command line.
        summary: What it is good for.
        height: Rows of its usual input, pixels.
        width: Columns of its usual input, pixels.
        channels: 3 for colour (RGB), 1 for grey.
        filters: Filters of each convolution.
        pools: How many of the convolutions, from the first, are followed by pooling.
        dense: Units of the hidden dense layer.
        scores: What it ends in: "logits" or "probabilities" (softmax).
        padding: Of the convolutions.
        batch_norm: Whether each convolution is followed by batch normalisation.
        batch_size: Images a training step, unless said otherwise.
        learning_rate: Adam's at the start, unless said otherwise.
        epochs: Passes over the images, unless said otherwise.
        augment: Augmentation in training of colour images, unless said otherwise.
    """

    name: str
    summary: str
    height: int
    width: int
    channels: int
    filters: tuple[int, ...]
    pools: int
    dense: int
    scores: Scores
    padding: Literal["valid", "same"] = "valid"
    batch_norm: bool = False
    batch_size: int = 32
    learning_rate: float = 1e-3
    epochs: int = 10
    augment: tuple[str, ...] = ("flip", "shift=0.03")

    def features(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns that reach the dense layers.

        Raises:
            InputError: The input is too small for the convolutions.
        """
        edge = 2 if self.padding == "valid" else 0
        rows, columns = height, width
        for index in range(len(self.filters)):
            step = 2 if index < self.pools else 1
            rows, columns = (rows - edge) // step, (columns - edge) // step
            if rows < 1 or columns < 1:
                least = self.smallest()
                raise InputError(
                    f"the input is too small for {self.name}",
                    expected=f"at least {least}x{least}",
                    got=f"{height}x{width}",
                    cure="choose a larger --input-size",
                )
        return rows, columns

    def smallest(self) -> int:
        """The smallest input, pixels a side."""
        size, edge = 1, 2 if self.padding == "valid" else 0
        for index in reversed(range(len(self.filters))):
            size = size * (2 if index < self.pools else 1) + edge
        return size

    def parameters(self, height: int, width: int, classes: int) -> int:
        """Parameters of the network for this input and number of classes.

        Raises:
            InputError: The input is too small.
        """
        rows, columns = self.features(height, width)
        inputs = (self.channels, *self.filters[:-1])
        convolutions = sum((9 * before + 1) * after for before, after in zip(inputs, self.filters))
        normalised = 4 * sum(self.filters) if self.batch_norm else 0
        flat = rows * columns * self.filters[-1]
        return convolutions + normalised + (flat + 1) * self.dense + (self.dense + 1) * classes


NETWORKS: dict[str, Network] = {
    network.name: network
    for network in (
        Network(
            "cnn-cifar",
            "The first network of tutorials: small colour images",
            32,
            32,
            3,
            (32, 64, 64),
            2,
            64,
            "logits",
            batch_size=64,
            learning_rate=2e-3,
            epochs=20,
            augment=("flip", "shift=0.1"),
        ),
        Network(
            "cnn-cifar-wide",
            "Wider and normalised: small colour images",
            32,
            32,
            3,
            (32, 64, 128, 128),
            4,
            1024,
            "logits",
            "same",
            batch_norm=True,
        ),
        Network(
            "cnn-224",
            "Large colour images, nearly all parameters in one dense layer: to compare with, not to deploy",
            224,
            224,
            3,
            (32, 64, 128),
            3,
            512,
            "probabilities",
        ),
        Network(
            "cnn-folder",
            "Image folders, turned and moved in training",
            32,
            32,
            3,
            (32, 64, 128),
            3,
            128,
            "probabilities",
            augment=("rotate", "shift", "flip"),
        ),
        Network(
            "cnn-mnist",
            "Handwritten digits and other small grey images",
            28,
            28,
            1,
            (32, 64, 64),
            2,
            64,
            "probabilities",
            learning_rate=2e-3,
            augment=(),
        ),
    )
}


def build(shape: tuple[int, ...], labels: tuple[str, ...], options: Mapping[str, Any], *, network: Network) -> Built:
    """The untrained network: float32 (batch, height, width, channels) in, (batch, classes) scores out.

    Raises:
        InputError: The input does not suit the network.
        MissingPackageError: Keras is not installed.
    """
    height, width, channels = shape
    check_size(network, height, width, len(labels))
    keras = import_keras()
    layers = keras.layers
    inputs = tensor = keras.Input((height, width, channels), name="image")
    # He's initial weights keep the signal's size through ReLU: 1 to 3 points more on CIFAR-10 than Keras' default.
    hidden = {"activation": "relu", "kernel_initializer": "he_uniform"}
    for index, filters in enumerate(network.filters):
        tensor = layers.Conv2D(filters, 3, padding=network.padding, **hidden)(tensor)
        if network.batch_norm:
            tensor = layers.BatchNormalization()(tensor)
        if index < network.pools:
            tensor = layers.MaxPooling2D()(tensor)
    tensor = layers.Dense(network.dense, **hidden)(layers.Flatten()(tensor))
    ending = None if network.scores == "logits" else "softmax"
    outputs = layers.Dense(len(labels), activation=ending, name=network.scores)(tensor)
    return Built(keras.Model(inputs, outputs, name=network.name.replace("-", "_")), scores=network.scores)


def check_size(network: Network, height: int, width: int, classes: int) -> None:
    """Whether the network fits that input.

    Raises:
        InputError: The input is too small, or so large that the network has too many parameters.
    """
    count = network.parameters(height, width, classes)
    if count > MAX_PARAMETERS:
        raise InputError(
            f"{network.name} is too large for a {height}x{width} input",
            expected=f"at most {MAX_PARAMETERS:,} parameters",
            got=f"{count:,}",
            cure="choose a smaller --input-size",
        )


def _family(network: Network) -> Family:
    defaults = {
        "input_size": (network.height, network.width),
        "batch_size": network.batch_size,
        "learning_rate": network.learning_rate,
        "epochs": network.epochs,
        "augment": network.augment,
    }
    build_it = functools.partial(build, network=network)
    return Family(network.name, "classification", network.summary, build_it, defaults, channels=network.channels)


FAMILIES = tuple(_family(network) for network in NETWORKS.values())
