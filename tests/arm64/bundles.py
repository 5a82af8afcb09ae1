"""What the boards are asked: small trained networks in all formats, images, and a photo of each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from edgevision.runtime.bundle import Bundle
from tests import tiny

#: Images on which boards and this machine are compared, beside the golden inputs.
IMAGES = 16


def make_bundles(folder: Path, names: list[str]) -> None:
    """Train, convert and write ``names`` of tests/converters/conftest.py. It needs TensorFlow: a process of its own."""
    import edgevision
    from tests.converters.conftest import MAKERS
    from tests.converters.models import CLASSES, pictures, write_folder

    photos = write_folder(folder / "photos", pictures(80, seed=7)[0])
    for name in names:
        trained = MAKERS[name]()
        path = folder / f"{name}.edge"
        edgevision.convert(trained.model, photos, path, labels=CLASSES, preprocess=trained.preprocess)
        np.savez(path.with_suffix(".npz"), images=pictures(IMAGES, seed=11)[0])
    add_photos(folder)


def take_bundle(folder: Path, bundle: Path) -> None:
    """Ask about a bundle that there is already: its golden inputs are the images."""
    (folder / bundle.name).symlink_to(bundle.resolve(), target_is_directory=True)
    (images,) = Bundle.open(bundle).golden().inputs.values()
    np.savez((folder / bundle.name).with_suffix(".npz"), images=images)
    add_photos(folder)


def add_photos(folder: Path) -> None:
    """A JPEG file per bundle, larger than the model's input, so that decoding and resizing take part."""
    for path in folder.glob("*.npz"):
        with np.load(path) as stored:
            image = Image.fromarray(stored["images"][0])
        image.resize((image.width * 5 // 2, image.height * 3), Image.Resampling.BICUBIC).save(
            path.with_suffix(".jpg"), quality=95
        )


def save_tiny_models(folder: Path) -> Path:
    """The contract suite's models as files: boards have no packages to make them with."""
    for backend in tiny.ENGINES:
        for dtype in ("uint8", "float32"):
            tiny.save(folder, backend, dtype)
    return folder
