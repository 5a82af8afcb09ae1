"""A headless Chromium for tests of the HTML reports, and what is asked of every page. Nothing leaves the machine."""

from __future__ import annotations

import base64
import functools
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService

#: Width and height in pixels of what a page is shown on.
DESK, PHONE = (1280, 900), (390, 844)
# Every name is refused, so that nothing could be fetched if it were asked for.
_NO_NETWORK = "--host-resolver-rules=MAP * ~NOTFOUND"
_AXE = Path(__file__).parent / "axe" / "axe.min.js"
_LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


@dataclass(frozen=True)
class Opened:
    """What opening a page took.

    Attributes:
        elapsed_ms: From the request to the end of loading, as a program outside the browser sees it.
        load_ms: The same as the browser tells it.
        requests: Addresses that were asked for, but for the page itself and what it holds as data.
        errors: What the console has to say, of the levels warning and error.
    """

    elapsed_ms: float
    load_ms: float
    requests: tuple[str, ...]
    errors: tuple[str, ...]


class Browser:
    """One window of Chromium."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver

    def show(self, *, theme: str = "light", size: tuple[int, int] = DESK) -> None:
        """The theme that the system asks for, "light" or "dark", and the size of the screen."""
        self.driver.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": theme}]}
        )
        screen = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size == PHONE}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)

    def open(self, path: Path) -> Opened:
        """Opens a file from disk."""
        self.news()
        start = time.perf_counter()
        self.driver.get(path.as_uri())
        elapsed = 1000 * (time.perf_counter() - start)
        load = self.run("return performance.getEntriesByType('navigation')[0].loadEventEnd")
        requests, errors = self.news()
        return Opened(elapsed, float(load), tuple(each for each in requests if each != path.as_uri()), errors)

    def news(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Requests and console errors since it was asked last."""
        log: Callable[[str], list[dict[str, Any]]] = self.driver.get_log
        events = [json.loads(entry["message"])["message"] for entry in log("performance")]
        asked = [each["params"]["request"]["url"] for each in events if each["method"] == "Network.requestWillBeSent"]
        said = [entry["message"] for entry in log("browser") if entry["level"] != "INFO"]
        return tuple(url for url in asked if not url.startswith("data:")), tuple(said)

    def run(self, script: str, *arguments: Any) -> Any:
        """Runs JavaScript in the page; what it returns."""
        return self.driver.execute_script(script, *arguments)

    def violations(self) -> list[str]:
        """What axe-core finds against WCAG 2.2, levels A and AA, all details opened: rule, and the first places."""
        self.run("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        self.run(_axe())
        found = self.driver.execute_async_script(
            "const done = arguments[1]; axe.run(document, {runOnly: arguments[0]}).then((found) => "
            "done(found.violations.map((each) => [each.id, each.nodes.map((node) => node.target + ': ' + "
            "node.failureSummary)])))",
            _LEVELS,
        )
        return [f"{rule}: {'; '.join(places[:3])}" for rule, places in found]

    def screenshot(self, path: Path) -> Path:
        """The whole page as PNG."""
        shot = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, **self._whole()})
        path.write_bytes(base64.b64decode(shot["data"]))
        return path

    def _whole(self) -> dict[str, Any]:
        size = self.run("const root = document.documentElement; return [root.clientWidth, root.scrollHeight]")
        return {"clip": {"x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1}}


@contextmanager
def browser() -> Iterator[Browser]:
    """Chromium without a window; the test is skipped where there is none, and fails on CI."""
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        if os.environ.get("CI"):
            raise FileNotFoundError("chromium and chromedriver: apt-get install chromium chromium-driver")
        pytest.skip("chromium is not installed")
    options = ChromeOptions()
    options.binary_location = program
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--lang=en",
        _NO_NETWORK,
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    chrome = Chrome(options=options, service=ChromeService(driver))
    try:
        yield Browser(chrome)
    finally:
        chrome.quit()


@functools.cache
def _axe() -> str:
    return _AXE.read_text(encoding="utf-8")
