"""Golden inputs and outputs: what each artifact answered where it was made, to be compared on the device."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgevision.converters.answers import run_each
from edgevision.converters.quantize.graph import Op
from edgevision.converters.quantize.observe import Batch
from edgevision.runtime.bundle import Golden
from edgevision.runtime.session import Session
from edgevision.runtime.synthetic import synthetic_pixels

#: Enough to notice a wrong kernel, small enough to travel.
COUNT = 8


def make_golden(inputs: Batch, sessions: dict[str, Session]) -> Golden:
    """Outputs of every artifact for these inputs.

    Args:
        inputs: Named arrays (N, ...) as the artifacts take them; an image's are pixels, uint8 (N, H, W, C).
        sessions: An open session per artifact name.
    """
    return Golden(inputs, {name: run_each(session, inputs) for name, session in sessions.items()})


def synthetic(inputs: Sequence[Op], real: Batch, seed: int = 0) -> Batch:
    """Made-up inputs like ``real`` ones: smooth random images, or values evenly spread between the least and greatest.

    Args:
        inputs: The graph's inputs.
        real: Named arrays (n, ...); nothing but their extremes is taken over.
        seed: Decides the values.
    """
    random, made = np.random.default_rng(seed), {}
    for op in inputs:
        values, shape = real[op.name], (COUNT, *op.shape)
        if op.dtype == "uint8":
            frames = COUNT * (shape[1] if len(shape) == 5 else 1)
            made[op.name] = synthetic_pixels((shape[-3], shape[-2], shape[-1]), frames, seed).reshape(shape)
        elif op.dtype == "int32":
            made[op.name] = random.integers(values.min(), values.max(), shape, np.int32, endpoint=True)
        else:
            made[op.name] = random.uniform(values.min(), values.max(), shape).astype(np.float32)
    return made
