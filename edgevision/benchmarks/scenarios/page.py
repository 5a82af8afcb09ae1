"""A scenario's report as one HTML page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgevision.benchmarks.report.html import fill
from edgevision.benchmarks.report.words import images_run
from edgevision.benchmarks.scenarios import conditions

if TYPE_CHECKING:
    from edgevision.benchmarks.scenarios.report import ScenarioReport


def render_scenario(report: ScenarioReport) -> str:
    """The page.

    Raises:
        MissingPackageError: jinja2 is not installed.
    """
    found, shown = report.findings, report.shown
    content: dict[str, Any] = {
        "report": report,
        "headline": report.headline(),
        "tiles": shown.tiles(found),
        "rows": shown.rows(found),
        "shown": shown,
        "picture": shown.picture(found),
        # Of artifacts beside each other the colour tells the engine, the filling the precision.
        "formats": {each.artifact: str(each.engine.get("backend", "")) for each in report.played},
        "precisions": {each.artifact: each.artifact.partition(".")[0] for each in report.played},
        "images": images_run(report.images),
        "created": report.created.replace("T", " ").replace("+00:00", " UTC"),
        "environment": conditions.environment_rows(report),
        "run": conditions.run_rows(report),
        "notes": conditions.notes(report),
    }
    return fill("scenario.html.j2", content)
