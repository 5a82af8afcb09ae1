"""The gate: verdicts from intervals, what is stored about them, and the list of flipped images."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgevision.benchmarks.statistics import mcnemar, paired_interval
from edgevision.converters.answers import Answers
from edgevision.converters.check import check, flips_file
from edgevision.converters.flips import flips
from edgevision.converters.gate import judge, verdict
from edgevision.runtime.choice import Wish, choose
from edgevision.runtime.manifest import Agreement, Artifact, Gate, Manifest, from_plain, to_plain
from edgevision.runtime.spec import Preprocessing
from tests.converters.models import Floats

Classes = NDArray[np.int64]


def answers(n: int, lost: int, gained: int = 0, both_wrong: int = 0) -> tuple[Classes, Classes, Classes]:
    """Best classes of float, of the artifact, and the truth: so many images that only one of them gets right."""
    truth = np.zeros(n, np.int64)
    before, after = truth.copy(), truth.copy()
    after[:lost] = 1
    before[lost : lost + gained] = 1
    before[lost + gained : lost + gained + both_wrong], after[lost + gained : lost + gained + both_wrong] = 2, 3
    return before, after, truth


@pytest.mark.parametrize(
    ("n", "lost", "gained", "max_drop", "expected", "words"),
    [
        (3000, 15, 14, 1.0, "pass", "pass"),
        (381, 0, 0, 1.0, "pass", "pass"),
        (380, 0, 0, 1.0, "undecided", "not enough images to tell: need about 390"),
        (300, 3, 3, 1.0, "undecided", "not enough images to tell: need about 930"),
        (
            300,
            3,
            0,
            1.0,
            "undecided",
            "not enough images to tell: need over a million, should the loss stay as seen",
        ),  # a loss of just the allowed drop
        (300, 4, 0, 1.0, "fail", "fail"),  # seen to lose 1.3, though the interval reaches -0.5
        (3000, 90, 0, 1.0, "fail", "fail"),
        (300, 0, 0, 0.0, "undecided", "not enough images to tell: need over a million, should the loss stay as seen"),
        (3000, 0, 40, 0.0, "pass", "pass"),
    ],
)
def test_the_verdict_is_the_intervals(
    n: int, lost: int, gained: int, max_drop: float, expected: str, words: str
) -> None:
    found = judge(*answers(n, lost, gained), max_drop)
    assert (found.verdict, found.words) == (expected, words)
    assert found.passed is (expected != "fail")
    assert (found.gained, found.lost, found.images) == (gained, lost, n)


def test_the_figures_are_those_of_the_statistics() -> None:
    before, after, truth = answers(400, 9, 4, both_wrong=5)
    found = judge(before, after, truth, 2.0)
    right = before == truth, after == truth
    assert (found.difference, *found.interval) == paired_interval(*right)
    assert found.mcnemar_p == mcnemar(*right)
    assert (found.top1, found.float_top1) == (right[1].mean(), right[0].mean())
    assert found.same_top1 == 1 - 18 / 400
    assert found.top5 is None and found.float_top5 is None


def test_an_undecided_verdict_would_pass_with_the_images_it_asks_for() -> None:
    found = judge(*answers(300, 3, 2), 1.0)
    assert found.verdict == "undecided" and found.images_needed is not None
    times = found.images_needed / 300
    assert judge(*answers(found.images_needed, round(3 * times), round(2 * times)), 1.0).verdict == "pass"


def test_without_labels_changed_answers_are_judged() -> None:
    before, after, _ = answers(1000, 10)
    found = judge(before, after, None, 1.0)
    assert (found.verdict, found.difference) == ("pass", -1.0)
    assert found.top1 is found.float_top1 is found.mcnemar_p is found.gained is found.lost is None
    assert judge(*answers(200, 2)[:2], None, 1.0).verdict == "undecided"
    assert judge(*answers(200, 5)[:2], None, 1.0).verdict == "fail"


def test_float_that_computes_the_same_has_nothing_to_prove() -> None:
    assert judge(*answers(20, 0), 1.0, is_exact=True).verdict == "pass"
    assert judge(*answers(20, 1), 1.0, is_exact=True).verdict == "fail"


# --- the bundle's verdict -----------------------------------------------------------------------------------------


def artifact(name: str, found: Agreement | None) -> Artifact:
    precision: Any = name.partition(".")[0]
    return Artifact(name, "onnx", precision, (), (), (), agreement=found)


def agreement(lost: int, n: int = 300) -> Agreement:
    return judge(*answers(n, lost), 1.0)


@pytest.mark.parametrize(
    ("lost", "expected", "passed", "needed"),
    [
        ((0, 0), "undecided", True, 390),
        ((0, 1), "undecided", True, 860),
        ((0, 3), "undecided", True, None),  # of one of them no number can be given
        ((0, 9), "fail", False, None),
    ],
)
def test_the_bundle_is_as_good_as_its_worst(
    lost: tuple[int, int], expected: str, passed: bool, needed: int | None
) -> None:
    items = [artifact(f"int8.{i}", agreement(each)) for i, each in enumerate(lost)]
    gate = verdict(items, 1.0, "accuracy", 300, False, overlap=7, warnings=["odd"])
    assert (gate.verdict, gate.passed, gate.images_needed) == (expected, passed, needed)
    assert (gate.overlap, gate.warnings, gate.basis) == (7, ("odd",), "accuracy")
    assert ("failed: int8.1" in gate.note) is not passed


def test_the_bundle_passes_when_all_do() -> None:
    gate = verdict([artifact("int8.onnx", agreement(0, 3000))], 1.0, "agreement", 3000, True)
    assert (gate.verdict, gate.words, gate.basis) == ("pass", "pass", "agreement")
    assert "no labelled images" in gate.note and "too few images to keep" in gate.note


def test_an_undecided_artifact_is_loaded_like_any_other() -> None:
    undecided = artifact("int8.onnx", agreement(0))
    float32 = artifact("float32.onnx", agreement(0, 3000))
    assert choose([float32, undecided], Wish("null"))[0].name == "int8.onnx"
    assert choose([float32, artifact("int8.onnx", agreement(9))], Wish("null"))[0].name == "float32.onnx"


def test_what_older_bundles_hold_still_opens() -> None:
    old = {"images": 10, "same_top1": 1.0, "top1": 0.5, "float_top1": 0.5, "difference": 0.0, "interval": [-1, 1]}
    found = from_plain(Agreement, {**old, "passed": True})
    assert found.verdict is None and found.words == "pass"
    gate = from_plain(Gate, {"passed": False, "max_drop": 1.0, "basis": "accuracy", "images": 10, "note": ""})
    assert gate.words == "fail" and gate.warnings == () and gate.overlap is None


def test_all_new_fields_survive_the_manifest() -> None:
    gate = verdict([artifact("int8.onnx", agreement(1))], 1.0, "accuracy", 300, False, overlap=0, warnings=("a", "b"))
    assert from_plain(Gate, json.loads(json.dumps(to_plain(gate)))) == gate
    found = agreement(1)
    assert from_plain(Agreement, json.loads(json.dumps(to_plain(found)))) == found


# --- check and flips ----------------------------------------------------------------------------------------------

LABELS = ("ant", "bee", "cat", "dog", "eel", "fox")
MANIFEST = Manifest("classification", LABELS, "probabilities", Preprocessing(4, 4))


def scores(best: Classes, second: Classes) -> NDArray[np.float32]:
    """0.6 for the best class, 0.2 for the second, the rest in falling order, the last class last."""
    rows = np.tile(np.linspace(0.06, 0.01, len(LABELS), dtype=np.float32), (len(best), 1))
    rows[np.arange(len(best)), second] = 0.2
    rows[np.arange(len(best)), best] = 0.6
    return rows


def answered() -> tuple[Answers, Classes]:
    truth = np.array([0, 1, 2, 3, 5, 5], np.int64)
    before = scores(truth, (truth + 1) % 6)
    after = before.copy()
    after[1] = scores(np.array([2]), np.array([1]))[0]  # the truth becomes the second
    after[4] = scores(np.array([0]), np.array([1]))[0]  # the truth becomes the last
    return all_answers(before, after, {"int8.onnx": after, "float32.onnx": before}), truth


def all_answers(source: Floats, quantized: Floats, artifacts: dict[str, Floats]) -> Answers:
    found = {name: {"output": values} for name, values in artifacts.items()}
    return Answers({"output": source}, {"output": quantized}, found)


def test_check_fills_in_top5_only_where_five_is_not_everything() -> None:
    found, truth = answered()
    done = check(artifact("int8.onnx", None), found, MANIFEST, truth, 50.0)
    assert done.agreement is not None and done.parity is not None and done.parity.passed
    assert done.agreement.float_top5 == 1.0 and done.agreement.top5 == pytest.approx(5 / 6)
    few = dataclasses.replace(MANIFEST, labels=LABELS[:5])
    assert found.quantized is not None
    before, after = found.source["output"][:4, :5], found.quantized["output"][:4, :5]
    less = all_answers(before, after, {"int8.onnx": after})
    bare = check(artifact("int8.onnx", None), less, few, truth[:4], 50.0).agreement
    assert bare is not None and bare.top5 is None and bare.float_top5 is None


def test_check_takes_float_at_parity_for_proved() -> None:
    found, truth = answered()
    exact = check(artifact("float32.onnx", None), found, MANIFEST, truth, 1.0).agreement
    rounded = Answers(found.source, found.source, {"int8.onnx": found.source})
    same = check(artifact("int8.onnx", None), rounded, MANIFEST, truth, 1.0).agreement
    assert exact is not None and exact.verdict == "pass"
    assert same is not None and same.verdict == "undecided"


def test_flips_name_each_image_and_both_answers() -> None:
    found, truth = answered()
    names = [f"{LABELS[label]}/{i}.png" for i, label in enumerate(truth)]
    stored = json.loads(flips_file(found, MANIFEST, truth, names))
    assert stored["images"] == 6 and stored["artifacts"]["float32.onnx"] == []
    first, second = stored["artifacts"]["int8.onnx"]
    assert first == {
        "image": "bee/1.png",
        "label": "bee",
        "float_answer": "bee",
        "float_score": 0.6,
        "answer": "cat",
        "score": 0.6,
    }
    assert second["image"] == "fox/4.png" and second["answer"] == "ant"


def test_flips_leave_out_what_may_not_or_cannot_be_told() -> None:
    found, _ = answered()
    bare = flips(found.source["output"], found.artifacts["int8.onnx"]["output"], LABELS, None, None)
    assert [set(entry) for entry in bare] == [{"float_answer", "float_score", "answer", "score"}] * 2
    odd = flips_file(found, MANIFEST, None, ["\udcff.png"] * 6)
    assert json.loads(odd)["artifacts"]["int8.onnx"]
