from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgevision.trainers.report.pairs import worst_pairs
from edgevision.trainers.report.sections import Gallery


class Two:
    """Three images, the first two of one person."""

    pixels = np.zeros((3, 20, 10, 1), np.uint8)
    pairs = np.array([[0, 1], [0, 2], [1, 2]])
    same = np.array([True, False, False])


@pytest.mark.parametrize("pictures", [True, False])
def test_the_surest_mistakes_come_first(pictures: bool) -> None:
    people: Any = Two()
    (section,) = worst_pairs(np.array([0.35, 0.1, 0.9]), 0.4, people, "gray", pictures)
    assert isinstance(section, Gallery) and section.lead.startswith("3 pairs of 3: the surest mistakes at 0.400")
    shown = [[line.value for line in item.lines] for item in section.items]
    assert shown == [["different ones", "0.900"], ["the same", "0.350"], ["different ones", "0.100"]]
    assert [item.lines[1].right for item in section.items] == [False, False, True]
    assert all((item.picture is not None) == pictures for item in section.items)
    assert ("left out" in section.lead) != pictures
