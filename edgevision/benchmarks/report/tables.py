"""Tables for the terminal and for Markdown, from one function."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from edgevision.benchmarks.report import words
from edgevision.benchmarks.report.document import listed_notes
from edgevision.benchmarks.report.findings import (
    intervals_ms,
    joules,
    latency,
    qualities,
    ranked,
    stage_medians_ms,
)
from edgevision.benchmarks.report.model import STAGES, Report
from edgevision.benchmarks.statistics import described

#: Columns of text; all others hold numbers and are set flush right.
_TEXT = (
    *("artifact", "here", "item", "value", "layer", "kind", "in"),
    *("model", "cell", "provider", "state", "verdict", "what"),
)


def text_table(rows: Sequence[Mapping[str, str]], *, markdown: bool = False) -> str:
    """Rows of the same columns as an aligned table; the first row's keys are the header.

    Args:
        rows: Column name -> text, e.g. ``Report.summary_rows()``.
        markdown: As a Markdown table instead of plain text.

    Returns:
        Lines without a final newline; "" for no rows.
    """
    if not rows:
        return ""
    columns = list(rows[0])
    cells = [columns, *([row.get(column, "") for column in columns] for row in rows)]
    if markdown:
        cells = [[cell.replace("|", "\\|") for cell in line] for line in cells]
    widths = [max(3, *(len(line[i]) for line in cells)) for i in range(len(columns))]
    lines = [[_set(cell, column, width) for cell, column, width in zip(line, columns, widths)] for line in cells]
    if markdown:
        rule = ["-" * width if column in _TEXT else "-" * (width - 1) + ":" for column, width in zip(columns, widths)]
        return "\n".join(f"| {' | '.join(line)} |" for line in [lines[0], rule, *lines[1:]])
    rule = ["\N{BOX DRAWINGS LIGHT HORIZONTAL}" * width for width in widths]
    return "\n".join("  ".join(line).rstrip() for line in [lines[0], rule, *lines[1:]])


def _set(cell: str, column: str, width: int) -> str:
    return cell.ljust(width) if column in _TEXT else cell.rjust(width)


def summary_rows(report: Report) -> list[dict[str, str]]:
    """One row per artifact, fastest first; see ``Report.summary_rows``."""
    known = qualities(report)
    rows = []
    for run in ranked(report):
        supported, quality = latency(run), known.get(run.artifact)
        rows.append(
            {
                "artifact": run.artifact,
                "size": words.size(run.size_bytes),
                "accuracy": words.accuracy(quality),
                "int8 - float32": words.difference(quality),
                "p50": words.milliseconds(supported["p50"]) if "p50" in supported else words.DASH,
                "p90": words.milliseconds(supported["p90"]) if "p90" in supported else words.DASH,
                "memory": words.size(run.peak_bytes),
                "in int8": f"{100 * run.int8_macs:.0f} %",
                "here": words.place(report, run),
            }
        )
    return rows


def stage_rows(report: Report) -> list[dict[str, str]]:
    """Median of every stage per artifact, and of the harness without an engine."""
    rows = []
    for run in [*ranked(report), *([report.overhead] if report.overhead else [])]:
        medians = stage_medians_ms(run)
        name = "no engine" if run is report.overhead else run.artifact
        rows.append({"artifact": name, **{stage: words.milliseconds(medians[stage]) for stage in STAGES}})
    return rows


def latency_rows(report: Report) -> list[dict[str, str]]:
    """End to end per artifact: what the runs support, intervals, and MLPerf's bound of p90."""
    rows = []
    for run in ranked(report):
        found, near = described(run.total_ms), intervals_ms(run)
        cells: dict[str, float | None] = {
            **{"min": found.min, "mean": found.mean, "p50": found.p50, "p90": found.p90, "p95": found.p95},
            **{"p99": found.p99, "max": found.max, "IQR": found.iqr, "p90 bound": found.p90_bound},
        }
        texts = {name: words.DASH if value is None else words.milliseconds(value) for name, value in cells.items()}
        texts |= {name: words.around(estimate) for name, estimate in near.items()}
        rows.append({"artifact": run.artifact, "runs": str(found.n), **texts})
    return rows


def memory_rows(report: Report) -> list[dict[str, str]]:
    """Memory and energy per artifact; memory is the process' own, Python and engine included."""
    return [
        {
            "artifact": run.artifact,
            "peak": words.size(run.peak_bytes),
            "steady": words.DASH if run.steady_bytes is None else words.size(run.steady_bytes),
            "energy": words.energy(joules(run)),
        }
        for run in ranked(report)
    ]


def start_rows(report: Report) -> list[dict[str, str]]:
    """What starting costs: import, load, first prediction."""
    return [
        {
            "artifact": run.artifact,
            "import": words.milliseconds(run.import_ns / 1e6),
            "load": words.milliseconds(run.load_ns / 1e6),
            "first prediction": words.milliseconds(run.first_ns / 1e6),
        }
        for run in ranked(report)
    ]


def environment_rows(report: Report) -> list[dict[str, str]]:
    """Machine and software."""
    facts: list[tuple[str, Any]] = [
        *machine_facts(report.host, report.host, report.host_after),
        ("energy", f"{report.energy['meter']}, {report.energy['idle_w']:.1f} W at rest" if report.energy else None),
        ("protocol", _protocol(report.protocol) if report.protocol else None),
        *report.versions.items(),
        *_engines(report),
    ]
    return fact_rows(facts)


def fact_rows(facts: Iterable[tuple[str, Any]]) -> list[dict[str, str]]:
    """Rows "item", "value" of what is known."""
    return [{"item": item, "value": str(value)} for item, value in facts if value not in (None, "")]


def machine_facts(
    host: Mapping[str, Any], before: Mapping[str, Any], after: Mapping[str, Any]
) -> list[tuple[str, Any]]:
    """What machine it is and how it was before and after; None where it does not tell."""
    return [
        ("board", host.get("board")),
        ("processor", host.get("cpu")),
        ("instruction set", host.get("machine")),
        ("usable cores", f"{host.get('cpus')} of {host.get('cpus_total')}" if host.get("cpus") else None),
        ("memory", f"{host['memory_bytes'] / 2**30:.1f} GiB" if host.get("memory_bytes") else None),
        ("system", host.get("os")),
        ("Python", host.get("python")),
        ("power mode", host.get("power_mode")),
        *_state_items(before, "before"),
        *_state_items(after, "after"),
    ]


def _engines(report: Report) -> list[tuple[str, Any]]:
    rows = []
    engines = {run.engine.get("engine", run.format): run.engine for run in report.artifacts}
    for name, engine in sorted(engines.items()):
        facts = engine_facts(engine)
        same = [run.engine for run in report.artifacts if run.engine.get("engine", run.format) == name]
        shares = [each["delegated"] for each in same if "delegated" in each]  # reports of before had none
        if shares:
            facts.append(f"{min(shares):.0%}{'' if min(shares) == max(shares) else ' or more'} of the operators there")
        rows.append((str(name), ", ".join(facts)))
    return rows


def engine_facts(engine: Mapping[str, Any]) -> list[str]:
    """What an engine said of itself after loading: version, provider, precision of floats, threads."""
    facts = [str(engine.get(key)) for key in ("version", "provider") if engine.get(key)]
    if engine.get("float_precision"):
        facts.append(f"floats in {engine['float_precision']}")
    return [*facts, f"{engine.get('threads')} thread{'' if engine.get('threads') == 1 else 's'}"]


def _state_items(state: Mapping[str, Any], when: str) -> list[tuple[str, Any]]:
    """What changes while a machine runs."""
    clock, free = state.get("clock_mhz"), state.get("memory_free_bytes")
    return [
        (f"load average {when}", state.get("load_average")),
        (f"free memory {when}", f"{free / 2**30:.1f} GiB" if free else None),
        (
            f"temperature {when}",
            f"{state['temperature_c']:.0f} degrees Celsius" if state.get("temperature_c") else None,
        ),
        (f"clock {when}", f"{clock[0]:.0f} to {clock[1]:.0f} MHz" if clock else None),
        (f"governor {when}", state.get("governor")),
        (f"throttled {when}", ", ".join(state["throttled"]["now"]) if state.get("throttled") else None),
    ]


def _protocol(plan: Mapping[str, Any]) -> str:
    count = plan["processes"]
    shape = f"{count} process{'' if count == 1 else 'es'} of {plan['rounds']} blocks per model"
    return f"{'quick: ' if plan['quick'] else ''}{shape}, at least {plan['runs']} runs and {plan['min_s']:g} s"


def sections(report: Report, *, markdown: bool) -> list[tuple[str, str]]:
    """The whole report for the terminal or as Markdown: headings and what stands below them."""
    return [
        ("", words.headline(report)),
        ("", text_table(summary_rows(report), markdown=markdown)),
        ("Latency, end to end", text_table(latency_rows(report), markdown=markdown)),
        ("Stages, median", text_table(stage_rows(report), markdown=markdown)),
        ("Start", text_table(start_rows(report), markdown=markdown)),
        ("Memory and energy", text_table(memory_rows(report), markdown=markdown)),
        ("Environment", text_table(environment_rows(report), markdown=markdown)),
        ("Notes", listed_notes(words.notes(report))),
        ("", f"Measured {report.created} on {words.images(report)}. {words.validity_sentence(report)}"),
    ]
