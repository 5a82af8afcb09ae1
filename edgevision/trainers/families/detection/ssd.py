"""A one-stage detector with anchors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgevision.trainers.engine import import_keras
from edgevision.trainers.families.detection import anchors
from edgevision.trainers.families.detection.backbone import DEFAULTS, RARE, STRIDES, outputs, scales, separable
from edgevision.trainers.families.family import Built, Family

_STRIDES = (*STRIDES, 64)


def build(shape: tuple[int, ...], labels: tuple[str, ...], options: Mapping[str, Any]) -> Built:
    """The untrained network (Liu et al. 2016, "SSD"; separable heads as in Sandler et al. 2018, "SSDLite").

    float32 (batch, H, W, C) in; of each stride deltas of four anchors a place (batch, h, w, 16), and class logits
    (batch, h, w, 4 * classes), where no class is likely there is nothing: no background has a logit of its own.

    Raises:
        InputError: An option is not usable.
    """
    keras = import_keras()
    image = keras.Input(shape, name="image")
    maps = scales(image, options["width"])
    maps.append(separable(maps[-1], maps[-1].shape[-1], 2, name="extra"))
    head = anchors.anchored("ssd-mobilenet", maps, _STRIDES, options)
    boxes: list[Any] = []
    scores: list[Any] = []
    each = anchors.PER_PLACE
    for stride, tensor in zip(_STRIDES, maps):
        for kind, made, count, bias in (("boxes", boxes, 4, 0.0), ("scores", scores, len(labels), RARE)):
            tower = separable(tensor, options["channels"], name=f"{kind}{stride}")
            made.append(outputs(tower, count * each, f"{kind}_{stride}", bias))
    return Built(keras.Model(image, [*boxes, *scores], name="ssd_mobilenet"), head)


FAMILIES = (
    Family(
        "ssd-mobilenet",
        "detection",
        "Objects whose sizes are known; the head that most devices' tools understand",
        build,
        {**DEFAULTS, "loss": "focal", "box_loss": "smooth-l1"},
        {"width": 0.5, "channels": 128, **anchors.OPTIONS},
    ),
)
