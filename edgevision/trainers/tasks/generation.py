"""Images out of random numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from edgevision.datasets import Dataset, open_images
from edgevision.datasets.latents import drawn
from edgevision.runtime.errors import DatasetError, InputError
from edgevision.runtime.manifest import Manifest
from edgevision.runtime.spec import Preprocessing, TensorSpec
from edgevision.runtime.tasks import task_of
from edgevision.trainers.adversarial import AdversarialStep, generate
from edgevision.trainers.data import open_labelled
from edgevision.trainers.examples import Example, Examples, Progress, TrainingData
from edgevision.trainers.images import Images, LabelledImages, is_colored
from edgevision.trainers.pipeline import Targets
from edgevision.trainers.recipe import Recipe
from edgevision.trainers.step import Step
from edgevision.trainers.tasks.task import Predict, Task

if TYPE_CHECKING:
    from edgevision.runtime.results.generated import GeneratedImage
    from edgevision.trainers.report.sections import Section

#: Rows and columns of images in ``picture``.
_GRID = (8, 8)
#: Width of the samples in a report, pixels, and latents that a conversion is calibrated with.
_SHEET, _LATENTS = 640, 500
#: Images looked at for colours.
_LOOKED_AT = 32
_CONDITIONAL = "dcgan-conditional"


class Generation(Task):
    """See ``Task``. There is no measure to choose an epoch by: the last one's weights are kept.

    No data is recognised: images to imitate look like any others.
    """

    name, default, metric = "generation", "dcgan", "loss"
    defaults = {"preprocess": "tf", "validation_split": 0.0}  # noqa: RUF012

    @classmethod
    def channels(cls, data: Any) -> int:
        """1 of grey images, else 3."""
        images = data if isinstance(data, Dataset) else open_images(data)
        places = np.linspace(0, len(images) - 1, min(_LOOKED_AT, len(images))).astype(int)
        return 3 if any(is_colored(images[int(place)].decode()[None]) for place in places) else 1

    @classmethod
    def open(cls, data: Any, recipe: Recipe, p: Preprocessing, progress: Progress) -> TrainingData:
        """See ``Task.open``; a conditional network needs classes.

        Raises:
            InputError: It was to be trained in 8 bits too, where no loss compares images with images.
        """
        if recipe.qat:
            raise InputError(f"qat is not for {recipe.model}", expected="a network whose one input are images")
        if recipe.model == _CONDITIONAL:
            return TrainingData(
                LabelledImages(open_labelled(data, 0.0, recipe.seed)[0], p, progress, strict=recipe.strict), None
            )
        images = data if isinstance(data, Dataset) else open_images(data)
        if not len(images):
            raise DatasetError(f"{data} holds no images", expected="images to imitate")
        return TrainingData(Images(images, p, progress, strict=recipe.strict), None)

    def encode(self, examples: Sequence[Example]) -> Targets:
        """The classes, where the network takes them."""
        labels = [example.label for example in examples if example.label is not None]
        return {"label": np.stack(labels)} if labels else {}

    def loss(self, outputs: Mapping[str, Any], targets: Mapping[str, Any]) -> dict[str, Any]:
        """Nothing of its own: ``AdversarialStep`` has both networks' losses."""
        raise AssertionError("the step does not ask")

    def judge(self, predict: Predict, examples: Examples) -> dict[str, float]:
        """Nothing: no example says what random numbers should become."""
        return {}

    def step(self, optimizer: Any) -> Step:
        """See ``Task.step``."""
        return AdversarialStep(self, optimizer)

    def preprocessing(self) -> Preprocessing | None:
        """None: the network takes no images."""
        return None

    def picture(self, step: Step) -> NDArray[np.uint8]:
        """64 images of the same latents each time, uint8 (rows, columns, 3), classes one after the other."""
        return self._samples(step.model)

    def sections(self, predict: Predict, data: TrainingData, pictures: bool) -> tuple[Section, ...]:
        """See ``Task.sections``; samples, which are of nobody."""
        from edgevision.trainers.report.sections import Sheet, picture

        grid = picture(self._samples(self.built.model), "Grid of generated images", _SHEET)
        lead = f"What the network makes of the seeds 0 to {_GRID[0] * _GRID[1] - 1}, as a predictor draws from them."
        return (Sheet("Samples", lead, grid),)

    def conversion_data(self, data: Any, examples: TrainingData, folder: Path) -> tuple[str, str | None]:
        """See ``Task.conversion_data``: latents; of a conditional network the classes in turn."""
        path = folder / "latents.npz"
        arrays: dict[str, Any] = latents(self.built.model, _LATENTS)
        np.savez(path, **arrays)
        return str(path), None

    def _samples(self, model: Any) -> NDArray[np.uint8]:
        images = generate(model, latents(model, _GRID[0] * _GRID[1]))
        (name,) = model.output_names
        manifest = Manifest(self.name, (), None, None, head=self.built.head)
        task = task_of(manifest, [TensorSpec(name, (1, *images.shape[1:]), "float32")])
        found = [cast("GeneratedImage", task.decode({name: image[None]}, (0, 0))) for image in images]
        tiles = np.stack([image.pixels for image in found])
        rows, columns, (height, width) = *_GRID, tiles.shape[1:3]
        grid = tiles.reshape(rows, columns, height, width, 3).swapaxes(1, 2)
        return np.ascontiguousarray(grid.reshape(rows * height, columns * width, 3))


def latents(model: Any, count: int) -> dict[str, NDArray[np.float32]]:
    """The generator's inputs by name, float32 (count, ...): the latents that a predictor draws from the seeds 0, 1, ...

    Classes, where it takes them, one after the other.
    """
    found = {}
    for tensor in model.inputs:
        shape = tuple(tensor.shape[1:])
        if tensor.name == "label":
            found[tensor.name] = np.eye(shape[0], dtype=np.float32)[np.arange(count) % shape[0]]
        else:
            found[tensor.name] = drawn(shape, range(count))
    return found
