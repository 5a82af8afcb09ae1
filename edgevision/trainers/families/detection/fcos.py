"""An anchor-free one-stage detector."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgevision.runtime.heads.detection import FcosHead
from edgevision.trainers.engine import import_keras
from edgevision.trainers.families.detection.backbone import (
    DEFAULTS,
    RARE,
    STRIDES,
    outputs,
    pyramid,
    separable,
)
from edgevision.trainers.families.family import Built, Family
from edgevision.trainers.families.units import check_divisible

#: Cells from a place to the sides of its box at first.
_SIDES = 2.0


def build(shape: tuple[int, ...], labels: tuple[str, ...], options: Mapping[str, Any]) -> Built:
    """The untrained network (Tian et al. 2019, "FCOS: Fully Convolutional One-Stage Object Detection").

    float32 (batch, H, W, C) in; of each stride distances in cells (batch, H / stride, W / stride, 4), and class logits
    (batch, H / stride, W / stride, classes). Distances are linear: a grid of 8 bits has the same steps everywhere.

    Raises:
        InputError: The input does not suit the network.
    """
    check_divisible("fcos-mobilenet", shape, STRIDES[-1])
    keras = import_keras()
    image = keras.Input(shape, name="image")
    boxes: list[Any] = []
    scores: list[Any] = []
    for stride, tensor in zip(STRIDES, pyramid(image, options["width"], options["channels"])):
        for kind, made, count, bias in (("boxes", boxes, 4, _SIDES), ("scores", scores, len(labels), RARE)):
            tower = tensor
            for number in range(options["depth"]):
                tower = separable(tower, options["channels"], name=f"{kind}{stride}_{number}")
            made.append(outputs(tower, count, f"{kind}_{stride}", bias))
    head = FcosHead(
        strides=STRIDES,
        boxes=tuple(f"boxes_{stride}" for stride in STRIDES),
        scores=tuple(f"scores_{stride}" for stride in STRIDES),
        unit="strides",
    )
    return Built(keras.Model(image, [*boxes, *scores], name="fcos_mobilenet"), head)


FAMILIES = (
    Family(
        "fcos-mobilenet",
        "detection",
        "Objects of any shape, no anchors to choose; few numbers a place",
        build,
        {**DEFAULTS, "loss": "quality-focal", "box_loss": "giou"},
        {"width": 0.5, "channels": 64, "depth": 2},
    ),
)
