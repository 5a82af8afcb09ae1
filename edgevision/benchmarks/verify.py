"""verify(): is a bundle whole, and does this machine compute what the machine computed that made it?"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.benchmarks.choice import runnable
from edgevision.runtime.bundle import Bundle, entries
from edgevision.runtime.errors import BackendError, BundleError
from edgevision.runtime.manifest import Artifact, Precision, to_plain
from edgevision.runtime.predictor import Predictor, load
from edgevision.runtime.preprocess import normalize
from edgevision.runtime.tensor_predictor import TensorPredictor, real_values

Array = NDArray[Any]
Arrays = dict[str, Array]
Progress = Callable[[str, int, int], None]

#: Allowed difference of one output, as a share of the golden outputs' range. Engines and processors round 8-bit
#: values at slightly different places; in float32 they only add in another order; float16 is computed in float32 where
#: there are no kernels for it, so that it may be rounded at every step there and at none here.
TOLERANCE: dict[Precision, float] = {
    "int8": 0.05,
    "dynamic-int8": 0.05,
    "float32": 0.001,
    "float16": 0.02,
    "int16x8": 0.01,
}
#: Allowed difference however small the range is.
LEAST_TOLERANCE = 1e-5


@dataclass(frozen=True)
class Check:
    """One artifact's golden inputs, run on this machine.

    Attributes:
        artifact: Name, e.g. "int8.tflite".
        engine: What ran it and in which version; "" when it did not start.
        images: How many golden inputs were run.
        max_difference: Largest absolute difference, of the output that uses up most of what is allowed; None when it
            did not run.
        tolerance: What is allowed, in that output's unit; of integers both are shares of the values that differ.
        flips: Images whose best class is another one although the golden outputs leave no doubt about it; only a
            classifier's are counted.
        error: What went wrong; "" when it ran.
    """

    artifact: str
    engine: str
    images: int
    max_difference: float | None
    tolerance: float
    flips: int
    error: str = ""

    @property
    def passed(self) -> bool:
        """Whether it ran, stayed within the tolerance and changed no clear answer."""
        return self.max_difference is not None and self.max_difference <= self.tolerance and self.flips == 0


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
        """Whether every artifact that can run here passed."""
        return all(check.passed for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """Plain values ready for JSON."""
        checks = [{**to_plain(check), "passed": check.passed} for check in self.checks]
        return {**to_plain(self), "checks": checks, "passed": self.passed}

    def rows(self) -> list[dict[str, str]]:
        """One row per artifact: column name -> text; for ``report.text_table``."""
        return [
            {
                "artifact": check.artifact,
                "engine": check.engine,
                "golden images": str(check.images),
                "difference": "" if check.max_difference is None else f"{check.max_difference:.2g}",
                "allowed": f"{check.tolerance:.2g}",
                "other answers": str(check.flips),
                "result": "passed" if check.passed else f"FAILED {check.error}".rstrip(),
            }
            for check in self.checks
        ]


def verify(path: str | os.PathLike[str], progress: Progress | None = None) -> Verification:
    """Checks every file's hash, then repeats the golden outputs with every engine that is installed.

    Args:
        path: The bundle.
        progress: Called with ("verify", artifacts done, artifacts).

    Raises:
        BundleDamagedError: A byte of any file is not as written.
        BundleError: The path is no bundle, or it holds no golden outputs.
        MissingPackageError: No engine of any artifact is installed.
    """
    bundle = Bundle.open(path)
    golden = bundle.golden()
    names, skipped = runnable(bundle.manifest)
    checks = []
    for done, name in enumerate(names):
        if progress is not None:
            progress("verify", done, len(names))
        if name not in golden.outputs:
            raise BundleError(f"{path} has no golden outputs of {name}", cure="convert the model again")
        checks.append(_check(bundle, bundle.artifact(name), golden.inputs, golden.outputs[name]))
    if progress is not None:
        progress("verify", len(names), len(names))
    return Verification(bundle.path.resolve().name, len(list(entries(bundle.manifest))), tuple(checks), skipped)


def allowed(expected: NDArray[np.float32], precision: Precision) -> float:
    """The tolerance for these golden outputs, in their unit."""
    return max(TOLERANCE[precision] * float(np.ptp(expected)), LEAST_TOLERANCE)


def flips(expected: NDArray[np.float32], got: NDArray[np.float32], tolerance: float) -> int:
    """Rows whose best value is elsewhere although the best two of ``expected`` are further apart than ``tolerance``.

    Args:
        expected: (images, values).
        got: (images, values).
        tolerance: In the outputs' unit.
    """
    if expected.shape[1] < 2:
        return 0
    second, first = np.sort(expected, axis=1)[:, -2:].T
    return int(((first - second > tolerance) & (expected.argmax(axis=1) != got.argmax(axis=1))).sum())


def _check(bundle: Bundle, artifact: Artifact, inputs: Arrays, golden: Arrays) -> Check:
    """The output that differs most, measured by what is allowed for it, stands for the artifact."""
    count = len(next(iter(inputs.values())))
    try:
        with _opened(bundle, artifact) as predictor:
            facts = predictor.describe()
            rows = [_outputs(predictor, {k: v[i : i + 1] for k, v in inputs.items()}) for i in range(count)]
    except BackendError as error:
        return Check(artifact.name, "", count, None, 0.0, 0, str(error))
    # OpenVINO's version names its build as well.
    engine = f"{facts.get('engine', artifact.format)} {str(facts.get('version', '')).partition('-')[0]}".strip()
    is_classifier = bundle.manifest.task == "classification"
    checks = []
    for name, answers in golden.items():
        got = np.stack([row[name] for row in rows]) if name in rows[0] else np.zeros((count, 0), np.float32)
        checks.append(_compared(artifact, engine, answers.reshape(count, -1), got, is_classifier))
    return max(checks, key=lambda each: np.inf if each.max_difference is None else each.max_difference / each.tolerance)


def _compared(artifact: Artifact, engine: str, expected: Array, got: Array, is_classifier: bool) -> Check:
    """One output's golden values (inputs, values) and those of this machine."""
    is_whole = expected.dtype.kind in "iub"  # the best class of each position, say: what counts is how many changed
    tolerance = TOLERANCE[artifact.precision] if is_whole else allowed(expected, artifact.precision)
    problem = f"expected outputs {expected.shape}, got {got.shape}" if got.shape != expected.shape else ""
    difference = 0.0 if problem else float((got != expected).mean() if is_whole else np.abs(got - expected).max())
    problem = problem if np.isfinite(difference) else "outputs are not finite"
    if problem:
        return Check(artifact.name, engine, len(expected), None, tolerance, 0, problem)
    others = flips(expected, got, tolerance) if is_classifier else 0
    return Check(artifact.name, engine, len(expected), difference, tolerance, others)


def _opened(bundle: Bundle, artifact: Artifact) -> Predictor | TensorPredictor:
    import warnings

    with warnings.catch_warnings():  # that it failed its conversion's gate is no news here
        warnings.simplefilter("ignore", UserWarning)
        opened: Predictor | TensorPredictor = load(bundle.path, artifact=artifact.name, threads=1)
        return opened


def _outputs(predictor: Predictor | TensorPredictor, inputs: Arrays) -> Arrays:
    """Each output as real numbers, (values,), for golden inputs (1, ...): pixels as the geometry leaves them."""
    preprocessing, feeds = predictor.manifest.preprocessing, {}
    for spec in predictor.session.inputs:
        values = inputs[spec.name]
        if values.dtype == "uint8" and spec.dtype != "uint8" and preprocessing is not None:
            values = normalize(values, preprocessing)
        feeds[spec.name] = values
    found = predictor.session.run(feeds)
    return {spec.name: real_values(found[spec.name], spec).reshape(-1) for spec in predictor.session.outputs}
