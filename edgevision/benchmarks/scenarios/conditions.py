"""Under what conditions a scenario was played: the machine, what was asked for, what speaks against the figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgevision.benchmarks.report.tables import engine_facts, fact_rows, machine_facts
from edgevision.benchmarks.report.validity import LOAD, throttled

if TYPE_CHECKING:
    from edgevision.benchmarks.scenarios.report import Played, ScenarioReport

#: Sustained for less than this shows no heat: small boards take minutes to grow hot.
_SHORT_S = 120.0


def environment_rows(report: ScenarioReport) -> list[dict[str, str]]:
    """The machine and its state before and after."""
    before, after = (report.host.get(when) or {} for when in ("before", "after"))
    return fact_rows(machine_facts(report.host, before, after))


def run_rows(report: ScenarioReport) -> list[dict[str, str]]:
    """What was asked for, and what each engine said of itself."""
    asked = [(name, report.options[key]) for name, key in report.shown.options.items()]
    plain = [(name, ", ".join(f"{each:g}" for each in np.atleast_1d(value))) for name, value in asked]
    engines = [(each.artifact, _engine(each)) for each in report.played]
    return fact_rows([*plain, ("threads asked for", report.options.get("threads")), *engines])


def _engine(played: Played) -> str:
    name = played.engine.get("engine") or played.engine.get("backend")
    return ", ".join([str(name), *engine_facts(played.engine)]) if name else ""


def notes(report: ScenarioReport) -> list[str]:
    """What cannot be trusted or was left out, each in a sentence."""
    before, after = (report.host.get(when) or {} for when in ("before", "after"))
    found = throttled(before, after, 0.0)
    load, cpus = before.get("load_average"), report.host.get("cpus") or 1
    if load is not None and load > LOAD * cpus:
        found.append(
            f"The machine was busy: load average {load:.1f} on {cpus} usable cores when it began. Artifacts followed "
            "each other, so a busy moment may have hit one of them only."
        )
    if report.images["kind"] == "golden":
        found.append(
            "Golden images of the bundle were run, which are already of the model's size: decoding and resizing of "
            "real photos come on top. Pass data to measure them."
        )
    if report.scenario == "sustained" and report.options["seconds"] < _SHORT_S:
        found.append(f"{report.options['seconds']:g} s show no heat: boards take minutes. The default is 600 s.")
    if report.scenario != "cold-start":
        found.append("One process per artifact: what two starts of one program differ by is not in these figures.")
    return [*found, *(f"{name} was not measured: {why}." for name, why in report.skipped.items())]
