"""Which artifacts of a bundle may run here."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from edgevision.runtime.backends import BACKENDS, check_backend, is_installed
from edgevision.runtime.errors import BundleError, InputError, MissingPackageError
from edgevision.runtime.manifest import Artifact, Precision
from edgevision.runtime.needs import unmet, wants_exact_sums
from edgevision.runtime.providers import check_provider, knows
from edgevision.runtime.session import checked_threads

_PRECISIONS: tuple[str, ...] = get_args(Precision)
_PACKAGES = {"tflite": "ai-edge-litert", "onnx": "onnxruntime", "openvino": "openvino"}


@dataclass(frozen=True)
class Wish:
    """What the user fixed; None leaves it open.

    Attributes:
        backend: Run in this engine only; "null" needs none.
        precision: This precision only.
        artifact: This artifact and no other, even when it failed its checks or lacks what it needs (with a warning).
        threads: How many threads to compute with.
        provider: Where to compute (``runtime.providers``).
    """

    backend: str | None = None
    precision: str | None = None
    artifact: str | None = None
    threads: int | None = None
    provider: str | None = None

    def __post_init__(self) -> None:
        if self.backend is not None:
            check_backend(self.backend)
        if self.precision is not None and self.precision not in _PRECISIONS:
            raise InputError("the precision is unknown", expected=" or ".join(_PRECISIONS), got=repr(self.precision))
        check_provider(self.provider, self.backend)
        checked_threads(self.threads)


def choose(artifacts: Sequence[Artifact], wish: Wish) -> list[Artifact]:
    """The artifacts that may run, as preferred where nothing was measured.

    Precisions come in the order of ``manifest.Precision``: float16 and int16x8 behind float32 because most processors
    run them no faster. What would not run rightly on this machine (``needs.unmet``) is left out, and what runs rightly
    but slowly for lack of VNNI comes behind its equals.

    Returns:
        At least one, all of engines that are installed.

    Raises:
        MissingPackageError: The engine that is needed is not installed.
        BundleError: Nothing fits, or what fits failed its checks or lacks what it needs here.
    """
    fitting = [item for item in artifacts if _fits(item, wish)]
    if not fitting:
        wanted = " ".join(
            filter(None, [wish.precision, wish.backend, wish.provider, wish.artifact and repr(wish.artifact)])
        )
        names = ", ".join(item.name for item in artifacts) or "none"
        cure = "ask for one of those, or convert again"
        raise BundleError("no artifact fits", expected=wanted or "any", got=names, cure=cure)
    return _runnable(_usable(_passed(fitting, wish.artifact), wish.backend, wish.artifact), wish.backend)


def _fits(item: Artifact, wish: Wish) -> bool:
    return (
        (wish.backend in (None, "null") or item.format == wish.backend)
        and wish.precision in (None, item.precision)
        and wish.artifact in (None, item.name)
        and (wish.backend == "null" or knows(item.format, wish.provider))
    )


def _passed(fitting: list[Artifact], name: str | None) -> list[Artifact]:
    passed = [item for item in fitting if item.passed]
    if passed:
        return passed
    if name is None:
        names = ", ".join(item.name for item in fitting)
        cure = f"convert again, or insist with artifact={fitting[0].name!r}"
        raise BundleError("what fits failed its checks", expected="an artifact that passed", got=names, cure=cure)
    warnings.warn(f"{name} failed the checks of its conversion: its answers may be wrong", stacklevel=5)
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
    warnings.warn(f"{name}: {reasons[name]}: its answers may be wrong", stacklevel=5)
    return fitting


def _runnable(fitting: list[Artifact], backend: str | None) -> list[Artifact]:
    ordered = sorted(fitting, key=_rank)
    runnable = [item for item in ordered if backend == "null" or is_installed(item.format)]
    if runnable:
        return runnable
    engine = ordered[0].format
    raise MissingPackageError(_PACKAGES[engine], f"to run {ordered[0].name}", engine)


def _rank(item: Artifact) -> tuple[int, bool, int]:
    return _PRECISIONS.index(item.precision), wants_exact_sums(item), BACKENDS.index(item.format)
