"""``edgevision benchmark``: latency, memory, size and accuracy on this machine."""

from __future__ import annotations

from pathlib import Path

import click

from edgevision.cli.console import Progress, results
from edgevision.cli.options import check_reports, force_option, given, json_option


@click.command("benchmark", short_help="Latency, memory, size and accuracy on this machine.")
@click.argument("bundle", metavar="NAME.edge")
@click.option(
    "--data", help="Images to run; with the bundle's labels accuracy is measured too.  [default: golden inputs]"
)
@click.option("--out", metavar="FILE", help="Write the report: .json with every raw time, or .md.")
@click.option("--html", metavar="FILE.html", help="Write the report as one self-contained page.")
@click.option("--runs", type=click.IntRange(min=1), help="Least number of predictions per model.  [default: 200]")
@click.option("--threads", type=click.IntRange(min=1), help="Threads per engine.  [default: what predict would use]")
@force_option
@json_option
def command(
    bundle: str,
    data: str | None,
    out: str | None,
    html: str | None,
    runs: int | None,
    threads: int | None,
    force: bool,
    as_json: bool,
) -> None:
    """Measure every model of a bundle whose engine is installed, each in a process of its own."""
    from edgevision.benchmarks.benchmark import benchmark

    targets = [Path(target) for target in (out, html) if target is not None]
    check_reports(targets, force)
    with results() as stdout:
        with Progress() as progress:
            report = benchmark(bundle, data, progress=progress, **given(runs=runs, threads=threads))
        for target in targets:
            report.write(target, force=force)
        if as_json:
            stdout.json(report.to_dict())
        else:
            stdout.text(report.to_text())
