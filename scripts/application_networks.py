"""keras.applications networks with random weights that behave like trained ones, for checks without any download.

"Random weights with realistic batch-norm statistics" leaves the weights open, and they decide what a comparison of two
int8 engines can show. Engines round at slightly different places; a value that falls on the other side of one half
changes some thousand values of the next layer a little, of which some fall on the other side in turn. After a few
layers the rounding of two engines has nothing in common, whatever their first difference was. What is left of it at
the output depends on the network alone. With the weights Keras starts from it is amplified: a stack of batch norms and
ReLUs with independent weights multiplies the power of any small difference by about 1.47 per layer (Yang et al. 2019,
"A Mean Field Theory of Batch Normalization"), 30 to 80 dB over these networks. Trained networks do not do that.

So the weights follow what is known of trained ones, by one rule for all networks:

- kernels are Gaussian with He's variance, and neighbouring weights of one filter are correlated, exp(-distance / 2)
  (Fortuin et al. 2022, "Bayesian Neural Network Priors Revisited": convolutions trained by SGD are not independent in
  space; our own trained CIFAR networks: neighbours correlate by 0.1 in the first layers and 0.3 to 0.46 in the last);
- gammas are |N(1, 0.1)|; those of batch norms that write into an addition 0.3 times as large (Goyal et al. 2017 begin
  training with 0 there; De and Smith 2020, "Batch Normalization Biases Residual Blocks Towards the Identity Function");
- betas are N(0.5, 0.2), with which a ReLU passes two values in three. This is what stands in for the one thing random
  weights cannot have: that those of neighbouring layers fit each other;
- moving means and variances are those of real images, measured layer by layer;
- the last layer's weights are a random combination of its inputs on real images, which is all that gradient descent
  from zero can reach: its steps add up multiples of the inputs it sees;
- ConvNeXt's layer scale is uniform in 0.1..1.

Whether that is too kind can be measured. Networks of one shape, trained on CIFAR-10, with Keras' own start (batch-norm
statistics from images, too), and by this rule: relative noise of 1e-5 on all kernels, and the logits less their mean
over images against the change, in decibel, every activation rounded to 8 bits:

| shape | trained | Keras' start | this rule | this rule, last layer random |
|---|---|---|---|---|
| residual | 38.9 | 26.6 | 38.4 | 34.0 |
| depthwise | 37.2 | 28.3 | 37.4 | 33.4 |
| squeeze-excite | 31.9 | 23.7 | 26.8 | 23.6 |
| swish | 34.3 | 24.9 | 34.2 | 28.6 |

So networks by this rule are as hard as trained ones, or harder.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: name -> how pixels were prepared in training; None: the network does it itself.
NETWORKS: dict[str, str | None] = {
    "MobileNet": "tf",
    "MobileNetV2": "tf",
    "MobileNetV3Small": None,
    "MobileNetV3Large": None,
    "EfficientNetB0": None,
    "EfficientNetV2B0": None,
    "ResNet50": "caffe",
    "ResNet50V2": "tf",
    "DenseNet121": "torch",
    "InceptionV3": "tf",
    "Xception": "tf",
    "VGG16": "caffe",
    "NASNetMobile": "tf",
    "ConvNeXtTiny": None,
}
#: Distance, in weights, over which the correlation within a filter falls to 1/e.
_REACH = 2.0
_GAMMA, _BETA, _BRANCH_GAMMA = (1.0, 0.1), (0.5, 0.2), 0.3


def network(name: str, size: int, pixels: NDArray[np.uint8], seed: int = 0) -> Any:
    """A network of ``NETWORKS`` that returns 1,000 logits.

    Args:
        name: A key of ``NETWORKS``.
        size: Height and width of its input, pixels.
        pixels: Real images that its batch-norm statistics are taken from, uint8 (n, size, size, 3).
        seed: Of the weights.
    """
    import keras

    from edgevision.runtime.preprocess import normalize
    from edgevision.runtime.spec import named_preprocessing

    keras.utils.set_random_seed(seed)
    build = getattr(keras.applications, name)
    model = build(weights=None, input_shape=(size, size, 3), classifier_activation=None)
    preprocessing = named_preprocessing(NETWORKS[name] or "raw", size, size, 3)
    make_realistic(model, normalize(pixels, preprocessing), np.random.default_rng(seed))
    return model


def make_realistic(model: Any, images: Any, random: np.random.Generator) -> None:
    """Give a Keras model weights by the rule above, in place.

    Args:
        model: Functional Keras model.
        images: float32 (n, H, W, C), prepared as the model wants them.
        random: Where the weights come from.
    """
    import keras

    layers = keras.layers
    ends = _branch_ends(model)
    norms = []
    for layer in model._flatten_layers():
        for kind in ("kernel", "depthwise_kernel", "pointwise_kernel"):
            kernel = getattr(layer, kind, None)
            if kernel is not None:
                depthwise = kind == "depthwise_kernel" or isinstance(layer, layers.DepthwiseConv2D)
                kernel.assign(_kernel(tuple(kernel.shape), depthwise, random))
        if isinstance(layer, layers.BatchNormalization):
            _set_norm(layer, _BRANCH_GAMMA if layer.name in ends else 1.0, random)
            norms.append((layer, layer.momentum))
        elif type(layer).__name__ == "LayerScale":
            layer.gamma.assign(random.uniform(0.1, 1.0, layer.gamma.shape))
    for norm, _ in norms:
        norm.momentum = 0.0
    model(images, training=True)  # one pass: each norm keeps the statistics of what it is given
    for norm, momentum in norms:
        norm.momentum = momentum
    last = [layer for layer in model.layers if getattr(layer, "kernel", None) is not None][-1]
    last.kernel.assign(_classifier(model, last, images, random))


def _classifier(model: Any, last: Any, images: Any, random: np.random.Generator) -> NDArray[Any]:
    """A kernel for the last layer from what it is given: random combinations, of length sqrt 2."""
    import keras

    seen = np.asarray(keras.Model(model.inputs, last.input)(images, training=False)).reshape(len(images), -1)
    kernel = (seen - seen.mean(0)).T @ random.standard_normal((len(seen), last.kernel.shape[-1]))
    kernel *= np.sqrt(2) / np.linalg.norm(kernel, axis=0)
    return np.asarray(kernel.reshape(last.kernel.shape), np.float32)


def _set_norm(layer: Any, factor: float, random: np.random.Generator) -> None:
    count = layer.moving_mean.shape[0]
    if layer.scale:
        layer.gamma.assign(np.abs(random.normal(*_GAMMA, count)) * factor)
    if layer.center:
        layer.beta.assign(random.normal(*_BETA, count) * factor)


def _kernel(shape: tuple[int, ...], depthwise: bool, random: np.random.Generator) -> NDArray[Any]:
    """Gaussian, He's variance; correlated within each filter if it has an extent."""
    space, inputs = (shape[:2], shape[2]) if len(shape) == 4 else ((1, 1), shape[0])
    fan_in = int(np.prod(space)) * (1 if depthwise else inputs)
    white = random.standard_normal((int(np.prod(space)), int(np.prod(shape)) // int(np.prod(space))))
    places = np.stack(np.meshgrid(*map(np.arange, space), indexing="ij"), -1).reshape(-1, 2)
    distances = np.linalg.norm(places[:, None] - places[None], axis=-1)
    values = np.linalg.cholesky(np.exp(-distances / _REACH)) @ white
    return np.asarray(values.reshape(shape) * np.sqrt(2 / fan_in), np.float32)


def _branch_ends(model: Any) -> set[str]:
    """Names of the batch norms that write straight into an addition: what closes a residual branch."""
    import keras

    passing = keras.layers.Dropout, keras.layers.Activation
    found = set()
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Add):
            for tensor in layer._inbound_nodes[0].input_tensors:
                source = tensor._keras_history.operation
                while isinstance(source, passing):
                    source = source._inbound_nodes[0].input_tensors[0]._keras_history.operation
                if isinstance(source, keras.layers.BatchNormalization):
                    found.add(source.name)
    return found
