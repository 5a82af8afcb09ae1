"""``edgevision verify``: is the bundle whole, and does it compute here what it computed where it was made?"""

from __future__ import annotations

import click

from edgevision.cli.console import Progress, results
from edgevision.cli.options import json_option, provider_option


@click.command("verify", short_help="Check hashes and repeat the golden outputs on this machine.")
@click.argument("bundle", metavar="NAME.edge")
@provider_option
@json_option
def command(bundle: str, provider: str | None, as_json: bool) -> int:
    """Check every file's hash and repeat the golden outputs on this machine, in every engine installed."""
    from edgevision.benchmarks.report import text_table
    from edgevision.benchmarks.verify import verify

    with results() as out:
        with Progress() as progress:
            found = verify(bundle, progress, provider=provider)
        if as_json:
            out.json(found.to_dict())
            return 0 if found.passed else 1
        out.text(f"{found.files} files are as written")
        out.text(text_table(found.rows()))
        for name, reason in found.skipped.items():
            out.text(f"not run: {name}: {reason}")
        for line in found.problems():
            out.text(line)
        out.text("verified" if found.passed else "FAILED: this machine computes something else")
    return 0 if found.passed else 1
