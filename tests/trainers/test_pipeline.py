from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from edgevision.trainers.augment import Policy
from edgevision.trainers.examples import Example
from edgevision.trainers.pipeline import Pipeline, Targets
from tests.trainers.augment.test_sheet import Few

NOISE = np.random.default_rng(0).integers(0, 256, (23, 12, 12, 3), dtype=np.uint8)
EXAMPLES = Few(*(Example(pixels, np.eye(2, dtype=np.float32)[index % 2]) for index, pixels in enumerate(NOISE)))
NAMES = ("rotate", "mixup=1", "noise", "randaugment")


def encode(examples: Sequence[Example]) -> Targets:
    return {"label": np.stack([example.label for example in examples if example.label is not None])}


def pipeline(seed: int = 3) -> Pipeline:
    return Pipeline(EXAMPLES, Policy(NAMES), encode, 5, seed)


@pytest.mark.parametrize("seed", [0, 3, 1 << 70])
def test_an_example_depends_on_seed_epoch_and_place_alone(seed: int) -> None:
    one, policy = pipeline(seed), Policy(NAMES)
    for epoch, place in ((1, 4), (1, 5), (2, 4), (1, 4)):
        random = np.random.Generator(np.random.Philox(key=seed % 2**64, counter=[0, 0, epoch, place]))
        wanted = policy(EXAMPLES[place], random, lambda random=random: EXAMPLES[int(random.integers(23))])  # type: ignore[misc]
        (found,), targets = one.batch(np.array([place]), epoch)
        assert np.abs(found.astype(int) - wanted.pixels).max() <= 1, "the last move is done for the whole batch"
        assert wanted.label is not None and targets["label"].tolist() == [wanted.label.tolist()]


def test_threads_do_not_disturb_each_other() -> None:
    one = pipeline()
    wanted, _ = one.batch(np.arange(23), 1)
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda place: one.batch(np.array([place % 23]), 1)[0][0], range(230)))
    assert all((pixels == wanted[index % 23]).all() for index, pixels in enumerate(found))


def test_an_epoch_shows_every_example_once_in_an_order_of_its_own() -> None:
    plain = Pipeline(EXAMPLES, Policy(()), encode, 5, 3)
    orders = []
    for epoch in (1, 2, 1):
        batches = [(np.asarray(images), np.asarray(targets["label"])) for images, targets in plain.epoch(epoch)]
        assert [len(images) for images, _ in batches] == [5, 5, 5, 5, 3] and len(plain) == 5
        seen = np.concatenate([images for images, _ in batches])
        orders.append([int((pixels == NOISE).all(axis=(1, 2, 3)).argmax()) for pixels in seen])
        labels = np.concatenate([labels for _, labels in batches]).argmax(axis=1)
        assert labels.tolist() == [place % 2 for place in orders[-1]]
    assert sorted(orders[0]) == list(range(23)) and orders[0] == orders[2] != orders[1]
