"""One Keras layer or operation to the operations the passes know: which handler takes which."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from edgevision.converters.quantize import lower_kernels as kernels
from edgevision.converters.quantize import lower_others as others
from edgevision.converters.quantize.attention import multi_head_attention
from edgevision.converters.quantize.builder import Builder, Slot, known_name, unsupported
from edgevision.converters.quantize.lower_3d import pool_3d
from edgevision.converters.quantize.lower_frames import as_film, by_frame, convolution_3d, global_average_3d
from edgevision.converters.quantize.lower_recurrent import recurrent

#: Layers that do nothing when a model predicts.
IDENTITY_LAYERS = [
    "Dropout",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "GaussianNoise",
    "GaussianDropout",
    "AlphaDropout",
    "ActivityRegularization",
    "Identity",
    "RandomFlip",
    "RandomRotation",
    "RandomZoom",
    "RandomTranslation",
    "RandomContrast",
    "RandomBrightness",
    "RandomCrop",
    "RandomColorJitter",
    "RandomColorDegeneration",
    "RandomGrayscale",
    "RandomHue",
    "RandomSaturation",
    "RandomSharpness",
    "RandomShear",
    "RandomPosterization",
    "RandomInvert",
    "RandomGaussianBlur",
    "RandomElasticTransform",
    "RandomErasing",
    "RandomPerspective",
    "RandAugment",
    "AugMix",
    "MixUp",
    "CutMix",
    "StochasticDepth",  # keras.applications' own, in ConvNeXt
]


_POOLS = ("MaxPooling2D", "AveragePooling2D")


#: Layers that treat values of one place alone: of a film they are done to each frame.
_FRAMEWISE = ("BatchNormalization", "Rescaling", "ReLU", "LeakyReLU", "Activation", "Dense", "Add", "Multiply")


#: keras.ops operation -> activation function
_FUNCTIONS = {
    "Relu": "relu",
    "Relu6": "relu6",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Silu": "silu",
    "HardSilu": "hard_silu",
    "HardSigmoid": "hard_sigmoid",
    "Gelu": "gelu",
    "Elu": "elu",
}


Lowering = Callable[["Builder", Any, list[str], tuple[int, ...]], str]


def lower(builder: Builder, layer: Any, inputs: list[str], shape: tuple[int, ...]) -> str:
    """Append what ``layer`` does to the graph and return the name of the last operation.

    Args:
        builder: Collects the operations.
        layer: A Keras layer or operation that is not itself a model, taking tensors only.
        inputs: Names of the operations it takes.
        shape: Shape of its output without the batch.

    Raises:
        UnsupportedLayerError: There is no handler for this layer, or for this use of it.
    """
    kind = known_name(type(layer))
    if kind in IDENTITY_LAYERS:
        return inputs[0]
    if kind == "TimeDistributed" or (kind in _FRAMEWISE and len(shape) == 4):
        inner = layer.layer if kind == "TimeDistributed" else layer
        with by_frame(builder, inputs, layer.name) as sources:
            name = lower(builder, inner, sources, shape[1:])
        return as_film(builder, name)
    if kind in LOWERINGS:
        return LOWERINGS[kind](builder, layer, inputs, shape)
    if kind in _FUNCTIONS and not getattr(layer, "approximate", False):
        return builder.activation(_FUNCTIONS[kind], layer.name, inputs[0], shape)
    if kind in _POOLS:
        keys = ("pool_size", "strides", "padding")
        config = {key: value for key, value in layer.get_config().items() if key in keys}
        return builder.add(kind, layer.name, inputs, shape, **config)
    raise unsupported(layer.name, type(layer).__name__)


def lower_with_constant(builder: Builder, operation: Any, args: Any, inputs: list[str], shape: tuple[int, ...]) -> str:
    """Append x + c, x - c, c - x, x * c or x / c as a per-channel line.

    Raises:
        UnsupportedLayerError: It is something else, or ``c`` differs within a channel.
    """
    kind = known_name(type(operation))
    if kind not in ("Add", "Subtract", "Multiply", "TrueDivide", "Divide"):
        raise unsupported(operation.name, type(operation).__name__)
    left = isinstance(args[0], Slot) if len(args) == 2 else False
    constant = np.asarray(args[1] if left else args[0], np.float64) if len(args) == 2 else np.zeros(0)
    if constant.size not in (1, shape[-1]):
        raise unsupported(operation.name, kind)
    if constant.size > 1 and constant.shape[-1] != shape[-1]:
        raise unsupported(operation.name, kind)
    values = np.broadcast_to(constant.ravel(), (shape[-1],))
    ones, zeros = np.ones_like(values), np.zeros_like(values)
    lines = {
        ("Add", True): (ones, values),
        ("Add", False): (ones, values),
        ("Subtract", True): (ones, -values),
        ("Subtract", False): (-ones, values),
        ("Multiply", True): (values, zeros),
        ("Multiply", False): (values, zeros),
        ("TrueDivide", True): (1 / np.where(values == 0, 1, values), zeros),
        ("Divide", True): (1 / np.where(values == 0, 1, values), zeros),
    }
    if (kind, left) not in lines or (kind.endswith("Divide") and not values.all()):
        raise unsupported(operation.name, kind)
    return builder.add("Affine", operation.name, inputs, shape, *lines[kind, left])


LOWERINGS: dict[str, Lowering] = {
    "Conv2D": kernels.convolution,
    "DepthwiseConv2D": kernels.convolution,
    "SeparableConv2D": kernels.separable,
    "Dense": kernels.dense_layer,
    "BatchNormalization": others.batch_normalization,
    "Normalization": others.normalization,
    "Rescaling": others.rescaling,
    "ReLU": others.relu,
    "LeakyReLU": others.leaky_relu,
    "Activation": others.activation,
    "Softmax": others.softmax,
    "Flatten": others.reshape,
    "Reshape": others.reshape,
    "GlobalAveragePooling2D": others.global_average,
    "GlobalMaxPooling2D": others.global_max,
    "ZeroPadding2D": others.zero_padding,
    "Add": others.add,
    "Concatenate": others.concatenate,
    "Multiply": others.multiply,
    "MultiHeadAttention": multi_head_attention,
    "Conv1D": kernels.convolution_1d,
    "Conv2DTranspose": kernels.transposed,
    "UpSampling2D": others.upsampling,
    "GlobalAveragePooling1D": others.global_pool_1d,
    "GlobalMaxPooling1D": others.global_pool_1d,
    "LSTM": recurrent,
    "GRU": recurrent,
    "MaxPooling3D": pool_3d,
    "AveragePooling3D": pool_3d,
    "Conv3D": convolution_3d,
    "GlobalAveragePooling3D": global_average_3d,
    "LayerScale": others.layer_scale,  # keras.applications' own, in ConvNeXt
    "CustomScaleLayer": others.scaled_sum,  # and in InceptionResNetV2
}
