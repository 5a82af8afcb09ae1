"""verify(): is a bundle whole, and does this machine compute what the machine computed that made it?"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edgevision.benchmarks.choice import runnable
from edgevision.runtime.bundle import Bundle, Golden, entries
from edgevision.runtime.choice import Wish
from edgevision.runtime.errors import BackendError, BundleError
from edgevision.runtime.golden import TOLERANCE, Verdict, replay
from edgevision.runtime.manifest import Artifact, to_plain
from edgevision.runtime.opening import open_artifact
from edgevision.runtime.providers import knows

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Check:
    """One artifact's golden inputs, run on this machine.

    Attributes:
        artifact: Name, e.g. "int8.tflite".
        engine: What ran it and in which version; "" when it did not start.
        provider: Where it ran, as the engine said after loading; "" when it did not start.
        images: How many golden inputs were run.
        output: Name of the output that uses up most of what is allowed for it; the following is of this output.
        max_difference: Largest absolute difference; None when it did not run. Of integers it and ``tolerance`` are
            shares of the values that differ.
        tolerance: What is allowed, in that output's unit.
        share: The tolerance as a share of the golden outputs' range, 0..1, by the artifact's precision.
        flips: Images whose best class is another one although the golden outputs leave no doubt about it; only a
            classifier's are counted.
        error: What went wrong; "" when it ran.
    """

    artifact: str
    engine: str
    provider: str
    images: int
    output: str
    max_difference: float | None
    tolerance: float
    share: float
    flips: int
    error: str = ""

    @property
    def passed(self) -> bool:
        """Whether it ran, stayed within the tolerance and changed no clear answer."""
        return self.verdict.passed

    @property
    def verdict(self) -> Verdict:
        """What came of the golden inputs."""
        return Verdict(self.output, self.max_difference, self.tolerance, self.flips, self.error)


@dataclass(frozen=True)
class Verification:
    """What was found in one bundle on this machine.

    Attributes:
        bundle: Name of the bundle.
        files: How many files have the hash they were written with: all of them.
        checks: One per artifact whose engine is installed.
        skipped: Artifacts that cannot run here, and why.
    """

    bundle: str
    files: int
    checks: tuple[Check, ...]
    skipped: dict[str, str]

    @property
    def passed(self) -> bool:
        """Whether every artifact that can run here passed, and there is one."""
        return bool(self.checks) and all(check.passed for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """Plain values ready for JSON."""
        checks = [{**to_plain(check), "passed": check.passed} for check in self.checks]
        return {**to_plain(self), "checks": checks, "passed": self.passed}

    def problems(self) -> list[str]:
        """What disagrees and by how much, one line per artifact."""
        return [f"{check.artifact}: {check.verdict.words}" for check in self.checks if not check.passed]

    def rows(self) -> list[dict[str, str]]:
        """One row per artifact: column name -> text; for ``report.text_table``."""
        return [
            {
                "artifact": check.artifact,
                "engine": check.engine,
                "on": check.provider,
                "golden images": str(check.images),
                "difference": "" if check.max_difference is None else f"{check.max_difference:.2g}",
                "allowed": f"{check.tolerance:.2g} ({check.share:.1%})",
                "other answers": str(check.flips),
                "result": "passed" if check.passed else "FAILED",
            }
            for check in self.checks
        ]


def verify(
    path: str | os.PathLike[str], progress: Progress | None = None, *, provider: str | None = None
) -> Verification:
    """Checks every file's hash, then repeats the golden outputs with every engine that is installed.

    Args:
        path: The bundle.
        progress: Called with ("verify", artifacts done, artifacts).
        provider: Run there (``runtime.providers``), with the engines that know it; None is the CPU.

    Raises:
        BundleDamagedError: A byte of any file is not as written.
        BundleError: The path is no bundle, or it holds no golden outputs.
        InputError: No engine knows the provider.
        MissingPackageError: No engine of any artifact is installed.
    """
    wish = Wish(threads=1, provider=provider)
    bundle = Bundle.open(path)
    golden = bundle.golden()
    names, skipped = runnable(bundle.manifest)
    artifacts = [bundle.artifact(name) for name in names]
    skipped |= {each.name: f"{each.format} has no {provider}" for each in artifacts if not knows(each.format, provider)}
    artifacts = [each for each in artifacts if each.name not in skipped]
    checks = []
    for done, artifact in enumerate(artifacts):
        if progress is not None:
            progress("verify", done, len(artifacts))
        checks.append(_check(bundle, artifact, golden, wish))
    if progress is not None:
        progress("verify", len(artifacts), len(artifacts))
    return Verification(bundle.path.resolve().name, len(list(entries(bundle.manifest))), tuple(checks), skipped)


def _check(bundle: Bundle, artifact: Artifact, golden: Golden, wish: Wish) -> Check:
    count, share = len(next(iter(golden.inputs.values()))), TOLERANCE[artifact.precision]
    try:
        with open_artifact(bundle, artifact, wish) as session:
            facts = session.describe()
            verdict = replay(session, bundle.manifest, artifact, golden)
    except BackendError as error:
        return Check(artifact.name, "", "", count, "", None, 0.0, share, 0, str(error))
    if verdict is None:
        raise BundleError(f"{bundle.path} has no golden outputs of {artifact.name}", cure="convert the model again")
    # OpenVINO's version names its build as well.
    engine = f"{facts['engine']} {str(facts['version']).partition('-')[0]}"
    return Check(artifact.name, engine, facts["provider"], count, share=share, **dataclasses.asdict(verdict))
