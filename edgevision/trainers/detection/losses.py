"""Losses of detectors by name."""

from __future__ import annotations

from typing import Any

from edgevision.trainers.detection.places import IGNORED, NOTHING, Places
from edgevision.trainers.engine import import_tensorflow
from edgevision.trainers.recipe import Recipe

#: "focal" (Lin et al. 2017); "quality-focal", whose target is how well the box lies (Li et al. 2020, "Generalized Focal
#: Loss"); "cross-entropy" over objects and three times as many of the hardest other places (Liu et al. 2016, "SSD").
SCORE_LOSSES = ("focal", "quality-focal", "cross-entropy")
#: "smooth-l1" of what the network gives (Girshick 2015); 1 - IoU, or GIoU (Rezatofighi et al. 2019), of the boxes.
BOX_LOSSES = ("smooth-l1", "iou", "giou")
_HARD, _GAMMA, _ALPHA = 3, 2.0, 0.25


def detection_loss(recipe: Recipe, places: Places, raw: Any, logits: Any, class_ids: Any, boxes: Any) -> dict[str, Any]:
    """Sums over places a number of objects' places: scalar tensors "loss", "score_loss" and "box_loss".

    Args:
        recipe: Names the losses.
        places: Of the head.
        raw: (batch, places, 4) as the network gives them.
        logits: (batch, places, classes).
        class_ids: int32 (batch, places), see ``Assigned``.
        boxes: (batch, places, 4), see ``Assigned``.
    """
    tf = import_tensorflow()
    positive = class_ids >= 0
    count = tf.maximum(tf.reduce_sum(tf.cast(positive, tf.float32)), 1.0)
    decoded = places.decoded(raw)
    overlaps, enclosing = overlap_of(decoded, boxes)
    target = tf.one_hot(class_ids, logits.shape[-1])
    if recipe.loss == "quality-focal":
        target *= tf.stop_gradient(overlaps)[..., None]
    scores = _score_loss(recipe.loss, logits, target, positive, tf.cast(class_ids != IGNORED, tf.float32)) / count
    if recipe.box_loss == "smooth-l1":
        away = tf.abs(raw - places.encoded(boxes))
        each = tf.reduce_sum(tf.where(away < 1.0, 0.5 * away**2, away - 0.5), -1)
    else:
        each = 2 * (1 - overlaps + (enclosing if recipe.box_loss == "giou" else 0.0))
    found = tf.reduce_sum(tf.where(positive, each, 0.0)) / count
    return {"loss": scores + found, "score_loss": scores, "box_loss": found}


def _score_loss(name: str, logits: Any, target: Any, positive: Any, weights: Any) -> Any:
    tf = import_tensorflow()
    entropy = tf.nn.sigmoid_cross_entropy_with_logits(target, logits)
    share = tf.sigmoid(logits)
    if name == "quality-focal":
        return tf.reduce_sum(tf.abs(target - share) ** _GAMMA * entropy * weights[..., None])
    if name == "focal":
        missed = target * (1 - share) + (1 - target) * share
        balance = target * _ALPHA + (1 - target) * (1 - _ALPHA)
        return tf.reduce_sum(balance * missed**_GAMMA * entropy * weights[..., None])
    each = tf.reduce_sum(entropy, -1) * weights
    others = tf.reshape(tf.where(positive, 0.0, each), [-1])
    count = tf.minimum(_HARD * tf.reduce_sum(tf.cast(positive, tf.int32)) + 1, tf.size(others))
    return tf.reduce_sum(tf.where(positive, each, 0.0)) + tf.reduce_sum(tf.math.top_k(others, count, sorted=False)[0])


def refined_ids(proposals: Any, boxes: Any, nearest: Any) -> Any:
    """What a second stage answers for: class of the nearest object where the first stage's box has come near it.

    Half of the union in common is near, as in the R-CNN family's second stages (Girshick 2015; of anchors that stay in
    their places Zhang et al. 2018, "RefineDet").

    Args:
        proposals: (batch, places, 4) x1, y1, x2, y2, pixels of the input.
        boxes: (batch, places, 4), of the nearest object.
        nearest: int32 (batch, places), its class.

    Returns:
        int32 (batch, places), as ``Assigned.class_ids``.
    """
    tf = import_tensorflow()
    overlaps = tf.stop_gradient(overlap_of(proposals, boxes)[0])
    return tf.where(overlaps >= 0.5, nearest, tf.where(overlaps >= 0.4, IGNORED, NOTHING))


def overlap_of(a: Any, b: Any) -> tuple[Any, Any]:
    """Intersection over union of boxes x1, y1, x2, y2, pair by pair, and what GIoU takes off it; tensors (..., 4)."""
    tf = import_tensorflow()
    common = _area(tf.maximum(a[..., :2], b[..., :2]), tf.minimum(a[..., 2:], b[..., 2:]))
    union = _area(a[..., :2], a[..., 2:]) + _area(b[..., :2], b[..., 2:]) - common
    around = _area(tf.minimum(a[..., :2], b[..., :2]), tf.maximum(a[..., 2:], b[..., 2:]))
    return common / tf.maximum(union, 1e-6), (around - union) / tf.maximum(around, 1e-6)


def _area(low: Any, high: Any) -> Any:
    tf = import_tensorflow()
    return tf.reduce_prod(tf.maximum(high - low, 0.0), axis=-1)
