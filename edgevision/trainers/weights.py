"""Where a network's first weights come from: chance, ImageNet, or a file whose layers fit."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import numpy as np

from edgevision.converters.files import content_hash, read_model
from edgevision.converters.metadata import read_metadata
from edgevision.runtime.errors import InputError, ModelError
from edgevision.trainers.families import Built, Family
from edgevision.trainers.narrowing import narrowed
from edgevision.trainers.recipe import Recipe

IMAGENET = "imagenet"


@dataclass(frozen=True)
class Transfer:
    """What a network began with.

    Attributes:
        source: "imagenet", or the file.
        sha256: Hex digest of the file; "" of "imagenet".
        copied: Layers that have weights from there.
        layers: Layers with weights.
    """

    source: str
    sha256: str
    copied: int
    layers: int


def check_weights(recipe: Recipe, family: Family) -> None:
    """Whether preprocessing and weights suit the network: pixels are normalised once, and as pretrained weights want.

    Raises:
        InputError: They do not.
    """
    wanted = family.defaults.get("preprocess", "unit")
    if recipe.preprocess != wanted and (family.normalizes_itself or recipe.weights == IMAGENET):
        reason = "normalises pixels itself" if family.normalizes_itself else "has weights for one preprocessing only"
        raise InputError(f"{family.name} {reason}", expected=f"preprocess {wanted}", got=recipe.preprocess)
    if recipe.weights == IMAGENET and family.pretrained is None:
        cure = "give --weights FILE with weights of your own, or leave --weights out"
        raise InputError(f"there are no {IMAGENET} weights of {family.name}", cure=cure)
    if recipe.keep_channels < 1 and recipe.weights in ("", IMAGENET):
        cure = "train it first, then give --weights FILE"
        raise InputError("there are no channels to choose from", expected="a trained network", got="none", cure=cure)
    if recipe.freeze and (not recipe.weights or recipe.keep_channels < 1):
        cure = f"give --weights FILE or --weights {IMAGENET}"
        raise InputError("there is nothing to freeze", expected="weights to begin with", got="none", cure=cure)


def build(
    family: Family, shape: tuple[int, ...], labels: tuple[str, ...], recipe: Recipe
) -> tuple[Built, Transfer | None]:
    """The network with its first weights, and what it has of them from elsewhere.

    Raises:
        InputError: The input does not suit the network, the weights are not to be had, no layer of them fits, or it
            cannot be made narrower.
        ModelError: The file of weights cannot be read.
    """
    if recipe.weights == IMAGENET and family.pretrained is not None:
        built = family.pretrained(shape, labels, recipe.options)
        layers = weighted_layers(built.model)
        given, digest = layers[:-1], ""
    else:
        built = family.build(shape, labels, recipe.options)
        if not recipe.weights:
            return built, None
        path = Path(recipe.weights)
        layers = weighted_layers(built.model)
        given, digest = load_weights(path, built.model, labels), content_hash(path)
    if not given:
        got = "other shapes everywhere"
        raise InputError(f"no layer of {family.name} can have its weights from {recipe.weights}", got=got)
    transfer = Transfer(recipe.weights, digest, len(given), len(layers))
    if recipe.keep_channels < 1:
        if len(given) < len(layers) or built.trained is not None:
            got = f"weights of {len(given)} of {len(layers)} layers"
            raise InputError("keep_channels is not usable", expected="--weights FILE of a trained network", got=got)
        return dataclasses.replace(built, model=narrowed(built.model, recipe.keep_channels)), transfer
    # Where all of them were there before, the last one is what is trained first.
    return dataclasses.replace(built, given=tuple(given if len(given) < len(layers) else given[:-1])), transfer


def weighted_layers(model: Any) -> list[Any]:
    """The innermost layers with weights, in the order of the network."""
    leaves = (layer for layer in model._flatten_layers(include_self=False) if not list(layer._flatten_layers(False)))
    return [layer for layer in leaves if layer.weights]


def load_weights(path: Path, model: Any, labels: Sequence[str]) -> list[Any]:
    """Give ``model`` what fits of a file's weights.

    The layers of the two networks are put side by side in order, as in comparing two texts, so that another head, or a
    few layers more or less, does not matter, and neither do names. From weights without a network Keras takes the
    layers of the same place or name.

    Args:
        path: A .keras or .h5 model, or weights alone (.weights.h5, or .h5 of Keras 2).
        model: keras.Model.
        labels: Its classes; the closing layers of a file that names other classes are left out.

    Returns:
        The layers of ``model`` that have weights from the file, in order.

    Raises:
        ModelError: The file cannot be read.
    """
    if path.is_file() and _is_weights_alone(path):
        return _from_weights(path, model)
    source = read_model(path)
    if not hasattr(source, "_flatten_layers"):
        raise ModelError(f"the layers of {path} cannot be seen", expected="a .keras or .h5 file")
    known = (read_metadata(path) or {}).get("labels") if path.is_file() else None
    theirs, ours = weighted_layers(source), weighted_layers(model)
    last = {id(layer) for layer in _closing(model)} if known not in (None, [], list(labels)) else set()
    copied = []
    for one, other in _pairs(theirs, ours):
        if id(other) not in last:
            other.set_weights(one.get_weights())
            copied.append(other)
    return copied


def _pairs(theirs: Sequence[Any], ours: Sequence[Any]) -> list[tuple[Any, Any]]:
    one, other = ([str([tuple(weight.shape) for weight in layer.weights]) for layer in part] for part in (theirs, ours))
    found = SequenceMatcher(None, one, other, autojunk=False).get_matching_blocks()
    return [(theirs[at.a + place], ours[at.b + place]) for at in found for place in range(at.size)]


def _closing(model: Any) -> list[Any]:
    """The layers that compute the outputs, an activation of its own passed over."""
    found = []
    for tensor in model.outputs:
        layer = tensor._keras_history.operation
        while not layer.weights and len(layer._inbound_nodes[0].input_tensors) == 1:
            layer = layer._inbound_nodes[0].input_tensors[0]._keras_history.operation
        found.append(layer)
    return found


def _is_weights_alone(path: Path) -> bool:
    import h5py

    if not h5py.is_hdf5(path):
        return False
    with h5py.File(path, "r") as file:
        return "model_config" not in file.attrs


def _from_weights(path: Path, model: Any) -> list[Any]:
    layers = weighted_layers(model)
    before = [layer.get_weights() for layer in layers]
    for layer, arrays in zip(layers, before):  # what is still no number afterwards is not in the file
        layer.set_weights([np.full_like(array, np.nan) for array in arrays])
    by_name = {} if path.name.endswith(".weights.h5") else {"by_name": True}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about layers that do not fit: they are counted
            model.load_weights(str(path), skip_mismatch=True, **by_name)
    except (OSError, KeyError, ValueError, TypeError, AttributeError) as error:
        got, cure = " ".join(str(error).split())[:200], "save the whole model with model.save('NAME.keras')"
        raise ModelError(f"the weights in {path} cannot be read", got=got, cure=cure) from error
    copied = []
    for layer, arrays in zip(layers, before):
        if all(np.isfinite(array).all() for array in layer.get_weights()):
            copied.append(layer)
        else:
            layer.set_weights(arrays)
    return copied
