"""Does an opened model answer here what it answered where the bundle was made?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from edgevision.runtime.encoding import PixelEncoding
from edgevision.runtime.errors import EdgevisionError
from edgevision.runtime.tensor_predictor import real_values

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgevision.runtime.bundle import Golden
    from edgevision.runtime.manifest import Artifact, Manifest, Precision
    from edgevision.runtime.session import Session
    from edgevision.runtime.spec import Preprocessing, TensorSpec

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
#: Inputs that are run however long they take, and seconds that a first use spends on the others.
_LEAST, FIRST_USE_S = 2, 0.5
#: Allowed difference however small the range is.
LEAST_TOLERANCE = 1e-5


@dataclass(frozen=True)
class Verdict:
    """What came of the golden inputs.

    Attributes:
        output: Name of the output that uses up most of what is allowed for it; "" when it did not run.
        max_difference: Its largest absolute difference; of integers the share of values that differ; None when it did
            not run or the outputs are none that could be compared.
        tolerance: What is allowed, in that output's unit.
        flips: Inputs whose best class is another one although the golden outputs leave no doubt about it; only a
            classifier's are counted.
        error: What went wrong; "" when it ran.
    """

    output: str
    max_difference: float | None
    tolerance: float
    flips: int
    error: str = ""

    @property
    def passed(self) -> bool:
        """Whether it ran, stayed within the tolerance and changed no clear answer."""
        return self.max_difference is not None and self.max_difference <= self.tolerance and self.flips == 0

    @property
    def words(self) -> str:
        """What is wrong and by how much; "" when nothing is."""
        if self.passed:
            return ""
        if self.max_difference is None:
            return self.error or "did not run"
        more = f" and {self.flips} clear answers are others" if self.flips else ""
        return f"{self.output!r} differs by {self.max_difference:.3g} where {self.tolerance:.3g} is allowed{more}"


def replay(
    session: Session, manifest: Manifest, artifact: Artifact, golden: Golden, seconds: float = math.inf
) -> Verdict | None:
    """Runs the golden inputs and compares; None when the bundle has no golden outputs of this artifact.

    Args:
        session: The artifact in its engine.
        manifest: The bundle's.
        artifact: Whose outputs to compare with.
        golden: The bundle's inputs and outputs.
        seconds: After so many no other input is run, once two were.
    """
    expected = golden.outputs.get(artifact.name)
    if not expected:
        return None
    rows: list[dict[str, NDArray[Any]]] = []
    start = perf_counter()
    try:
        for index in range(len(next(iter(golden.inputs.values())))):
            if index >= _LEAST and perf_counter() - start > seconds:
                break
            rows.append(outputs_of(session, feeds(session, manifest.preprocessing, golden, index)))
    except EdgevisionError as error:
        return Verdict("", None, 0.0, 0, str(error))
    count = len(rows)
    verdicts = []
    for name, answers in expected.items():
        got = np.stack([row[name] for row in rows]) if name in rows[0] else np.zeros((count, 0), np.float32)
        flat = answers[:count].reshape(count, -1)
        verdicts.append(compare(name, flat, got, artifact.precision, manifest.task == "classification"))
    # The output that differs most, measured by what is allowed for it, stands for the artifact.
    return max(verdicts, key=lambda v: np.inf if v.max_difference is None else v.max_difference / v.tolerance)


def feeds(session: Session, preprocessing: Preprocessing | None, golden: Golden, index: int) -> dict[str, NDArray[Any]]:
    """Golden input number ``index`` as the session takes it: pixels in its values and layout."""
    found = {}
    for spec in session.inputs:
        values = golden.inputs[spec.name][index : index + 1]
        is_image = values.dtype == np.uint8 and preprocessing is not None
        found[spec.name] = pixel_feeds(spec, preprocessing, values)[spec.name] if is_image else values  # type: ignore[arg-type]
    return found


def pixel_feeds(spec: TensorSpec, p: Preprocessing, pixels: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
    """Pixels (1, H, W, C), of a window (1, frames, H, W, C) or (1, frames, H * W * C), as the one input takes them."""
    leading = 2 if pixels.ndim == 5 or (pixels.ndim == 3 and len(spec.shape) == 3) else 1
    return {spec.name: PixelEncoding(spec, p, leading).batch(pixels).reshape(spec.shape)}


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


def compare(name: str, expected: NDArray[Any], got: NDArray[Any], precision: Precision, is_classifier: bool) -> Verdict:
    """One output's golden values (inputs, values) and those of this machine."""
    is_whole = expected.dtype.kind in "iub"  # the best class of each position, say: what counts is how many changed
    tolerance = TOLERANCE[precision] if is_whole else allowed(expected, precision)
    problem = f"expected outputs {expected.shape}, got {got.shape}" if got.shape != expected.shape else ""
    difference = 0.0 if problem else float((got != expected).mean() if is_whole else np.abs(got - expected).max())
    problem = problem if np.isfinite(difference) else "outputs are not finite"
    if problem:
        return Verdict(name, None, tolerance, 0, problem)
    return Verdict(name, difference, tolerance, flips(expected, got, tolerance) if is_classifier else 0)


def outputs_of(session: Session, fed: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Each output as real numbers, (values,)."""
    found = session.run(fed)
    return {spec.name: real_values(found[spec.name], spec).reshape(-1) for spec in session.outputs}
