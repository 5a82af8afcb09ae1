"""Whether one artifact's latency is to be trusted, in a word for tables; ``validity`` says why in sentences."""

from __future__ import annotations

from typing import NamedTuple

from edgevision.benchmarks.report.model import Measured, Report
from edgevision.benchmarks.report.validity import validity


class Trust(NamedTuple):
    """What speaks against a latency.

    Attributes:
        state: "" when nothing does, "degraded", or "invalid".
        reasons: What the artifact's own runs say against it; what the machine says is not repeated here.
    """

    state: str
    reasons: tuple[str, ...]


def trust(report: Report, run: Measured) -> Trust:
    """How far one artifact's latency is to be trusted: as far as the machine's state and its own runs allow."""
    found = validity(report)
    own = found.artifacts.get(run.artifact, ())
    if found.state == "invalid":
        return Trust("invalid", own)
    return Trust("degraded" if own or machine_doubts(report) else "", own)


def machine_doubts(report: Report) -> tuple[str, ...]:
    """What is wrong with a whole report, in sentences."""
    found = validity(report)
    own = {f"{name}: {reason}." for name, reasons in found.artifacts.items() for reason in reasons}
    return tuple(reason for reason in found.reasons if reason not in own)
