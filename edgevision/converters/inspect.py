"""What is inside a bundle, a lone model file or a Keras file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgevision.converters import formats
from edgevision.converters.child import inspect_file
from edgevision.converters.formats.exported import INPUT, Int8Share
from edgevision.converters.limits import Limits
from edgevision.runtime.bundle import Bundle
from edgevision.runtime.errors import BundleError, EdgevisionError, ModelError
from edgevision.runtime.manifest import to_plain

_FORMATS = {suffix: name for name, suffix in formats.SUFFIXES.items()}


def inspect(
    path: str | Path,
    *,
    executed: bool = False,
    trust: bool = False,
    memory_limit: float | None = None,
    time_limit: float | None = None,
) -> dict[str, Any]:
    """Plain values that describe a bundle, a .tflite, .onnx or .xml file, or a Keras model that is yet to be converted.

    Shares of int8 are counted again, in the files themselves. A Keras model is read in a process of its own; under
    "preflight" is what will hurt int8 (``converters.preflight``).

    Args:
        path: What to look into.
        executed: Also load every model and list what the engine runs in int8 on this machine.
        trust: Run code that came with a Keras file.
        memory_limit: GiB that reading a Keras file may take, as for ``convert``.
        time_limit: Seconds that it may take.

    Raises:
        BundleError: Not a bundle, or damaged.
        ModelError: The file cannot be read.
        MissingPackageError: A package of the ``convert`` extra is not installed.
    """
    path = Path(path)
    if path.suffix in _FORMATS and path.is_file():
        return inspect_model(path, executed=executed)
    if path.suffix in (".keras", ".h5", ".hdf5") or (path / "saved_model.pb").is_file():
        limits = Limits.of(memory_limit, time_limit, path)
        return inspect_file({"model": str(path), "trust": trust}, limits)
    bundle = Bundle.open(path)
    plain: dict[str, Any] = to_plain(bundle.manifest)
    for item, described in zip(bundle.manifest.artifacts, plain["artifacts"]):
        described["counted"] = inspect_model(bundle.path / item.name, executed=executed)
    return plain


def inspect_model(path: Path, *, executed: bool = False) -> dict[str, Any]:
    """Multiply-accumulate operators of one model file, counted in the file.

    Raises:
        ModelError: The file cannot be read.
    """
    exporter = formats.of(_FORMATS[path.suffix])
    try:
        kernels = exporter.kernels(path)
        engine = exporter.executed(path) if executed else None
    except EdgevisionError:
        raise
    except Exception as error:  # a damaged file makes the three parsers raise whatever comes first
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"{path} cannot be read", expected=f"a {path.suffix} model", got=reason) from error
    share = Int8Share.of(kernels)
    described = {
        "file": path.name,
        "int8_macs": share.macs,
        "int8_weight_bytes": share.weight_bytes,
        "macs": sum(kernel.macs for kernel in kernels),
        "float_ops": to_plain(share.float_ops),
        "kernels": to_plain(kernels),
        "embedded": _embedded(path),
    }
    if engine is not None:
        described["executed"] = [{"kind": kind, "int8": is_int8} for kind, is_int8 in engine]
    return described


def _embedded(path: Path) -> dict[str, Any] | None:
    """Labels, preprocessing and tensors that a model of ours carries."""
    from edgevision.runtime.embedded import read_embedded

    try:
        manifest = read_embedded(path, _FORMATS[path.suffix])
    except BundleError:
        return None  # a model made elsewhere
    (artifact,) = manifest.artifacts
    tensors: dict[str, Any] = {name: to_plain(getattr(artifact, name)) for name in ("inputs", "outputs")}
    plain: dict[str, Any] = to_plain(manifest)
    return {key: plain[key] for key in ("task", "labels", "scores", "preprocessing")} | tensors


def inspect_keras(model: str, trust: bool) -> dict[str, Any]:
    """What is in a Keras model, and what will hurt int8; read in this process, without limits.

    Args:
        model: Path of the file or directory.
        trust: Run code that came with it.

    Raises:
        ModelError: It cannot be read.
        MissingPackageError: A package of the ``convert`` extra is not installed.
    """
    from edgevision.converters.files import read_model
    from edgevision.converters.metadata import read_metadata
    from edgevision.converters.native.opaque import is_opaque
    from edgevision.converters.native.source import network_of
    from edgevision.converters.preflight import preflight

    path = Path(model)
    read = read_model(path, trust)
    metadata = read_metadata(path) if path.is_file() else None
    found = to_plain(preflight(read, metadata))
    if is_opaque(read):
        network = network_of(read, path.name)
        inputs = [{"name": INPUT, "shape": list(network.shape or ()), "dtype": network.dtype}]
        return {"file": path.name, "inputs": inputs, "layers": [], "metadata": metadata, "preflight": found}
    layers = [
        {"name": layer.name, "kind": type(layer).__name__, "parameters": layer.count_params()} for layer in read.layers
    ]
    return {
        "file": path.name,
        "inputs": [{"name": item.name, "shape": list(item.shape), "dtype": item.dtype} for item in read.inputs],
        "outputs": [{"name": item.name, "shape": list(item.shape), "dtype": item.dtype} for item in read.outputs],
        "parameters": read.count_params(),
        "layers": layers,
        "metadata": metadata,
        "preflight": found,
    }
