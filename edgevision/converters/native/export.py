"""native_export: int8 artifacts of a model that cannot be rebuilt, by each format's own quantiser."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from edgevision.converters import formats, native
from edgevision.converters.export import describe, making
from edgevision.converters.formats.exported import INPUT, OUTPUT
from edgevision.converters.native.source import save_float
from edgevision.converters.quantize.observe import Batches
from edgevision.runtime.manifest import Artifact, Manifest
from edgevision.runtime.spec import TensorSpec


def native_export(
    model: Any,
    manifest: Manifest,
    batches: Batches,
    folder: Path,
    wanted: Sequence[str],
    *,
    accurate: bool = True,
    tell: Callable[[str], None] = lambda name: None,
) -> list[Artifact]:
    """Write int8.tflite, int8.onnx and int8.xml into ``folder``, as ``export.export_all`` does.

    The files do not agree as closely as those of one quantised Keras model: every format has calibrated by itself.

    Args:
        model: keras.Model of any kind, or path of a SavedModel folder.
        manifest: What goes into every file: task, labels, scores, preprocessing.
        batches: Calibration images; called once per pass, yields {"image": uint8 (n, H, W, C)}.
        folder: Where to write.
        wanted: Formats.
        accurate: Take each quantiser's most accurate setting rather than its default.
        tell: Called with each artifact's name before it is made.

    Raises:
        ModelError: The model cannot be called with one image.
        ConversionError: A quantiser refused the model.
        MissingPackageError: A quantiser is not installed.
    """
    import tensorflow as tf

    p = manifest.preprocessing
    assert p is not None, "only models that take an image come here"
    source = save_float(model, p, folder / "float.saved_model")
    answer = tf.saved_model.load(str(source)).signatures["serving_default"].structured_outputs[OUTPUT]
    artifacts = []
    for name in wanted:
        path = folder / f"int8{formats.SUFFIXES[name]}"
        tell(path.name)
        with making(path, cure="leave this format out (--formats)"):
            native.of(name).quantize(source, batches, path, accurate=accurate)
        image = TensorSpec(INPUT, (1, p.height, p.width, p.channels), "uint8")
        scores = TensorSpec(OUTPUT, (1, *answer.shape[1:]), "float32")
        artifacts.append(describe(path, name, "int8", manifest, ((image,), (scores,))))
    return artifacts
