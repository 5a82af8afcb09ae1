"""What a bundle says about itself: the values in manifest.json, and their JSON form."""

from __future__ import annotations

import dataclasses
import functools
import types
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from edgevision.runtime.errors import BundleError, InputError
from edgevision.runtime.heads import TASKS, Head, head_class
from edgevision.runtime.heads import Scores as Scores
from edgevision.runtime.spec import Preprocessing, TensorSpec

#: Version of the manifest's fields. A runtime opens its own and every older one. 2: the task "tensors".
#: 3: heads, and the tasks that have them.
SCHEMA_VERSION = 3

Value = TypeVar("Value")
#: In the order in which they are preferred where nothing was measured; "dynamic-int8": weights in int8, activations
#: rounded by the engine if at all; "int16x8": weights in int8, activations in int16.
Precision = Literal["int8", "dynamic-int8", "float32", "float16", "int16x8"]
ModelFormat = Literal["tflite", "onnx", "openvino"]
#: Processors a bundle is made for: not known, x86 with VNNI, or ARM.
Target = Literal["any", "vnni", "arm"]
#: "undecided": what was lost is within the allowed drop, but there are too few images to be sure.
Verdict = Literal["pass", "fail", "undecided"]


@dataclass(frozen=True)
class FileEntry:
    """One file of the bundle. ``sha256`` is the hex digest of exactly ``bytes`` bytes."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class FloatOp:
    """An operator that stays in float in an int8 artifact: its name, its type and why."""

    name: str
    kind: str
    reason: str


@dataclass(frozen=True)
class Signal:
    """How one output of an artifact stands to the float Keras model's, on the same samples.

    Attributes:
        output: Its name.
        sqnr_db: Signal-to-quantisation-noise ratio, decibel; the signal is the float model's output less its mean over
            samples.
        interval: 95 % interval of ``sqnr_db``, decibel, bootstrapped over samples.
        same_top1: Where the output is class scores: share of positions of all samples with the same best class, 0..1.
    """

    output: str
    sqnr_db: float
    interval: tuple[float, float]
    same_top1: float | None = None


@dataclass(frozen=True)
class Agreement:
    """How one artifact does on the gate's images, against the float Keras model on the same images.

    Attributes:
        images: How many images (samples, of the task "tensors") were used.
        same_top1: Share of images with the same top-1 as the float model, 0..1; of the task "tensors" the least of
            ``signals``, None where none of them is class scores.
        top1: Accuracy of this artifact, 0..1; None without labels.
        float_top1: Accuracy of the float Keras model, 0..1; None without labels.
        difference: What the gate judges, in points (percent): ``top1 - float_top1``, or
            ``same_top1 - 1`` without labels. Negative is worse than float. Of the task "tensors" the ``sqnr_db``,
            decibel, of the output that does worst.
        interval: 95 % interval of ``difference``, in its unit, paired over images.
        passed: Whether ``difference`` is within the allowed drop.
        verdict: What the interval says of the allowed drop; None in bundles of before there was one.
        images_needed: About how many images would decide an undecided one if both rates stay as seen; None when
            that is more than a million, as for a loss of just what is allowed.
        gained: Images that only this artifact gets right; None without labels, like the next two.
        lost: Images that only the float model gets right.
        mcnemar_p: Two-sided mid-p value that both are equally good, 0..1.
        top5: Share of images whose class is among this artifact's best five, 0..1; None without labels or with
            fewer than six classes.
        float_top5: The same of the float Keras model.
        signals: One per output of a model that is no classifier.
        metric: The task's own by which a model with a head was judged on labelled data, e.g. "ap50" or "miou";
            ``difference`` and ``interval`` are then points of it. None where signals decided.
        value: What this artifact got, 0..1.
        float_value: What the float Keras model got, 0..1.
    """

    images: int
    same_top1: float | None
    top1: float | None
    float_top1: float | None
    difference: float
    interval: tuple[float, float]
    passed: bool
    verdict: Verdict | None = None
    images_needed: int | None = None
    gained: int | None = None
    lost: int | None = None
    mcnemar_p: float | None = None
    top5: float | None = None
    float_top5: float | None = None
    signals: tuple[Signal, ...] = ()
    metric: str | None = None
    value: float | None = None
    float_value: float | None = None

    @property
    def words(self) -> str:
        """The verdict: "pass", "fail" or "not enough images to tell: need about 390"."""
        samples = "samples" if self.signals and self.metric is None else "images"
        return verdict_words(self.verdict, self.passed, self.images_needed, samples)


@dataclass(frozen=True)
class Parity:
    """How closely one artifact follows the Keras model it was exported from, on the same images.

    Attributes:
        images: How many images were compared.
        sqnr_db: Signal-to-quantisation-noise ratio of the outputs, decibel; float("inf") is stored as 999.
        max_error: Largest absolute difference of any output.
        same_top1: Share of images with the same top-1, 0..1; None where no output is class scores.
        passed: Whether ``sqnr_db``, of several outputs the least, reaches the limit for this precision.
        further_db: How much further from the float model than the Keras model the artifact is, decibel, of several
            outputs the most; negative where it is nearer. None where the Keras model is the float model, and in bundles
            of before this was recorded.
        fault: Where ``sqnr_db`` is too low: the first layer that computes something else than the Keras model on what
            the file's own takes in, as "NAME by 4.2 steps"; None where there is none.
    """

    images: int
    sqnr_db: float
    max_error: float
    same_top1: float | None
    passed: bool
    further_db: float | None = None
    fault: str | None = None


@dataclass(frozen=True)
class Artifact:
    """One runnable model of the bundle.

    Attributes:
        name: File name of the model, e.g. "int8.tflite"; also its name on the command line.
        format: Which backend runs it.
        precision: "int8", "dynamic-int8", "float32", "float16" or "int16x8".
        files: The model file first, then what belongs to it (an OpenVINO .bin).
        inputs: Tensors to feed. dtype uint8 means raw pixels: the normalisation is in the graph.
        outputs: Tensors that come back.
        int8_macs: Share of multiply-accumulates done in int8, counted in the file, 0..1.
        int8_weight_bytes: Share of weight bytes stored as int8, counted in the file, 0..1.
        float_ops: Operators with weights or arithmetic that stay in float, with the reason.
        parity: Against the Keras model it came from.
        agreement: Against the float Keras model, judged by the gate.
        needs: What a device must have to run it rightly (``runtime.needs``), e.g. "vnni" or "tflite>=2.17".
        float16_weight_bytes: Share of weight bytes stored as float16, counted in the file, 0..1.
    """

    name: str
    format: ModelFormat
    precision: Precision
    files: tuple[FileEntry, ...]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    int8_macs: float = 0.0
    int8_weight_bytes: float = 0.0
    float_ops: tuple[FloatOp, ...] = ()
    parity: Parity | None = None
    agreement: Agreement | None = None
    needs: tuple[str, ...] = ()
    float16_weight_bytes: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether nothing that was checked on this artifact failed."""
        return all(check is None or check.passed for check in (self.parity, self.agreement))

    @property
    def size(self) -> int:
        """Bytes of all its files together."""
        return sum(entry.bytes for entry in self.files)


@dataclass(frozen=True)
class Gate:
    """The verdict on the bundle.

    Attributes:
        passed: Whether the bundle may be used: no artifact failed a check. True while the images are too few to tell.
        max_drop: Allowed loss, points (percent); without meaning by "signal".
        basis: "accuracy" (labels), "agreement" (no labels), "signal" (no classifier: ``least_sqnr_db``) or the name of
            the metric that a model with a head was judged by on labelled data, e.g. "miou".
        images: How many images judged.
        note: What has to be said about how it was judged.
        verdict: "pass" when every artifact passes, "fail" when one fails; None in bundles of before there was one.
        images_needed: The most that any undecided artifact needs.
        overlap: How many calibration images are among the judging ones, by their pixels; None when not counted.
        warnings: What is odd about the data.
        least_sqnr_db: By "signal", what every output has to reach, decibel.
    """

    passed: bool
    max_drop: float
    basis: str
    images: int
    note: str = ""
    verdict: Verdict | None = None
    images_needed: int | None = None
    overlap: int | None = None
    warnings: tuple[str, ...] = ()
    least_sqnr_db: float | None = None

    @property
    def words(self) -> str:
        """The verdict: "pass", "fail" or "not enough images to tell: need about 390"."""
        samples = "images" if self.least_sqnr_db is None else "samples"
        return verdict_words(self.verdict, self.passed, self.images_needed, samples)


def verdict_words(verdict: Verdict | None, passed: bool, images_needed: int | None, samples: str = "images") -> str:
    """A verdict as people read it; ``passed`` speaks for bundles that have none."""
    if verdict != "undecided":
        return verdict or ("pass" if passed else "fail")
    # No number means more than anybody gathers: what was lost is too close to what may be lost.
    needed = "over a million, should the loss stay as seen" if images_needed is None else f"about {images_needed:,}"
    return f"not enough {samples} to tell: need {needed}"


@dataclass(frozen=True)
class Manifest:
    """Everything a bundle says about itself.

    Attributes:
        task: One of ``heads.TASKS``; "tensors": named arrays in, named arrays out, nothing is decoded.
        labels: Class names in the order of the model's outputs; none where there are no classes.
        scores: Of a classifier and of a sequence what the outputs are: "logits" (softmax to come), "probabilities", or
            "sigmoid"/"sigmoid_logits" for one independent probability per class. A single sigmoid
            output with two labels is the probability of the second. None for other tasks: it is in their heads.
        preprocessing: From an image to the model's input; None when it takes no image.
        artifacts: The models.
        files: Files that belong to no artifact: golden.npz, README.md.
        gate: Verdict of the accuracy gate.
        provenance: Where it came from: hashes of source model and calibration set, versions, recipe.
        schema_version: Version of these fields.
        head: What the outputs are and how they are decoded; None for "tensors" and for a classifier of one label.
    """

    task: str
    labels: tuple[str, ...]
    scores: Scores | None
    preprocessing: Preprocessing | None
    artifacts: tuple[Artifact, ...] = ()
    files: tuple[FileEntry, ...] = ()
    gate: Gate | None = None
    provenance: dict[str, Any] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION
    head: Head | None = None

    @property
    def is_classifier(self) -> bool:
        """Whether the model names one class of an image."""
        return self.task == "classification" and self.head is None

    @property
    def names_one_class(self) -> bool:
        """Whether the model names one class, of an image or of a window of frames: then answers can be counted."""
        return self.is_classifier or self.task == "sequence"

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise InputError("the task is unknown", expected=" or ".join(TASKS), got=repr(self.task))
        fits = self.task in ("tensors", "classification") if self.head is None else self.task == self.head.task
        if not fits:
            got = "none" if self.head is None else f"one of kind {self.head.kind!r}"
            raise InputError("the head does not fit the task", expected=f"a head of the task {self.task}", got=got)
        if self.task == "classification" and (self.scores is None or self.preprocessing is None):
            raise InputError("the manifest lacks what a classifier needs", expected="scores and preprocessing")
        if self.task not in ("tensors", "generation") and self.preprocessing is None:
            raise InputError(f"the task {self.task} needs preprocessing", expected="a Preprocessing", got="None")
        if self.task == "sequence" and self.scores is None:
            raise InputError("the task sequence needs scores", expected="what the outputs are", got="None")
        if self.head is not None and self.head.kind == "multi_label" and not str(self.scores).startswith("sigmoid"):
            expected = "scores sigmoid or sigmoid_logits"
            raise InputError("several labels at once are independent", expected=expected, got=str(self.scores))


def to_plain(value: Any) -> Any:
    """A dataclass value as dicts, lists and scalars ready for json."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        kind = {"kind": value.kind} if isinstance(value, Head) else {}
        return kind | {item.name: to_plain(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, (tuple, list)):
        return [to_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: to_plain(item) for key, item in value.items()}
    return value


def from_plain(cls: type[Value], data: Any) -> Value:
    """The inverse of ``to_plain``: checks types, refuses missing and unknown fields.

    Raises:
        BundleError: A field is missing, unknown or of the wrong type.
    """
    try:
        return _build(cls, data, cls.__name__)  # type: ignore[no-any-return]
    except (InputError, OverflowError) as error:  # of the right type, and refused by the value itself
        raise BundleError(f"{cls.__name__} is not usable", got=str(error)) from error


def head_from_plain(data: Any) -> Head:
    """A head from its fields and its ``kind``.

    Raises:
        InputError: There is no such kind, or a value is refused by the head itself.
        BundleError: A field is missing, unknown or of the wrong type.
    """
    found: Head = _build_head(Head, data, "head")
    return found


def _build(hint: Any, data: Any, where: str) -> Any:
    origin, args = get_origin(hint), get_args(hint)
    if hint is Any or origin is dict:
        return data
    if origin in (Union, types.UnionType):
        return None if data is None else _build(next(arg for arg in args if arg is not type(None)), data, where)
    if origin is Literal:
        return _expect(data, data in args, where, " or ".join(map(str, args)))
    if origin is tuple:
        _expect(data, isinstance(data, list), where, "a list")
        kinds = [args[0]] * len(data) if args[-1] is Ellipsis else list(args)
        _expect(data, len(kinds) == len(data), where, f"{len(kinds)} items")
        return tuple(_build(kind, item, f"{where}[{i}]") for i, (kind, item) in enumerate(zip(kinds, data)))
    if isinstance(hint, type) and issubclass(hint, Head):
        return _build_head(hint, data, where)
    if dataclasses.is_dataclass(hint):
        return _build_dataclass(hint, data, where)
    if hint is float and isinstance(data, int) and not isinstance(data, bool):
        return float(data)
    return _expect(data, type(data) is hint, where, getattr(hint, "__name__", str(hint)))


def _build_dataclass(cls: Any, data: Any, where: str) -> Any:
    _expect(data, isinstance(data, dict), where, "an object")
    fields = {item.name: item for item in dataclasses.fields(cls)}
    required = {name for name, item in fields.items() if item.default is item.default_factory is dataclasses.MISSING}
    missing, unknown = required - data.keys(), data.keys() - fields.keys()
    if missing or unknown:
        raise BundleError(
            f"{where} does not have the right fields", expected=", ".join(sorted(fields)), got=", ".join(sorted(data))
        )
    hints = _hints(cls)
    return cls(**{name: _build(hints[name], item, f"{where}.{name}") for name, item in data.items()})


def _build_head(wanted: type[Head], data: Any, where: str) -> Any:
    """The head whose kind stands in the data, if it is one of ``wanted``."""
    _expect(data, isinstance(data, dict) and isinstance(data.get("kind"), str), where, "an object with its kind")
    found = head_class(data["kind"])
    _expect(data["kind"], issubclass(found, wanted), f"{where}.kind", getattr(wanted, "kind", "a head"))
    return _build_dataclass(found, {name: item for name, item in data.items() if name != "kind"}, where)


@functools.cache
def _hints(cls: Any) -> dict[str, Any]:
    return get_type_hints(cls)


def _expect(data: Any, right: bool, where: str, expected: str) -> Any:
    if not right:
        raise BundleError(f"{where} is not usable", expected=expected, got=repr(data)[:60])
    return data
