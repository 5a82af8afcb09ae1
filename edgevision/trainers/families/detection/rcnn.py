"""A two-stage detector whose second stage looks at every place once more, instead of cutting regions out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgevision.trainers.engine import import_keras
from edgevision.trainers.families.detection import anchors
from edgevision.trainers.families.detection.backbone import (
    DEFAULTS,
    RARE,
    STRIDES,
    convolved,
    outputs,
    pyramid,
    separable,
)
from edgevision.trainers.families.family import Built, Family
from edgevision.trainers.families.units import check_divisible


@dataclass(frozen=True, eq=False)
class TwoStages(Built):
    """See ``Built``; ``trained`` has these outputs too, one per level each.

    Attributes:
        proposals: Names of the first stage's box deltas.
        objectness: Names of its logits for an object of any class.
    """

    proposals: tuple[str, ...] = ()
    objectness: tuple[str, ...] = ()


def build(shape: tuple[int, ...], labels: tuple[str, ...], options: Mapping[str, Any]) -> TwoStages:
    """The untrained network.

    Ren et al. 2015, "Faster R-CNN", for the two stages; Zhang et al. 2018, "RefineDet", for a second stage that takes
    its features where the proposal's anchor is. No region is cut out: that needs operations without an 8-bit form. The
    second stage sees the map and what the first one said of the place, and its deltas are added to the first one's.

    float32 (batch, H, W, C) in; outputs as those of ``ssd``, of strides 8, 16 and 32.

    Raises:
        InputError: The input does not suit the network, or an option is not usable.
    """
    check_divisible("rcnn-light", shape, STRIDES[-1])
    keras = import_keras()
    image = keras.Input(shape, name="image")
    maps = pyramid(image, options["width"], options["channels"])
    head = anchors.anchored("rcnn-light", maps, STRIDES, options)
    first: list[Any] = []
    boxes, scores = [], []
    for stride, tensor in zip(STRIDES, maps):
        proposal, objectness = _proposed(tensor, stride, options["channels"])
        seen = _looked_at(tensor, proposal, objectness, stride, options)
        each = anchors.PER_PLACE
        boxes.append(keras.layers.Add(name=f"boxes_{stride}")([proposal, outputs(seen, 4 * each, f"refined_{stride}")]))
        scores.append(outputs(seen, len(labels) * each, f"scores_{stride}", RARE))
        first += [proposal, objectness]
    net = keras.Model(image, [*boxes, *scores], name="rcnn_light")
    proposals, logits = (tuple(f"{kind}_{stride}" for stride in STRIDES) for kind in ("proposals", "objectness"))
    trained = keras.Model(image, [*boxes, *scores, *first], name="rcnn_light_trained")
    return TwoStages(net, head, trained=trained, proposals=proposals, objectness=logits)


def _proposed(tensor: Any, stride: int, channels: int) -> tuple[Any, Any]:
    """The first stage: deltas and objectness of each anchor."""
    tower = separable(tensor, channels, name=f"proposed{stride}")
    proposal = outputs(tower, 4 * anchors.PER_PLACE, f"proposals_{stride}")
    return proposal, outputs(tower, anchors.PER_PLACE, f"objectness_{stride}", RARE)


def _looked_at(tensor: Any, proposal: Any, objectness: Any, stride: int, options: Mapping[str, Any]) -> Any:
    """The second stage's features: the map, and what was proposed."""
    layers, channels = import_keras().layers, options["channels"]
    said = layers.Concatenate(name=f"proposed{stride}_all")([proposal, objectness])
    said = convolved(said, channels, 1, name=f"said{stride}")
    tensor = layers.Add(name=f"look{stride}")([tensor, said])
    for number in range(options["depth"]):
        tensor = separable(tensor, channels, name=f"look{stride}_{number}")
    return tensor


FAMILIES = (
    Family(
        "rcnn-light",
        "detection",
        "Proposes boxes first, then judges and corrects them: for boxes that have to lie well",
        build,
        {**DEFAULTS, "loss": "focal", "box_loss": "smooth-l1"},
        {"width": 0.5, "channels": 64, "depth": 2, **anchors.OPTIONS},
    ),
)
