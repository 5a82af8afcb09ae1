"""Every error edgevision raises on purpose.

EdgevisionError
├── InputError            what was handed to a call is not usable (also a ValueError)
│   ├── ImageError        an image is missing, empty, truncated or no image
│   ├── SourceError       a camera, video or folder cannot be opened, or broke off
│   ├── TensorError       a tensor has the wrong name, dtype, shape or non-finite values
│   └── DatasetError      a folder, archive or array file holds no usable images or labels
├── ModelError            a model file cannot be read or used
│   ├── UnsafeModelError        reading it would run code that came with it
│   └── UnsupportedLayerError   a layer that cannot be carried to the requested format
├── ConversionError       a conversion could not be completed
├── BundleError           a bundle or model artifact cannot be opened
│   ├── BundleDamagedError      bytes differ from what was written (hash mismatch, file missing)
│   └── BundleVersionError      written by a newer edgevision
├── BackendError          an engine refused the model or failed while running
│   ├── UnknownBackendError     no backend of that name
│   └── MissingPackageError     the package is not installed (also an ImportError)
└── OutputExistsError     the output path exists and was not to be replaced
"""

from __future__ import annotations


class EdgevisionError(Exception):
    """Base of all errors: one sentence that says what was expected, what was got, and the cure.

    Args:
        problem: What is wrong, with the name of the thing that is wrong.
        expected: What would have been right, if it is not plain from ``problem``.
        got: What was there instead.
        cure: What the user can do about it: a command, an option, a value.
    """

    def __init__(self, problem: str, *, expected: str = "", got: str = "", cure: str = "") -> None:
        self.problem, self.expected, self.got, self.cure = problem, expected, got, cure
        facts = [f"expected {expected}" if expected else "", f"got {got}" if got else ""]
        detail = ", ".join(fact for fact in facts if fact)
        message = f"{problem}: {detail}" if detail else problem
        super().__init__(f"{message}; {cure}" if cure else message)


class InputError(EdgevisionError, ValueError):
    """What was handed to a call cannot be used."""


class ImageError(InputError):
    """An image is missing, empty, truncated or not an image."""


class SourceError(InputError):
    """A camera, video, stream or folder cannot be opened, or broke off: no frame can follow."""


class TensorError(InputError):
    """A tensor has the wrong name, dtype or shape, or values that are not finite."""


class DatasetError(InputError):
    """A data set has no usable images, or labels that do not match."""


class ModelError(EdgevisionError):
    """A model file cannot be read or used."""


class UnsafeModelError(ModelError):
    """Reading the model would run code that came with it, and nobody said that it is to be trusted."""


class UnsupportedLayerError(ModelError):
    """A layer cannot be carried to the requested format."""


class ConversionError(EdgevisionError):
    """A conversion could not be completed."""


class BundleError(EdgevisionError):
    """A bundle or a lone artifact cannot be opened."""


class BundleDamagedError(BundleError):
    """The bytes on disk are not the bytes that were written."""


class BundleVersionError(BundleError):
    """The bundle was written by a newer edgevision."""


class BackendError(EdgevisionError):
    """An engine refused a model or failed while running it."""


class UnknownBackendError(BackendError):
    """There is no backend of that name."""


class MissingPackageError(BackendError, ImportError):
    """A package that this call needs is not installed; the message holds the install line."""

    def __init__(self, package: str, purpose: str, extra: str = "", *, cure: str = "") -> None:
        """``extra`` is the extra of edgevision that brings it, or ""; ``cure`` is for what pip does not install."""
        install = f"pip install 'edgevision[{extra}]'" if extra else f"pip install {package}"
        super().__init__(f"{package} is needed {purpose}", cure=cure or install)
        self.package, self.extra = package, extra


class OutputExistsError(EdgevisionError):
    """The output path exists, and was not to be replaced or is nothing that may be replaced."""

    def __init__(self, path: object, *, replaceable: str = "") -> None:
        """``replaceable`` names the only kind of thing that may be replaced, when ``path`` is none of it."""
        if replaceable:
            super().__init__(f"{path} exists and is not {replaceable}", cure="choose another path: it is not replaced")
        else:
            super().__init__(f"{path} exists", cure="choose another path or pass --force (force=True) to replace it")
