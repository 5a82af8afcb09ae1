"""native_export: artifacts of a model that cannot be rebuilt, by each format's own converter and quantiser."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

from edgevision.converters import formats, native
from edgevision.converters.export import describe, making
from edgevision.converters.formats.exported import INPUT, OUTPUT
from edgevision.converters.native.opaque import OpaqueModel
from edgevision.converters.native.source import save_float
from edgevision.converters.quantize.observe import Batches
from edgevision.runtime.manifest import Artifact, Manifest, Precision
from edgevision.runtime.spec import TensorSpec


def native_export(
    source: OpaqueModel,
    manifest: Manifest,
    batches: Batches,
    folder: Path,
    wanted: Sequence[tuple[str, str]],
    *,
    accurate: bool = True,
    tell: Callable[[str], None] = lambda name: None,
) -> list[Artifact]:
    """Write int8 and float32 files into ``folder``, as ``export.export_all`` does.

    All are made from one SavedModel. The int8 files do not agree as closely as those of one quantised Keras model:
    every format has calibrated by itself.

    Args:
        source: The model.
        manifest: What goes into every file: task, labels, scores, preprocessing.
        batches: Calibration images; called once per pass, yields {"image": uint8 (n, H, W, C)}.
        folder: Where to write.
        wanted: (format, precision) of each artifact.
        accurate: Take each quantiser's most accurate setting rather than its default.
        tell: Called with each artifact's name before it is made.

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
    artifacts = []
    for format_name, precision in wanted:
        verbs, suffix = native.of(format_name), formats.SUFFIXES[format_name]
        plain, path = folder / f"plain{suffix}", folder / f"{precision}{suffix}"
        tell(path.name)
        with making(path, cure="leave this format out (--formats)"):
            if not plain.exists():
                verbs.convert(saved, plain)
            if precision == "int8":
                verbs.quantize(plain, batches, path, accurate=accurate)
            else:
                verbs.take_pixels(plain, path)
        artifacts.append(describe(path, format_name, cast(Precision, precision), manifest, ((image,), (scores,))))
    return artifacts
