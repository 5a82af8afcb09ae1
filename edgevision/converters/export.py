"""One quantised model to files: every format and precision that was asked for, each with its essentials inside."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import cast

from edgevision.converters import formats
from edgevision.converters.formats.exported import Int8Share, Kernel, Source, by_layer
from edgevision.converters.quantize.graph import KERNEL_KINDS, Graph
from edgevision.converters.quantize.observe import Batches
from edgevision.converters.quantize.quantize import Quantized
from edgevision.runtime.backends import open_session
from edgevision.runtime.bundle import file_entry
from edgevision.runtime.embedded import essentials
from edgevision.runtime.errors import ConversionError, EdgevisionError
from edgevision.runtime.manifest import Artifact, FloatOp, Manifest, ModelFormat, Precision
from edgevision.runtime.needs import wants_exact_sums
from edgevision.runtime.session import Session
from edgevision.runtime.spec import TensorSpec


def export_all(
    graph: Graph,
    quantized: Quantized,
    manifest: Manifest,
    folder: Path,
    wanted: Sequence[tuple[str, str]],
    tell: Callable[[str], None],
    batches: Batches | None = None,
) -> list[Artifact]:
    """Write the files into ``folder``.

    Args:
        graph: Float graph.
        quantized: The quantised one.
        manifest: What goes into every file: task, labels, scores, preprocessing.
        folder: Where to write.
        wanted: (format, precision) of each artifact.
        tell: Called with each artifact's name before it is made.
        batches: Calibration images, for "int16x8": called once per pass, yields uint8 (n, H, W, C).

    Raises:
        ConversionError: An exporter refused the model.
    """
    exact = Source(graph, None, folder)
    weights = Source(quantized.int8_graph or quantized.graph, None, folder, asked="dynamic-int8", batches=batches)
    sources = {
        "int8": Source(quantized.graph, quantized.ranges, folder, quantized.logits),
        "dynamic-int8": weights,
        "int16x8": weights.stored_in("int16x8"),
        "float32": exact,
        "float16": exact.stored_in("float16"),
    }
    artifacts = []
    for format_name, precision in wanted:
        path = folder / f"{precision}{formats.SUFFIXES[format_name]}"
        tell(path.name)
        artifacts.append(_export(sources[precision], format_name, path, manifest))
    return artifacts


def _export(source: Source, format_name: str, path: Path, manifest: Manifest) -> Artifact:
    with making(path, cure="leave this format out (--formats), or replace the layer that it names"):
        formats.of(format_name).export(source, path)
    graph = source.graph
    inputs = tuple(TensorSpec(op.name, (1, *op.shape), op.dtype) for op in graph.inputs)
    ends = {key: graph.ops[name] for key, name in graph.outputs.items()}
    outputs = tuple(TensorSpec(key, (1, *op.shape), op.dtype) for key, op in ends.items())
    return describe(path, format_name, source.precision, manifest, (inputs, outputs), kept_in_float(graph))


@contextlib.contextmanager
def making(path: Path, cure: str) -> Iterator[None]:
    """Turns whatever an exporter raises, and each has several error types of its own, into a ConversionError.

    Args:
        path: The file that is being made.
        cure: What the user can do about it.
    """
    try:
        yield
    except EdgevisionError:
        raise
    except Exception as error:
        got = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        raise ConversionError(f"{path.name} could not be made", got=got, cure=cure) from error


def describe(
    path: Path,
    format_name: str,
    precision: Precision,
    manifest: Manifest,
    tensors: tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]],
    kept: Sequence[FloatOp] = (),
) -> Artifact:
    """What a written model file is, counted in it; its essentials are stored in it.

    Args:
        path: The model file.
        format_name: Its format.
        precision: Its precision.
        manifest: What goes into the file: task, labels, scores, preprocessing.
        tensors: Its inputs and its outputs.
        kept: Layers known to be in float; named instead of the operators they became.
    """
    exporter = formats.of(format_name)
    kernels = exporter.kernels(path)
    share = Int8Share.of(kernels)
    artifact = Artifact(
        path.name,
        cast(ModelFormat, format_name),
        precision,
        files=(),
        inputs=tensors[0],
        outputs=tensors[1],
        int8_macs=share.macs,
        int8_weight_bytes=share.weight_bytes,
        float_ops=_float_rest(kept, kernels, precision),
        needs=exporter.needs(path),
        float16_weight_bytes=share.float16_weight_bytes,
    )
    exporter.embed(path, essentials(manifest, artifact))
    paths = [path, path.with_suffix(".bin")] if format_name == "openvino" else [path]
    return dataclasses.replace(artifact, files=tuple(file_entry(item.name, item.read_bytes()) for item in paths))


def left_out(asked: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    """Of the (format, precision) pairs those that the format does not have, and why."""
    return [
        {"format": item, "precision": precision, "reason": formats.NOT_MADE[item, precision]}
        for item, precision in asked
        if (item, precision) in formats.NOT_MADE
    ]


def kept_in_float(graph: Graph) -> list[FloatOp]:
    """The layers that run as Keras has them, each with the reason."""
    kept = [op for op in graph if op.kind == "Kept"]
    reverted = [op for op in graph if op.float_reason and op.kind != "ReLU"]  # which is part of what is before it
    return [
        *(FloatOp(op.name, type(op.config["operation"]).__name__, op.config["reason"]) for op in kept),
        *(FloatOp(op.name, op.kind, op.float_reason) for op in reverted),
    ]


def _float_rest(kept: Sequence[FloatOp], kernels: Sequence[Kernel], precision: Precision) -> tuple[FloatOp, ...]:
    """Layers kept in float, and whatever else the file holds in float although the precision's name says otherwise."""
    if precision in ("float32", "float16"):
        return ()
    if precision != "int8":  # activations are not 8-bit in any case
        wide = [kernel for kernel in kernels if kernel.stored not in ("int8", "")]
        return by_layer(wide, "its weights are not stored in 8 bits")
    rest = by_layer([kernel for kernel in kernels if not kernel.is_int8], "an operand is not 8-bit")
    names = {item.name for item in kept}
    named = [item for item in rest if item.name.removesuffix("_1") in names]
    others = [item for item in rest if item not in named]
    # Exporters name some operators by themselves: as many of those as there are reverted kernels are these.
    reverted = sum(item.kind in (*KERNEL_KINDS, "MatMul") for item in kept)
    return (*kept, *others[max(0, reverted - len(named)) :])


def open_artifact(artifact: Artifact, folder: Path) -> Session:
    """The artifact in its engine, on one thread: results do not depend on it, and other work goes on beside it."""
    parts = [(folder / entry.name).read_bytes() for entry in artifact.files]
    weights, exact_sums = parts[1] if len(parts) > 1 else None, wants_exact_sums(artifact)
    return open_session(artifact.format, parts[0], weights, 1, exact_sums=exact_sums)
