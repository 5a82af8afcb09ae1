"""import_model(): a bundle around a model file that edgevision did not make."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgevision.runtime import images
from edgevision.runtime.bundle import GOLDEN, Bundle, Golden, file_entry, golden_bytes, write_bundle
from edgevision.runtime.bundle_writer import check_target
from edgevision.runtime.choice import Wish
from edgevision.runtime.errors import BackendError, InputError
from edgevision.runtime.foreign import Said
from edgevision.runtime.foreign.card import card
from edgevision.runtime.foreign.describe import golden_pixels, with_source
from edgevision.runtime.foreign.opening import open_described
from edgevision.runtime.golden import feeds, outputs_of
from edgevision.runtime.preprocess import resize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgevision.runtime.foreign import AnyHead, AnyLabels
    from edgevision.runtime.heads import Scores
    from edgevision.runtime.images import ImageSource
    from edgevision.runtime.manifest import Artifact, Manifest
    from edgevision.runtime.session import Session
    from edgevision.runtime.spec import ColorOrder, Preprocessing

#: As many golden inputs as a conversion stores.
_COUNT = 8


def import_model(
    model: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    task: str | None = None,
    preprocess: str | Preprocessing | None = None,
    labels: AnyLabels | None = None,
    head: AnyHead | None = None,
    color: ColorOrder | None = None,
    scores: Scores | None = None,
    changes: Mapping[str, Any] | None = None,
    golden: Sequence[ImageSource] = (),
    force: bool = False,
) -> Bundle:
    """Writes a bundle whose only artifact is the model file, unchanged.

    Nothing judges it (``gate`` is None). Golden outputs are what it answers here.

    Args:
        model: A .tflite, .onnx, or .xml with its .bin beside it.
        out: The NAME.edge directory to write.
        task: See ``Said``, like the next five.
        preprocess: See ``Said``.
        labels: See ``Said``.
        head: See ``Said``.
        color: See ``Said``.
        scores: See ``Said``.
        changes: Fields of Preprocessing that replace those of the name in ``preprocess``.
        golden: Images to store as golden inputs; computed patterns without.
        force: Replace the bundle that is there.

    Raises:
        InputError: What is said contradicts the model or an image cannot be used; or too little is known.
        BundleError: The file cannot be read, or its outputs do not fit the head.
        BackendError: The engine refuses the model.
        MissingPackageError: Its engine is not installed.
        OutputExistsError: ``out`` exists and may not be replaced.
    """
    check_target(Path(out), force=force)
    said = Said(
        task=task,
        preprocess=preprocess,
        labels=labels,
        head=head,
        color=color,
        scores=scores,
        changes=changes or {},
    )
    manifest, session, parts = open_described(Path(model), Wish(), said)
    with session:
        _check_fit(manifest, session)
        facts = session.describe()
        engine = f"{facts['engine']} {facts['version']}"
        manifest = with_source(manifest, sha256=hashlib.sha256(parts[0]).hexdigest(), engine=engine)
        artifact, files = _with_files(manifest.artifacts[0], parts)
        manifest = dataclasses.replace(manifest, artifacts=(artifact,))
        inputs = _golden_inputs(manifest, session, golden)
        answers = _answers(manifest, session, inputs)
    extra = {GOLDEN: golden_bytes(Golden(inputs, {artifact.name: answers}))} if answers else {}
    extra["README.md"] = card(Path(out).name, manifest).encode()
    manifest = dataclasses.replace(manifest, files=tuple(file_entry(*item) for item in extra.items()))
    return write_bundle(out, manifest, {**files, **extra}, force=force)


def _check_fit(manifest: Manifest, session: Session) -> None:
    """Refuses here what ``load`` would refuse."""
    from edgevision.runtime.inputs import input_form
    from edgevision.runtime.tasks import task_of

    input_form(manifest, session.inputs)
    if manifest.task != "tensors":
        task_of(manifest, session.outputs)


def _with_files(artifact: Artifact, parts: Sequence[bytes]) -> tuple[Artifact, dict[str, bytes]]:
    names = [artifact.name, f"{artifact.precision}.bin"]
    files = dict(zip(names, parts))
    return dataclasses.replace(artifact, files=tuple(file_entry(*item) for item in files.items())), files


def _golden_inputs(manifest: Manifest, session: Session, golden: Sequence[ImageSource]) -> dict[str, NDArray[Any]]:
    p = manifest.preprocessing
    if p is None:
        if golden:
            raise InputError("the model takes no image", expected="no golden images", got=f"{len(golden)}")
        return _random_inputs(session)
    made = golden_pixels(session, p, _COUNT)
    if golden:
        pixels = np.stack([resize(images.decode(each), p) for each in golden])
        if made.ndim == 5 and len(pixels) % made.shape[1]:
            expected = f"a multiple of {made.shape[1]}, the frames of a window"
            raise InputError("golden images do not fill windows", expected=expected, got=f"{len(pixels)}")
        made = pixels.reshape(-1, *made.shape[1:])
    return {session.inputs[0].name: made}


def _random_inputs(session: Session) -> dict[str, NDArray[Any]]:
    """Standard normal values, or whole numbers 0 and 1: such as most models take."""
    random, made = np.random.default_rng(0), {}
    for spec in session.inputs:
        shape = (_COUNT, *spec.shape[1:])
        if spec.shape[:1] != (1,) or spec.dtype not in ("float32", "int32", "uint8"):
            return {}  # what no bundle can store is not stored; verify then says that there is nothing to repeat
        is_float = spec.dtype == "float32"
        made[spec.name] = (
            random.standard_normal(shape, np.float32) if is_float else random.integers(0, 2, shape).astype(spec.dtype)
        )
    return made


def _answers(manifest: Manifest, session: Session, inputs: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Output -> its real values for every input, (N, ...), float32 or int32."""
    if not inputs:
        return {}
    count = len(next(iter(inputs.values())))
    golden = Golden(inputs, {})
    rows = [outputs_of(session, feeds(session, manifest.preprocessing, golden, i)) for i in range(count)]
    found = {}
    for spec in session.outputs:
        values = np.stack([row[spec.name] for row in rows]).reshape(count, *spec.shape[1:])
        if values.dtype.kind == "f":
            values = values.astype(np.float32)
            if not np.isfinite(values).all():
                raise BackendError(f"the output {spec.name!r} is not finite", cure="check preprocess and the model")
        elif values.dtype not in (np.int32, np.int64, np.bool_):
            values = values.astype(np.int32)
        found[spec.name] = values
    return found
