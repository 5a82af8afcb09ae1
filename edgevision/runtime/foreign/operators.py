"""What a model file tells about its own ends, read without TensorFlow or onnx: operators, types, quantisation."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field

from edgevision.runtime.errors import BundleError
from edgevision.runtime.manifest import Precision
from edgevision.runtime.spec import QuantParams


@dataclass(frozen=True)
class FileFacts:
    """What stands in a model file.

    Attributes:
        writers: Name of an output -> "softmax", "sigmoid" or the name of the operator that writes it, behind those that
            only move or round values; missing where the graph does not say.
        precision: In what it computes, by its weights and what lies between its operators.
        quant: Name of an input or output -> how its stored integers map to real values, where the engine does not say.
    """

    writers: dict[str, str]
    precision: Precision
    quant: dict[str, QuantParams] = field(default_factory=dict)


def file_facts(data: bytes, format: str) -> FileFacts:
    """The facts of a model file (of OpenVINO the .xml).

    Raises:
        BundleError: The file is not of that format, or is damaged.
    """
    from edgevision.runtime.foreign import onnx_file, openvino_file, tflite_file

    reader = {"tflite": tflite_file.facts, "onnx": onnx_file.facts, "openvino": openvino_file.facts}[format]
    try:
        return reader(data)
    except (ValueError, KeyError, IndexError, OverflowError, RecursionError, struct.error) as error:
        raise BundleError(f"the {format} model is damaged", got=f"{type(error).__name__}: {error}") from error


def closing(kind: str) -> str:
    """ "softmax" or "sigmoid" of an operator's name; others stay."""
    plain = kind.lower()
    return {"logistic": "sigmoid", "logsoftmax": kind}.get(plain, plain if plain in ("softmax", "sigmoid") else kind)


def behind(output: str, writer: dict[str, tuple[str, str]], moving: Iterable[str]) -> str:
    """The operator that computes an output.

    Args:
        output: The tensor.
        writer: Tensor -> (operator's name, its first input).
        moving: Names of operators that move or round values only: they are stepped over.
    """
    seen: set[str] = set()
    while output in writer and output not in seen:
        seen.add(output)
        kind, source = writer[output]
        if kind not in moving:
            return closing(kind)
        output = source
    return ""


def precision_of(quantised_between: bool, weights: dict[str, int], wide_between: bool = False) -> Precision:
    """A model's precision.

    Args:
        quantised_between: Whether values between operators are 8-bit integers.
        weights: Type -> bytes of constants.
        wide_between: Whether they are 16-bit integers.
    """
    if wide_between:
        return "int16x8"
    if quantised_between:
        return "int8"
    floats, halves = weights.get("float32", 0), weights.get("float16", 0)
    if weights.get("int8", 0) > floats + halves:
        return "dynamic-int8"
    return "float16" if halves > floats else "float32"
