"""``edgevision report``: one report in another format, or a table over many."""

from __future__ import annotations

from pathlib import Path

import click

from edgevision.cli.console import results
from edgevision.cli.options import check_reports, force_option, json_option


@click.command("report", short_help="One report as a page, or a table over many.")
@click.argument("reports", nargs=-1, required=True, metavar="FILE.json...")
@click.option("--out", metavar="FILE", help="Write it: .html, .md or .json.")
@force_option
@json_option
def command(reports: tuple[str, ...], out: str | None, force: bool, as_json: bool) -> None:
    """Show what 'edgevision benchmark --out' wrote: one report whole, a scenario's too, of several a table.

    The table is of models and devices; the fastest artifact of each model on each device is marked.
    """
    from edgevision.benchmarks.report.many import report_table
    from edgevision.benchmarks.report.reading import read
    from edgevision.benchmarks.scenarios.report import any_report

    targets = [Path(out)] if out is not None else []
    check_reports(targets, force)
    with results() as stdout:
        found = read(reports[0], any_report) if len(reports) == 1 else report_table(reports)
        stdout.document(found, targets, force=force, as_json=as_json)
