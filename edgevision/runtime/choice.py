"""Which artifact of a bundle runs here."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import get_args

from edgevision.runtime.backends import BACKENDS, check_backend, is_installed
from edgevision.runtime.errors import BundleError, InputError, MissingPackageError
from edgevision.runtime.manifest import Artifact, Precision
from edgevision.runtime.needs import unmet, wants_exact_sums

_PRECISIONS: tuple[str, ...] = get_args(Precision)
_PACKAGES = {"tflite": "ai-edge-litert", "onnx": "onnxruntime", "openvino": "openvino"}


def choose(artifacts: Sequence[Artifact], backend: str | None, precision: str | None, name: str | None) -> Artifact:
    """The artifact to run: what was asked for, else the first precision in the first engine that is installed.

    Precisions are tried in the order of ``manifest.Precision``: float16 and int16x8 come behind float32 because most
    processors run them no faster. What would not run rightly on this machine (``needs.unmet``) is passed over, and what
    runs rightly but slowly for lack of VNNI comes behind its equals.

    Args:
        artifacts: What there is.
        backend: Run in this engine only; "null" needs none.
        precision: This precision only.
        name: This artifact and no other, even when it failed its checks or lacks what it needs (with a warning).

    Raises:
        UnknownBackendError: There is no such backend.
        MissingPackageError: The engine that is needed is not installed.
        InputError: The precision is unknown.
        BundleError: Nothing fits, or what fits failed its checks or lacks what it needs here.
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
    return _best(_usable(_passed(fitting, name), backend, name), backend)


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


def _usable(fitting: list[Artifact], backend: str | None, name: str | None) -> list[Artifact]:
    """Those that run rightly on this machine."""
    reasons = {item.name: "" if backend == "null" else unmet(item) for item in fitting}
    usable = [item for item in fitting if not reasons[item.name]]
    if usable:
        return usable
    if name is None:
        got = "; ".join(f"{item}: {reason}" for item, reason in reasons.items())
        cure = f"take another engine or precision, or insist with artifact={fitting[0].name!r}"
        raise BundleError("what fits would not run rightly here", expected="a device that has it", got=got, cure=cure)
    warnings.warn(f"{name}: {reasons[name]}: its answers may be wrong", stacklevel=4)
    return fitting


def _best(fitting: list[Artifact], backend: str | None) -> Artifact:
    ordered = sorted(fitting, key=_rank)
    runnable = [item for item in ordered if backend == "null" or is_installed(item.format)]
    if runnable:
        return runnable[0]
    engine = ordered[0].format
    raise MissingPackageError(_PACKAGES[engine], f"to run {ordered[0].name}", engine)


def _rank(item: Artifact) -> tuple[int, bool, int]:
    return _PRECISIONS.index(item.precision), wants_exact_sums(item), BACKENDS.index(item.format)
