"""convert: a trained Keras model and calibration images in, a checked bundle out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from edgevision.converters.asked import Asked, Progress
from edgevision.converters.child import convert_file
from edgevision.converters.finetuning import check_finetuning
from edgevision.converters.finish import Steps
from edgevision.converters.formats import NOT_MADE
from edgevision.converters.limits import Limits
from edgevision.converters.native.convert import convert_opaque
from edgevision.converters.native.opaque import OpaqueModel
from edgevision.converters.reverting import BUDGET_S
from edgevision.converters.samples import open_samples
from edgevision.converters.source import load_source
from edgevision.converters.visible import convert_visible
from edgevision.runtime.bundle import Bundle
from edgevision.runtime.bundle_writer import check_target
from edgevision.runtime.errors import InputError
from edgevision.runtime.foreign.heads import read_head
from edgevision.runtime.manifest import ModelFormat, Precision, Scores, Target, to_plain
from edgevision.runtime.spec import Interpolation, ResizePolicy

if TYPE_CHECKING:
    from edgevision.runtime.foreign import AnyHead

DEFAULT_PRECISIONS: tuple[Precision, ...] = ("int8", "float32")


def convert(
    model: Any,
    calibration: str | Path,
    out: str | Path,
    *,
    evaluate: str | Path | None = None,
    labels: Sequence[str] | None = None,
    preprocess: str | None = None,
    scores: Scores | None = None,
    head: AnyHead | None = None,
    input_size: tuple[int, int] | None = None,
    resize: ResizePolicy = "stretch",
    interpolation: Interpolation = "bilinear",
    antialias: bool = True,
    formats: Sequence[str] = get_args(ModelFormat),
    precisions: Sequence[str] = DEFAULT_PRECISIONS,
    target: Target = "any",
    max_drop: float = 1.0,
    finetune: int = 0,
    finetune_data: str | Path | None = None,
    budget: float = BUDGET_S,
    golden: str = "real",
    force: bool = False,
    trust: bool = False,
    memory_limit: float | None = None,
    time_limit: float | None = None,
    progress: Progress | None = None,
) -> Bundle:
    """Quantise a Keras model once, export it to every format, check each file, and write one bundle.

    A failed check does not stop the bundle from being written; ``bundle.manifest.gate.passed`` tells, and
    ``bundle.manifest.gate.verdict`` whether there were images enough to be sure (see ``converters.gate``). flips.json
    in the bundle names the images that an artifact answers otherwise than the float model, layers.json how each layer
    does in each int8 artifact.

    A file is converted in a process of its own with limited memory and time; a model in memory is converted in this
    one.

    Args:
        model: Path of a .keras or .h5 file (Keras 2 or 3) or of a SavedModel directory, or a keras.Model. One image in
            and (batch, classes) out is a classifier; anything else becomes a bundle of the task of its ``head``, or
            "tensors". A subclassed model, or a SavedModel without Keras layers, has to be a classifier: its layers
            cannot be seen, and every format is quantised by itself (``converters.native``).
        calibration: Images without labels, any folder layout, zip or .npz: what the device will see. For a model that
            takes no single image an .npz whose arrays bear the inputs' names, samples first, in the model's own units.
        out: Directory to write, usually NAME.edge.
        evaluate: Labelled images for the accuracy gate (the test split if there is one). None: the gate counts how
            often each artifact agrees with the float model on calibration images that nothing else used. For a model
            that is no classifier data like ``calibration``, on which outputs are compared with float.
        labels: Class names in the order of the model's outputs; None takes them from the model, else from the data.
            Of a classifier or a model with a ``head``; ``max_drop`` is a classifier's only.
        preprocess: How pixels were prepared in training (``spec.NORMALIZATIONS``); None reads it from the model.
        scores: What the outputs of a model are whose layers cannot be seen: "logits", "probabilities", "sigmoid" or
            "sigmoid_logits"; None tells it from its answers to calibration images (``native.scores``).
        head: What the outputs are and how they are decoded (``runtime.heads``, docs/tasks.md): a Head, its fields with
            their ``kind``, or the kind alone; None takes what the model carries. Outputs are then compared with float
            by signal to noise.
        input_size: (height, width), pixels, for models that leave it open.
        resize: "stretch", "crop" or "letterbox"; used unless the model carries its own, like the next two.
        interpolation: "nearest", "bilinear", "bicubic" or "lanczos".
        antialias: Whether shrinking widens the kernel.
        formats: Any of "tflite", "onnx", "openvino".
        precisions: Any of "int8", "dynamic-int8" (int8 weights, activations rounded by the engine if at all),
            "float32", "float16", "int16x8" (int8 weights, int16 activations; TFLite alone has it). What a format does
            not have is left out and named in the manifest's provenance.
        target: Processors it is for: "any", "vnni" (x86 with 8-bit dot products) or "arm". On other x86 processors
            8-bit sums can saturate in ONNX Runtime and OpenVINO. With "any" weights are rounded so that they cannot, if
            that costs next to nothing; else the files say what they need, and the runtime sees to it.
        max_drop: Allowed loss against float, points (percent).
        finetune: Train the quantised model for up to so many passes, towards the labels of the calibration data if it
            has the model's classes, and the answers of the float model. Kept only if that brings it nearer to float on
            samples that it is not trained on.
        finetune_data: More samples to train on than the calibration data has, labelled or not.
        budget: Seconds to search, when int8 seems to lose more than that, for layers that have to stay in float; 0
            keeps everything in int8. The search counts changed answers on calibration images that nothing judges; what
            it found out is kept in the user's cache directory ($EDGEVISION_CACHE), where the next one goes on.
        golden: "real" stores a few of the checked images in the bundle, "synthetic" stores made-up ones and leaves
            the names of images out of it.
        force: Replace a bundle at ``out``.
        trust: Run code that came with a file: Lambda layers, classes of modules that can be imported, and operations
            of a SavedModel that do more than compute.
        memory_limit: GiB that converting a file may take; None: 8, or 60 times the file where that is more, and an
            eighth per processor, at most 80 % of the machine's.
        time_limit: Seconds that converting a file may take; None: 3600.
        progress: Called as progress(stage, done, total).

    Raises:
        OutputExistsError: ``out`` exists and ``force`` is not given, or what exists is no bundle.
        ModelError: The model cannot be read or used (UnsupportedLayerError: one of its layers; UnsafeModelError: it
            holds code, and ``trust`` is not given).
        BundleError: The outputs do not fit ``head``.
        InputError: An option is wrong, missing or contradicts the model (DatasetError, ImageError: the data).
        ConversionError: An exporter refused the model, or a limit was reached.
        MissingPackageError: A package of the ``convert`` extra is not installed.
    """
    options = dict(locals())  # every argument as it was given
    limits = Limits.of(options.pop("memory_limit"), options.pop("time_limit"), model)
    _check_options(formats, precisions, target, golden, max_drop, budget)
    check_finetuning(finetune, finetune_data, precisions)
    check_target(Path(out), force=force)
    options["head"] = None if head is None else to_plain(read_head(head))
    if not isinstance(model, (str, Path)):
        return convert_here(**options)
    del options["progress"]
    return convert_file(options, limits, progress)


def convert_here(**options: Any) -> Bundle:
    """``convert`` in this process, without limits, once its options are checked.

    Args:
        options: The fields of ``Asked``, all of them.
    """
    asked = Asked(**options)
    steps = Steps(asked.progress, 4 + asked.finetune + len(asked.wanted))
    steps("reading the model")
    source = load_source(
        asked.model,
        preprocess=asked.preprocess,
        input_size=asked.input_size,
        resize=asked.resize,
        interpolation=asked.interpolation,
        antialias=asked.antialias,
        trust=asked.trust,
        calibration=asked.calibration,
        scores=asked.scores,
        head=None if asked.head is None else read_head(asked.head),
    )
    data = open_samples(source, asked.calibration, asked.evaluate, asked.labels, len(asked.wanted) + 2)
    if isinstance(source, OpaqueModel):
        return convert_opaque(source, data, asked, steps)
    return convert_visible(source, data, asked, steps)


def _check_options(
    formats: Sequence[str], precisions: Sequence[str], target: str, golden: str, max_drop: float, budget: float
) -> None:
    choices = (
        ("formats", formats, get_args(ModelFormat)),
        ("precisions", precisions, get_args(Precision)),
        ("target", (target,), get_args(Target)),
        ("golden", (golden,), ("real", "synthetic")),
    )
    for name, given, known in choices:
        wrong = [item for item in given if item not in known]
        if wrong or not given or len(set(given)) != len(given):
            raise InputError(
                f"{name} is not usable", expected="one or more of " + ", ".join(known), got=", ".join(given) or "none"
            )
    reasons = {NOT_MADE.get((item, precision)) for precision in precisions for item in formats}
    if None not in reasons:
        raise InputError(
            "the formats have none of the precisions",
            got=f"{', '.join(precisions)} in {', '.join(formats)}",
            cure="; ".join(sorted(map(str, reasons))),
        )
    if not 0 <= max_drop <= 100:
        raise InputError("max_drop is not usable", expected="points from 0 to 100", got=str(max_drop))
    if not 0 <= budget < float("inf"):
        raise InputError("budget is not usable", expected="seconds from 0 on", got=str(budget))
