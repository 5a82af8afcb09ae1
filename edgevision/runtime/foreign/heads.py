"""What the outputs of a model are that edgevision did not make: as the user says, else by their shapes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from edgevision.runtime.errors import InputError
from edgevision.runtime.heads import TASKS, Head
from edgevision.runtime.manifest import head_from_plain

if TYPE_CHECKING:
    from edgevision.runtime.foreign import AnyHead, Said
    from edgevision.runtime.spec import TensorSpec

_CURE = "see docs/tasks.md for the heads there are, and give head="


def read_head(given: AnyHead) -> Head:
    """A head from a Head, its fields, its kind, JSON text or the path of a JSON file.

    Raises:
        InputError: The text is neither, or there is no such kind.
        BundleError: A field is missing, unknown or not usable.
    """
    if isinstance(given, Head):
        return given
    if isinstance(given, Mapping):
        return head_from_plain(dict(given))
    text = given
    if given.endswith(".json"):
        try:
            text = Path(given).read_text(encoding="utf-8")
        except OSError as error:
            raise InputError(f"the head in {given} cannot be read", got=error.strerror or str(error)) from error
    if not text.lstrip().startswith("{"):
        return head_from_plain({"kind": text})
    try:
        return head_from_plain(json.loads(text))
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError("the head is no JSON", expected='{"kind": ...}', got=str(error), cure=_CURE) from error


def task_and_head(
    said: Said, outputs: Sequence[TensorSpec], pixels: tuple[int, int] | None, guessed: list[str]
) -> tuple[str, Head | None]:
    """The task, and the head that describes the outputs.

    Args:
        said: What the user says.
        outputs: The model's.
        pixels: Height and width of the model's input, if it is an image.
        guessed: What had to be guessed is added here.

    Raises:
        InputError: Task and head contradict each other, or nothing tells what the outputs are.
    """
    head = None if said.head is None else read_head(said.head)
    if said.task is not None and said.task not in TASKS:
        raise InputError("the task is unknown", expected=" or ".join(TASKS), got=repr(said.task))
    if head is not None:
        if said.task not in (None, head.task):
            got = f"a head of kind {head.kind!r}"
            raise InputError("the head contradicts the task", expected=f"a head of the task {said.task}", got=got)
        return head.task, head
    if said.task is None:
        if len(outputs) != 1 or prod(outputs[0].shape) != max(outputs[0].shape) or pixels is None:
            got = ", ".join(f"{spec.name} {spec.shape}" for spec in outputs)
            raise InputError("the model's task is not known", expected="task", got=f"outputs {got}", cure=_CURE)
        guessed.append(f"task classification: the one output is {outputs[0].shape}")
        return "classification", None
    if said.task in ("classification", "tensors"):
        return said.task, None
    plain, why = _by_shape(said.task, outputs)
    guessed.append(f"head {plain['kind']}: {why}")
    return said.task, head_from_plain(plain)


def _by_shape(task: str, outputs: Sequence[TensorSpec]) -> tuple[dict[str, Any], str]:
    """A head's fields, and what told them."""
    shapes = [spec.shape for spec in outputs]
    if task in ("embedding", "sequence") and len(outputs) == 1:
        return {"kind": task}, f"the one output is {shapes[0]}"
    if task == "segmentation" and len(outputs) == 1 and len(shapes[0]) in (3, 4):
        return _segmentation(outputs[0])
    if task == "detection":
        if len(outputs) == 1 and len(shapes[0]) == 3 and shapes[0][2] == 6:
            fields = {"boxes": outputs[0].name, "order": "xyxy", "unit": "pixels"}
            return {"kind": "postprocessed", **fields}, f"rows of corners, score and class: {shapes[0]}"
        if len(outputs) == 1 and len(shapes[0]) == 3 and min(shapes[0][1:]) > 4:
            layout = "columns" if shapes[0][1] < shapes[0][2] else "rows"
            why = f"{layout} of x, y, width, height in pixels and one probability per class: {shapes[0]}"
            return {"kind": "yolo", "layout": layout}, why
        found = _postprocessed(outputs)
        if found:
            return found, "four outputs as of TFLite_Detection_PostProcess"
    got = ", ".join(f"{spec.name} {spec.shape}" for spec in outputs)
    raise InputError(f"how to read the outputs of this {task} model is not known", expected="head", got=got, cure=_CURE)


def _segmentation(spec: TensorSpec) -> tuple[dict[str, Any], str]:
    is_whole = spec.quant is None and not spec.dtype.startswith("float")
    if len(spec.shape) == 3 or is_whole:
        return {"kind": "segmentation", "scores": "classes"}, f"classes in {spec.dtype} {spec.shape}"
    layout = "nchw" if spec.shape[1] < spec.shape[3] else "nhwc"
    return {"kind": "segmentation", "layout": layout}, f"logits, {layout}, of {spec.shape}"


def _postprocessed(outputs: Sequence[TensorSpec]) -> dict[str, Any]:
    """Boxes, classes, scores, count: by their shapes, and of the two alike ones by their order."""
    boxes = [spec.name for spec in outputs if len(spec.shape) == 3 and spec.shape[2] == 4]
    rows = [spec.name for spec in outputs if len(spec.shape) == 2 and spec.shape[1] > 1]
    count = [spec.name for spec in outputs if prod(spec.shape) == 1]
    if (len(outputs), len(boxes), len(rows), len(count)) != (4, 1, 2, 1):
        return {}
    names = {"boxes": boxes[0], "classes": rows[0], "scores": rows[1], "count": count[0]}
    return {"kind": "postprocessed", **names}


def class_count(head: Head | None, task: str, outputs: Sequence[TensorSpec]) -> int | None:
    """How many classes the outputs have; None where their shapes do not tell."""
    kind = "" if head is None else head.kind
    if task == "classification":
        return prod(outputs[0].shape) if len(outputs) == 1 else None
    named = {spec.name: spec.shape for spec in outputs}
    shape = named.get(getattr(head, "output", ""), outputs[0].shape if len(outputs) == 1 else ())
    if kind == "sequence" and shape:
        return shape[-1]
    if kind == "segmentation" and len(shape) == 4:
        channels = shape[1] if cast("Any", head).layout == "nchw" else shape[3]
        return channels if channels > 1 else None
    if kind == "yolo" and len(shape) == 3 and cast("Any", head).scores is None:
        return shape[1 if cast("Any", head).layout == "columns" else 2] - 4 - int(cast("Any", head).objectness)
    return None
