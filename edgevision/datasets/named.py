"""Data sets known by name: scikit-learn's handwritten digits, and CIFAR-10 by Keras' download."""

from __future__ import annotations

import numpy as np

from edgevision.datasets.arrays import Parts, assemble
from edgevision.datasets.splits import stratified
from edgevision.runtime.errors import DatasetError, MissingPackageError

_CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def digits() -> tuple[tuple[str, ...], bool, Parts]:
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
    names = tuple(str(digit) for digit in range(10))
    return assemble("digits", {"train": (pixels[train], labels[train]), "test": (pixels[test], labels[test])}, names)


def cifar10() -> tuple[tuple[str, ...], bool, Parts]:
    """CIFAR-10: 50,000 train and 10,000 test images, uint8 (32, 32, 3), downloaded by Keras when not there yet.

    Raises:
        MissingPackageError: Keras is not installed.
        DatasetError: The download failed.
    """
    try:
        from keras.datasets import cifar10 as source
    except ImportError as error:
        raise MissingPackageError("keras", "to download cifar10", "train") from error
    try:
        (train, train_labels), (test, test_labels) = source.load_data()
    except Exception as error:  # Keras raises a bare Exception when the download fails
        raise DatasetError("cifar10 could not be downloaded", got=str(error), cure="check the network") from error
    return assemble("cifar10", {"train": (train, train_labels), "test": (test, test_labels)}, _CIFAR10)


#: Name on the command line -> loader.
NAMED = {"digits": digits, "cifar10": cifar10}
