"""What the data is like: counts, sizes, balance of the classes, doubles, leaks between splits, what cannot be read."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edgevision.trainers import twins
from edgevision.trainers.data_findings import DataReport, SplitFacts, Twins
from edgevision.trainers.examples import Examples

#: Pairs and groups that are listed, at most; all are counted.
_LISTED = 100


def data_report(splits: Mapping[str, Examples | None]) -> DataReport:
    """Look at all examples of all splits.

    Args:
        splits: By name, such as {"train": data.train, "validation": data.validation}; None is left out.
    """
    there = {name: examples for name, examples in splits.items() if examples is not None}
    counted = {name: _counted(examples) for name, examples in there.items()}
    unit = next((unit for unit, _ in counted.values() if unit), "")
    facts = tuple(
        SplitFacts(name, len(part), counted[name][1], _extremes(part), part.unreadable) for name, part in there.items()
    )
    found = _twins(there)
    same = [group for group in found if group.is_same]
    leaks, contradictions = (sum(getattr(group, name) for group in found) for name in ("is_leak", "is_contradiction"))
    order = sorted(found, key=lambda group: (not group.is_contradiction, not group.is_leak, not group.is_same))
    counts = (len(same), len(found) - len(same), leaks, contradictions)
    return DataReport(facts, unit, *counts, tuple(order[:_LISTED]))


def _counted(examples: Examples) -> tuple[str, dict[str, int]]:
    """What is counted, and how much of it each class has."""
    counts, unit = np.zeros(len(examples.labels) + 1, np.int64), ""
    for index in range(len(examples) if examples.labels else 0):
        example = examples[index]
        if example.mask is not None:
            unit, found = "pixels", np.bincount(example.mask.ravel(), minlength=256)[: len(counts) - 1]
        elif example.class_ids is not None:
            unit, found = "boxes", np.bincount(example.class_ids, minlength=len(counts) - 1)
        elif example.label is not None:
            unit, found = "images", np.asarray(example.label >= 0.5, np.int64)
        else:
            break
        counts[: len(found)] += found
    return unit, {label: int(count) for label, count in zip(examples.labels, counts)} if unit else {}


def _extremes(examples: Examples) -> tuple[tuple[int, int], ...]:
    sizes = sorted(examples.sizes, key=lambda size: (size[0] * size[1], size))
    return (sizes[0], sizes[len(sizes) // 2], sizes[-1]) if sizes else ()


def _twins(splits: Mapping[str, Examples]) -> list[Twins]:
    places = [(name, index) for name, examples in splits.items() for index in range(len(examples))]
    if not places:
        return []
    prints = twins.joined([twins.prints_of(examples) for examples in splits.values()])
    near = twins.near(prints).tolist() if all(map(_can_be_near, splits.values())) else []

    def group(indices: list[int], is_same: bool) -> Twins:
        found = [places[index] for index in indices]
        names = tuple(f"{split}: {splits[split].name(index)}" for split, index in found)
        labels = {_label(splits[split], index) for split, index in found}
        return Twins(names, is_same, len({split for split, _ in found}) > 1, is_same and len(labels) > 1)

    return [*(group(indices, True) for indices in twins.same(prints)), *(group(pair, False) for pair in near)]


def _can_be_near(examples: Examples) -> bool:
    """Whether looking the same means anything: frames look like their neighbours, tiny pictures like many others."""
    tiny = any(min(size) < twins.SIDE for size in examples.sizes)
    return not tiny and (not len(examples) or examples[0].pixels.ndim == 3)


def _label(examples: Examples, index: int) -> int:
    label = examples[index].label
    return -1 if label is None else int(label.argmax())
