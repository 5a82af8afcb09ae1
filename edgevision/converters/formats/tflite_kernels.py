"""Kernels that TFLite's converter stores in 8 bits although they compute in float: transposed convolutions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.converters.quantize.graph import Graph
from edgevision.converters.quantize.weights import to_grid

#: Keras' (h, w, out, in) in TFLite's order, (out, h, w, in).
_ORDER = (2, 0, 1, 3)


def restore_kernels(model: Any, graph: Graph) -> None:
    """Give transposed convolutions in float their float kernels back.

    Args:
        model: The flatbuffer as an object; edited in place.
        graph: What it was made of.
    """
    from tensorflow.lite.python.schema_py_generated import TensorType

    for op in graph:
        if op.kind == "Conv2DTranspose" and op.float_reason:
            kernel = op.weights[0].transpose(_ORDER)
            stored, _ = to_grid(kernel, (0,))
            for tensor in model.subgraphs[0].tensors:
                buffer = model.buffers[tensor.buffer]
                if tensor.type == TensorType.INT8 and _is_same(buffer.data, stored):
                    tensor.type, tensor.quantization = TensorType.FLOAT32, None
                    buffer.data = np.frombuffer(kernel.astype("<f4").tobytes(), np.uint8)


def _is_same(data: Any, stored: NDArray[np.int8]) -> bool:
    """Whether 8-bit values are those of a kernel; the converter may round a few the other way."""
    if data is None or len(data) != stored.size:
        return False
    found = np.asarray(data, np.uint8).view(np.int8).astype(np.int32)
    return bool(np.abs(found - stored.ravel()).max() <= 1)
