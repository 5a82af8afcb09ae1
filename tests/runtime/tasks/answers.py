"""Predictors over no engine, and what they make of given outputs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.runtime.backends import open_session
from edgevision.runtime.backends.null import describe_model
from edgevision.runtime.heads import Head
from edgevision.runtime.manifest import Artifact, Manifest, Scores
from edgevision.runtime.predictor import Predictor
from edgevision.runtime.spec import Preprocessing, QuantParams, TensorSpec

Arrays = dict[str, NDArray[Any]]
INPUT = Preprocessing(96, 128)


def predictor_of(
    head: Head | None,
    outputs: Arrays,
    labels: tuple[str, ...] = ("cat", "dog", "bird"),
    preprocessing: Preprocessing | None = INPUT,
    *,
    task: str = "classification",
    scores: Scores | None = None,
    inputs: tuple[TensorSpec, ...] = (),
    quant: dict[str, QuantParams] | None = None,
    **thresholds: float,
) -> Predictor:
    """A predictor whose model has outputs of these shapes and dtypes."""
    if not inputs:
        assert preprocessing is not None
        inputs = (TensorSpec("image", (1, preprocessing.height, preprocessing.width, 3), "uint8"),)
    made = tuple(TensorSpec(k, v.shape, v.dtype.name, (quant or {}).get(k)) for k, v in outputs.items())
    session = open_session("null", describe_model(inputs, made))
    manifest = Manifest(task if head is None else head.task, labels, scores, preprocessing, head=head)
    return Predictor(session, manifest, Artifact("a.onnx", "onnx", "int8", (), inputs, made), **thresholds)


def answer(head: Head | None, outputs: Arrays, size: tuple[int, int] = (96, 128), **options: Any) -> Any:
    """The result of these outputs for a source of that height and width."""
    return predictor_of(head, outputs, **options).postprocess(outputs, size)


def floats(*rows: Any) -> NDArray[np.float32]:
    """float32 with a batch of 1 in front."""
    return np.array([rows], np.float32)


def logit(values: Any) -> NDArray[np.float32]:
    values = np.asarray(values, np.float64)
    return np.log(values / (1 - values)).astype(np.float32)  # type: ignore[no-any-return]
