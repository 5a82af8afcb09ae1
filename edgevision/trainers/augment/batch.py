"""The last move of each image of a batch, all by one operation: image by image it would cost most of the time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgevision.trainers.augment.affine import Affine, warped
from edgevision.trainers.engine import import_tensorflow
from edgevision.trainers.examples import Example


def is_pixels_alone(example: Example) -> bool:
    """Whether nothing but one picture has to be moved."""
    return example.boxes is None and example.mask is None and example.pixels.ndim == 3


def warped_pixels(examples: Sequence[Example], moves: Sequence[Affine | None]) -> NDArray[np.uint8]:
    """The pixels of a batch, each as its map moves it; as by ``warped``, to a grey level.

    Args:
        examples: Of one size.
        moves: Where an example's points go; None where they stay. Only an example that ``is_pixels_alone`` has one.

    Returns:
        uint8 (batch, H, W, C), or (batch, frames, H, W, C).
    """
    backs = [None if move is None else move.inverse() for move in moves]
    is_sampled = np.array([back is not None and _by_sampling(back) for back in backs])
    found = np.stack(
        [
            example.pixels if move is None or sampled else warped(example, move).pixels
            for example, move, sampled in zip(examples, moves, is_sampled)
        ]
    )
    if is_sampled.any():
        found[is_sampled] = _sampled(found[is_sampled], [back for back, one in zip(backs, is_sampled) if one and back])
    return found


def _by_sampling(back: Affine) -> bool:
    """Whether values between pixels are wanted and no kernel has to widen, as it does where upright pictures shrink."""
    return not back.is_whole and not (back.is_upright and max(abs(back.a), abs(back.e)) > 1)


def _sampled(pixels: NDArray[np.uint8], backs: Sequence[Affine]) -> NDArray[np.uint8]:
    """Bilinear, the edge repeated. TensorFlow counts from the middle of the first pixel, maps from its corner."""
    tf = import_tensorflow()
    a, b, c, d, e, f = np.array(backs, np.float64).T
    none = np.zeros_like(a)
    rows = [a, b, c + (a + b - 1) / 2, d, e, f + (d + e - 1) / 2, none, none]
    with tf.device("CPU"):
        moved = tf.raw_ops.ImageProjectiveTransformV3(
            images=pixels.astype(np.float32),
            transforms=np.stack(rows, 1).astype(np.float32),
            output_shape=np.array(pixels.shape[1:3], np.int32),
            fill_value=0.0,
            interpolation="BILINEAR",
            fill_mode="NEAREST",
        ).numpy()
    moved += 0.5
    return np.asarray(moved.astype(np.uint8))
