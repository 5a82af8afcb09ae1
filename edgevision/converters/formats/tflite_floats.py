"""What TFLite's converter computes in 8 bits because it lies between 8-bit values, and what is better done in float.

Sigmoid, tanh and softmax have grids given there (steps of 1/256 and 1/128), whatever grid was asked for.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from edgevision.converters.formats.tflite_graph import TFLiteGraph, kinds

_GIVEN = ("LOGISTIC", "TANH")


def free_tails(model: Any) -> None:
    """Let a closing softmax, sigmoid or tanh work on floats, as in the other formats.

    The converter rounds its result to 1/256, where small probabilities are all alike. So
    int8 -> SOFTMAX -> int8 -> DEQUANTIZE -> float   becomes   int8 -> DEQUANTIZE -> float -> SOFTMAX -> float.
    """
    graph, names = model.subgraphs[0], kinds(model)
    for dequantize in [item for item in graph.operators if names[item.opcodeIndex] == "DEQUANTIZE"]:
        middle, output = dequantize.inputs[0], dequantize.outputs[0]
        function = next((item for item in graph.operators if middle in item.outputs), None)
        readers = [item for item in graph.operators if middle in item.inputs]
        is_last = output in graph.outputs and len(readers) == 1
        if function is None or not is_last or names[function.opcodeIndex] not in ("SOFTMAX", "LOGISTIC", "TANH"):
            continue
        logits = function.inputs[0]
        graph.tensors[middle].type, graph.tensors[middle].quantization = graph.tensors[output].type, None
        dequantize.inputs, dequantize.outputs = [logits], [middle]
        function.inputs, function.outputs = [middle], [output]
        first, second = (graph.operators.index(item) for item in (function, dequantize))
        graph.operators[first], graph.operators[second] = dequantize, function


def free_softmax(model: Any) -> None:
    """Let a softmax inside the network work on floats and write the grid it was given.

    Of attention over 64 places the grid of the converter leaves four steps, and the kernel is approximate on top. So
    int8 -> SOFTMAX -> int8 -> QUANTIZE -> int8   becomes   int8 -> DEQUANTIZE -> float -> SOFTMAX -> float -> QUANTIZE.

    Args:
        model: The flatbuffer as an object; edited in place.
    """
    graph = TFLiteGraph(model)
    for function in [item for item in graph.operators if graph.kind(item) == "SOFTMAX"]:
        stored, middle = function.inputs[0], function.outputs[0]
        readers = graph.consumers(middle)
        if [graph.kind(item) for item in readers] != ["QUANTIZE"] or graph.is_float(stored):
            continue  # in the second case it works on floats already, as in the Attention layer
        shape, name = list(graph.tensors[middle].shape), graph.tensors[middle].name.decode()
        real, result = graph.value(f"{name}_in", shape, np.float32), graph.value(f"{name}_out", shape, np.float32)
        graph.operators.insert(graph.operators.index(function), graph.dequantization(stored, real))
        function.inputs, function.outputs, readers[0].inputs = [real], [result], [result]


def free_states(model: Any) -> None:
    """Let the last product of an LSTM work on floats; its result is rounded behind it, where it is read in 8 bits.

    A state may be a hundredth of what the grids of its two factors are made for: 8 dB were left of one. So
    float (twice) -> QUANTIZE -> int8 -> MUL -> int8   becomes   float (twice) -> MUL -> float -> QUANTIZE -> int8,
    and whoever took the result back to float reads it as it was.

    Args:
        model: The flatbuffer as an object; edited in place.
    """
    graph = TFLiteGraph(model)
    for product in [item for item in graph.operators if graph.kind(item) == "MUL"]:
        rounding, rounded = [graph.producer(index) for index in product.inputs], product.outputs[0]
        if all(_rounds_given(graph, item) for item in rounding):
            _free(graph, product, rounding, rounded)


def _free(graph: TFLiteGraph, product: Any, rounding: list[Any], rounded: int) -> None:
    old = graph.tensors[rounded]
    result = graph.value(old.name.decode() + "_float", list(old.shape), np.float32)
    product.inputs, product.outputs = [item.inputs[0] for item in rounding], [result]
    for reader in graph.consumers(rounded):
        if graph.kind(reader) == "DEQUANTIZE":
            graph.operators.remove(reader)
            for other in graph.consumers(reader.outputs[0]):
                other.inputs = [result if index == reader.outputs[0] else index for index in other.inputs]
    if graph.consumers(rounded):
        graph.operators.insert(graph.operators.index(product) + 1, graph.like(rounding[0], [result], [rounded]))
    for item in rounding:
        if item in graph.operators and not graph.consumers(item.outputs[0]):
            graph.operators.remove(item)


def _rounds_given(graph: TFLiteGraph, operator: Any) -> bool:
    if operator is None or graph.kind(operator) != "QUANTIZE":
        return False
    source = graph.producer(operator.inputs[0])
    return source is not None and graph.kind(source) in _GIVEN
