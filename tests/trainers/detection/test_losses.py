from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from edgevision.trainers.detection.losses import (
    BOX_LOSSES,
    SCORE_LOSSES,
    detection_loss,
    overlap_of,
    refined_ids,
)
from edgevision.trainers.detection.places import IGNORED, NOTHING, overlap, places_of
from edgevision.trainers.recipe import Recipe
from tests.trainers.detection.test_places import BOXES, HEADS, IDS, SIZE


def recipe(**fields: str) -> Recipe:
    return Recipe(task="detection", model="fcos-mobilenet", input_size=SIZE, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("box_loss", BOX_LOSSES)
@pytest.mark.parametrize("loss", SCORE_LOSSES)
def test_right_answers_lose_nothing_and_descent_leads_there(loss: str, box_loss: str) -> None:
    places = places_of(HEADS["ssd"], SIZE)
    assigned = places.assign(BOXES, IDS)
    ids, boxes = assigned.class_ids[None], assigned.boxes[None]
    logits = np.where(np.eye(3)[np.maximum(ids, 0)] * (ids >= 0)[..., None] > 0, 12.0, -12.0).astype(np.float32)
    right = places.encoded(boxes)
    found = detection_loss(recipe(loss=loss, box_loss=box_loss), places, right, logits, ids, boxes)
    assert all(float(value) == pytest.approx(0, abs=2e-3) for value in found.values())

    raw, scores = tf.Variable(tf.zeros_like(right)), tf.Variable(tf.zeros_like(logits))
    losses = []
    for _ in range(12):
        with tf.GradientTape() as tape:
            losses.append(detection_loss(recipe(loss=loss, box_loss=box_loss), places, raw, scores, ids, boxes)["loss"])
        for variable, gradient in zip((raw, scores), tape.gradient(losses[-1], (raw, scores))):
            variable.assign_sub(gradient)
    assert float(losses[-1]) < 0.9 * float(losses[0])


@pytest.mark.parametrize("loss", SCORE_LOSSES)
def test_ignored_places_teach_nothing(loss: str) -> None:
    places = places_of(HEADS["ssd"], SIZE)
    assigned = places.assign(BOXES, IDS)
    ids = assigned.class_ids[None].copy()
    ids[0, :5] = IGNORED
    raw, logits = tf.zeros((1, places.count, 4)), tf.Variable(tf.random.normal((1, places.count, 3), seed=1))
    with tf.GradientTape() as tape:
        value = detection_loss(recipe(loss=loss), places, raw, logits, ids, assigned.boxes[None])["loss"]
    gradient = np.asarray(tape.gradient(value, logits))
    assert (gradient[0, :5] == 0).all() and (gradient != 0).any()


def test_hard_places_are_three_times_as_many() -> None:
    places = places_of(HEADS["strides"], SIZE)
    assigned = places.assign(BOXES[:1], IDS[:1])
    logits = tf.Variable(tf.random.normal((1, places.count, 3), seed=2))
    with tf.GradientTape() as tape:
        found = detection_loss(
            recipe(loss="cross-entropy"),
            places,
            tf.ones((1, places.count, 4)),
            logits,
            assigned.class_ids[None],
            assigned.boxes[None],
        )
    moved = (np.asarray(tape.gradient(found["loss"], logits))[0] != 0).any(axis=1)
    objects = assigned.class_ids >= 0
    assert moved[objects].all() and moved[~objects].sum() == 3 * objects.sum() + 1


def test_overlaps_are_those_of_the_assignment() -> None:
    random = np.random.default_rng(0)
    low = random.uniform(0, 50, (20, 2))
    boxes = np.concatenate([low, low + random.uniform(1, 30, (20, 2))], axis=1).astype(np.float32)
    found, enclosing = overlap_of(boxes[:10], boxes[10:])
    assert np.asarray(found) == pytest.approx(np.diagonal(overlap(boxes[:10], boxes[10:])), abs=1e-6)
    apart = overlap_of(np.array([[0.0, 0, 1, 1]], np.float32), np.array([[3.0, 0, 4, 1]], np.float32))
    assert float(apart[0][0]) == 0 and float(apart[1][0]) == pytest.approx(0.5)
    assert (np.asarray(enclosing) >= 0).all()


def test_the_second_stage_answers_for_what_proposals_have_come_near() -> None:
    truth = np.array([[[0, 0, 10, 10]] * 4], np.float32)
    proposals = np.array([[[0, 0, 10, 10], [0, 0, 10, 4.5], [0, 0, 10, 3], [20, 20, 30, 30]]], np.float32)
    assert np.asarray(refined_ids(proposals, truth, np.full((1, 4), 2, np.int32))).tolist() == [
        [2, IGNORED, NOTHING, NOTHING]
    ]
