"""The networks of keras.applications, from scratch or with ImageNet weights, below a new head."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgevision.runtime.errors import InputError
from edgevision.trainers.engine import import_keras
from edgevision.trainers.families.family import Built, Family
from edgevision.trainers.families.units import STEADY

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Application:
    """A network of keras.applications.

    Attributes:
        name: On the command line.
        function: Of keras.applications.
        summary: What it is good for.
        preprocess: What its ImageNet weights were trained with; "raw" where the network normalises pixels itself.
        size: Height and width of its usual input, pixels.
        least: Of the smallest.
        has_alpha: Whether its width can be chosen.
    """

    name: str
    function: str
    summary: str
    preprocess: str
    size: int = 224
    least: int = 32
    has_alpha: bool = False

    @property
    def normalizes_itself(self) -> bool:
        """Whether it takes pixel values 0..255 and begins with their normalisation."""
        return self.preprocess == "raw"


def _numbered(prefix: str, function: str, summary: str, preprocess: str, sizes: Mapping[str, int]) -> list[Application]:
    return [
        Application(prefix + number.lower(), function + number, f"{summary}, {number}", preprocess, size)
        for number, size in sizes.items()
    ]


_RESNET = dict.fromkeys(("50", "101", "152"), 224)
_SCALED = {"B0": 224, "B1": 240, "B2": 260, "B3": 300, "B4": 380, "B5": 456, "B6": 528, "B7": 600}
_SCALED_V2 = {"B0": 224, "B1": 240, "B2": 260, "B3": 300, "S": 384, "M": 480, "L": 480}
_DENSE = dict.fromkeys(("121", "169", "201"), 224)
_NEXT = dict.fromkeys(("Tiny", "Small", "Base", "Large"), 224)

APPLICATIONS: tuple[Application, ...] = (
    *_numbered("resnet", "ResNet", "Residual", "caffe", _RESNET),
    *(
        Application(f"resnet{depth}v2", f"ResNet{depth}V2", f"Residual, normalised before, {depth}", "tf")
        for depth in _RESNET
    ),
    Application("vgg16", "VGG16", "Plain and heavy: 16 layers", "caffe"),
    Application("vgg19", "VGG19", "Plain and heavy: 19 layers", "caffe"),
    Application("inception-v3", "InceptionV3", "Parallel convolutions of several sizes", "tf", 299, 75),
    Application("inception-resnet-v2", "InceptionResNetV2", "Inception with residual sums", "tf", 299, 75),
    Application("xception", "Xception", "Separable convolutions, residual", "tf", 299, 71),
    *_numbered("densenet", "DenseNet", "Every layer sees all before it", "torch", _DENSE),
    Application("mobilenet", "MobileNet", "Separable convolutions, in a row", "tf", has_alpha=True),
    Application("mobilenet-v2", "MobileNetV2", "Inverted residuals: the usual choice on devices", "tf", has_alpha=True),
    Application("mobilenet-v3-small", "MobileNetV3Small", "Gates, hard swish: least work", "raw", has_alpha=True),
    Application("mobilenet-v3-large", "MobileNetV3Large", "Gates, hard swish", "raw", has_alpha=True),
    *_numbered("efficientnet-", "EfficientNet", "Gates, swish", "raw", _SCALED),
    *_numbered("efficientnetv2-", "EfficientNetV2", "EfficientNet with plain convolutions first", "raw", _SCALED_V2),
    Application("nasnet-mobile", "NASNetMobile", "Found by search; many small layers", "tf"),
    Application("nasnet-large", "NASNetLarge", "Found by search; heavy", "tf", 331),
    *_numbered("convnext-", "ConvNeXt", "Large depthwise kernels, layer normalisation", "raw", _NEXT),
)


def build(
    shape: tuple[int, ...],
    labels: tuple[str, ...],
    options: Mapping[str, Any],
    *,
    application: Application,
    weights: str | None = None,
) -> Built:
    """The network without its classifier, global average pooling, dropout, and one dense layer for the classes.

    float32 (batch, height, width, 3) in, (batch, classes) logits out.

    Args:
        shape: Of the input.
        labels: Class names.
        options: "dropout": share of features dropped before the dense layer in training; "alpha" where it has one.
        application: Which.
        weights: "imagenet" for those that Keras downloads.

    Raises:
        InputError: The input is too small, an option is not usable, or the weights are not to be had.
    """
    if min(shape[:2]) < application.least:
        least, got = f"at least {application.least}x{application.least}", f"{shape[0]}x{shape[1]}"
        cure = "choose a larger --input-size"
        raise InputError(f"the input is too small for {application.name}", expected=least, got=got, cure=cure)
    keras = import_keras()
    image = keras.Input(shape, name="image")
    chosen = {"alpha": options["alpha"]} if application.has_alpha else {}
    make = getattr(keras.applications, application.function)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that weights of 224x224 are taken for other sizes: they are meant to be
            base = make(include_top=False, weights=weights, input_tensor=image, **chosen)
    except Exception as error:  # Keras raises bare Exception where a download fails
        raise _refused(application, weights, error) from error
    _hurry(base)
    x = keras.layers.GlobalAveragePooling2D()(base.output)
    if options["dropout"]:
        x = keras.layers.Dropout(options["dropout"])(x)
    outputs = keras.layers.Dense(len(labels), name="logits")(x)
    return Built(keras.Model(image, outputs, name=application.name.replace("-", "_")), scores="logits")


def _hurry(base: keras.Model) -> None:
    """Lets the batch norms' statistics follow within dozens of steps.

    MobileNetV2's own momentum is made for ImageNet's numbers of steps: after a thousand it was right on 31 % of what it
    was trained on and, by its statistics, on 10 % of anything else.
    """
    for layer in base.layers:
        if isinstance(layer, import_keras().layers.BatchNormalization):
            layer.momentum = min(layer.momentum, STEADY)


def _refused(application: Application, weights: str | None, error: Exception) -> InputError:
    got = " ".join(str(error).split())[:300] or type(error).__name__
    if weights is None:
        return InputError(f"{application.name} cannot be built", got=got, cure="choose other options")
    cure = "try again with a connection, give --weights FILE with weights of your own, or leave --weights out"
    return InputError(f"the {weights} weights of {application.name} are not to be had", got=got, cure=cure)


def _family(application: Application) -> Family:
    defaults = {
        "input_size": (application.size, application.size),
        "preprocess": application.preprocess,
        "batch_size": 32,
        "epochs": 20,
        "optimizer": "adamw",
        "learning_rate": 1e-3,
        "weight_decay": 1e-4,
        "label_smoothing": 0.1,
        "augment": ("flip", "shift=0.1"),
    }
    return Family(
        application.name,
        "classification",
        application.summary,
        functools.partial(build, application=application),
        defaults,
        {"dropout": 0.2, **({"alpha": 1.0} if application.has_alpha else {})},
        pretrained=functools.partial(build, application=application, weights="imagenet"),
        normalizes_itself=application.normalizes_itself,
    )


FAMILIES = tuple(_family(application) for application in APPLICATIONS)
