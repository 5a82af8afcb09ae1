"""How large the HTML report gets, how fast it opens, and whether it does without a network and shuts nobody out.

    python -m scripts.check_report [--opens 5] [--classes 100]

Writes a report of 6 artifacts x 1,000 images with 24 pictures (made up, but a real ``Report``) and opens it in headless
Chromium, from disk, with every host name refused. At most 2 MB, 1 s (the slowest of the openings, as a program outside
the browser sees it), no request, no error or warning on the console, and nothing that axe-core finds against WCAG 2.2
levels A and AA: light and dark, at 1280 and 390 pixels. Exit code 1 when a limit is not kept.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.browser import DESK, PHONE, Browser, browser
from tests.reports import IMAGES, large_report

BYTES, OPEN_MS = 2_000_000, 1000.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--opens", type=int, default=5)
    parser.add_argument("--classes", type=int, default=100)
    options = parser.parse_args()
    report = large_report(options.classes)
    with tempfile.TemporaryDirectory() as folder, browser() as window:
        path = report.write(Path(folder) / "report.html")
        figures = {"bytes": path.stat().st_size, **_opened(window, path, options.opens), **_looked_at(window, path)}
    print(f"{len(report.artifacts)} artifacts x {IMAGES} images, {options.classes} classes")
    for name, value in figures.items():
        print(f"{name:22} {value:.0f}")
    kept = figures["bytes"] <= BYTES and figures["open, ms"] <= OPEN_MS
    return 0 if kept and not any(figures[name] for name in ("requests", "console errors", "axe violations")) else 1


def _opened(window: Browser, path: Path, times: int) -> dict[str, float]:
    found = [window.open(path) for _ in range(times)]
    return {
        "open, ms": max(each.elapsed_ms for each in found),
        "load event, ms": max(each.load_ms for each in found),
        "requests": sum(len(each.requests) for each in found),
        "console errors": sum(len(each.errors) for each in found),
    }


def _looked_at(window: Browser, path: Path) -> dict[str, float]:
    found = []
    for theme in ("light", "dark"):
        for size in (DESK, PHONE):
            window.show(theme=theme, size=size)
            window.open(path)
            found += window.violations()
    print("\n".join(found), file=sys.stderr)
    return {"axe violations": len(found)}


if __name__ == "__main__":
    raise SystemExit(main())
