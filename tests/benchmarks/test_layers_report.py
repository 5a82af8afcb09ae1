"""layers.json as a table and as a page, on made-up figures."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from edgevision.benchmarks.report.layers import Layers, decibels, weakest, work
from edgevision.benchmarks.report.layers_html import _path
from edgevision.runtime.errors import BundleError
from edgevision.runtime.manifest import Artifact, Manifest, from_plain
from edgevision.runtime.spec import named_preprocessing

FILES = {"int8.tflite": "tflite", "int8.onnx": "onnx"}


def layer(name: str, own: float | None, **changes: Any) -> dict[str, Any]:
    ratios = None if own is None else {"to_float": own - 3, "to_quantized": 999.0, "own": own}
    plain: dict[str, Any] = {
        "name": name,
        "kind": "Conv2D + ReLU",
        "macs": 0.25,
        "int8": True,
        "reason": "",
        "weights": {"counts": [1, 2, 5, 0], "channels": 4, "empty": 1, "scale": [0.01, 0.5]},
        "sqnr_db": {"int8.tflite": ratios, "int8.onnx": {"to_float": 40, "to_quantized": 55.5, "own": 44.4}},
        "activations": {
            "counts": [0] * 4 + [3] * 32 + [0, 0, 0, 7],
            "grid": [0, 6.0],
            "seen": [0, 9.5],
            "clipped": 0.07,
        },
    }
    return {**plain, **changes}


def layers(*found: dict[str, Any]) -> Layers:
    return from_plain(Layers, {"schema": 1, "artifacts": list(FILES), "images": 8, "layers": list(found)})


def manifest() -> Manifest:
    artifacts = tuple(Artifact(n, f, "int8", (), (), (), 1.0, 1.0) for n, f in FILES.items())  # type: ignore[arg-type]
    return Manifest("classification", ("a", "b"), "logits", named_preprocessing("unit", 8, 8), artifacts)


FOUND = layers(
    layer("fine", 40.0),
    layer("bad<b>", 7.5),
    layer("norm", None, kind="LayerNormalization", int8=False, reason="no 8-bit form", weights=None, macs=0.0),
    layer("gone", None, sqnr_db={"int8.tflite": None, "int8.onnx": None}, activations=None),
    layer("last", 33.0, macs=0.0001),
)


def test_the_worst_comes_first_and_what_was_not_seen_last() -> None:
    assert [item.name for item in FOUND.ranked] == ["bad<b>", "last", "fine", "norm", "gone"]
    assert [item["name"] for item in FOUND.to_dict()["layers"]] == [item.name for item in FOUND.ranked]
    worst = weakest(FOUND.layers, FOUND.artifacts)
    assert worst is not None and (worst[0].name, worst[1], worst[2].own) == ("bad<b>", "int8.tflite", 7.5)


def test_the_table() -> None:
    text = FOUND.to_text()
    rows = [line for line in text.splitlines() if line.startswith(("bad", "norm", "gone", "last"))]
    assert re.search(r"7\.5 +4\.5 exact +44\.4 +40\.0 +55\.5", rows[0])
    assert "<0.1 %" in rows[1] and "float" in rows[2] and rows[3].count("not found") == 2
    assert "norm in float: no 8-bit form" in text
    assert "int8.tflite shows no output of norm, gone" in text and "int8.onnx shows no output of gone" in text


def test_words() -> None:
    assert (decibels(999.0), decibels(-3.21)) == ("exact", "-3.2")
    assert (work(0.0), work(0.0004), work(0.25)) == ("0.0 %", "<0.1 %", "25.0 %")


class Page(HTMLParser):
    """Counts what the page is made of, and that every element is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta",):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_has_a_picture_per_layer_and_needs_nothing_else() -> None:
    text = FOUND.to_html("mine.edge", manifest())
    page = Page()
    page.feed(text)
    assert not page.open and "<script" not in text and not re.search(r"(?:src|href)=|url\(", text)
    opened = [attrs for tag, attrs in page.tags if tag == "details"]
    assert len(opened) == len(FOUND.layers)
    named = [attrs["aria-label"] or "" for tag, attrs in page.tags if attrs.get("role") == "img"]
    assert sum("alone" in name for name in named) == 4 and sum("stored weights" in name for name in named) == 4
    assert sum("float outputs" in name for name in named) == 4
    assert all(
        attrs.get("role") == "img" or attrs.get("aria-hidden") == "true" for tag, attrs in page.tags if tag == "svg"
    )
    titles = re.findall(r'class="title">([^ <]+)', text)
    assert titles == ["bad&lt;b&gt;", "last", "fine", "norm", "gone"] and "bad<b>" not in text
    assert "7.0\N{NO-BREAK SPACE}% cut off" in text and "1 of them all zero" in text and "50 times the finest" in text
    assert "in float: no 8-bit form" in text and "int8.tflite shows no output of it" in text


def test_a_page_without_anything_to_see() -> None:
    nothing = layers(layer("gone", None, sqnr_db={"int8.tflite": None, "int8.onnx": None}))
    assert "No layer of any int8 file could be looked at" in nothing.to_html("mine.edge", manifest())


def test_bars_are_closed_outlines() -> None:
    assert _path((0, 4, 1)) == "M0 60V60.0h10V0.0h10V30.0h10V60z"


def test_other_schemas_are_refused() -> None:
    with pytest.raises(BundleError, match="schema is not usable"):
        from_plain(Layers, {"schema": 2, "artifacts": [], "images": 8, "layers": []})
