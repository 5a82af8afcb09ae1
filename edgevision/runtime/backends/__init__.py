"""One file per engine; the file name is the backend name and the name of the extra that installs it."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, cast

from edgevision.runtime.errors import UnknownBackendError

if TYPE_CHECKING:
    from edgevision.runtime.session import Session

#: Every backend, in the order in which they are preferred when nothing was asked for. "null" runs no engine.
BACKENDS = ("tflite", "onnx", "openvino", "null")

# Backend -> (modules that can run it, distributions that bring them), best first.
_ENGINES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "tflite": (("ai_edge_litert", "tflite_runtime"), ("ai-edge-litert", "tflite-runtime")),
    "onnx": (("onnxruntime",), ("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino", "onnxruntime-directml")),
    "openvino": (("openvino",), ("openvino",)),
}


def check_backend(backend: str) -> str:
    """The name itself.

    Raises:
        UnknownBackendError: There is no such backend.
    """
    if backend not in BACKENDS:
        raise UnknownBackendError("the backend is unknown", expected=" or ".join(BACKENDS), got=repr(backend))
    return backend


def open_session(
    backend: str,
    model: bytes,
    weights: bytes | None = None,
    threads: int | None = None,
    *,
    exact_sums: bool = False,
    provider: str | None = None,
) -> Session:
    """A model in the engine of that name.

    Args:
        backend: One of ``BACKENDS``.
        model: The model file's bytes; for "null" what ``null.describe_model`` gives.
        weights: The bytes of an OpenVINO .bin; None elsewhere.
        threads: How many threads to compute with; None lets the backend choose.
        exact_sums: Add 8-bit products exactly where the processor would saturate (onnx; the others cannot be told).
        provider: Where to compute (``runtime.providers``), e.g. "cuda"; None is the engine's own way on the CPU.

    Raises:
        InputError: The backend has no provider of that name.
        UnknownBackendError: There is no such backend.
        MissingPackageError: Its engine is not installed.
        BackendError: The engine refuses the model, or does not run it on the provider that was asked for.
    """
    module = importlib.import_module(f"edgevision.runtime.backends.{check_backend(backend)}")
    session = getattr(module, f"{backend.capitalize()}Session")
    options = {"exact_sums": True} if exact_sums and backend == "onnx" else {}
    return cast("Session", session(model, weights=weights, threads=threads, provider=provider, **options))


def is_installed(backend: str) -> bool:
    """Whether the backend's engine can be found, without importing it."""
    return backend == "null" or any(_found(module) for module in _ENGINES[check_backend(backend)][0])


def installed() -> dict[str, str | None]:
    """Version of each backend's engine, None where it is not installed; nothing is imported."""
    return {backend: _version(backend) for backend in BACKENDS}


def _found(module: str) -> bool:
    spec = importlib.util.find_spec(module)
    # A folder of that name in the working directory is a namespace package without an origin.
    return spec is not None and spec.origin is not None


def _version(backend: str) -> str | None:
    if backend == "null":
        from edgevision import __version__

        return __version__
    return engine_distribution(backend)[1] if is_installed(backend) else None


def engine_marks() -> dict[str, list[str]]:
    """What changes when an engine is replaced: names of its packages' metadata folders, which hold the version.

    ``installed`` says the same in numbers, for which it imports more than all of this package.
    """
    found = {}
    for backend, (modules, distributions) in _ENGINES.items():
        specs = [importlib.util.find_spec(module) for module in modules]
        homes = [Path(spec.origin).parents[1] for spec in specs if spec is not None and spec.origin is not None]
        folders = [home for home in homes if home.is_dir()]  # an archive of modules is none
        prefixes = tuple(f"{name.replace('-', mark)}-" for name in distributions for mark in "-_")
        names = {path.name for folder in folders for path in folder.iterdir() if path.name.startswith(prefixes)}
        found[backend] = sorted(names) or [f"{folder.stat().st_mtime_ns}" for folder in folders]
    return found


def engine_distribution(backend: str) -> tuple[str, str]:
    """Name and version of the distribution that runs a backend; ("", "unknown") when none says so."""
    from importlib import metadata

    for distribution in _ENGINES[backend][1]:
        with contextlib.suppress(metadata.PackageNotFoundError):
            return distribution, metadata.version(distribution)
    return "", "unknown"
