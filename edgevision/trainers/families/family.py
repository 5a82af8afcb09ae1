"""What a family of networks is to the trainers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edgevision.runtime.heads import Head, Scores

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, eq=False)
class Built:
    """An untrained network and what its outputs are.

    Attributes:
        model: float32 (batch, H, W, C), or (batch, frames, H, W, C), in; one or more named outputs.
        head: What they are, where they are not the scores of one class each.
        scores: What class scores are; None where there are none.
        given: Layers whose weights were there before training: what ``Recipe.freeze`` keeps as it is.
        trained: The same weights with further outputs that only the loss sees; None is ``model``.
        rival: A second network that this one is trained against and that is not saved; None without.
    """

    model: keras.Model
    head: Head | None = None
    scores: Scores | None = None
    given: tuple[keras.layers.Layer, ...] = ()
    trained: keras.Model | None = None
    rival: keras.Model | None = None


Build = Callable[[tuple[int, ...], tuple[str, ...], Mapping[str, Any]], Built]


@dataclass(frozen=True, eq=False)
class Family:
    """Networks that differ in input size, classes and options alone.

    Attributes:
        name: On the command line.
        task: Which it is for.
        summary: What it is good for, in a line.
        build: From the input's shape (H, W, C), or (frames, H, W, C), the class names and the options to a network.
            Raises InputError where the input does not suit it.
        defaults: What it wants of the recipe unless told otherwise; "input_size" is always there.
        options: Its own settings and their defaults.
        channels: 3 for colour, 1 for grey; 0 for what the data has.
        pretrained: Builds it with ImageNet weights, which want the preprocessing of ``defaults``; None where there are
            none. Raises InputError where they are not to be had.
        normalizes_itself: Whether it takes pixels 0..255 and begins with their normalisation.
    """

    name: str
    task: str
    summary: str
    build: Build
    defaults: Mapping[str, Any]
    options: Mapping[str, Any] = field(default_factory=dict)
    channels: int = 3
    pretrained: Build | None = None
    normalizes_itself: bool = False
