"""A manifest for a model file that has none."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from edgevision.runtime.errors import InputError
from edgevision.runtime.foreign.heads import class_count, task_and_head
from edgevision.runtime.foreign.image import image_input
from edgevision.runtime.foreign.labels import read_labels, stored_labels
from edgevision.runtime.foreign.operators import FileFacts, file_facts
from edgevision.runtime.foreign.scores import settle_scores
from edgevision.runtime.golden import outputs_of, pixel_feeds
from edgevision.runtime.manifest import Artifact, Manifest
from edgevision.runtime.synthetic import synthetic_pixels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgevision.runtime.foreign import Said
    from edgevision.runtime.heads import Head, Scores
    from edgevision.runtime.session import Session
    from edgevision.runtime.spec import Preprocessing

_PROBES = 3
#: Tasks whose results have no class names.
_NAMELESS = ("embedding", "generation", "keypoints", "tensors")


def describe(session: Session, data: bytes, format: str, said: Said, source: str) -> Manifest:
    """What a bundle would say about this model, with ``provenance["guessed"]``.

    Args:
        session: The model in its engine. What the file says of quantisation and the engine does not is told to it.
        data: The model file.
        format: "tflite", "onnx" or "openvino".
        said: What the user says.
        source: The file's name.

    Raises:
        InputError: What is said contradicts the model, or too little is known.
        BundleError: The file is damaged, or a head's fields are not usable.
        BackendError: The engine failed at a made-up image.
    """
    guessed: list[str] = []
    facts = file_facts(data, format)
    session.learn_quantisation(facts.quant)
    preprocessing = _preprocessing(session, said, format, guessed)
    pixels = None if preprocessing is None else (preprocessing.height, preprocessing.width)
    task, head = task_and_head(said, session.outputs, pixels, guessed)
    labels = _labels(said, data, format, task, class_count(head, task, session.outputs), guessed)
    scores = _scores(session, preprocessing, task, head, labels, facts, said, guessed)
    name = f"{facts.precision}.{'xml' if format == 'openvino' else format}"
    artifact = Artifact(name, format, facts.precision, (), session.inputs, session.outputs)  # type: ignore[arg-type]
    provenance: dict[str, Any] = {"imported": {"name": source}, "guessed": guessed}
    return Manifest(task, labels, scores, preprocessing, (artifact,), provenance=provenance, head=head)


def _preprocessing(session: Session, said: Said, format: str, guessed: list[str]) -> Preprocessing | None:
    takes_arrays = said.task in ("tensors", "generation") and said.preprocess is None and not said.changes
    if takes_arrays:
        return None
    if len(session.inputs) != 1:
        got = ", ".join(f"{spec.name} {spec.shape}" for spec in session.inputs)
        raise InputError("the model takes no single image", expected="one input", got=got, cure="try task='tensors'")
    leading = 2 if said.task == "sequence" else 1
    return image_input(session.inputs[0], said, leading, guessed, planar_first=format != "tflite")


def _labels(said: Said, data: bytes, format: str, task: str, count: int | None, guessed: list[str]) -> tuple[str, ...]:
    """The class names; made up, and said so, where nobody names them and the outputs tell how many there are."""
    found, where = (read_labels(said.labels), "") if said.labels is not None else stored_labels(data, format)
    if said.labels is None and task in _NAMELESS:
        return ()
    if where:
        guessed.append(f"labels from {where}")
    if not found and count is None:
        raise InputError("the model's class names are not known", expected="labels", cure="give labels=, one per class")
    if not found:
        count = 2 if count == 1 else count
        guessed.append(f"labels class 0 to class {count - 1}: nobody names them")  # type: ignore[operator]
        return tuple(f"class {i}" for i in range(count or 0))
    if count is not None and len(found) != count and not (count == 1 and len(found) == 2):
        cure = "of 1001 outputs the first is usually 'background'" if count == len(found) + 1 else ""
        raise InputError("the labels contradict the model", expected=f"{count}", got=f"{len(found)}", cure=cure)
    return found


def _scores(
    session: Session,
    preprocessing: Preprocessing | None,
    task: str,
    head: Head | None,
    labels: Sequence[str],
    facts: FileFacts,
    said: Said,
    guessed: list[str],
) -> Scores | None:
    if task not in ("classification", "sequence"):
        if said.scores is not None:
            raise InputError(f"the task {task} takes no scores", cure="they are in its head")
        return None
    specs = [spec for spec in session.outputs if spec.name == getattr(head, "output", "")] or list(session.outputs)
    if len(specs) != 1 or preprocessing is None:
        raise InputError("the model has several outputs", expected="one, with the scores", got=f"{len(specs)}")
    several = getattr(head, "kind", "") == "multi_label" or (len(labels) == 2 and prod(specs[0].shape) == 1)
    answers = [outputs_of(session, fed)[specs[0].name] for fed in _probes(session, preprocessing)]
    rows = (
        np.stack(answers).astype(np.float32).reshape(-1, specs[0].shape[-1] if task == "sequence" else answers[0].size)
    )
    if not np.isfinite(rows).all():
        raise InputError("the model's answers are not finite", cure="check preprocess and the model itself")
    return settle_scores(said.scores, specs[0], facts, rows, several, guessed)


def _probes(session: Session, p: Preprocessing) -> list[dict[str, NDArray[Any]]]:
    images = golden_pixels(session, p, _PROBES)
    return [pixel_feeds(session.inputs[0], p, images[i : i + 1]) for i in range(len(images))]


def golden_pixels(session: Session, p: Preprocessing, count: int) -> NDArray[np.uint8]:
    """Made-up inputs of an image model: uint8 (count, height, width, channels), of windows with the frames before."""
    window = session.inputs[0].shape[1] if len(session.inputs[0].shape) == 5 else 1
    images = synthetic_pixels((p.height, p.width, p.channels), count * window)
    return images if window == 1 else images.reshape(count, window, *images.shape[1:])


def with_source(manifest: Manifest, **facts: Any) -> Manifest:
    """The manifest with more about the file that was imported."""
    imported = {**manifest.provenance["imported"], **facts}
    return dataclasses.replace(manifest, provenance={**manifest.provenance, "imported": imported})
