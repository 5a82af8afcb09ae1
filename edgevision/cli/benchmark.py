"""``edgevision benchmark``: latency, memory, size and accuracy on this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from edgevision.cli.console import Progress, results
from edgevision.cli.options import check_reports, force_option, given, json_option

SCENARIOS = ("single-stream", "offline", "rate", "sustained", "cold-start", "concurrency")


@click.command("benchmark", short_help="Latency, memory, size and accuracy on this machine.")
@click.argument("bundle", metavar="NAME.edge")
@click.option(
    "--data", help="Images to run; with the bundle's labels accuracy is measured too.  [default: golden inputs]"
)
@click.option("--out", metavar="FILE", help="Write the report: .json with every raw time, or .md.")
@click.option("--html", metavar="FILE.html", help="Write the report as one self-contained page.")
@click.option("--runs", type=click.IntRange(min=1), help="Least number of predictions per model.  [default: 200]")
@click.option(
    "--min-time",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Least seconds of predictions per model.  [default: 10]",
)
@click.option("--processes", type=click.IntRange(min=1), help="Processes per model, one after the other.  [default: 5]")
@click.option(
    "--quick", is_flag=True, help="A quick look: one process and half a second per model. The report says so."
)
@click.option("--threads", type=click.IntRange(min=1), help="Threads per engine.  [default: what predict would use]")
@click.option("--scenario", type=click.Choice(SCENARIOS), help="Play this instead.  [default: single-stream]")
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="Frames a second of rate.  [default: 30]")
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    help="How long each model plays its scenario.  [default: sustained 600, else 5 to 10]",
)
@force_option
@json_option
def command(
    bundle: str,
    data: str | None,
    out: str | None,
    html: str | None,
    runs: int | None,
    min_time: float | None,
    processes: int | None,
    quick: bool,
    threads: int | None,
    scenario: str | None,
    rate: float | None,
    seconds: float | None,
    force: bool,
    as_json: bool,
) -> None:
    """Measure every model of a bundle whose engine is installed, each in processes of its own."""
    from edgevision.benchmarks.benchmark import benchmark

    if scenario not in (None, "single-stream"):
        _refuse("single-stream", html=html, runs=runs, min_time=min_time, processes=processes, quick=quick or None)
        asked = {"threads": threads, "seconds": seconds, "rate": rate}
        _play(bundle, str(scenario), data, out, asked, force=force, as_json=as_json)
        return
    _refuse("the other scenarios", rate=rate, seconds=seconds)
    targets = [Path(target) for target in (out, html) if target is not None]
    check_reports(targets, force)
    with results() as stdout:
        with Progress() as progress:
            plan = given(runs=runs, min_s=min_time, processes=processes, threads=threads)
            report = benchmark(bundle, data, progress=progress, quick=quick, **plan)
        for target in targets:
            report.write(target, force=force)
        if as_json:
            stdout.json(report.to_dict())
        else:
            stdout.text(report.to_text())


def _refuse(where: str, **options: Any) -> None:
    """Options that mean nothing to the scenario asked for."""
    for name, value in options.items():
        if value is not None:
            raise click.UsageError(f"--{name.replace('_', '-')} is for {where} only")


def _play(
    bundle: str, scenario: str, data: str | None, out: str | None, asked: dict[str, Any], *, force: bool, as_json: bool
) -> None:
    from edgevision.benchmarks.scenarios.run import benchmark_scenario

    targets = [] if out is None else [Path(out)]
    check_reports(targets, force)
    with results() as stdout:
        with Progress() as progress:
            report = benchmark_scenario(bundle, scenario, data, progress=progress, **given(**asked))  # type: ignore[arg-type]
        for target in targets:
            report.write(target, force=force)
        if as_json:
            stdout.json(json.loads(report.to_json()))
        else:
            stdout.text(report.to_text())
