"""Held-out pairs of images that verification judges wrongly, the surest mistakes first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgevision.benchmarks.report import words
from edgevision.runtime.spec import ColorOrder
from edgevision.trainers.images import rgb
from edgevision.trainers.people import People
from edgevision.trainers.report.gallery import SHOWN, beside
from edgevision.trainers.report.sections import Gallery, Item, Line, Section, picture


def worst_pairs(
    cosines: NDArray[np.float64], threshold: float, people: People, color: ColorOrder, pictures: bool
) -> tuple[Section, ...]:
    """The pairs whose cosines lie farthest on the wrong side of the threshold; without any the nearest to it.

    Args:
        cosines: Of ``people.pairs``, (pairs,).
        threshold: From which on two images show the same.
        people: The held-out images.
        color: Order of their channels.
        pictures: Whether images may be shown.
    """
    wrong = np.where(people.same, threshold - cosines, cosines - threshold)
    worst = [int(place) for place in np.argsort(-wrong, kind="stable")[:SHOWN]]
    items = tuple(_item(place, cosines[place], threshold, people, color, pictures) for place in worst)
    lead = f"{words.count(len(items), 'pair')} of {len(cosines):,}: the surest mistakes at {threshold:.3f} come first."
    return (Gallery("What it gets wrong", lead + ("" if pictures else " Images were left out."), items),)


def _item(place: int, cosine: float, threshold: float, people: People, color: ColorOrder, pictures: bool) -> Item:
    same = bool(people.same[place])
    truth = Line("shows", "the same" if same else "different ones")
    answer = Line("cosine", f"{cosine:.3f}", (cosine >= threshold) == same)
    if not pictures:
        return Item(None, (truth, answer))
    images = [rgb(people.pixels[int(index)], color) for index in people.pairs[place]]
    return Item(picture(beside(images), f"Held-out pair {place}", 192), (truth, answer))
