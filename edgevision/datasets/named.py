"""Data sets known by name: scikit-learn's handwritten digits, what Keras downloads, what TensorFlow Datasets has."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable

import numpy as np

from edgevision.datasets.arrays import Found, assemble
from edgevision.datasets.splits import stratified
from edgevision.datasets.tfds import read_tfds
from edgevision.runtime.errors import DatasetError, MissingPackageError

_CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_FASHION = "T-shirt/top,Trouser,Pullover,Dress,Coat,Sandal,Shirt,Sneaker,Bag,Ankle boot"
_CIFAR100 = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle
caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant flatfish
forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle
mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine
possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar
sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle wardrobe whale
willow_tree wolf woman worm
"""
#: Data sets of images that Keras downloads, with their class names.
KERAS: dict[str, tuple[str, ...]] = {
    "mnist": tuple("0123456789"),
    "fashion_mnist": tuple(_FASHION.split(",")),
    "cifar10": _CIFAR10,
    "cifar100": tuple(_CIFAR100.split()),
}


def digits() -> Found:
    """1,797 handwritten digits that come inside scikit-learn: grey, uint8 (8, 8), train and test.

    Values 0..16 are stretched to 0..255. The split is always the same: 80 % train, 20 % test of each digit.

    Raises:
        MissingPackageError: scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise MissingPackageError("scikit-learn", "for the digits data", "all") from error
    images, labels = load_digits(return_X_y=True)
    pixels = np.rint(images.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    train, test = stratified(labels, 0.2, seed=0)
    splits = {"train": (pixels[train], labels[train]), "test": (pixels[test], labels[test])}
    return assemble("digits", splits, KERAS["mnist"])


def keras_images(name: str) -> Found:
    """A data set of ``KERAS``, train and test, downloaded when not there yet.

    Raises:
        MissingPackageError: Keras is not installed.
        DatasetError: Keras has no such images, or the download failed.
    """
    if name not in KERAS:
        raise DatasetError("Keras has no such data set of images", expected=" or ".join(KERAS), got=repr(name))
    try:
        sources = importlib.import_module("keras.datasets")
    except ImportError as error:
        raise MissingPackageError("keras", f"to download {name}", "train") from error
    try:
        (train, train_labels), (test, test_labels) = getattr(sources, name).load_data()
    except Exception as error:  # Keras raises a bare Exception when the download fails
        cure = "check the network, or copy ~/.keras/datasets from a machine that has it"
        raise DatasetError(f"{name} could not be downloaded", got=str(error), cure=cure) from error
    return assemble(name, {"train": (train, train_labels), "test": (test, test_labels)}, KERAS[name])


#: Names without a prefix.
NAMED: dict[str, Callable[[], Found]] = {"digits": digits, "cifar10": functools.partial(keras_images, "cifar10")}


def named_reader(data: str) -> Callable[[], Found] | None:
    """What reads the data set of that name: one of ``NAMED``, "keras:NAME" or "tfds:NAME"; None: it is no name."""
    prefix, colon, name = data.partition(":")
    if colon and prefix in ("keras", "tfds"):
        return functools.partial(keras_images if prefix == "keras" else read_tfds, name)
    return NAMED.get(data)
