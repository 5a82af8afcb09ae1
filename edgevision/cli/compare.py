"""``edgevision compare``: what changed between two reports."""

from __future__ import annotations

import re
from pathlib import Path

import click

from edgevision.cli.console import results
from edgevision.cli.options import check_reports, force_option, given, json_option


def _share(context: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    """ "5%" to 0.05. Without its sign nobody knows whether 0.05 is a share."""
    if value is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", value.strip())
    if not found:
        raise click.BadParameter(f"expected a percentage such as 5%, got {value!r}")
    return float(found[1]) / 100


@click.command("compare", short_help="What changed between two reports; exit code 3 on a regression.")
@click.argument("old", metavar="OLD.json")
@click.argument("new", metavar="NEW.json")
@click.option("--max-regression", metavar="PERCENT", callback=_share, help="How much slower is allowed.  [default: 5%]")
@click.option("--out", metavar="FILE", help="Write the comparison: .html, .md or .json.")
@click.option("--allow-different-host", is_flag=True, help="Compare although the machines are not the same.")
@click.option("--allow-different-model", is_flag=True, help="Compare although files of one name are not the same.")
@force_option
@json_option
def command(
    old: str,
    new: str,
    max_regression: float | None,
    out: str | None,
    allow_different_host: bool,
    allow_different_model: bool,
    force: bool,
    as_json: bool,
) -> int:
    """Compare two reports of 'edgevision benchmark --out', artifact by artifact.

    Exit code 3 when, for certain, an artifact became slower by more than is allowed or its accuracy fell.
    """
    from edgevision.benchmarks.compare import compare

    targets = [Path(out)] if out is not None else []
    check_reports(targets, force)
    with results() as stdout:
        found = compare(
            old,
            new,
            allow_different_host=allow_different_host,
            allow_different_model=allow_different_model,
            **given(max_regression=max_regression),
        )
        stdout.document(found, targets, force=force, as_json=as_json)
    return 3 if found.regressed else 0
