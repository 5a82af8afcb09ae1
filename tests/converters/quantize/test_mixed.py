"""Mixtures of int8 and float: what goes together, and that three formats compute the very mixture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as kl

from edgevision.converters import formats
from edgevision.converters.answers import run_each
from edgevision.converters.export import kept_in_float
from edgevision.converters.formats.exported import INPUT, OUTPUT, Source
from edgevision.converters.quantize.build import answer, run
from edgevision.converters.quantize.macs import macs
from edgevision.converters.quantize.mixed import effective, groups, mix, units
from edgevision.converters.quantize.quantize import Quantized, quantize
from edgevision.converters.source import load_source
from edgevision.converters.sqnr import sqnr_db
from edgevision.runtime.backends import open_session
from tests.converters.models import SIZE, folded, pictures, scrambled


def network() -> Any:
    image = keras.Input((SIZE, SIZE, 3), name="image")
    x = kl.Conv2D(8, 3, padding="same", activation="relu", name="first")(image)
    x = kl.Add(name="sum")([x, kl.DepthwiseConv2D(3, padding="same", activation="relu6", name="deep")(x)])
    x = kl.Conv2D(8, 3, strides=2, padding="same", activation="swish", name="swished")(x)
    gate = kl.Conv2D(8, 1, activation="sigmoid", name="gate")(kl.GlobalAveragePooling2D(keepdims=True, name="mean")(x))
    x = kl.Conv2DTranspose(6, 2, strides=2, name="up")(kl.Multiply(name="gated")([x, gate]))
    x = kl.Dense(12, activation="relu", name="hidden")(kl.Flatten()(kl.MaxPooling2D()(x)))
    return scrambled(keras.Model(image, kl.Dense(4, name="logits")(x)))


@pytest.fixture(scope="module")
def batch() -> dict[str, Any]:
    return {"image": pictures(24)[0]}


@pytest.fixture(scope="module")
def quantized(batch: dict[str, Any]) -> Quantized:
    graph = folded(network())
    graph.outputs = {OUTPUT: graph.output}
    assert graph.input.name == INPUT
    return quantize(graph, "logits", lambda: [batch], batch, lambda: [batch])


def test_a_kernel_goes_with_the_activation_behind_it(quantized: Quantized) -> None:
    parts = units(quantized.graph)
    assert parts["first"] == ("first", "first_relu")
    assert parts["swished"] == ("swished", "swished_sigmoid", "swished_silu")
    assert parts["gated"] == ("gated",)
    assert frozenset({"gate", "gated"}) in set(groups(quantized.graph))


def test_what_meets_at_a_grid_takes_it_away(quantized: Quantized) -> None:
    assert "gate_sigmoid" in mix(quantized, {"gate": "why"}).ranges, "an integer product reads it"
    assert "gate_sigmoid" not in mix(quantized, {"gate": "why", "gated": "why"}).ranges
    assert effective(quantized, ["gated"]) == frozenset(), "a product of 8-bit values into 8 bits is the same in float"


def test_everything_in_float_is_the_float_model(quantized: Quantized, batch: dict[str, Any]) -> None:
    mixture = mix(quantized, dict.fromkeys(units(quantized.graph), "why"))
    exact = network()(batch["image"].astype(np.float32), training=False)
    np.testing.assert_allclose(run(mixture.model(), batch), exact, rtol=1e-4, atol=1e-4)


MIXTURES = [("first",), ("deep", "up"), ("swished", "gate", "gated"), ("hidden",), ("logits",)]


@pytest.mark.parametrize("format_name", formats.SUFFIXES)
@pytest.mark.parametrize("heads", MIXTURES, ids="+".join)
def test_files_compute_the_mixture(
    quantized: Quantized, batch: dict[str, Any], heads: tuple[str, ...], format_name: str, tmp_path: Path
) -> None:
    mixture = mix(quantized, dict.fromkeys(heads, "why"))
    path = tmp_path / f"int8{formats.SUFFIXES[format_name]}"
    exporter = formats.of(format_name)
    exporter.export(Source(mixture.graph, mixture.ranges, tmp_path, mixture.logits), path)
    kernels = exporter.kernels(path)
    wanted = {macs(mixture.graph, mixture.graph.ops[head]) for head in heads} - {0}
    assert {kernel.macs for kernel in kernels if not kernel.is_int8} == wanted
    in_float = [kind for kind, is_int8 in exporter.executed(path) if not is_int8]
    whole = 1 if format_name == "onnx" else 0  # ONNX Runtime has no integer transposed convolution
    assert len(wanted) <= len(in_float) <= len(wanted) + whole, "the engine makes no int8 of it by itself"
    weights = path.with_suffix(".bin").read_bytes() if format_name == "openvino" else None
    session = open_session(format_name, path.read_bytes(), weights, 1)
    found, exact = run_each(session, batch)[OUTPUT], answer(mixture.model(), mixture.graph, batch)[OUTPUT]
    # Engines may round a value that lies between two steps the other way; an 8-bit kernel would be off everywhere.
    assert np.abs(found - exact).mean() < 0.004 * np.ptp(exact)
    assert {item.name for item in kept_in_float(mixture.graph)} >= set(heads)


def test_all_kernels_of_the_others_stay_on_their_grid(quantized: Quantized) -> None:
    mixture = mix(quantized, {"hidden": "why"})
    for op in mixture.graph:
        same = quantized.exact if op.name == "hidden" else quantized.graph
        if op.has_kernel:
            np.testing.assert_array_equal(op.weights[0], same.ops[op.name].weights[0])


@pytest.mark.parametrize("format_name", formats.SUFFIXES)
def test_a_rescaling_in_float_keeps_its_offset(format_name: str, batch: dict[str, Any], tmp_path: Path) -> None:
    """Its kernel, one number, lies on a grid by chance; the offset in that grid's 32-bit steps would be another."""
    image = keras.Input((SIZE, SIZE, 3))
    x = kl.Conv2D(8, 3, padding="same", activation="relu")(kl.Rescaling(1 / 127.5, -0.99)(image))
    source = load_source(keras.Model(image, kl.Dense(4)(kl.Flatten()(x))), preprocess="raw")
    found = quantize(source.graph, source.scores, lambda: iter([batch]), batch, lambda: iter([batch]))
    mixture = mix(found, dict.fromkeys(units(found.graph), "why"))
    path = tmp_path / f"int8{formats.SUFFIXES[format_name]}"
    formats.of(format_name).export(Source(mixture.graph, mixture.ranges, tmp_path, mixture.logits), path)
    assert not any(kernel.is_int8 for kernel in formats.of(format_name).kernels(path) if kernel.macs > 5000)
    weights = path.with_suffix(".bin").read_bytes() if format_name == "openvino" else None
    answers = run_each(open_session(format_name, path.read_bytes(), weights, 1), batch)[OUTPUT]
    exact = answer(mixture.model(), mixture.graph, batch)[OUTPUT]
    assert sqnr_db(exact, answers) > 100
