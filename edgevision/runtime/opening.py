"""From a bundle and what was fixed to an open session of the model that runs it best here."""

from __future__ import annotations

import os
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING

from edgevision.runtime.backends import open_session
from edgevision.runtime.bundle import GOLDEN, Golden
from edgevision.runtime.choice import Wish, choose
from edgevision.runtime.errors import BackendError, BundleError
from edgevision.runtime.needs import wants_exact_sums

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgevision.runtime.bundle import Bundle
    from edgevision.runtime.manifest import Artifact
    from edgevision.runtime.session import Session
    from edgevision.runtime.tuning.record import HostMemory


def open_best(bundle: Bundle, wish: Wish, tune: bool | None) -> tuple[Artifact, Session]:
    """What ``load`` runs: the fastest by measurement, or the first by rule, whose golden outputs hold here.

    Args:
        bundle: The bundle.
        wish: What the user fixed. An artifact that was named runs even if its golden outputs do not hold.
        tune: Measure if it was not done yet; None unless an artifact is named or $EDGEVISION_TUNE is 0.

    Raises:
        BundleError: Nothing fits, or nothing that fits gives its golden outputs here.
        BackendError: The engine refuses the model.
    """
    from edgevision.runtime.host import host_key
    from edgevision.runtime.tuning.record import HostMemory

    artifacts = choose(bundle.manifest.artifacts, wish)
    measures = is_wanted(tune) and (wish.artifact is None or tune is True) and wish.backend != "null"
    if measures and (len(artifacts) > 1 or wish.threads is None):
        plans = _measured(bundle, wish, artifacts)
    else:
        plans = [(artifact, wish, "") for artifact in artifacts]
    if wish.artifact is not None or wish.backend == "null":
        artifact, its_wish, why = plans[0]
        return artifact, _opened(bundle, artifact, its_wish, why)
    return _first_that_holds(bundle, plans, HostMemory(bundle, host_key()))


def is_wanted(tune: bool | None) -> bool:
    """Whether ``load`` may measure: what it was told, else what $EDGEVISION_TUNE says; 0 is no."""
    return os.environ.get("EDGEVISION_TUNE", "1").strip().lower() not in ("0", "no", "off") if tune is None else tune


def open_artifact(bundle: Bundle, artifact: Artifact, wish: Wish) -> Session:
    """One model of a bundle in its engine, with the threads and on the provider that ``wish`` names.

    Raises:
        BackendError: The engine refuses the model, or does not run it on that provider.
    """
    return open_parts(artifact, [bundle.read(entry.name) for entry in artifact.files], wish)


def open_parts(artifact: Artifact, parts: Sequence[bytes], wish: Wish) -> Session:
    """The same from the bytes of the model file and, of OpenVINO, of its weights.

    Raises:
        BackendError: The engine refuses the model, or does not run it on that provider.
    """
    if wish.backend == "null":
        from edgevision.runtime.backends.null import describe_model

        return open_session("null", describe_model(artifact.inputs, artifact.outputs), None, wish.threads)
    session = open_session(
        artifact.format,
        parts[0],
        parts[1] if len(parts) > 1 else None,
        wish.threads,
        exact_sums=wants_exact_sums(artifact),
        provider=wish.provider,
    )
    known = {spec.name: spec.quant for spec in (*artifact.inputs, *artifact.outputs) if spec.quant is not None}
    session.learn_quantisation(known)
    return session


def _opened(bundle: Bundle, artifact: Artifact, wish: Wish, why: str) -> Session:
    session = open_artifact(bundle, artifact, wish)
    session.add_fact("choice", why or ("asked for" if wish.artifact is not None else "by rule, not measured"))
    return session


def _measured(bundle: Bundle, wish: Wish, artifacts: list[Artifact]) -> list[tuple[Artifact, Wish, str]]:
    """The candidates, the fastest first; what cannot be measured is taken by rule, and that is said."""
    from edgevision.runtime.tuning.tune import tune

    try:
        found = tune(bundle, wish)
    except BackendError as error:
        warnings.warn(f"{error.problem} ({error.got}): {artifacts[0].name} is taken unmeasured", stacklevel=4)
        return [(artifact, wish, "") for artifact in artifacts]
    wrong = [f"{trial.artifact}: {trial.note}" for trial in found.trials if "golden outputs" in trial.note]
    if wrong:
        warnings.warn(f"not used on this machine: {'; '.join(wrong)}", stacklevel=4)
    by_name = {artifact.name: artifact for artifact in artifacts}
    return [
        (by_name[trial.artifact], replace(wish, threads=trial.threads, provider=trial.provider), found.words())
        for trial in found.trials
        if trial.ms is not None and trial.artifact in by_name
    ]


def _first_that_holds(
    bundle: Bundle, plans: list[tuple[Artifact, Wish, str]], memory: HostMemory
) -> tuple[Artifact, Session]:
    """Opens the candidates in turn until one gives its golden outputs; what was found out once is not tried again.

    A model that its engine refuses here is passed over too, unless it is the only one or a provider was asked for.
    """
    from edgevision.runtime.golden import FIRST_USE_S, replay

    listed = any(entry.name == GOLDEN for entry in bundle.manifest.files)
    golden = Golden({}, {})
    failed: list[str] = []
    refusals: list[BackendError] = []
    for artifact, wish, why in plans:
        verdict = memory.verdict(artifact.name, wish.provider)
        try:
            session = _opened(bundle, artifact, wish, why) if verdict is None or verdict.passed else None
        except BackendError as error:
            if wish.provider is not None:
                raise
            refusals.append(error)
            failed.append(f"{artifact.name}: {error.problem} ({error.got})")
            continue
        if session is not None and verdict is None and listed:
            golden = golden if golden.inputs else bundle.golden()
            verdict = replay(session, bundle.manifest, artifact, golden, FIRST_USE_S)
            if verdict is not None:
                memory.keep_verdict(artifact.name, wish.provider, verdict)
        if session is not None and (verdict is None or verdict.passed):
            if failed:
                warnings.warn(f"not used on this machine: {'; '.join(failed)}; {artifact.name} runs", stacklevel=4)
            return artifact, session
        if session is not None:
            session.close()
        words = verdict.words if verdict else ""
        failed.append(f"{artifact.name}: golden outputs do not hold: {words}")
    if len(refusals) == len(plans):
        raise refusals[0]
    cure = f"see 'edgevision verify', or insist with artifact={plans[0][0].name!r}"
    raise BundleError("no model gives its golden outputs on this machine", got="; ".join(failed), cure=cure)
