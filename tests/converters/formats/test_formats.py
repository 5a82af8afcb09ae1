from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as kl

from edgevision.converters import formats
from edgevision.converters.formats.exported import INPUT, OUTPUT, Int8Share, Kernel, Source
from edgevision.converters.quantize.points import value_grids
from edgevision.converters.quantize.quantize import quantize
from edgevision.runtime.backends import open_session
from edgevision.runtime.embedded import KEY, essentials, read_embedded
from edgevision.runtime.manifest import Artifact, FloatOp, Manifest, ModelFormat
from edgevision.runtime.preprocess import normalize
from edgevision.runtime.session import Session
from edgevision.runtime.spec import TensorSpec
from tests.converters.conftest import Exported
from tests.converters.models import SIZE, Floats, Pixels, as_batch, folded, pictures, scrambled, sequential

FORMATS: tuple[ModelFormat, ...] = ("tflite", "onnx", "openvino")


def open_file(path: Path, format_name: str) -> Session:
    weights = path.with_suffix(".bin").read_bytes() if format_name == "openvino" else None
    return open_session(format_name, path.read_bytes(), weights, 1)


def answers(path: Path, format_name: str, pixels: Pixels) -> Floats:
    with open_file(path, format_name) as session:
        return np.concatenate([session.run({INPUT: image[None]})[OUTPUT] for image in pixels])


@pytest.mark.parametrize("precision", ["int8", "float32"])
@pytest.mark.parametrize("format_name", FORMATS)
def test_pixels_in_and_floats_out_under_the_same_names(exported: Exported, format_name: str, precision: str) -> None:
    with open_file(exported.path(format_name, precision), format_name) as session:
        channels, outputs = exported.trained.images.shape[-1], exported.trained.model.output_shape[-1]
        assert [(spec.name, spec.shape, spec.dtype) for spec in session.inputs] == [
            ("image", (1, SIZE, SIZE, channels), "uint8")
        ]
        assert [(spec.name, spec.shape, spec.dtype) for spec in session.outputs] == [
            ("output", (1, outputs), "float32")
        ]


@pytest.mark.parametrize("format_name", FORMATS)
def test_float32_answers_as_keras_does(exported: Exported, format_name: str) -> None:
    pixels = exported.trained.images
    expected = np.asarray(exported.trained.model(normalize(pixels, exported.preprocessing), training=False))
    found = answers(exported.path(format_name, "float32"), format_name, pixels)
    assert expected.std() > 0.1
    np.testing.assert_allclose(found, expected, atol=1e-4)


def logit_steps(exported: Exported) -> tuple[Any, float]:
    """From outputs back to logits, and the step of an 8-bit grid for them."""
    backwards = {
        "logits": lambda y: y,
        "probabilities": lambda y: np.log(np.maximum(y, 1e-30)) - np.log(np.maximum(y, 1e-30)).max(-1, keepdims=True),
        "sigmoid": lambda y: np.log(y) - np.log1p(-y),
    }[exported.trained.scores]
    assert exported.quantized.logits is not None
    return backwards, exported.quantized.logits.grid.scale


@pytest.mark.parametrize("format_name", FORMATS)
def test_int8_answers_as_the_fake_quantised_model_does(exported: Exported, format_name: str) -> None:
    pixels = exported.trained.images
    expected = np.asarray(exported.quantized.model()(pixels.astype(np.float32)))
    found = answers(exported.path(format_name, "int8"), format_name, pixels)
    if exported.trained.name == "branched":
        # Nine roundings deep, a step up there is several down here; each kernel is looked at by itself further below.
        assert np.square(expected - expected.mean(0)).sum() > 1000 * np.square(found - expected).sum()
        return
    backwards, step = logit_steps(exported)
    steps = np.abs(backwards(found.astype(np.float64)) - backwards(expected.astype(np.float64))) / step
    assert (steps <= 0.5).mean() >= 0.99


@pytest.mark.parametrize("format_name", FORMATS)
def test_logits_are_not_rounded_to_8_bits(exported: Exported, format_name: str) -> None:
    """In TFLite they lie on the windows' grid, elsewhere on none that is coarser."""
    found = answers(exported.path(format_name, "int8"), format_name, exported.trained.images).astype(np.float64)
    backwards, step = logit_steps(exported)
    certain = found.max(-1) > 1 - 1e-5  # float32 has no more digits there
    steps = backwards(found)[~certain if exported.trained.scores == "sigmoid" else slice(None)] / step
    steps = steps[steps > -200]
    assert steps.size > 20
    assert (np.abs(steps - np.rint(steps)) > 0.1).mean() > 0.5
    assert exported.quantized.logits is not None and exported.quantized.logits.windows == 8
    if format_name == "tflite":
        np.testing.assert_allclose(8 * steps, np.rint(8 * steps), atol=0.1)


@pytest.mark.parametrize("format_name", FORMATS)
def test_int8_answers_as_the_float_model_does(exported: Exported, format_name: str) -> None:
    """The whole point, on a model that learned something: the same class nearly always."""
    pixels = exported.trained.images
    exact = np.asarray(exported.trained.model(normalize(pixels, exported.preprocessing), training=False))
    found = answers(exported.path(format_name, "int8"), format_name, pixels)
    if exported.trained.scores == "sigmoid":
        same = (exact > 0.5) == (found > 0.5)
        assert (exact > 0.5).any() and (exact < 0.5).any()
    else:
        same = exact.argmax(-1) == found.argmax(-1)
        assert len(np.unique(exact.argmax(-1))) == 4
    assert same.mean() >= 0.98


@pytest.mark.parametrize("format_name", FORMATS)
def test_every_multiplication_is_int8_in_the_file_and_in_the_engine(exported: Exported, format_name: str) -> None:
    module, path = formats.of(format_name), exported.path(format_name, "int8")
    kernels = module.kernels(path)
    assert all(kernel.is_int8 for kernel in kernels)
    assert exported.quantized.logits is not None
    last = exported.quantized.graph.ops[exported.quantized.logits.name].weights[0].size
    again = 7 * last if format_name == "tflite" else 0  # windows of the last layer
    assert sum(kernel.macs for kernel in kernels) == exported.trained.macs + exported.trained.pool_macs + again
    share = Int8Share.of(kernels)
    assert (share.macs, share.weight_bytes, share.float_ops) == (1.0, 1.0, ())
    wanted = sorted(op.weights[0].size for op in exported.quantized.graph if op.has_kernel)
    assert sorted(kernel.weight_bytes for kernel in kernels if kernel.weight_bytes) == wanted, "one byte a weight"
    ran = module.executed(path)
    assert len(ran) == len(kernels) and all(is_int8 for _, is_int8 in ran)


@pytest.mark.parametrize("format_name", FORMATS)
def test_float32_files_are_counted_as_float(exported: Exported, format_name: str) -> None:
    module, path = formats.of(format_name), exported.path(format_name, "float32")
    kernels = module.kernels(path)
    assert not any(kernel.is_int8 for kernel in kernels)
    # float exporters may fold a 1x1 depthwise step away; nothing may be counted twice
    assert 0.9 * exported.trained.macs <= sum(kernel.macs for kernel in kernels) <= exported.trained.macs
    ran = module.executed(path)
    assert ran and not any(is_int8 for _, is_int8 in ran)


@pytest.mark.parametrize("format_name", FORMATS)
def test_int8_files_hold_a_quarter_of_the_weights(exported: Exported, format_name: str) -> None:
    module = formats.of(format_name)
    small, large = (
        sum(kernel.weight_bytes for kernel in module.kernels(exported.path(format_name, precision)))
        for precision in ("int8", "float32")
    )
    assert small - exported.trained.pool_weights <= 0.26 * large


@pytest.mark.parametrize("precision", ["int8", "float32"])
@pytest.mark.parametrize("format_name", FORMATS)
def test_embedded_text_is_read_back_and_changes_no_answer(
    exported: Exported, format_name: ModelFormat, precision: Any, tmp_path: Path
) -> None:
    original = exported.path(format_name, precision)
    path = tmp_path / original.name
    shutil.copy(original, path)
    if format_name == "openvino":
        shutil.copy(original.with_suffix(".bin"), path.with_suffix(".bin"))
    labels = tuple(f'класс <{i}> & "{i}"\n\'' for i in range(4))
    spec = TensorSpec(INPUT, (1, SIZE, SIZE, 3), "uint8")
    artifact = Artifact(path.name, format_name, precision, (), (spec,), (TensorSpec(OUTPUT, (1, 4), "float32"),))
    manifest = Manifest("classification", labels, exported.trained.scores, exported.preprocessing)
    for words in (labels, ("a", "b", "c", "d")):
        text = essentials(Manifest("classification", words, manifest.scores, manifest.preprocessing), artifact)
        formats.of(format_name).embed(path, text)
        found = read_embedded(path, format_name)
        assert found.labels == words and found.preprocessing == manifest.preprocessing
        assert found.artifacts == (artifact,) and found.scores == exported.trained.scores
    pixels = exported.trained.images[:4]
    np.testing.assert_array_equal(answers(path, format_name, pixels), answers(original, format_name, pixels))
    assert path.read_bytes().count(KEY.encode()) <= 2, "the old text is replaced, not kept beside the new one"


@pytest.mark.parametrize("precision", ["int8", "float32"])
@pytest.mark.parametrize("format_name", FORMATS)
def test_files_say_nothing_about_the_machine_they_were_made_on(
    exported: Exported, format_name: str, precision: str
) -> None:
    path = exported.path(format_name, precision)
    files = [path, path.with_suffix(".bin")] if format_name == "openvino" else [path]
    for file in files:
        assert str(exported.folder).encode() not in file.read_bytes()
        assert b".saved_model" not in file.read_bytes()


def on_top(*layers: Any) -> Any:
    """Layers one after the other, as a function of a Keras tensor."""

    def apply(value: Any) -> Any:
        for layer in layers:
            value = layer(value)
        return value

    return apply


#: What an integer kernel does by itself, behind one convolution; its rounding is in plain sight.
KERNELS: dict[str, Any] = {
    "convolution": lambda: on_top(kl.Conv2D(4, (1, 3), strides=(2, 1), padding="same")),
    "dilated": lambda: on_top(kl.Conv2D(4, 3, dilation_rate=2, padding="same"), kl.ReLU(6)),
    "depthwise": lambda: on_top(kl.DepthwiseConv2D(3, depth_multiplier=3, strides=2, activation="relu")),
    "dense": lambda: on_top(kl.Flatten(), kl.Dense(8), kl.BatchNormalization(), kl.ReLU(), kl.Dense(9, use_bias=False)),
    "dense on maps": lambda: on_top(kl.Dense(6, activation="relu"), kl.Reshape((7, -1, 6)), kl.Dense(2)),
    "leaky": lambda: on_top(kl.LeakyReLU(negative_slope=0.1)),
    "tanh": lambda: on_top(kl.Activation("tanh"), kl.Reshape((-1,))),
    "sigmoid": lambda: on_top(kl.Activation("sigmoid"), kl.Reshape((-1,))),
    "softmax": lambda: on_top(kl.Softmax(), kl.Conv2D(3, 2)),
    "add": lambda: lambda value: kl.ReLU()(kl.Add()([value, kl.Conv2D(4, 1)(value)])),
    "concatenate": lambda: lambda value: kl.Concatenate()([value, kl.Conv2D(4, 1)(value)]),
    "pools": lambda: on_top(kl.MaxPooling2D(2, padding="same"), kl.AveragePooling2D(3, strides=2, padding="same")),
    "averages": lambda: on_top(kl.AveragePooling2D(2), kl.Conv2D(4, 3)),
    "equal averages": lambda: lambda value: kl.Add()([halved(value), halved(kl.Conv2D(4, 3, padding="same")(value))]),
    "means": lambda: on_top(kl.GlobalAveragePooling2D()),
    "largest": lambda: on_top(kl.ZeroPadding2D(((2, 0), (1, 3))), kl.GlobalMaxPooling2D()),
}


def halved(value: Any) -> Any:
    """As an integer kernel it has the same weights and bias for any channels, and scales of its own for some."""
    return kl.AveragePooling2D(2)(value * np.array([1, 5, 20, 60], np.float32))


def small(name: str) -> Any:
    image = keras.Input((SIZE, SIZE, 3))
    value = kl.Conv2D(4, 3)(kl.Rescaling(1 / 127.5, -1)(image))
    return scrambled(keras.Model(image, kl.Flatten()(KERNELS[name]()(value))))


@pytest.mark.parametrize("name", KERNELS)
def test_every_kernel_rounds_as_the_fake_quantised_model_says(name: str, tmp_path: Path) -> None:
    graph = folded(small(name))
    pixels, _ = pictures(24, seed=11)
    quantized = quantize(graph, "logits", lambda: [as_batch(pixels)], as_batch(pixels), lambda: [as_batch(pixels)])
    source = Source(quantized.graph, quantized.ranges, tmp_path, quantized.logits)
    expected = np.asarray(quantized.model()(pixels.astype(np.float32)))
    wide = quantized.logits
    grids = value_grids(quantized.graph, quantized.ranges)
    step = grids[quantized.graph.output].scale if wide is None else wide.grid.scale / wide.windows
    assert expected.std() > 2 * step
    for format_name in FORMATS:
        path = tmp_path / f"int8{formats.SUFFIXES[format_name]}"
        formats.of(format_name).export(source, path)
        steps = np.abs(answers(path, format_name, pixels) - expected) / step
        assert (steps <= 1.01).mean() >= 0.99 and steps.max() < 3.01, format_name
        # Means beside the border often lie half way between two steps, and each engine rounds those its own way.
        assert (steps <= 0.01).mean() >= (0.8 if name == "pools" else 0.95), format_name
        assert all(kernel.is_int8 for kernel in formats.of(format_name).kernels(path)), format_name
        ran = formats.of(format_name).executed(path)
        assert ran and all(is_int8 for _, is_int8 in ran), format_name


def test_layers_with_equal_weights(tmp_path: Path) -> None:
    """tf2onnx lets them share one constant, and each needs scales of its own."""
    model = sequential(kl.Conv2D(3, 1), kl.ReLU(), kl.Conv2D(3, 1), kl.ReLU(), kl.GlobalAveragePooling2D())
    model.layers[0].set_weights(model.layers[2].get_weights())
    graph = folded(model)
    pixels, _ = pictures(24, seed=11)
    quantized = quantize(graph, "logits", lambda: [as_batch(pixels)], as_batch(pixels), lambda: [as_batch(pixels)])
    path = tmp_path / "int8.onnx"
    formats.of("onnx").export(Source(quantized.graph, quantized.ranges, tmp_path, quantized.logits), path)
    expected = np.asarray(quantized.model()(pixels.astype(np.float32)))
    step = quantized.ranges[quantized.graph.output].scale
    assert np.abs(answers(path, "onnx", pixels) - expected).max() <= 1.01 * step


def test_a_dead_channel_does_not_spoil_the_others(tmp_path: Path) -> None:
    """Weight decay leaves channels of tiny weights with a real bias; in units of those weights it overflows int32."""
    model = sequential(kl.Rescaling(1 / 255.0), kl.Conv2D(6, 3, activation="relu"), kl.Flatten(), kl.Dense(4))
    kernel, bias = model.layers[1].get_weights()
    kernel[..., 1], kernel[..., 3], bias[1], bias[3] = 1e-9, 1e-7, 0.7, -0.4
    kernel[0, 0, 0, 5], bias[5] = 3e-42, 0.5
    kernel[..., 4], bias[4] = 0, 0.3
    kernel[..., 5] = 1e-42
    model.layers[1].set_weights([kernel, bias])
    graph = folded(model)
    pixels, _ = pictures(40, seed=12)
    quantized = quantize(graph, "logits", lambda: [as_batch(pixels)], as_batch(pixels), lambda: [as_batch(pixels)])
    source = Source(quantized.graph, quantized.ranges, tmp_path, quantized.logits)
    exact, rounded = (np.asarray(each(pixels.astype(np.float32))) for each in (model, quantized.model()))
    assert quantized.logits is not None
    step = quantized.logits.grid.scale / quantized.logits.windows
    signal = np.square(exact - exact.mean(0)).sum()
    for format_name in FORMATS:
        path = tmp_path / f"int8{formats.SUFFIXES[format_name]}"
        formats.of(format_name).export(source, path)
        found = answers(path, format_name, pixels)
        assert np.abs(found - rounded).max() <= 1.01 * step, format_name
        assert signal > 300 * np.square(found - exact).sum(), format_name


def test_int8_share_counts_work_and_bytes() -> None:
    kernels = [Kernel("a", "Conv", 75, 30, True, "int8"), Kernel("b", "Gemm", 25, 10, False, "float16")]
    share = Int8Share.of(kernels)
    assert (share.macs, share.weight_bytes, share.float16_weight_bytes) == (0.75, 0.75, 0.25)
    assert share.float_ops == (FloatOp("b", "Gemm", "an operand is not 8-bit"),)
    assert Int8Share.of([]) == Int8Share(0.0, 0.0, 0.0, ())


def test_a_saved_model_is_written_once_for_both_formats(exported: Exported, tmp_path: Path) -> None:
    source = Source(exported.graph, None, tmp_path)
    assert source.saved_model() == source.saved_model()
    assert [item.name for item in tmp_path.iterdir()] == ["float32.saved_model"]


def test_transposed_and_grouped_kernels_are_counted_in_tflite(tmp_path: Path) -> None:
    """``kernels`` also looks into files made elsewhere."""
    import tensorflow as tf

    image = keras.Input((8, 8, 2), batch_size=1)
    model = scrambled(keras.Model(image, kl.Conv2DTranspose(3, 3, strides=2, padding="same")(image)))
    path = tmp_path / "m.tflite"
    model.export(str(tmp_path / "saved"), verbose=False)
    path.write_bytes(tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "saved")).convert())
    (kernel,) = formats.of("tflite").kernels(path)
    assert (kernel.kind, kernel.macs, kernel.is_int8) == ("TRANSPOSE_CONV", 8 * 8 * 2 * 3 * 9, False)
    assert formats.of("tflite").executed(path) == [("TRANSPOSE_CONV", False)]
