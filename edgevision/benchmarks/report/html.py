"""The report as one HTML file that needs nothing else: style, script and pictures are inside, no request."""

from __future__ import annotations

import base64
import hashlib
import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgevision.benchmarks.report import charts, tables, words
from edgevision.benchmarks.report.bars import footprint_picture
from edgevision.benchmarks.report.confusion import confusion_picture
from edgevision.benchmarks.report.curves import sustained_picture
from edgevision.benchmarks.report.findings import cost_of_int8, fastest, median_ms
from edgevision.benchmarks.report.flips import flip_picture
from edgevision.benchmarks.report.model import Report
from edgevision.benchmarks.report.scatter import accuracy_picture
from edgevision.benchmarks.report.sorting import MORE_IS_BETTER, sort_values
from edgevision.runtime.errors import MissingPackageError

#: Names of the summary's columns as people read them.
_HEADERS = {
    "artifact": "Artifact",
    "size": "Size",
    "accuracy": "Accuracy",
    "int8 - float32": "Against float32",
    "p50": "p50",
    "p90": "p90",
    "memory": "Peak memory",
    "in int8": "Work in int8",
    "here": "Here",
}
_FORMATS = {"tflite": "TFLite", "onnx": "ONNX", "openvino": "OpenVINO"}


def render(report: Report) -> str:
    """See ``Report.to_html``."""
    return fill("report.html.j2", _content(report))


def fill(template: str, content: Mapping[str, Any], folder: Path | None = None) -> str:
    """A page from one of the templates beside this file, or in ``folder``. They see ``script``, which sorts and filters
    tables, and ``script_hash``, by which a Content-Security-Policy allows it and nothing else.

    Args:
        template: Its file name.
        content: What it shows.
        folder: Where templates are that are not here; it comes first.

    Raises:
        MissingPackageError: jinja2 is not installed.
    """
    try:
        jinja2: Any = importlib.import_module("jinja2")
    except ModuleNotFoundError as error:
        raise MissingPackageError("jinja2", "to write the HTML report", "report") from error
    folders = [Path(__file__).parent] if folder is None else [folder, Path(__file__).parent]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"tight": _tight, "headed": words.header}
    script = (Path(__file__).parent / "table.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    environment.globals |= {"script": script, "script_hash": f"sha256-{digest}"}
    page: str = environment.get_template(template).render(**content)
    return page


def _tight(text: str) -> str:
    """Keeps a number and its percent sign on one line."""
    return text.replace(" %", "\N{NO-BREAK SPACE}%")


def _content(report: Report) -> dict[str, Any]:
    return {
        "report": report,
        "verdict": words.verdict(report),
        "tiles": _tiles(report),
        "headers": _HEADERS,
        "summary": tables.summary_rows(report),
        "runs": {run.artifact: run for run in report.artifacts},
        "values": sort_values(report),
        "more_is_better": MORE_IS_BETTER,
        "names": _FORMATS,
        "accuracy": accuracy_picture(report),
        "confusion": confusion_picture(report),
        "flips": flip_picture(report),
        "sustained": sustained_picture(report),
        "footprint": footprint_picture(report),
        "stages": charts.stage_picture(report),
        "distribution": charts.distribution_picture(report),
        "latency_rows": tables.latency_rows(report),
        "memory_rows": tables.memory_rows(report),
        "stage_rows": tables.stage_rows(report),
        "start_rows": tables.start_rows(report),
        "environment": tables.environment_rows(report),
        "provenance": [*_flat(report.provenance), *_hashes(report)],
        "validity": words.validity_sentence(report),
        "notes": words.notes(report),
        "images": words.images(report),
        "created": report.created.replace("T", " ").replace("+00:00", " UTC"),
    }


def _tiles(report: Report) -> list[dict[str, str]]:
    """Three figures with a sentence each: gate, fastest, cost of int8."""
    gate, best, cost = report.gate, fastest(report), cost_of_int8(report)
    quickest = next(run for run in report.artifacts if run.artifact == best.name)
    state = "none" if gate is None else words.gate_word(gate)
    tiles = [
        {
            "name": "Accuracy gate",
            "value": state.capitalize(),
            "state": state,
            "text": _after_colon(words.gate_sentence(report)),
        },
        {
            "name": "Fastest here" if best.is_clear else "Fastest here, tied",
            "value": words.milliseconds(median_ms(quickest)),
            "state": "",
            "text": words.fastest_sentence(report),
        },
    ]
    change = words.DASH
    if cost is not None and cost[1].difference is not None:
        change = f"{words.points(cost[1].difference.value)} points"
    return [
        *tiles,
        {"name": "What int8 changes", "value": change, "state": "", "text": words.cost_sentence(report)},
    ]


def _after_colon(sentence: str) -> str:
    """What a sentence explains: the tile's figure says the rest."""
    rest = sentence.partition(": ")[2] or sentence
    return rest[0].upper() + rest[1:]


def _flat(value: Any, path: str = "") -> list[dict[str, str]]:
    """Nested values as rows: the keys on the way joined, lists of plain values in one row."""
    if isinstance(value, dict):
        return [row for key, item in value.items() for row in _flat(item, f"{path}, {key}" if path else str(key))]
    if isinstance(value, (list, tuple)):
        if any(isinstance(item, (dict, list, tuple)) for item in value):
            return [row for i, item in enumerate(value, 1) for row in _flat(item, f"{path} {i}")]
        value = ", ".join(map(str, value))
    return [] if value in (None, "") else [{"item": path.replace("_", " "), "value": str(value)}]


def _hashes(report: Report) -> list[dict[str, str]]:
    rows = [{"item": f"{run.artifact}, sha256", "value": run.sha256} for run in report.artifacts]
    if report.accuracy is not None:
        rows.append({"item": f"{report.accuracy.data}, sha256 of its content", "value": report.accuracy.sha256})
    return [*rows, {"item": "measured by", "value": report.command}]
