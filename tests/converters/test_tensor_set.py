from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgevision.converters.quantize.graph import Op
from edgevision.converters.tensor_arrays import Open, read_arrays
from edgevision.converters.tensor_set import TensorSet, check, judged_rows
from edgevision.runtime.errors import DatasetError

INPUTS = [Op("facts", "Input", [], (3,), dtype="float32"), Op("ids", "Input", [], (4,), dtype="int32")]


def arrays(count: int, seed: int = 0) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    return {"facts": random.normal(size=(count, 3)).astype(np.float32), "ids": random.integers(0, 9, (count, 4))}


def write(path: Path, **values: Any) -> Path:
    np.savez(path, **values)
    return path


def test_three_groups_that_do_not_overlap(tmp_path: Path) -> None:
    given = arrays(50)
    data = TensorSet(write(tmp_path / "d.npz", **given), INPUTS)
    groups = [group.digests() for group in (data.ranges, data.choice, data.judgement)]
    assert [len(group) for group in groups] == [20, 10, 20] and data.count == 50 and not data.is_shared
    assert len({digest for group in groups for digest in group}) == 50, "all of them, each once"
    batches = list(data.ranges.batches(8))
    assert [len(batch["ids"]) for batch in batches] == [8, 8, 4] and batches[0]["ids"].dtype == np.int32
    rows = [int(name.split()[1]) for name in data.ranges.names]
    np.testing.assert_array_equal(np.concatenate([batch["facts"] for batch in batches]), given["facts"][rows])
    np.testing.assert_array_equal(data.ranges.head(3, 2)["ids"], given["ids"][rows[2:5]])


def test_few_samples_serve_all_three_ends_and_many_are_cut(tmp_path: Path) -> None:
    data = TensorSet(write(tmp_path / "few.npz", **arrays(9)), INPUTS)
    assert data.is_shared and len(data.ranges) == len(data.choice) == len(data.judgement) == data.count == 9
    data = TensorSet(write(tmp_path / "many.npz", **arrays(1800)), INPUTS)
    assert [len(group) for group in (data.ranges, data.choice, data.judgement)] == [500, 200, 1000]


def test_the_report_names_what_each_input_was_given(tmp_path: Path) -> None:
    given = arrays(20)
    given["facts"][:, 0], given["ids"][:] = np.linspace(-7, 7, 20), 5
    data = TensorSet(write(tmp_path / "d.npz", **given), INPUTS)
    found = data.report()
    assert (found.samples, found.distinct, found.sha256) == (12, 12, data.sha256)
    facts, ids = found.inputs
    assert (ids.name, ids.shape, ids.dtype, ids.least, ids.greatest) == ("ids", (4,), "int32", 5.0, 5.0)
    assert -7 <= facts.least < 0 < facts.greatest <= 7
    assert found.words.startswith("12 samples, facts -") and found.words.endswith("ids 5 to 5")


def test_overlap_is_counted_by_value_over_all_inputs(tmp_path: Path) -> None:
    given = arrays(9)
    data = TensorSet(write(tmp_path / "c.npz", **given), INPUTS)
    other = {name: values[:4].copy() for name, values in given.items()}
    other["ids"][0, 0] += 1
    judged = judged_rows(write(tmp_path / "e.npz", **other), INPUTS)
    assert len(judged) == 4 and data.overlap(judged) == 3


def test_odd_samples_are_told(tmp_path: Path) -> None:
    given = arrays(40)
    same = {name: np.repeat(values[:2], 20, axis=0) for name, values in given.items()}
    data = TensorSet(write(tmp_path / "c.npz", **same), INPUTS)
    assert data.warnings(None) == ("only 2 of 24 calibration samples are different",)
    data = TensorSet(write(tmp_path / "d.npz", **given), INPUTS)
    assert data.warnings(None) == () == data.warnings(data.ranges)
    far = judged_rows(write(tmp_path / "e.npz", facts=given["facts"] + 100, ids=given["ids"]), INPUTS)
    (warning,) = data.warnings(far)
    assert warning.startswith("100% of the evaluation values of facts lie outside of")


GOOD = arrays(5)
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "missing": ({"facts": GOOD["facts"]}, r"has no array 'ids'.*ids int32 \(samples, 4\).*got facts"),
    "extra": ({**GOOD, "labels": np.zeros(5)}, "has an array 'labels', which is no input"),
    "shape": (
        {**GOOD, "facts": np.zeros((5, 2))},
        r"'facts'.*expected facts float32 \(samples, 3\).*got float64 \(5, 2\)",
    ),
    "rank": ({**GOOD, "facts": np.zeros(5)}, r"'facts'.*got float64 \(5,\)"),
    "float ids": ({**GOOD, "ids": np.ones((5, 4))}, r"'ids'.*expected ids int32.*got float64"),
    "words": ({**GOOD, "facts": np.full((5, 3), "a")}, "'facts'.*got <U1"),
    "nan": ({**GOOD, "facts": np.array([[0, 0, 0]] * 4 + [[0, np.nan, 0]])}, "not finite.*sample 4"),
    "infinity": ({**GOOD, "facts": np.full((5, 3), np.inf)}, "not finite.*sample 0"),
    "too large": ({**GOOD, "ids": np.full((5, 4), 2**40)}, "does not fit into 32 bits"),
    "too large a float": ({**GOOD, "facts": np.full((5, 3), 1e300)}, "does not fit into float32"),
    "no rows": (arrays(0), "no samples that match.*facts 0, ids 0"),
    "uneven": ({**GOOD, "ids": GOOD["ids"][:3]}, "no samples that match.*facts 5, ids 3"),
}


@pytest.mark.parametrize("name", BAD)
def test_arrays_that_are_not_the_inputs(name: str, tmp_path: Path) -> None:
    values, message = BAD[name]
    with pytest.raises(DatasetError, match=message):
        check(write(tmp_path / "d.npz", **values), INPUTS)


def test_files_that_are_none(tmp_path: Path) -> None:
    expected = r"expected an \.npz of facts float32 \(samples, 3\); ids int32 \(samples, 4\)"
    for path in (tmp_path, tmp_path / "none.npz", Path(__file__)):
        with pytest.raises(DatasetError, match=expected):
            check(path, INPUTS)
    (tmp_path / "bad.npz").write_bytes(b"no archive")
    with pytest.raises(DatasetError, match=r"cannot be read.*savez_compressed.*facts=\.\.\., ids=\.\.\."):
        check(tmp_path / "bad.npz", INPUTS)


def test_only_what_loses_nothing_is_cast(tmp_path: Path) -> None:
    given = {"facts": np.arange(15).reshape(5, 3), "ids": np.arange(20, dtype=np.uint8).reshape(5, 4)}
    found = check(write(tmp_path / "d.npz", **given), INPUTS)
    assert [found[name].dtype.name for name in ("facts", "ids")] == ["float32", "int32"]
    np.testing.assert_array_equal(found["facts"], given["facts"])
    np.testing.assert_array_equal(found["ids"], given["ids"])


def test_open_sizes_take_any(tmp_path: Path) -> None:
    path = write(tmp_path / "d.npz", x=np.zeros((3, 7, 2)))
    assert read_arrays(path, [Open("x", (None, 2), "float32")])["x"].shape == (3, 7, 2)
    with pytest.raises(DatasetError, match=r"expected x float32 \(samples, any, 4\)"):
        read_arrays(path, [Open("x", (None, 4), "float32")])
