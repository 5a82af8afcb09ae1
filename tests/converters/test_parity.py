from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from edgevision.converters.answers import Answers
from edgevision.converters.check import check
from edgevision.converters.parity import LIMITS_DB, compare, unsteady
from edgevision.converters.sqnr import EXACT_DB
from edgevision.runtime.manifest import Artifact, Manifest, Parity
from tests.converters.conftest import Exported
from tests.converters.models import Floats, numbers


def test_a_comparison() -> None:
    reference = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0]], np.float32)
    outputs = reference.copy()
    outputs[3] = [0.4, 0.5, 0]
    found = compare(reference, reference, outputs, "int8", 0.75)
    assert (found.images, found.same_top1, found.passed) == (4, 0.75, False)
    assert found.max_error == pytest.approx(0.6)
    near = reference + 1e-3 * numbers(1, 4, 3)
    assert compare(reference, reference, near, "int8", 1.0).passed
    assert not compare(reference, reference, near, "float32", 1.0).passed, "float engines only add in another order"
    assert (LIMITS_DB["int8"], LIMITS_DB["float32"]) == (25.0, 60.0)


def test_how_much_further_from_float() -> None:
    """As far from float as its model, or nearer, is not enough: a file has to answer as that model."""
    source = numbers(0, 400)
    quantized = source + _noise(source, 1, 7)
    for decibel in (5, 7, 9):
        found = compare(source, quantized, source + _noise(source, 2, decibel), "int8", 0.7)
        assert found.further_db == pytest.approx(7 - decibel, abs=1e-3) and not found.passed


def test_files_that_answer_otherwise_are_named() -> None:
    items = [
        dataclasses.replace(artifact(precision), parity=Parity(9, ratio, 1.0, 0.9, passed, fault=fault))
        for precision, ratio, passed, fault in (
            ("int8", 14.2, False, None),
            ("int8", 14.2, False, "conv by 4.2 steps"),
            ("int8", 30.0, True, None),
            ("float32", 50.0, False, None),
        )
    ]
    first, second = unsteady([*items, artifact("int8")])
    assert first.startswith("int8.onnx stands at 14 dB") and second.endswith("it differs at conv by 4.2 steps")


def _noise(values: Floats, seed: int, decibel: float) -> Floats:
    """So far below the values' spread."""
    noise = numbers(seed, *values.shape)
    power = np.square(values - values.mean(0)).sum()
    return np.asarray(noise * np.sqrt(power / np.square(noise).sum()) * 10 ** (-decibel / 20), np.float32)


def artifact(precision: Any) -> Artifact:
    return Artifact(f"{precision}.onnx", "onnx", precision, (), (), ())


def test_int8_files_of_a_model_that_answers_all_alike_are_judged_by_size(exported: Exported) -> None:
    """What such a quantised model differs by between images is rounding, in which engines need not agree."""
    constant = np.tile(np.array([[3.0, -1.0]], np.float32), (20, 1))
    rounded, other = (constant + np.float32(1e-2) * numbers(seed, 20, 2) for seed in (0, 1))
    manifest = Manifest("classification", ("a", "b"), "logits", exported.preprocessing)
    for source, passes in ((constant, True), (rounded, False)):
        answers = Answers({"output": source}, {"output": rounded}, {"int8.onnx": {"output": other}})
        found = check(artifact("int8"), answers, manifest, None, 1.0)
        assert found.parity is not None and found.parity.passed == passes


def test_each_precision_is_checked_against_its_own_model(exported: Exported) -> None:
    """int8 follows the quantised model, float32 the source; the gate compares both with the source."""
    logits = numbers(0, 50, 4)
    source, quantized = {"output": logits}, {"output": numbers(1, 50, 4)}
    answers = Answers(source, quantized, {"int8.onnx": quantized, "float32.onnx": source})
    manifest = Manifest("classification", ("a", "b", "c", "d"), "logits", exported.preprocessing)
    int8 = check(artifact("int8"), answers, manifest, None, 1.0)
    float32 = check(artifact("float32"), answers, manifest, None, 1.0)
    assert int8.parity is not None and int8.agreement is not None and float32.parity is not None
    assert int8.parity.sqnr_db == float32.parity.sqnr_db == EXACT_DB and float32.passed
    assert (int8.parity.further_db, float32.parity.further_db) == (0, None), "from the float model"
    assert int8.agreement.same_top1 is not None
    assert int8.agreement.same_top1 < 0.9 and not int8.passed, "faithful to a quantised model that lost too much"
    swapped = Answers(source, quantized, {"int8.onnx": source, "float32.onnx": quantized})
    for precision in ("int8", "float32"):
        found = check(artifact(precision), swapped, manifest, None, 100.0)
        assert found.parity is not None and not found.parity.passed and not found.passed
    labelled = check(artifact("int8"), answers, manifest, logits.argmax(-1), 1.0)
    assert labelled.agreement is not None and labelled.agreement.float_top1 == 1.0
