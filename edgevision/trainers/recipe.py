"""Everything that decides a training, as one value: from options, from a TOML file, stored with the model."""

from __future__ import annotations

import dataclasses
import importlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_type_hints

from edgevision.converters.metadata import read_metadata
from edgevision.runtime.errors import BundleError, InputError
from edgevision.runtime.manifest import from_plain, to_plain
from edgevision.runtime.spec import Interpolation, ResizePolicy


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to train. What is not given is the task's, then the family's choice.

    Attributes:
        task: One of ``tasks.TASKS``.
        model: One of ``families.FAMILIES``.
        options: The family's own settings by name, such as a width.
        weights: What the network begins with: "" chance, "imagenet", or a file of weights or of a model.
        freeze: Epochs, of those there are, in which only layers without such weights are trained.
        epochs: Passes over the training data.
        batch_size: Examples a step.
        input_size: (height, width) of the model's input, pixels.
        preprocess: One of ``spec.NORMALIZATIONS``; done before the model, never a layer of it.
        resize: How images come to the input size.
        interpolation: Kernel of the resize.
        antialias: Whether the kernel widens when shrinking.
        augment: Random changes by name, in order (``augment.OPERATIONS``), such as "flip" or "rotate=15".
        optimizer: One of ``optimizers.OPTIMIZERS``.
        learning_rate: At the end of the warm-up.
        momentum: Of "momentum" and "rmsprop".
        weight_decay: Of "adamw", and of the other optimizers as Keras adds it.
        gradient_clip: Largest norm of all gradients together; 0 clips nothing.
        schedule: One of ``optimizers.SCHEDULES``.
        warmup: Epochs in which the learning rate rises from 0.
        loss: One of the task's losses.
        box_loss: Of detectors, one of ``detection.losses.BOX_LOSSES``.
        label_smoothing: Share of each label that is spread over all classes, 0 <= share < 1.
        class_balance: Of segmentation: each class weighs by its share of all pixels to the power of minus this, 0..1;
            at 0 every pixel weighs the same, at 1 every class.
        margin: Of "arcface", radians, and of "triplet", a difference of cosines.
        margin_scale: Of "arcface": what cosines are multiplied by.
        whitening: Of embeddings: share of the spread within people that is divided out, 0 <= share < 1 (``whitening``).
        threshold_folds: Of embeddings: parts of the people that a network trained on the others compares, in turn, for
            the threshold; 0 trains none. Where images are held out the threshold comes from those.
        metric: Validation figure that chooses the best epoch; "": the task's own.
        ema: Decay of an exponential moving average of the weights, such as 0.999, 0 <= decay < 1; the averaged weights
            are judged and saved. 0 averages nothing.
        patience: Epochs without a better validation figure after which training ends; 0 never ends it early.
        validation_split: Share held out where the data has no val split, 0 <= share < 1.
        teacher: A .keras file or a bundle of the same classes to learn from beside the labels; "" for none.
        teacher_share: Of the loss, that of the distance from the teacher, 0 < share < 1.
        temperature: At which both are compared, > 0.
        keep_channels: Share of the channels that stay of the network in ``weights``, 0 < share <= 1 (``narrowing``).
        sparsity: Share of each kernel's weights that are zero in the end, 0 <= share < 1 (``sparsity``).
        qat: Epochs of quantisation-aware training after the others; 0 leaves quantisation to ``convert``.
        strict: Whether an image that cannot be read ends the training; else it is left out and named.
        seed: Decides what is held out, the first weights, the order and the augmentation.
    """

    task: str
    model: str
    options: dict[str, Any] = field(default_factory=dict)
    weights: str = ""
    freeze: int = 0
    epochs: int = 10
    batch_size: int = 32
    input_size: tuple[int, int]
    preprocess: str = "unit"
    resize: ResizePolicy = "stretch"
    interpolation: Interpolation = "bilinear"
    antialias: bool = True
    augment: tuple[str, ...] = ()
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    momentum: float = 0.9
    weight_decay: float = 0.0
    gradient_clip: float = 0.0
    schedule: str = "cosine"
    warmup: float = 0.0
    loss: str = "cross-entropy"
    box_loss: str = "giou"
    label_smoothing: float = 0.0
    class_balance: float = 0.0
    margin: float = 0.3
    margin_scale: float = 16.0
    whitening: float = 0.0
    threshold_folds: int = 0
    metric: str = ""
    ema: float = 0.0
    patience: int = 0
    validation_split: float = 0.1
    teacher: str = ""
    teacher_share: float = 0.5
    temperature: float = 3.0
    sparsity: float = 0.0
    keep_channels: float = 1.0
    qat: int = 0
    strict: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is not usable", expected="at least 1", got=str(getattr(self, name)))
        for name in ("freeze", "patience", "qat", "seed", "threshold_folds", "warmup"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise InputError(f"{name} is not usable", expected="at least 0", got=str(getattr(self, name)))
        if self.freeze > self.epochs:
            raise InputError("freeze is not usable", expected=f"at most {self.epochs} epochs", got=str(self.freeze))
        shares = ("validation_split", "label_smoothing", "momentum", "teacher_share", "sparsity", "ema", "whitening")
        for name in shares:
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"{name} is not usable", expected="a share 0 <= x < 1", got=str(getattr(self, name)))
        for name in ("weight_decay", "gradient_clip", "margin", "margin_scale"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise InputError(f"{name} is not usable", expected="a number >= 0", got=str(getattr(self, name)))
        if self.threshold_folds == 1:
            raise InputError("threshold_folds is not usable", expected="0, or at least 2", got="1")
        if not 0 < self.keep_channels <= 1:
            got = str(self.keep_channels)
            raise InputError("keep_channels is not usable", expected="a share 0 < x <= 1", got=got)
        for name in ("learning_rate", "temperature"):
            if not 0 < getattr(self, name) < float("inf"):
                raise InputError(f"{name} is not usable", expected="a number > 0", got=str(getattr(self, name)))
        if self.ema and self.sparsity:
            raise InputError(
                "ema and sparsity exclude each other", cure="averaged weights are nowhere zero: leave one out"
            )
        if not 0 <= self.class_balance <= 1:
            raise InputError("class_balance is not usable", expected="0..1", got=str(self.class_balance))
        if len(self.input_size) != 2 or min(self.input_size) < 1:
            raise InputError("input_size is not usable", expected="(height, width)", got=str(self.input_size))


FIELDS = tuple(item.name for item in dataclasses.fields(Recipe))


def read_recipe(path: str | Path) -> dict[str, Any]:
    """The fields that a TOML file sets, or all of those that a .keras file was trained with.

    Raises:
        InputError: It cannot be read, was not trained here, or sets what is no field of ``Recipe``.
    """
    if Path(path).suffix == ".keras":
        return _recipe_in(Path(path))
    try:
        # By name: the checks of types are those of Python 3.10, which has no such module and trains nothing.
        found: dict[str, Any] = importlib.import_module("tomllib").loads(Path(path).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as TOML", got=" ".join(str(error).split())) from error
    check_fields(found, f"{path}: ")
    return found


def _recipe_in(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise InputError(f"{path} is not there", expected="a .toml or a .keras file")
    metadata = read_metadata(path) or {}
    found = metadata.get("provenance", {}).get("recipe")
    if not isinstance(found, dict):
        raise InputError(f"{path} does not say how it was trained", expected="a model of edgevision train")
    check_fields(found, f"{path}: ")
    return found


def check_fields(found: Mapping[str, Any], where: str = "") -> None:
    """Whether all are fields of ``Recipe``.

    Raises:
        InputError: One is not.
    """
    for name in found:
        if name not in FIELDS:
            near = get_close_matches(name, FIELDS, 1)
            cure = f"write {near[0]}" if near else "fields: " + ", ".join(FIELDS)
            raise InputError(f"{where}training has no setting {name!r}", cure=cure)


def from_text(name: str, text: str) -> Any:
    """The value that a text means for a field of ``Recipe``, or, by its looks, for an option of a network."""
    hint = _HINTS.get(name)
    if hint is str:
        return text
    if name == "input_size":
        sides = text.lower().split("x")
        return tuple(int(side) for side in (sides * 2)[:2]) if all(map(str.isdigit, sides)) else text
    if hint == tuple[str, ...]:
        return tuple(word.strip() for word in text.split(",") if word.strip())
    try:
        return json.loads(text)
    except ValueError:
        return text


def recipe_of(fields: Mapping[str, Any]) -> Recipe:
    """The recipe with these fields, whatever the kind of their lists.

    Raises:
        InputError: A field is of the wrong type or not usable.
    """
    complete = {item.name: _default(item) for item in dataclasses.fields(Recipe)}
    plain = {name: _number(name, to_plain(value)) for name, value in {**complete, **fields}.items()}
    try:
        return from_plain(Recipe, plain)
    except BundleError as error:
        if isinstance(error.__cause__, InputError):
            raise error.__cause__ from None
        raise InputError("the recipe is not usable", got=str(error)) from error


def _default(item: dataclasses.Field[Any]) -> Any:
    if item.default_factory is not dataclasses.MISSING:
        return item.default_factory()
    return None if item.default is dataclasses.MISSING else item.default


def _number(name: str, value: Any) -> Any:
    """A whole number where a fraction may be."""
    return float(value) if _HINTS[name] is float and isinstance(value, int) else value


_HINTS = get_type_hints(Recipe)
