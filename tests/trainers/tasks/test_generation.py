from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import edgevision
from edgevision.converters.convert import convert
from edgevision.converters.metadata import read_metadata
from edgevision.runtime.errors import InputError
from edgevision.runtime.results.generated import GeneratedImage
from edgevision.trainers.families import named_family
from edgevision.trainers.train import TrainingResult, train

TOY: dict[str, Any] = {"epochs": 2, "input_size": (8, 8), "options": {"latent": 6, "width": 4}}


@pytest.fixture
def grey(tmp_path: Path) -> Path:
    """Bright bars on black, upright or lying."""
    random = np.random.default_rng(0)
    images, labels = np.zeros((48, 16, 16, 1), np.uint8), np.arange(48) % 2
    for image, label in zip(images, labels):
        at = random.integers(2, 10)
        (image if label else image.swapaxes(0, 1))[at : at + 4] = random.integers(180, 256)
    np.savez(tmp_path / "grey.npz", images=images, labels=labels)
    return tmp_path / "grey.npz"


def opened(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(image, np.uint8)


def trained(data: Path, out: Path, **fields: Any) -> TrainingResult:
    return train(data, out, **{"model": "dcgan", **TOY, "input_size": (16, 16), **fields})


@pytest.mark.slow
def test_a_generator_from_images_to_a_bundle(grey: Path, tmp_path: Path) -> None:
    result = trained(grey, tmp_path / "m.keras")
    assert (result.recipe.task, result.labels, result.value, result.best_epoch) == ("generation", (), None, 2)
    assert set(result.history[0].figures) == {"loss", "critic_loss", "fooled"}
    metadata = read_metadata(tmp_path / "m.keras")
    assert metadata is not None and metadata["preprocessing"] is None and metadata["head"]["color"] == "gray"
    pictures = sorted((tmp_path / "m.samples").iterdir())
    assert [path.name for path in pictures] == ["epoch-0001.png", "epoch-0002.png"]
    assert opened(pictures[0]).shape == (8 * 16, 8 * 16, 3)

    bundle = convert(tmp_path / "m.keras", "40", tmp_path / "m.edge", formats=("onnx",))
    assert bundle.manifest.task == "generation" and bundle.manifest.gate is not None
    with edgevision.load(bundle.path, artifact="int8.onnx") as predictor:
        made = predictor(3)
    assert isinstance(made, GeneratedImage) and made.pixels.shape == (16, 16, 3)
    # the first picture's tiles are what a predictor draws from the same seeds
    last = opened(pictures[1])[:16, 3 * 16 : 4 * 16].astype(int)
    with edgevision.load(bundle.path, artifact="float32.onnx") as predictor:
        assert np.abs(last - predictor(3).pixels).max() <= 1
    assert edgevision.evaluate(bundle.path, "10", artifact="int8.onnx").artifacts["int8.onnx"].n == 10


def test_both_networks_and_optimizers_are_in_the_state(grey: Path, tmp_path: Path) -> None:
    """A training that was interrupted ends as one that was not."""

    def stop(epoch: Any) -> None:
        if epoch.number == 2:
            raise KeyboardInterrupt

    whole = trained(grey, tmp_path / "a.keras", epochs=4)
    import edgevision.trainers.checkpoint as checkpoint

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(checkpoint, "APART", 0.0)
        trained(grey, tmp_path / "b.keras", epochs=4, on_epoch=stop)
    again = trained(grey, tmp_path / "b.keras", epochs=4, resume=True)
    for one, two in zip(whole.history, again.history, strict=True):
        assert one.figures == pytest.approx(two.figures, rel=1e-3)
    weights = [keras.saving.load_model(tmp_path / name).get_weights() for name in ("a.keras", "b.keras")]
    assert all(np.allclose(one, two, atol=1e-4) for one, two in zip(*weights))


@pytest.mark.slow
@pytest.mark.parametrize("upsample", ["transposed", "resize"])
def test_a_conditional_generator_takes_a_class(upsample: str, grey: Path, tmp_path: Path) -> None:
    options = {**TOY["options"], "upsample": upsample}
    trained(grey, tmp_path / "m.keras", model="dcgan-conditional", options=options)
    random = np.random.default_rng(0)
    arrays: dict[str, Any] = {
        "latent": random.standard_normal((40, 6), np.float32),
        "label": np.eye(2, dtype=np.float32)[np.arange(40) % 2],
    }
    np.savez(tmp_path / "latents.npz", **arrays)
    bundle = convert(tmp_path / "m.keras", tmp_path / "latents.npz", tmp_path / "m.edge")
    assert bundle.manifest.task == "generation" and len(bundle.manifest.artifacts) == 6
    for item in bundle.manifest.artifacts:
        assert {spec.name for spec in item.inputs} == {"latent", "label"}
        assert item.parity is not None and item.parity.passed, (item.name, item.parity)
        assert item.float_ops == () or item.precision != "int8", item.float_ops
    assert len(edgevision.evaluate(bundle.path, tmp_path / "latents.npz", all=True).artifacts) == 6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"input_size": (30, 32)}, "the images' size is not usable"),
        ({"options": {"upsample": "cubic"}}, "expected transposed or resize, got 'cubic'"),
    ],
)
def test_what_cannot_be_made(options: dict[str, Any], message: str, grey: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        trained(grey, tmp_path / "m.keras", **options)


def test_the_generator_of_the_paper() -> None:
    family = named_family("dcgan")
    built = family.build((32, 32, 3), (), family.options)
    shapes = [layer.output.shape[1:] for layer in built.model.layers if type(layer).__name__ == "ReLU"]
    assert shapes == [(8, 8, 256), (16, 16, 128), (32, 32, 64)] and built.model.input_shape == (None, 100)


def test_samples_are_reported_and_latents_calibrate(grey: Path, tmp_path: Path) -> None:
    trained(grey, tmp_path / "m.keras", epochs=1, report=tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert '<h2 id="section-1">Samples</h2>' in page and 'alt="Grid of generated images"' in page
    assert "Trained for 1 epoch; nothing was held out" in page
