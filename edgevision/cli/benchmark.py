"""``edgevision benchmark``: latency, memory, size and accuracy on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from edgevision.cli.console import Progress, results, say
from edgevision.cli.options import check_reports, force_option, given, json_option, provider_option

SCENARIOS = ("single-stream", "offline", "rate", "sustained", "cold-start", "concurrency")


@click.command("benchmark", short_help="Latency, memory, size and accuracy on this machine.")
@click.argument("bundle", metavar="NAME.edge", required=False)
@click.option("--grid", metavar="GRID.toml", help="Measure many bundles, artifacts and settings; see docs/cli.md.")
@click.option(
    "--data", help="Images to run; with the bundle's labels accuracy is measured too.  [default: golden inputs]"
)
@click.option(
    "--out", metavar="FILE", help="Write the report: .json with every raw time, or .md. With --grid the folder."
)
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
@click.option("--no-images", is_flag=True, help="Put no small copies of images into the report.")
@provider_option
@force_option
@json_option
def command(
    bundle: str | None,
    grid: str | None,
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
    provider: str | None,
    no_images: bool,
    force: bool,
    as_json: bool,
) -> int:
    """Measure every model of a bundle whose engine is installed, each in processes of its own.

    With --grid many bundles are measured in many settings; a run that was stopped or killed goes on where it was.
    """
    if grid is not None:
        return _grid(grid, out, as_json)
    if bundle is None:
        raise click.UsageError("Missing argument 'NAME.edge', or --grid.")
    from edgevision.benchmarks.benchmark import benchmark

    targets = [Path(target) for target in (out, html) if target is not None]
    if scenario not in (None, "single-stream"):
        _refuse(
            "single-stream",
            runs=runs,
            min_time=min_time,
            processes=processes,
            quick=quick or None,
            provider=provider,
            no_images=no_images or None,
        )
        asked = {"threads": threads, "seconds": seconds, "rate": rate}
        _play(bundle, str(scenario), data, targets, asked, force=force, as_json=as_json)
        return 0
    _refuse("the other scenarios", rate=rate, seconds=seconds)
    check_reports(targets, force)
    with results() as stdout:
        with Progress() as progress:
            plan = given(runs=runs, min_s=min_time, processes=processes, threads=threads, provider=provider)
            report = benchmark(bundle, data, progress=progress, quick=quick, no_images=no_images, **plan)
        stdout.document(report, targets, force=force, as_json=as_json)
    return 0


def _refuse(where: str, **options: Any) -> None:
    """Options that mean nothing to the scenario asked for."""
    for name, value in options.items():
        if value is not None:
            raise click.UsageError(f"--{name.replace('_', '-')} is for {where} only")


def _play(
    bundle: str,
    scenario: str,
    data: str | None,
    targets: Sequence[Path],
    asked: dict[str, Any],
    *,
    force: bool,
    as_json: bool,
) -> None:
    from edgevision.benchmarks.scenarios.run import benchmark_scenario

    check_reports(targets, force)
    with results() as stdout:
        with Progress() as progress:
            report = benchmark_scenario(bundle, scenario, data, progress=progress, **given(**asked))  # type: ignore[arg-type]
        stdout.document(report, targets, force=force, as_json=as_json)


def _grid(grid: str, out: str | None, as_json: bool) -> int:
    """Exit code 1 when a cell failed: the others are measured and written."""
    context = click.get_current_context()
    for name in context.params:
        if name not in ("grid", "out", "as_json") and context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise click.UsageError("with --grid the grid file says what is measured: only --out and --json fit")
    from edgevision.benchmarks.grid.run import benchmark_grid

    with results() as stdout:
        with Progress() as progress:
            found = benchmark_grid(grid, out, progress)
        if as_json:
            stdout.json(found.to_dict())
        else:
            stdout.text(found.to_text())
        say(f"reports and index are in {found.folder}")
    return 1 if found.failed else 0
