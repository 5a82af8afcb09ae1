"""Sums that were taken for biases, as sums again.

Of one place the output of a convolution is as large as a bias. TensorFlow's graph optimiser makes of two such outputs
that are added (NASNet, whose last maps are 1x1 where its input is small) a bias of the first, and tf2onnx hangs that on
to the first convolution: a fourth input, behind its own bias, which ONNX does not know.
"""

from __future__ import annotations

import numpy as np

from edgevision.converters.formats.onnx_graph import OnnxGraph


def restore_sums(graph: OnnxGraph) -> None:
    """Conv(x, kernel, [bias,] Squeeze(y))   becomes   Add(Conv(x, kernel, [bias]), Reshape(Squeeze(y)))."""
    from onnx import NodeProto, helper

    for node in [node for node in graph.nodes if node.op_type == "Conv" and len(node.input) > 2]:
        added = graph.producer(node.input[-1])
        if added is None or added.op_type != "Squeeze":
            continue
        (found,) = node.output
        alone, wide = f"{found}_alone", f"{found}_added"
        shape = graph.add_constant(f"{found}_shape", np.array([1, -1, 1, 1]))
        reshape = helper.make_node("Reshape", [node.input.pop(), shape], [wide], name=wide)
        kernel = NodeProto()
        kernel.CopyFrom(node)
        kernel.output[0] = alone
        node.CopyFrom(helper.make_node("Add", [alone, wide], [found], name=found))
        graph.insert_before(node, kernel, reshape)
