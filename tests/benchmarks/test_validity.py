"""What makes a report degraded or invalid, and what does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgevision.benchmarks.report import words
from edgevision.benchmarks.report.model import Report
from edgevision.benchmarks.report.validity import validity
from tests.benchmarks.test_report import measured, report

IDLE = {"cpus": 4, "load_average": 0.1, "busy_s": 100.0, "stolen_s": 1.0, "quota_throttled_s": 0.0}
AFTER = {"busy_s": 121.0, "stolen_s": 1.0, "quota_throttled_s": 0.0}


def judged(before: dict[str, Any] | None = None, after: dict[str, Any] | None = None, **changes: Any) -> Report:
    """60 s on four processors, of which the benchmark itself took 20."""
    host, later = {**IDLE, **(before or {})}, {**AFTER, **(after or {})}
    return report(host=host, host_after=later, elapsed_s=60.0, own_cpu_s=20.0, **changes)


def pi(now: list[str], since_boot: list[str]) -> dict[str, Any]:
    return {"throttled": {"bits": 0, "now": now, "since_boot": since_boot}}


def test_a_quiet_machine_is_valid() -> None:
    assert validity(judged()).state == "valid" and validity(judged()).reasons == ()
    assert "This run is valid." in judged().to_text()


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ({}, pi(["throttled"], []), "throttled: throttled"),
        (pi([], ["frequency capped"]), pi([], ["frequency capped", "under-voltage"]), "throttled: under-voltage"),
        ({"throttle_count": 4}, {"throttle_count": 5}, "too hot"),
        ({}, {"quota_throttled_s": 0.9}, "held programs back for 0.9 s"),
        ({}, {"busy_s": 200.0}, "other programs took 33%"),
        ({}, {"stolen_s": 80.0}, "other programs took 33%"),
    ],
)
def test_what_makes_a_run_invalid(before: dict[str, Any], after: dict[str, Any], reason: str) -> None:
    found = judged(before, after)
    assert validity(found).state == "invalid" and reason in validity(found).reasons[0]
    assert found.headline().startswith("This run is invalid") and words.verdict(found).startswith("This run is invalid")
    assert reason in " ".join(words.notes(found))


def test_heat_and_a_quota_of_before_do_not_count() -> None:
    before = {**pi([], ["throttled"]), "throttle_count": 7, "quota_throttled_s": 50.0}
    assert validity(judged(before, {**before})).state == "valid"


def test_a_little_load_degrades() -> None:
    found = judged(after={"busy_s": 145.0})
    assert validity(found).state == "degraded" and "took 10%" in validity(found).reasons[0]


def test_load_of_before_counts_only_where_nothing_better_is_known() -> None:
    assert validity(judged({"load_average": 9.0})).state == "valid"
    for unknown in ({"busy_s": None}, {"busy_s": 101.0}):  # a container that shows zeros
        found = judged({"load_average": 9.0}, unknown)
        assert validity(found).state == "degraded" and "load average 9.0" in validity(found).reasons[0]


@pytest.mark.parametrize(
    ("engine", "is_valid"),
    [
        ({"provider": "CPU (XNNPACK)", "delegated": 0.9}, True),
        ({"provider": "CPU (XNNPACK)", "delegated": 0.4}, False),
        ({"provider": "edgetpu", "delegated": 0.98}, False),
        ({"provider": "edgetpu", "delegated": 1.0}, True),
        ({"provider": "CPU", "delegated": 0.0}, True),
    ],
)
def test_an_accelerator_that_leaves_something_degrades(engine: dict[str, Any], is_valid: bool) -> None:
    found = validity(judged(artifacts=(measured("int8.tflite", 0.1, engine=engine),)))
    assert (found.state == "valid") is is_valid
    assert is_valid or f"int8.tflite: {engine['provider']} runs" in found.reasons[0]


def test_drifting_unsettled_and_unstable_latencies_degrade() -> None:
    stages = dict(measured("int8.tflite", 0.1).stages_ns)
    rising = {**stages, "infer": np.linspace(1e6, 1.2e6, 200).astype(int).tolist()}
    jumping = {**stages, "infer": ([100_000] * 10 + [400_000] * 10) * 10}
    for changes, reason in (
        ({"stages_ns": rising}, "drifted by +1"),
        ({"stages_ns": jumping}, "unstable"),
        ({"settled": False}, "not settled after the warm-up"),
    ):
        found = validity(judged(artifacts=(measured("int8.tflite", 0.1, **changes),)))
        assert found.state == "degraded" and len(found.reasons) == 1 and reason in found.reasons[0]
        assert found.artifacts["int8.tflite"]
