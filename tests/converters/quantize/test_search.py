"""A network with one poisoned layer: the sweep names it, the search takes it and nothing else to float."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgevision.converters.quantize import search as module
from edgevision.converters.quantize.quantize import Quantized, quantize
from edgevision.converters.quantize.search import is_needed, search
from edgevision.converters.quantize.sensitivity import sweep
from edgevision.converters.quantize.trials import Trial, Trials
from edgevision.converters.trial_store import TrialStore
from tests.converters.models import folded, pictures, poisoned_network

POISONED = "poisoned"
ALLOWED = 0.1


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGEVISION_CACHE", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="module")
def images() -> list[dict[str, Any]]:
    pixels = pictures(96, seed=5)[0]
    return [{"image": pixels[start : start + 32]} for start in range(0, 96, 32)]


@pytest.fixture(scope="module")
def quantized(images: list[dict[str, Any]]) -> Quantized:
    return quantize(folded(poisoned_network()), "logits", lambda: images[:2], images[0], lambda: images)


def trials(quantized: Quantized, images: list[dict[str, Any]]) -> Trials:
    return Trials(quantized, "logits", images, images[0], TrialStore({"model": "poisoned"}))


def test_the_poisoned_layer_is_found_and_no_other_reverted(quantized: Quantized, images: list[dict[str, Any]]) -> None:
    assert is_needed(quantized.changed, 96, ALLOWED)
    found = search(trials(quantized, images), ALLOWED, 60)
    assert found.sensitivities[0].units == {POISONED}
    assert found.chosen.reverted == {POISONED}
    assert found.is_met and found.chosen.changed <= ALLOWED * module.MARGIN < found.start.changed
    assert "in int8 it costs" in found.quantized.graph.ops[POISONED].float_reason
    assert [op.name for op in found.quantized.graph if op.float_reason and op.has_kernel] == [POISONED]


def test_nothing_is_done_without_a_budget_or_need(quantized: Quantized, images: list[dict[str, Any]]) -> None:
    for allowed, budget in ((ALLOWED, 0.0), (1.0, 60.0)):
        run = trials(quantized, images)
        found = search(run, allowed, budget)
        assert found.quantized is quantized and not found.sensitivities
        assert run.made <= 1
    assert not is_needed(0.05, 20, 0.01), "one changed answer is no reason"
    assert not is_needed(0.035, 200, 0.02) and is_needed(0.045, 200, 0.02), "more than chance explains"


def test_a_second_search_runs_nothing(quantized: Quantized, images: list[dict[str, Any]]) -> None:
    first = search(trials(quantized, images), ALLOWED, 60)
    second = search(trials(quantized, images), ALLOWED, 60)
    assert first.made > 5 and second.made == 0
    assert second.chosen == first.chosen


def test_an_interrupted_sweep_goes_on(quantized: Quantized, images: list[dict[str, Any]]) -> None:
    whole = trials(quantized, images)

    def interrupt(done: int, of: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(whole, 60, lambda: False, interrupt)
    before = whole.made
    rest = trials(quantized, images)
    count = len(sweep(rest, 60, lambda: False, lambda *_: None))
    assert before == 4 and rest.made == count + 1 - before


def test_the_best_so_far_when_time_runs_out(quantized: Quantized, images: list[dict[str, Any]]) -> None:
    seconds = map(float, range(10_000))
    # The goal is out of reach, and every look at the clock takes a second.
    found = search(trials(quantized, images), 1e-6, 12, clock=lambda: next(seconds))
    assert not found.is_complete and not found.is_met
    assert found.chosen.divergence <= found.start.divergence
    assert found.chosen in found.trials


@pytest.mark.parametrize("content", ["{", "[1]", '{"full 96 ": {"divergence": "much"}}', '{"full 96 ": {}}'])
def test_a_damaged_store_is_begun_anew(
    content: str, cache: Path, quantized: Quantized, images: list[dict[str, Any]]
) -> None:
    good = trials(quantized, images).full(())
    (file,) = (cache / "search").iterdir()
    file.write_text(content)
    again = trials(quantized, images)
    assert again.full(()) == good and again.made == 1
    assert isinstance(trials(quantized, images).full(()), Trial)


def test_a_store_that_cannot_be_written_says_so(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (cache / "search").write_text("a file where the folder should be")
    store = TrialStore({"model": "m"})
    store.put("a", {"divergence": 0.0, "changed": 0.0})
    assert "cannot be kept" in store.note
    assert store.get("a") == {"divergence": 0.0, "changed": 0.0}
