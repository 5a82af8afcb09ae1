"""The extras can be installed on every Python that is promised."""

from __future__ import annotations

import configparser

import pytest

from tests.packaging.conftest import ROOT, uv

DEVICES = ("3.10", "3.11", "3.12", "3.13", "3.14")
MAKERS = ("3.11", "3.12", "3.13")


def _resolved(extra: str, python: str, *options: str) -> set[str]:
    words = ("pip", "compile", "--quiet", "--no-header", "--no-annotate", "--python-version", python)
    listed = uv(*words, *options, "--extra", extra, str(ROOT / "setup.cfg"))
    return {line.partition("==")[0] for line in listed.splitlines()}


@pytest.mark.slow
@pytest.mark.parametrize("python", DEVICES)
@pytest.mark.parametrize("resolution", ["highest", "lowest-direct"])
def test_the_engines_resolve(python: str, resolution: str) -> None:
    found = _resolved("runtime", python, "--resolution", resolution)
    assert {"ai-edge-litert", "onnxruntime", "openvino", "numpy", "pillow", "click"} <= found


@pytest.mark.slow
@pytest.mark.parametrize("python", DEVICES)
def test_the_metrics_resolve_to_wheels_without_matplotlib(python: str) -> None:
    options = ("--resolution", "lowest-direct", "--only-binary", "pycocotools")
    found = _resolved("metrics", python, *options)
    assert "pycocotools" in found and "matplotlib" not in found


@pytest.mark.slow
@pytest.mark.parametrize("python", MAKERS)
@pytest.mark.parametrize("resolution", ["highest", "lowest-direct"])
def test_the_makers_resolve(python: str, resolution: str) -> None:
    assert {"tensorflow", "keras", "tf2onnx", "nncf", "onnx"} <= _resolved(
        "convert", python, "--resolution", resolution
    )
    assert {"tensorflow", "keras", "scikit-learn"} <= _resolved("train", python, "--resolution", resolution)


@pytest.mark.slow
@pytest.mark.parametrize("python", MAKERS)
@pytest.mark.parametrize("resolution", ["highest", "lowest-direct"])
def test_the_peers_resolve(python: str, resolution: str) -> None:
    found = _resolved("peers", python, "--resolution", resolution)
    assert {"ultralytics", "torch", "torchvision", "onnxslim", "ai-edge-quantizer", "nncf"} <= found


@pytest.mark.slow
def test_the_last_engine_for_32_bit_arm_resolves() -> None:
    assert {"tflite-runtime", "numpy"} <= _resolved("tflite-legacy", "3.11")


def test_all_is_everything_but_the_legacy_engine_the_peers_and_the_developers_tools() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    extras = set(config["options.extras_require"])
    whole = config["options.extras_require"]["all"].strip()
    engines = config["options.extras_require"]["runtime"].strip()
    assert engines == "edgevision[tflite,onnx,openvino]"
    assert whole == "edgevision[runtime,video,fast,convert,train,report,metrics]"
    assert extras == {
        "tflite",
        "tflite-legacy",
        "onnx",
        "openvino",
        "runtime",
        "video",
        "camera",
        "fast",
        "convert",
        "train",
        "report",
        "metrics",
        "peers",
        "all",
        "dev",
    }
