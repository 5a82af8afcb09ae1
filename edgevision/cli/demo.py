"""``edgevision demo``: the whole way on images that come with scikit-learn; a minute, and no data of your own."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgevision.cli.console import Progress, program, results
from edgevision.cli.convert import GATE_FAILED, passed
from edgevision.cli.options import check_reports, json_option
from edgevision.runtime.errors import OutputExistsError

if TYPE_CHECKING:
    from edgevision.benchmarks.report import Report
    from edgevision.runtime.bundle import Bundle

MODEL, BUNDLE, PAGE, DATA = "digits.keras", "digits.edge", "report.html", "report.json"
_EPOCHS = 10
_WIDTH = 100


@click.command("demo", short_help="Train, convert, verify and measure on handwritten digits.")
@click.option("--out", default="demo", show_default=True, type=click.Path(path_type=Path), help="Folder to write to.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Decides everything random.")
@json_option
def command(out: Path, seed: int, as_json: bool) -> int:
    """Train a small network on 1,797 handwritten digits, convert, verify and measure it.

    Writes the model, the bundle and the report to --out, and replaces there what an earlier demo wrote.
    """
    check_out(out)
    check_reports([out / PAGE], force=True)
    with results() as stdout:
        with Progress() as progress:
            bundle, report = run(out, seed, progress)
        if as_json:
            stdout.json({"bundle": str(bundle.path), "report": str(out / PAGE), **report.to_dict()["summary"]})
        else:
            stdout.text(describe(out, report))
    return 0 if passed(bundle) else GATE_FAILED


def check_out(out: Path) -> None:
    """Makes the folder; one that holds other things and no earlier demo is left alone.

    Raises:
        OutputExistsError: The folder is somebody else's.
    """
    names = {entry.name for entry in out.iterdir()} if out.is_dir() else set()
    if (out.exists() and not out.is_dir()) or (names - {MODEL, BUNDLE, PAGE, DATA} and not {MODEL, BUNDLE} <= names):
        raise OutputExistsError(out)
    out.mkdir(parents=True, exist_ok=True)


def run(out: Path, seed: int, progress: Progress) -> tuple[Bundle, Report]:
    """Trains, converts, verifies and measures; writes everything to ``out``.

    Raises:
        ConversionError: The fresh bundle does not repeat its own golden outputs.
    """
    from edgevision.trainers.deploy import deploy
    from edgevision.trainers.train import train

    model = out / MODEL
    train("digits", model, model="cnn-mnist", epochs=_EPOCHS, seed=seed, force=True, progress=progress)
    bundle, report = deploy(model, "digits", "digits", out / BUNDLE, True, progress, measured="digits")
    for name in (PAGE, DATA):
        report.write(out / name, force=True)
    return bundle, report


def describe(out: Path, report: Report) -> str:
    """The table, where things are, and what to try next."""
    from edgevision.benchmarks.report import text_table

    call = program()
    lines = [
        text_table(report.summary_rows()),
        "",
        textwrap.fill(report.headline(), _WIDTH),
        "",
        f"bundle   {out / BUNDLE}   copy this directory to a device",
        f"report   {out / PAGE}   open it in a browser",
        "",
        "next:",
        f"  {call} inspect {out / BUNDLE}",
        f"  {call} evaluate {out / BUNDLE} digits --all",
        f"  {call} train PHOTOS --out mine.keras    where PHOTOS holds one folder of images per class",
    ]
    return "\n".join(lines)
