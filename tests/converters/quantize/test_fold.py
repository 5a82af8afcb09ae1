from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers as kl

from edgevision.converters.quantize.fold import fold, prepend_normalization
from edgevision.converters.quantize.graph import Array, Graph, Op
from edgevision.converters.quantize.trace import trace
from edgevision.runtime.preprocess import normalize
from edgevision.runtime.spec import NORMALIZATIONS, named_preprocessing
from tests.converters.models import SIZE, evaluate, sequential, signals

PIXELS = np.random.default_rng(3).integers(0, 256, (2, SIZE, SIZE, 3), dtype=np.uint8)


def chain(*ops: Op) -> Graph:
    """Operations one after the other, behind a (8, 8, 2) input."""
    graph = Graph({"image": Op("image", "Input", [], (8, 8, 2))}, {"output": "image"})
    for op in ops:
        graph.ops[op.name] = Op(op.name, op.kind, [graph.output], op.shape, op.config, op.weights)
        graph.outputs = {"output": op.name}
    return graph


def affine(name: str, scale: list[float], offset: list[float], shape: tuple[int, ...] = (8, 8, 2)) -> Op:
    return Op(name, "Affine", [], shape, {}, [np.array(scale, np.float32), np.array(offset, np.float32)])


def numbers(*shape: int, seed: int = 5) -> Array:
    return np.random.default_rng(seed).normal(0, 0.5, shape).astype(np.float32)


def kernel_op(kind: str, padding: str, shape: tuple[int, ...]) -> Op:
    """A kernel that takes values of ``shape``."""
    if kind == "Dense":
        return Op("kernel", kind, [], (3,), {"units": 3}, [numbers(shape[0], 3), numbers(3)])
    rows, columns = (shape[0], shape[1]) if padding == "same" else (shape[0] - 2, shape[1] - 2)
    config: dict[str, Any] = {"kernel_size": (3, 3), "padding": padding, "strides": (1, 1), "dilation_rate": (1, 1)}
    if kind == "Conv2D":
        weights = [numbers(3, 3, shape[2], 3), numbers(3)]
        return Op("kernel", kind, [], (rows, columns, 3), config | {"filters": 3}, weights)
    weights = [numbers(3, 3, shape[2], 2), numbers(2 * shape[2])]
    return Op("kernel", kind, [], (rows, columns, 2 * shape[2]), config | {"depth_multiplier": 2}, weights)


def between(kind: str) -> tuple[Op, ...]:
    """What may lie between an affine map and the kernel."""
    pool = {"pool_size": (2, 2), "strides": (2, 2), "padding": "same"}
    return {
        "nothing": (),
        "max": (Op("pool", "MaxPooling2D", [], (4, 4, 2), dict(pool)),),
        "average": (Op("pool", "AveragePooling2D", [], (4, 4, 2), dict(pool)),),
        "padding": (Op("pad", "ZeroPadding2D", [], (10, 10, 2), {"padding": (1, 1)}),),
        "relu": (Op("relu", "ReLU", [], (8, 8, 2), {"max_value": None}),),
        "max, padding": (
            Op("pool", "MaxPooling2D", [], (4, 4, 2), dict(pool)),
            Op("pad", "ZeroPadding2D", [], (6, 6, 2), {"padding": (1, 1)}),
        ),
    }[kind]


factors = st.lists(st.floats(-2, 2, width=32), min_size=2, max_size=2)
WAYS = ("nothing", "max", "average", "padding", "relu", "max, padding")


@settings(max_examples=60, deadline=None)
@given(
    scale=factors,
    offset=st.one_of(st.just([0.0, 0.0]), factors),
    way=st.sampled_from(WAYS),
    kind=st.sampled_from(["Conv2D", "DepthwiseConv2D", "Dense"]),
    padding=st.sampled_from(["valid", "same"]),
    second=st.booleans(),
)
def test_folding_never_changes_what_is_computed(
    scale: list[float], offset: list[float], way: str, kind: str, padding: str, second: bool
) -> None:
    ops = [affine("first", scale, offset), *between(way)]
    if kind == "Dense":
        size = int(np.prod(ops[-1].shape))
        ops.append(Op("flat", "Reshape", [], (size,), {"target_shape": (size,)}))
    ops.append(kernel_op(kind, padding, ops[-1].shape))
    if second:
        channels = ops[-1].shape[-1]
        ops.append(affine("second", [1.5, -0.5] * 3, [0.25, 1.0] * 3, ops[-1].shape))
        ops[-1].weights = [weight[:channels] for weight in ops[-1].weights]
    graph, values = chain(*ops), signals(2, (8, 8, 2))
    expected = evaluate(graph, values)
    fold(graph)
    assert not any(op.kind == "Affine" for op in graph)
    assert graph.output == "kernel"
    np.testing.assert_allclose(evaluate(graph, values), expected, atol=1e-4)


def is_folded(way: str, scale: list[float], offset: list[float], kind: str = "Conv2D", padding: str = "valid") -> bool:
    """Whether the kernel ahead took the affine map in, instead of leaving it as an operation of its own."""
    ops = (affine("first", scale, offset), *between(way))
    graph = chain(*ops, kernel_op(kind, padding, ops[-1].shape))
    fold(graph)
    return "first" not in graph.ops


@pytest.mark.parametrize("kind", ["Conv2D", "DepthwiseConv2D"])
def test_a_padded_convolution_takes_a_scale_but_never_an_offset(kind: str) -> None:
    assert is_folded("nothing", [2, 3], [1, 0], kind, "valid")
    assert is_folded("nothing", [2, 3], [0, 0], kind, "same")
    assert not is_folded("nothing", [2, 3], [1, 0], kind, "same")


@pytest.mark.parametrize(
    ("way", "scale", "offset", "taken"),
    [
        ("max", [2, 3], [1, 1], True),
        ("max", [2, -3], [1, 1], False),
        ("max", [2, 0], [1, 1], False),
        ("average", [2, -3], [1, 1], True),
        ("padding", [2, -3], [0, 0], True),
        ("padding", [2, 3], [1, 0], False),
        ("max, padding", [2, 3], [0, 0], True),
        ("max, padding", [2, -3], [0, 0], False),
        ("max, padding", [2, 3], [0, 1], False),
        ("relu", [2, 3], [0, 0], False),
    ],
)
def test_what_an_affine_map_may_pass(way: str, scale: list[float], offset: list[float], taken: bool) -> None:
    assert is_folded(way, scale, offset) is taken


def test_what_nothing_takes_in_becomes_a_1x1_depthwise_convolution() -> None:
    graph = chain(affine("first", [2, -3], [1, 4]), *between("relu"))
    fold(graph)
    op = graph.ops["first"]
    assert op.kind == "DepthwiseConv2D" and op.config["kernel_size"] == 1
    np.testing.assert_array_equal(op.weights[0].ravel(), [2, -3])
    np.testing.assert_array_equal(op.weights[1], [1, 4])


def test_an_affine_map_that_two_operations_take_stays() -> None:
    """Folded into one of the two, the other would miss it."""
    graph = chain(affine("first", [2, 3], [1, 1]), kernel_op("Conv2D", "valid", (8, 8, 2)))
    graph.ops["other"] = Op("other", "Conv2D", ["first"], (6, 6, 3), dict(graph.ops["kernel"].config))
    graph.ops["other"].weights = [numbers(3, 3, 2, 3, seed=8), numbers(3, seed=9)]
    graph.ops["sum"] = Op("sum", "Add", ["kernel", "other"], (6, 6, 3))
    graph.outputs = {"output": "sum"}
    values = signals(2, (8, 8, 2))
    expected = evaluate(graph, values)
    fold(graph)
    assert graph.ops["first"].kind == "DepthwiseConv2D"
    np.testing.assert_allclose(evaluate(graph, values), expected, atol=1e-4)


def test_a_kernel_whose_own_output_is_used_takes_nothing_in() -> None:
    graph = chain(kernel_op("Conv2D", "same", (8, 8, 2)), affine("after", [2] * 3, [1] * 3, (8, 8, 3)))
    graph.ops["sum"] = Op("sum", "Add", ["kernel", "after"], (8, 8, 3))
    graph.outputs = {"output": "sum"}
    values = signals(2, (8, 8, 2))
    expected = evaluate(graph, values)
    fold(graph)
    np.testing.assert_allclose(evaluate(graph, values), expected, atol=1e-4)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("name", sorted(NORMALIZATIONS))
def test_normalisation_goes_into_the_graph(name: str, padding: str) -> None:
    """Raw pixels into the graph = normalised pixels into the model, each convention, with and without padding."""
    p = named_preprocessing(name, SIZE, SIZE)
    model = sequential(kl.Conv2D(4, 3, padding=padding), kl.ReLU(), kl.GlobalAveragePooling2D())
    graph = trace(model, (SIZE, SIZE, 3))
    prepend_normalization(graph, p)
    fold(graph)
    expected = np.asarray(model(normalize(PIXELS, p)))
    np.testing.assert_allclose(evaluate(graph, PIXELS.astype(np.float32)), expected, rtol=1e-4, atol=1e-4)
    # Without padding the device does nothing for it; with padding at most one 1x1 step for an offset.
    kernels = [op.kind for op in graph if op.has_kernel]
    has_offset = any(p.mean)
    assert kernels == (["DepthwiseConv2D", "Conv2D"] if padding == "same" and has_offset else ["Conv2D"])


def test_normalisation_of_grey_images() -> None:
    p = named_preprocessing("tf", SIZE, SIZE, 1)
    model = sequential(kl.Conv2D(4, 3), kl.Flatten(), kl.Dense(2), shape=(SIZE, SIZE, 1))
    graph = trace(model, (SIZE, SIZE, 1))
    prepend_normalization(graph, p)
    fold(graph)
    pixels = PIXELS[..., :1]
    expected = np.asarray(model(normalize(pixels, p)))
    np.testing.assert_allclose(evaluate(graph, pixels.astype(np.float32)), expected, rtol=1e-4, atol=1e-4)
