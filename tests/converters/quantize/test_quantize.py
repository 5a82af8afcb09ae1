from __future__ import annotations

import numpy as np
import pytest
from keras import layers as kl

from edgevision.converters.quantize import quantize as module
from edgevision.converters.quantize.build import build_model
from edgevision.converters.quantize.correct import correct_biases, images_to_correct, kernel_means
from edgevision.converters.quantize.fake_quant import Range
from edgevision.converters.quantize.graph import Graph
from edgevision.converters.quantize.observe import observe
from edgevision.converters.quantize.points import rounded_outputs, value_grids
from edgevision.converters.quantize.quantize import Quantized, quantize
from edgevision.converters.quantize.scoring import divergence
from edgevision.converters.quantize.weights import channel_axes, overflows, quantize_kernels, to_grid
from edgevision.runtime.manifest import Target
from tests.converters.models import Floats, as_batch, folded, pictures, sequential

IMAGES, _ = pictures(96)


@pytest.fixture(scope="module")
def graph() -> Graph:
    layers = (
        kl.Rescaling(1 / 127.5, -1),
        kl.Conv2D(6, 3),
        kl.BatchNormalization(),
        kl.ReLU(6),
        kl.DepthwiseConv2D(3, depth_multiplier=2, padding="same"),
        kl.BatchNormalization(),
        kl.LeakyReLU(),
        kl.AveragePooling2D(3, strides=2),
        kl.Conv2D(4, 3, activation="relu"),
        kl.Flatten(),
        kl.Dense(4),
    )
    return folded(sequential(*layers))


@pytest.fixture(scope="module")
def quantized(graph: Graph) -> Quantized:
    return quantize(
        graph, "logits", lambda: [as_batch(IMAGES[:40])], as_batch(IMAGES[:40]), lambda: [as_batch(IMAGES[40:64])]
    )


@pytest.fixture(scope="module")
def ranges(graph: Graph) -> dict[str, Range]:
    observers = observe(graph, lambda: [as_batch(IMAGES[:40])])
    return rounded_outputs(graph, value_grids(graph, {name: seen.min_max() for name, seen in observers.items()}))


def kernel_outputs(graph: Graph, ranges: dict[str, Range] | None = None) -> dict[str, Floats]:
    """What every kernel writes before it is rounded or clipped."""
    names = [op.name for op in graph if op.has_kernel]
    grids = None if ranges is None else {name: grid for name, grid in ranges.items() if name not in names}
    return {
        name: np.asarray(value)
        for name, value in build_model(graph, grids, outputs=names)(IMAGES[:40].astype(np.float32)).items()
    }


def mean_shift(exact: Floats, rounded: Floats) -> float:
    """Largest shift of a channel's mean, in parts of that channel's spread."""
    axes = tuple(range(exact.ndim - 1))
    return float(np.abs((exact - rounded).mean(axes) / exact.std(axes)).max())


def test_bias_correction_takes_the_mean_shift_off(graph: Graph, ranges: dict[str, Range]) -> None:
    rounded = quantize_kernels(graph)
    inner = {name: grid for name, grid in ranges.items() if not graph.ops[name].has_kernel}
    corrected = correct_biases(graph, rounded, inner, as_batch(IMAGES[:40]), kernel_means(graph, as_batch(IMAGES[:40])))
    exact = kernel_outputs(graph)
    before, after = kernel_outputs(rounded, inner), kernel_outputs(corrected, inner)
    assert len(exact) == 4
    for name in exact:
        shift = mean_shift(exact[name], before[name])
        assert shift > 1e-3 and mean_shift(exact[name], after[name]) < 0.05 * shift


def test_bias_correction_moves_biases_only(graph: Graph, ranges: dict[str, Range]) -> None:
    rounded = quantize_kernels(graph)
    kept = rounded.copy()
    corrected = correct_biases(
        graph, rounded, ranges, as_batch(IMAGES[:40]), kernel_means(graph, as_batch(IMAGES[:40]))
    )
    for op in rounded:
        for was, now in zip(kept.ops[op.name].weights, op.weights):
            np.testing.assert_array_equal(was, now)
        if op.has_kernel:
            np.testing.assert_array_equal(corrected.ops[op.name].weights[0], op.weights[0])
            assert (corrected.ops[op.name].weights[1] != op.weights[1]).all()


def test_exact_weights_and_no_rounding_need_no_correction(graph: Graph) -> None:
    corrected = correct_biases(graph, graph, {}, as_batch(IMAGES[:8]), kernel_means(graph, as_batch(IMAGES[:8])))
    for op in graph:
        for was, now in zip(op.weights, corrected.ops[op.name].weights):
            np.testing.assert_allclose(now, was, atol=1e-6)


def test_everything_that_integer_kernels_read_is_on_its_grid(quantized: Quantized) -> None:
    grids = value_grids(quantized.graph, quantized.ranges)
    for op in quantized.graph:
        if op.has_kernel:
            stored, scale = to_grid(op.weights[0], channel_axes(op))
            np.testing.assert_allclose(stored * scale, op.weights[0], rtol=1e-6)
            units = op.weights[1] / (scale.ravel().astype(np.float64) * grids[op.inputs[0]].scale)
            np.testing.assert_allclose(units, np.rint(units), atol=2e-2)


def test_the_best_of_all_on_images_that_chose_nothing_else(graph: Graph, quantized: Quantized) -> None:
    first = {name: error for name, error in quantized.errors.items() if name.endswith(", nearest")}
    assert [name.split(",")[0] for name in first] == ["min-max", "least-squares", "99.99 %"]
    finalists = [name.split(",")[0] for name in sorted(first, key=first.__getitem__)[:2]]
    names = [*first, *(f"{item}, {way}" for item in finalists for way in ("biases corrected", "feedback"))]
    best = min(names, key=quantized.errors.__getitem__)
    assert sorted(quantized.errors) == sorted([*names, f"{best}, pair-safe"])
    assert not quantized.equalized
    assert quantized.recipe.removesuffix(", pair-safe") == best
    held = IMAGES[40:64].astype(np.float32)
    exact, found = np.asarray(build_model(graph)(held)), np.asarray(quantized.model()(held))
    assert divergence(exact, found, "logits") == pytest.approx(quantized.errors[quantized.recipe], rel=1e-3)
    assert len(set(quantized.errors.values())) == len(names) + 1


def test_quantised_answers_are_near_but_not_the_same(graph: Graph, quantized: Quantized) -> None:
    held = IMAGES[64:].astype(np.float32)
    exact, found = np.asarray(build_model(graph)(held)), np.asarray(quantized.model(batch=len(held))(held))
    assert 0 < np.abs(exact - found).max() < 0.1 * np.ptp(exact)


def test_means_of_kernels_do_not_depend_on_the_batches(graph: Graph) -> None:
    whole, parts = (kernel_means(graph, as_batch(IMAGES[:21]), size) for size in (21, 4))
    for name, values in kernel_outputs(graph).items():
        assert whole[name].shape == (values.shape[-1],)
        np.testing.assert_allclose(whole[name], parts[name], rtol=1e-4, atol=1e-5)
        expected = np.asarray(build_model(graph, outputs=[name])(IMAGES[:21].astype(np.float32))[name])
        np.testing.assert_allclose(whole[name], expected.mean(tuple(range(expected.ndim - 1))), rtol=1e-4, atol=1e-5)


def test_how_many_images_correct_follows_the_largest_activation() -> None:
    sizes = [(32, 300), (224, 192 * 2**20 // (16 * 224 * 224 * 16)), (1024, 8)]
    for size, count in sizes:
        model = sequential(kl.Conv2D(16, 3, padding="same"), kl.GlobalAveragePooling2D(), shape=(size, size, 3))
        assert images_to_correct(folded(model, (size, size, 3))) == count


def test_logits_are_on_no_grid(quantized: Quantized) -> None:
    """Finer than 8 bits: of as many different values as there are images and classes, hardly two are equal."""
    assert quantized.logits is not None and quantized.logits.name == quantized.graph.output
    assert quantized.graph.output not in quantized.ranges
    found = np.asarray(quantized.model()(IMAGES.astype(np.float32)))
    assert len(np.unique(found)) > 0.95 * found.size > 256


def test_the_same_images_give_the_same_model(graph: Graph, quantized: Quantized) -> None:
    again = quantize(
        graph, "logits", lambda: [as_batch(IMAGES[:40])], as_batch(IMAGES[:40]), lambda: [as_batch(IMAGES[40:64])]
    )
    assert again.ranges == quantized.ranges and again.errors == quantized.errors
    for op in quantized.graph:
        for one, two in zip(op.weights, again.graph.ops[op.name].weights):
            np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(
    ("factor", "target", "is_safe"), [(100.0, "any", True), (0.0, "any", False), (100.0, "arm", False)]
)
def test_weights_are_safe_without_vnni_where_that_costs_little(
    graph: Graph, monkeypatch: pytest.MonkeyPatch, factor: float, target: Target, is_safe: bool
) -> None:
    monkeypatch.setattr(module, "MOST_FOR_SAFETY", factor)
    images = as_batch(IMAGES[:40])
    found = quantize(graph, "logits", lambda: [images], images, lambda: [as_batch(IMAGES[40:64])], target)
    assert found.is_pair_safe == is_safe
    assert overflows(found.graph) != is_safe
    assert any("pair-safe" in name for name in found.errors) == (target == "any")
    if is_safe:
        exact, safe = (
            np.asarray(each(IMAGES[40:64].astype(np.float32))) for each in (build_model(graph), found.model())
        )
        assert divergence(exact, safe, "logits") == pytest.approx(found.errors[found.recipe], rel=1e-3)
        grids = value_grids(found.graph, found.ranges)
        for op in found.graph:
            if op.has_kernel:
                scale = to_grid(op.weights[0], channel_axes(op))[1].ravel().astype(np.float64)
                units = op.weights[1] / (scale * grids[op.inputs[0]].scale)
                np.testing.assert_allclose(units, np.rint(units), atol=2e-2)
