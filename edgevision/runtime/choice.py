"""Which artifact of a bundle runs here."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import get_args

from edgevision.runtime.backends import BACKENDS, check_backend, is_installed
from edgevision.runtime.errors import BundleError, InputError, MissingPackageError
from edgevision.runtime.manifest import Artifact, Precision

_PRECISIONS: tuple[str, ...] = get_args(Precision)
_PACKAGES = {"tflite": "ai-edge-litert", "onnx": "onnxruntime", "openvino": "openvino"}


def choose(artifacts: Sequence[Artifact], backend: str | None, precision: str | None, name: str | None) -> Artifact:
    """The artifact to run: what was asked for, else int8 before float32, in the first engine that is installed.

    Args:
        artifacts: What there is.
        backend: Run in this engine only; "null" needs none.
        precision: "int8" or "float32" only.
        name: This artifact and no other, even when it failed its checks (with a warning).

    Raises:
        UnknownBackendError: There is no such backend.
        MissingPackageError: The engine that is needed is not installed.
        InputError: The precision is unknown.
        BundleError: Nothing fits, or what fits failed its checks.
    """
    if backend is not None:
        check_backend(backend)
    if precision is not None and precision not in _PRECISIONS:
        raise InputError("the precision is unknown", expected=" or ".join(_PRECISIONS), got=repr(precision))
    fitting = [item for item in artifacts if _fits(item, backend, precision, name)]
    if not fitting:
        wanted = " ".join(filter(None, [precision, backend, name and repr(name)])) or "any"
        names = ", ".join(item.name for item in artifacts) or "none"
        raise BundleError("no artifact fits", expected=wanted, got=names, cure="ask for one of those, or convert again")
    return _best(_passed(fitting, name), backend)


def _fits(item: Artifact, backend: str | None, precision: str | None, name: str | None) -> bool:
    return (
        (backend in (None, "null") or item.format == backend)
        and precision in (None, item.precision)
        and name in (None, item.name)
    )


def _passed(fitting: list[Artifact], name: str | None) -> list[Artifact]:
    passed = [item for item in fitting if item.passed]
    if passed:
        return passed
    if name is None:
        names = ", ".join(item.name for item in fitting)
        cure = f"convert again, or insist with artifact={fitting[0].name!r}"
        raise BundleError("what fits failed its checks", expected="an artifact that passed", got=names, cure=cure)
    warnings.warn(f"{name} failed the checks of its conversion: its answers may be wrong", stacklevel=4)
    return fitting


def _best(fitting: list[Artifact], backend: str | None) -> Artifact:
    ordered = sorted(fitting, key=lambda item: (_PRECISIONS.index(item.precision), BACKENDS.index(item.format)))
    runnable = [item for item in ordered if backend == "null" or is_installed(item.format)]
    if runnable:
        return runnable[0]
    engine = ordered[0].format
    raise MissingPackageError(_PACKAGES[engine], f"to run {ordered[0].name}", engine)
