"""What three of the pre-flight findings cost: int8 of a trained network with the fault and without, computing the same.

python scripts/check_preflight.py residual.keras train.npz held_out.npz

The network is the residual one of train_small_networks.py. Each fault is put in so that the float model's answers stay
what they were; what int8 then changes is the fault's alone. docs/preflight.md quotes the figures.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from edgevision.converters.quantize.build import build_model
from edgevision.converters.quantize.quantize import quantize
from edgevision.converters.source import load_source

_IMAGES = 2000
_NORM, _BEHIND = "batch_normalization_1", "conv2d_2"


def report(name: str, model: Any, calibration: Any, images: Any, labels: Any) -> None:
    """One line: accuracy in float and int8, share of equal answers."""
    source = load_source(model, preprocess="unit")
    ranges = [{"image": calibration[at : at + 32]} for at in range(0, 128, 32)]
    quantized = quantize(
        source.graph,
        source.scores,
        lambda: ranges,
        {"image": calibration[:64]},
        lambda: [{"image": calibration[128:192]}],
    )
    before, after = (_answers(each, images) for each in (build_model(source.graph), quantized.model()))
    right = [100 * float((each == labels).mean()) for each in (before, after)]
    same = 100 * float((before == after).mean())
    print(f"{name:30} float {right[0]:.1f} % int8 {right[1]:.1f} % same answers {same:.1f} %", flush=True)


def _answers(model: Any, images: Any) -> Any:
    parts = [np.asarray(model(images[at : at + 250].astype(np.float32))) for at in range(0, len(images), 250)]
    return np.concatenate(parts).argmax(1)


def uneven(model: Any, factor: float) -> Any:
    """Two channels reach farther; the kernel behind takes it back."""
    norm, behind = model.get_layer(_NORM), model.get_layer(_BEHIND)
    scale = np.ones(norm.gamma.shape[0], np.float32)
    scale[:2] = factor
    norm.gamma.assign(norm.gamma * scale)
    norm.beta.assign(norm.beta * scale)
    behind.kernel.assign(behind.kernel / scale[:, None])
    return model


def outlying(model: Any, factor: float) -> Any:
    """Large weights on a channel that is always zero."""
    norm, behind = model.get_layer(_NORM), model.get_layer(_BEHIND)
    for weight in (norm.gamma, norm.beta):
        values = np.asarray(weight).copy()
        values[0] = 0
        weight.assign(values)
    kernel = np.asarray(behind.kernel).copy()
    signs = np.sign(np.random.default_rng(0).normal(size=kernel[:, :, 0].shape))
    kernel[:, :, 0] = factor * np.abs(kernel).max() * signs
    behind.kernel.assign(kernel)
    return model


def shared(model: Any, size: float) -> Any:
    """Scores beside values of another size in one tensor, of which only the scores are used."""
    import keras
    from keras import layers

    last = model.layers[-1]
    scores = layers.Activation("sigmoid", name="scores")(last.output)
    kernel, mixed = 4 * np.eye(10), scores
    if size:
        boxes = layers.Dense(4, name="boxes")
        mixed = layers.Concatenate(name="mixed")([scores, boxes(last.input)])
        boxes.kernel.assign(np.random.default_rng(0).normal(0, size / 3, boxes.kernel.shape))
        kernel = np.concatenate([kernel, np.zeros((4, 10))])
    pick = layers.Dense(10, use_bias=False, name="pick")
    pick.build((None, len(kernel)))
    pick.set_weights([kernel.astype(np.float32)])
    return keras.Model(model.input, pick(mixed))


def main(path: str, calibration: str, held_out: str) -> None:
    """Every fault at a few sizes, the sound network first."""
    import keras

    train, held = np.load(calibration)["images"], np.load(held_out)
    data = train, held["images"][:_IMAGES], held["labels"][:_IMAGES]
    for fault, sizes in ((uneven, (1, 8, 32, 128)), (outlying, (0, 8, 32, 128)), (shared, (0, 4, 16, 100))):
        for size in sizes:
            report(f"{fault.__name__} {size}", fault(keras.models.load_model(Path(path)), size), *data)


if __name__ == "__main__":
    main(*sys.argv[1:])
