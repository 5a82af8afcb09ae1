"""NNCF, which quantises OpenVINO and ONNX models alike."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from edgevision.converters.formats.exported import INPUT
from edgevision.converters.native.quantizing import chosen
from edgevision.converters.quantize.observe import Batches
from edgevision.runtime.errors import MissingPackageError

#: "extremes": ranges by what was seen at all instead of its default, the mean of the images' extremes, which clips.
_EXTREMES = "NNCF, accurate, extremes"
METHODS = ("NNCF", "NNCF, accurate", "NNCF, accurate, mixed", "NNCF, accurate, transformer", _EXTREMES)
ACCURATE = "NNCF, accurate"
CANDIDATES = (ACCURATE, _EXTREMES)


def quantize_model(model: Any, batches: Batches, input_name: str, method: str) -> Any:
    """A quantised copy of an openvino.Model or onnx.ModelProto.

    Args:
        model: Raw pixels float32 (1, H, W, C) in.
        batches: Calibration images, all of which are used; {"image": uint8 (n, H, W, C)}.
        input_name: Name of the model's input.
        method: One of ``METHODS``. "accurate" corrects biases layer by layer (``fast_bias_correction=False``), "mixed"
            gives activations asymmetric grids.

    Raises:
        InputError: The method is unknown.
        MissingPackageError: nncf is not installed.
    """
    chosen(method, METHODS)
    try:
        import nncf
    except ImportError as error:
        raise MissingPackageError("nncf", "to quantise a model that cannot be rebuilt", "convert") from error

    nncf.set_log_level(logging.ERROR)
    images = [image[None] for batch in batches() for image in batch[INPUT]]
    data = nncf.Dataset(images, lambda image: {input_name: image.astype(np.float32)})
    options: dict[str, Any] = {"subset_size": len(images)}
    if "accurate" in method:
        options["fast_bias_correction"] = False
    if "mixed" in method:
        options["preset"] = nncf.QuantizationPreset.MIXED
    if "transformer" in method:
        options["model_type"] = nncf.ModelType.TRANSFORMER
    if "extremes" in method:
        from nncf.quantization.range_estimator import RangeEstimatorParametersSet

        options["advanced_parameters"] = nncf.AdvancedQuantizationParameters(
            activations_range_estimator_params=RangeEstimatorParametersSet.MINMAX
        )
    return nncf.quantize(model, data, **options)
