"""native_export: artifacts of a model that cannot be rebuilt, by each format's own converter and quantiser."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from numpy.typing import NDArray

from edgevision.converters import formats, native
from edgevision.converters.answers import run_each
from edgevision.converters.export import describe, making
from edgevision.converters.formats.exported import INPUT, OUTPUT
from edgevision.converters.native.opaque import OpaqueModel
from edgevision.converters.native.source import save_float
from edgevision.converters.quantize.observe import Batch, Batches
from edgevision.converters.quantize.scoring import divergence
from edgevision.runtime.backends import open_session
from edgevision.runtime.errors import MissingPackageError
from edgevision.runtime.manifest import Artifact, Manifest, ModelFormat, Precision
from edgevision.runtime.spec import TensorSpec


@dataclass(frozen=True)
class Chosen:
    """Which of a format's quantisers was kept.

    Attributes:
        format: The format.
        method: One of its ``METHODS``.
        errors: Every candidate's divergence of probabilities from float on held-out images, nats.
    """

    format: ModelFormat
    method: str
    errors: dict[str, float]


def native_export(
    source: OpaqueModel,
    manifest: Manifest,
    batches: Batches,
    held_out: Batch,
    folder: Path,
    wanted: Sequence[tuple[str, str]],
    tell: Callable[[str], None],
) -> tuple[list[Artifact], list[Chosen]]:
    """Write int8 and float32 files into ``folder``, as ``export.export_all`` does.

    All are made from one SavedModel. The int8 files do not agree as closely as those of one quantised Keras model:
    every format has calibrated by itself.

    Args:
        source: The model.
        manifest: What goes into every file: task, labels, scores, preprocessing.
        batches: Calibration images; called once per pass, yields {"image": uint8 (n, H, W, C)}.
        held_out: Images for choosing among each format's ``CANDIDATES``, likewise.
        folder: Where to write.
        wanted: (format, precision) of each artifact.
        tell: Called with each artifact's name before it is made.

    Returns:
        The artifacts, and the quantiser of each int8 one.

    Raises:
        ConversionError: A converter or quantiser refused the model.
        MissingPackageError: A quantiser is not installed.
    """
    assert source.preprocessing is not None, "only models that take an image come here"
    saved = folder / "opaque.saved_model"
    with making(saved, cure="rewrite what the message names"):
        save_float(source.network, source.preprocessing, saved)
    image = TensorSpec(INPUT, (1, *source.graph.input.shape), "uint8")
    scores = TensorSpec(OUTPUT, (1, *source.graph.ops[OUTPUT].shape), "float32")
    artifacts, chosen = [], []
    for format_name, precision in wanted:
        verbs, suffix = native.of(format_name), formats.SUFFIXES[format_name]
        plain, path = folder / f"plain{suffix}", folder / f"{precision}{suffix}"
        tell(path.name)
        with making(path, cure="leave this format out (--formats)"):
            if not plain.exists():
                verbs.convert(saved, plain)
            if precision == "int8":
                chosen.append(_quantize(source, cast(ModelFormat, format_name), plain, batches, held_out, path))
            else:
                verbs.take_pixels(plain, path)
        artifacts.append(describe(path, format_name, cast(Precision, precision), manifest, ((image,), (scores,))))
    return artifacts, chosen


def _quantize(
    source: OpaqueModel, format_name: ModelFormat, plain: Path, batches: Batches, held_out: Batch, path: Path
) -> Chosen:
    """Write at ``path`` what the best candidate makes of ``plain``."""
    verbs, made, problems = native.of(format_name), {}, []
    exact = source.answer(held_out)[OUTPUT]
    for index, method in enumerate(verbs.CANDIDATES):
        trial = path.with_name(f"trial{index}{path.suffix}")
        try:
            verbs.quantize(plain, batches, trial, method=method)
            made[method] = trial, _error(source, format_name, trial, held_out, exact)
        except MissingPackageError:
            raise
        except Exception as error:  # one setting that fails on this model leaves the others
            problems.append(error)
    if not made:
        raise problems[0]
    best = min(made, key=lambda method: made[method][1])
    for suffix in (path.suffix, ".bin"):
        with contextlib.suppress(FileNotFoundError):  # a second file belongs to one of the formats
            made[best][0].with_suffix(suffix).replace(path.with_suffix(suffix))
    return Chosen(format_name, best, {method: error for method, (_, error) in made.items()})


def _error(source: OpaqueModel, format_name: str, path: Path, images: Batch, exact: NDArray[Any]) -> float:
    assert source.scores is not None, "settled when it was read"
    weights = path.with_suffix(".bin").read_bytes() if format_name == "openvino" else None
    with open_session(format_name, path.read_bytes(), weights, 1) as session:
        return divergence(exact, run_each(session, images)[OUTPUT], source.scores)
