"""A tiny model for each kind of finding, the same without the fault, and the document that lists them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as kl

from edgevision.converters.preflight import Finding, preflight
from edgevision.runtime.manifest import to_plain
from edgevision.runtime.spec import named_preprocessing
from tests.converters.conftest import branched, plain
from tests.converters.models import SIZE, scrambled

UNIT = {"preprocessing": to_plain(named_preprocessing("unit", SIZE, SIZE))}
RAW = {"preprocessing": to_plain(named_preprocessing("raw", SIZE, SIZE))}
DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "preflight.md"


def network(*layers: Any, head: int = 4) -> Any:
    """A convolution with a batch norm, the layers, and a dense head."""
    image = keras.Input((SIZE, SIZE, 3), name="image")
    x = kl.BatchNormalization(name="norm")(kl.Conv2D(16, 3, name="first")(image))
    for layer in (kl.ReLU(), *layers, kl.Conv2D(8, 3, name="second"), kl.GlobalAveragePooling2D()):
        x = layer(x)
    return scrambled(keras.Model(image, kl.Dense(head, name="head")(x), name="mine"))


def found(model: Any, metadata: Any = UNIT) -> dict[str, Finding]:
    """By kind; each kind once."""
    findings = preflight(model, metadata)
    kinds = [item.kind for item in findings]
    assert len(set(kinds)) == len(kinds), kinds
    assert all(item.layer and item.risk and item.cost and item.rewrite for item in findings)
    return {item.kind: item for item in findings}


def only(model: Any, kind: str, layer: str, metadata: Any = UNIT) -> Finding:
    findings = found(model, metadata)
    assert set(findings) == {kind} and findings[kind].layer == layer, findings
    return findings[kind]


@pytest.mark.parametrize("make", [plain, network])
def test_a_sound_network_has_none(make: Any) -> None:
    assert preflight(make(), UNIT) == []
    assert preflight(scrambled(make()), RAW) == []


def test_a_network_with_branches_has_none() -> None:
    assert preflight(branched()) == []


@pytest.mark.parametrize(
    ("layer", "word"), [(kl.LayerNormalization, "LayerNorm"), (kl.GroupNormalization, "GroupNorm")]
)
def test_a_layer_without_an_8_bit_form(layer: Any, word: str) -> None:
    options = {"groups": 4} if layer is kl.GroupNormalization else {}
    finding = only(network(layer(name="odd", **options)), "float-layer", "odd")
    assert word in finding.risk and "BatchNormalization" in finding.rewrite


def recurrent(steps: int) -> Any:
    image = keras.Input((steps, 2, 3))
    return keras.Model(image, kl.Dense(4)(kl.LSTM(3, name="memory")(kl.Reshape((steps, 6))(image))))


def test_long_loops() -> None:
    findings = found(recurrent(65))
    assert set(findings) == {"float-layer", "loop"} and "65 steps" in findings["loop"].risk
    assert "99." in findings["float-layer"].cost, "nearly all of the work"
    assert set(found(recurrent(64))) == {"float-layer"}


@pytest.mark.parametrize("name", ["swish", "gelu", "hard_silu"])
def test_smooth_activations(name: str) -> None:
    model = network(kl.Conv2D(8, 1, activation=name, name="a"), kl.Conv2D(8, 1, activation=name, name="b"))
    finding = found(model)["gate"]
    assert finding.layer.startswith("a") and "(2 in the network)" in finding.risk
    assert "3,000 CIFAR-10 images" in finding.cost


def test_squeeze_and_excite() -> None:
    image = keras.Input((SIZE, SIZE, 3))
    x = kl.Conv2D(8, 3, activation="relu")(image)
    gate = kl.Dense(8, activation="sigmoid")(kl.GlobalAveragePooling2D(keepdims=True)(x))
    y = kl.GlobalAveragePooling2D()(kl.Multiply(name="gated")([x, gate]))
    finding = only(scrambled(keras.Model(image, kl.Dense(4)(y))), "gate", "gated")
    assert finding.risk.startswith("squeeze-and-excite")


@pytest.mark.parametrize("factor", [1.0, 60.0])
def test_channels_that_reach_further_than_all_others(factor: float) -> None:
    model = network()
    norm, second = model.get_layer("norm"), model.get_layer("second")
    scale = np.ones(16, np.float32)
    scale[3] = factor
    norm.gamma.assign(norm.gamma * scale)
    norm.beta.assign(norm.beta * scale)
    second.kernel.assign(np.asarray(second.kernel) / scale[:, None])
    if factor == 1.0:
        assert found(model) == {}
    else:
        findings = found(model)
        assert (
            findings["uneven-channels"].layer == "norm" and "one channel reaches 77" in findings["uneven-channels"].risk
        )
        # The weights that meet it are small against the steps of their kernel.
        assert set(findings) == {"uneven-channels", "outlying-weights"}


def test_relu6_cuts_what_reaches_too_far() -> None:
    image = keras.Input((SIZE, SIZE, 3))
    norm = kl.BatchNormalization(name="norm")
    x = kl.ReLU(6)(norm(kl.Conv2D(8, 3)(image)))
    model = scrambled(keras.Model(image, kl.Dense(4)(kl.GlobalAveragePooling2D()(x))))
    norm.gamma.assign([1.0] * 7 + [80.0])
    assert found(model) == {}


def test_a_batch_norm_that_nothing_takes_in_tells_of_its_input() -> None:
    image = keras.Input((SIZE, SIZE, 3))
    x = kl.Conv2D(8, 3, activation="relu", padding="same")(image)
    x = kl.Add(name="sum")([x, kl.Conv2D(8, 3, activation="relu", padding="same")(image)])
    norm = kl.BatchNormalization(name="norm")
    y = kl.GlobalAveragePooling2D()(kl.ReLU()(norm(x)))
    model = scrambled(keras.Model(image, kl.Dense(4)(y)))
    assert found(model) == {}
    norm.moving_variance.assign([1.0] * 7 + [9000.0])
    assert re.search(r"reaches 9\d times", only(model, "uneven-channels", "sum").risk)


def test_large_weights_on_weak_inputs() -> None:
    model = network()
    norm, second = model.get_layer("norm"), model.get_layer("second")
    for weight in (norm.gamma, norm.beta):
        value = np.asarray(weight).copy()
        value[:1] = 0
        weight.assign(value)
    kernel = np.asarray(second.kernel).copy()
    assert found(model) == {}, "a channel that is off is no fault of the weights"
    kernel[:, :, 0] *= 40
    second.kernel.assign(kernel)
    assert "dB predicted" in only(model, "outlying-weights", "second").risk


def test_dead_channels() -> None:
    model = network()
    kernel, bias = (np.asarray(each).copy() for each in (model.get_layer("second").weights))
    kernel[..., :3], bias[:3] = 0, 0
    model.get_layer("second").set_weights([kernel, bias])
    assert only(model, "dead-channels", "second").risk.startswith("3 of 8 output channels")


def test_a_dense_layer_that_is_most_of_the_model() -> None:
    image = keras.Input((SIZE, SIZE, 3))
    model = keras.Model(image, kl.Dense(4)(kl.Dense(1400, activation="relu", name="wide")(kl.Flatten()(image))))
    finding = only(model, "large-dense", "wide")
    assert "1.1 MB" in finding.cost and "GlobalAveragePooling2D" in finding.rewrite


def test_scores_and_boxes_in_one_tensor() -> None:
    image = keras.Input((SIZE, SIZE, 3))
    x = kl.GlobalAveragePooling2D()(kl.Conv2D(8, 3, activation="relu")(image))
    scores = kl.Dense(4, activation="sigmoid", name="scores")(x)
    mixed = kl.Concatenate(name="both")([scores, kl.Dense(4, name="boxes")(x)])
    finding = only(scrambled(keras.Model(image, mixed)), "shared-grid", "both")
    assert "scores_sigmoid (at most 1) and boxes (of any size)" in finding.risk
    alike = kl.Concatenate()([scores, kl.Dense(4, activation="sigmoid")(x)])
    assert found(scrambled(keras.Model(image, alike))) == {}


def test_normalisation_unknown_or_twice() -> None:
    assert only(network(), "normalisation-unknown", "image", None).rewrite.endswith("--preprocess")
    image = keras.Input((SIZE, SIZE, 3))
    x = kl.Rescaling(1 / 127.5, offset=-1, name="second_time")(kl.Rescaling(1 / 255, name="first_time")(image))
    model = keras.Model(image, kl.Dense(4)(kl.Flatten()(x)))
    assert "first_time, then second_time" in only(model, "normalised-twice", "second_time", None).risk
    once = keras.Model(image, kl.Dense(4)(kl.Flatten()(kl.Rescaling(1 / 255, name="inside")(image))))
    assert found(once, None) == {}
    assert "stored preprocessing" in only(once, "normalised-twice", "inside", UNIT).risk


def test_an_open_size_and_channels_first() -> None:
    image = keras.Input((None, None, 3), name="any")
    model = keras.Model(image, kl.Dense(4)(kl.GlobalAveragePooling2D()(kl.Conv2D(4, 3)(image))))
    assert "(?x?x3)" in only(model, "open-size", "any").risk
    pooled = kl.GlobalAveragePooling2D(data_format="channels_first", name="odd")
    first = keras.Model(image, kl.Dense(4)(kl.Dense(4)(kl.Flatten()(kl.Resizing(8, 8)(image)))))
    assert "channels-first" not in found(first)
    fixed = keras.Input((SIZE, SIZE, 3))
    assert found(keras.Model(fixed, kl.Dense(4)(pooled(fixed))))["channels-first"].layer == "odd"


def test_what_convert_would_refuse() -> None:
    steps = keras.Input((None, 2), name="steps")
    finding = only(keras.Model(steps, kl.GlobalAveragePooling1D()(steps), name="mine"), "refused", "mine")
    assert finding.risk.startswith("convert refuses it: mine leaves a size of its inputs open")


def test_models_that_take_no_images() -> None:
    left, right = keras.Input((6,)), keras.Input((5,))
    joined = kl.Concatenate()([kl.Dense(4, activation="relu")(left), kl.Dense(4, activation="relu")(right)])
    assert found(scrambled(keras.Model([left, right], [kl.Dense(2)(joined), kl.Dense(3)(joined)])), None) == {}


def test_every_kind_is_in_the_document_and_the_other_way_round() -> None:
    source = "".join(
        path.read_text() for path in (DOCUMENT.parents[1] / "edgevision/converters/preflight").glob("*.py")
    )
    used = set(re.findall(r'Finding\(\s*"([a-z-]+)"', source))
    assert used == set(re.findall(r"^\| `([a-z-]+)` \|", DOCUMENT.read_text(), re.MULTILINE))


def test_a_model_whose_layers_cannot_be_seen() -> None:
    class Hidden(keras.Model):  # type: ignore[misc]
        def call(self, inputs: Any) -> Any:
            return keras.ops.mean(inputs, axis=(1, 2))

    (finding,) = preflight(Hidden(name="hidden"))
    assert (finding.kind, finding.layer) == ("opaque", "hidden")
