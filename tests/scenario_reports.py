"""Reports of scenarios as they come from a board, made without a model: one that grows hot and lowers its clock."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgevision.benchmarks.scenarios.report import Played, ScenarioReport

#: Artifact -> milliseconds of a call, backend.
ARTIFACTS = {"int8.tflite": (12.0, "tflite"), "int8.onnx": (15.0, "onnx"), "float32.tflite": (41.0, "tflite")}
_HOST = {"board": "Raspberry Pi 5", "machine": "aarch64", "cpus": 4, "cpus_total": 4, "memory_bytes": 8 << 30}
_STATE = {"temperature_c": 48.0, "load_average": 0.1, "clock_mhz": [1500.0, 2400.0], "governor": "ondemand"}


def scenario_report(scenario: str, **changes: Any) -> ScenarioReport:
    """Three artifacts; ``changes`` are other fields."""
    rng = np.random.default_rng(0)
    played = []
    for name, (ms, backend) in ARTIFACTS.items():
        engine = {"engine": backend, "backend": backend, "version": "1.0", "provider": "CPU", "threads": 4}
        found = {} if scenario == "cold-start" else _PLAYED[scenario](ms, rng)
        played.append(Played(name, engine, tuple(_reply(ms, found, rng) for _ in range(10 - 9 * bool(found)))))
    fields: dict[str, Any] = {
        "scenario": scenario,
        "bundle": "birds.edge",
        "created": "2026-01-02T03:04:05+00:00",
        "options": {"seconds": 600.0, "rate": 30.0, "sizes": [1, 8], "counts": [1, 2, 4], "threads": None},
        "images": {"kind": "data", "name": "birds", "split": "test", "distinct": 200},
        "played": tuple(played),
        "host": {**_HOST, "before": _STATE, "after": {**_STATE, "temperature_c": 82.0}},
        "skipped": {"int8.xml": "openvino is not installed"},
    }
    return ScenarioReport(**{**fields, **changes})


def _reply(ms: float, found: Any, rng: np.random.Generator) -> dict[str, Any]:
    phases = {"import_ns": 310e6, "load_ns": 3e6 * ms, "first_ns": 2e6 * ms}
    noisy = {name: int(value * rng.lognormal(0, 0.03)) for name, value in phases.items()}
    return {"phases": noisy, "found": found, "start_ns": sum(noisy.values()) + int(90e6 * rng.lognormal(0, 0.1))}


def _calls(ms: float, count: int, rng: np.random.Generator) -> Any:
    return (1e6 * ms * rng.lognormal(0, 0.04, count)).astype(int)


def _offline(ms: float, rng: np.random.Generator) -> Any:
    return [{"size": n, "lists_ns": _calls(ms * n * 0.7 ** (n > 1), 120, rng).tolist()} for n in (1, 8)]


def _concurrency(ms: float, rng: np.random.Generator) -> Any:
    found = []
    for threads in (1, 2, 4):
        calls = _calls(ms * (1 + 0.3 * (threads - 1)), 120 * threads, rng)
        found.append({"threads": threads, "wall_ns": int(calls.sum() / threads), "calls_ns": calls.tolist()})
    return found


def _rate(ms: float, rng: np.random.Generator) -> Any:
    ages = _calls(ms + 1, 300 if ms < 33 else 170, rng)
    return {"period_ns": 33_333_333, "ages_ns": ages.tolist(), "dropped": 300 - ages.size}


def _sustained(ms: float, rng: np.random.Generator) -> Any:
    """Two minutes until the clock falls, and as many after it."""
    count = int(240e3 / ms)
    calls = _calls(ms, count, rng)
    calls[count // 2 :] = (1.5 * calls[count // 2 :]).astype(int)
    ends = np.cumsum(calls)
    seconds = range(int(ends[-1] / 1e9))
    states = [
        {"at_ns": int(s * 1e9), "temperature_c": min(84.0, 50 + 0.28 * s), "mhz": 2400.0 if s < 120 else 1600.0}
        for s in seconds
    ]
    return {"calls_ns": calls.tolist(), "ends_ns": ends.tolist(), "states": states}


_PLAYED = {"offline": _offline, "concurrency": _concurrency, "rate": _rate, "sustained": _sustained}
