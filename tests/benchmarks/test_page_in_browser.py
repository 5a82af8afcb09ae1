"""The HTML report in a real browser: it opens, sorts and filters, asks for nothing and shuts nobody out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.browser import DESK, PHONE, Browser, browser
from tests.reports import large_report

_NAMES = (
    "return [...document.querySelectorAll('.cards tbody tr:not([hidden]) th')].map((each) => each.innerText.trim())"
)


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    with browser() as found:
        yield found


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return large_report(10).write(tmp_path_factory.mktemp("page") / "report.html")


@pytest.fixture
def opened(window: Browser, page: Path) -> Browser:
    window.show()
    window.open(page)
    return window


def test_the_browser_would_notice(window: Browser, tmp_path: Path) -> None:
    bad = tmp_path / "bad.html"
    bad.write_text(
        "<title>x</title><img src='http://127.0.0.1:9/x.png'><p style='color:#999'>grey words</p>", encoding="utf-8"
    )
    found = window.open(bad)
    assert found.requests == ("http://127.0.0.1:9/x.png",) and len(found.errors) == 1
    rules = {each.partition(":")[0] for each in window.violations()}
    assert {"image-alt", "html-has-lang", "color-contrast"} <= rules


@pytest.mark.parametrize("classes", [10, 100])
def test_it_opens_alone_and_is_accessible_in_both_themes(window: Browser, tmp_path: Path, classes: int) -> None:
    path = large_report(classes).write(tmp_path / "report.html")
    for theme, size in (("light", DESK), ("dark", PHONE if classes == 10 else DESK)):
        window.show(theme=theme, size=size)
        found = window.open(path)
        assert found.requests == () and found.errors == ()
        assert window.violations() == []
    assert window.news() == ((), ())


def test_columns_sort_by_keyboard_and_say_so(opened: Browser) -> None:
    before = opened.run(_NAMES)
    header = opened.driver.find_element(By.XPATH, "//th[normalize-space()='Accuracy']")
    button = header.find_element(By.TAG_NAME, "button")
    button.send_keys(Keys.ENTER)
    assert header.get_attribute("aria-sort") == "descending"
    assert opened.run(_NAMES)[0].startswith("float32") and opened.run(_NAMES)[-1].startswith("int8")
    button.send_keys(Keys.SPACE)
    assert header.get_attribute("aria-sort") == "ascending"
    assert opened.run(_NAMES)[0].startswith("int8")
    assert len(opened.driver.find_elements(By.CSS_SELECTOR, "th[aria-sort]")) == 1
    opened.driver.find_element(By.XPATH, "//th/button[normalize-space()='Here']").click()
    assert opened.run(_NAMES) == before


def test_what_is_not_known_comes_last_either_way(opened: Browser) -> None:
    button = opened.driver.find_element(By.XPATH, "//th/button[normalize-space()='Against float32']")
    for _ in range(2):
        button.click()
        assert all(name.startswith("float32") for name in opened.run(_NAMES)[3:])


def test_rows_are_filtered_and_counted(opened: Browser) -> None:
    controls = opened.driver.find_element(By.ID, "artifact-controls")
    status = controls.find_element(By.CSS_SELECTOR, "[role=status]")
    controls.find_element(By.NAME, "precision").send_keys("int8")
    assert sorted(opened.run(_NAMES)) == ["int8.onnx", "int8.tflite", "int8.xml"]
    controls.find_element(By.NAME, "format").send_keys("OpenVINO")
    assert opened.run(_NAMES) == ["int8.xml"] and status.text == "1 of 6 artifacts"
    controls.find_element(By.TAG_NAME, "input").send_keys("tflite")
    assert opened.run(_NAMES) == [] and status.text == "0 of 6 artifacts"


def test_a_phone_has_a_list_to_sort_by_and_nothing_beside_the_screen(
    window: Browser, page: Path, tmp_path: Path
) -> None:
    window.show(size=PHONE)
    window.open(page)
    assert window.run("return document.documentElement.scrollWidth") == PHONE[0]
    window.driver.find_element(By.NAME, "sort").send_keys("Artifact")
    assert window.run(_NAMES) == sorted(window.run(_NAMES))
    with Image.open(window.screenshot(tmp_path / "phone.png")) as shot:
        assert shot.width == PHONE[0]


def test_the_themes_differ(window: Browser, page: Path, tmp_path: Path) -> None:
    light = {}
    for theme in ("light", "dark"):
        window.show(theme=theme)
        window.open(page)
        with Image.open(window.screenshot(tmp_path / f"{theme}.png")) as shot:
            assert shot.height > 3000
            light[theme] = float(np.asarray(shot.convert("L")).mean())
    assert light["light"] > 220 and light["dark"] < 60


def test_only_the_reports_own_script_runs(window: Browser, page: Path, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    more = "<script>document.title = 'taken'</script><img src='https://example.org/x.png' alt='x'></body>"
    path.write_text(page.read_text(encoding="utf-8").replace("</body>", more), encoding="utf-8")
    found = window.open(path)
    assert window.driver.title == "Benchmark of birds.edge"
    assert len(found.errors) == 2 and all("Content Security Policy" in each for each in found.errors)
