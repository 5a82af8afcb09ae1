"""Mixtures of int8 and float, tried on the images that chose the quantised model."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from edgevision.converters.quantize.correct import Wide, correct_biases, kernel_means
from edgevision.converters.quantize.graph import Graph
from edgevision.converters.quantize.mixed import effective, mix, units
from edgevision.converters.quantize.observe import Batch
from edgevision.converters.quantize.points import value_grids
from edgevision.converters.quantize.quantize import Quantized
from edgevision.converters.quantize.scoring import Values, changed, divergence
from edgevision.converters.quantize.switched import SwitchedModel
from edgevision.converters.quantize.weights import round_biases
from edgevision.runtime.manifest import Scores


class Store(Protocol):
    """Keeps numbers by the name of a trial."""

    def get(self, name: str) -> dict[str, float] | None:
        """What a trial found; None when it was not made yet."""

    def put(self, name: str, numbers: dict[str, float]) -> None:
        """Keep it."""


@dataclass(frozen=True)
class Trial:
    """What one mixture answered.

    Attributes:
        reverted: Units in float.
        divergence: Of its probabilities from the float model's, nats per image.
        changed: Share of images with another best class than the float model's, 0..1.
    """

    reverted: frozenset[str]
    divergence: float
    changed: float


class Trials:
    """Tries mixtures of one quantised model; each of them once, ever, as far as the store remembers.

    Attributes:
        quantized: All int8.
        made: How many were tried here rather than remembered.
    """

    def __init__(
        self, quantized: Quantized, scores: Scores, batches: Sequence[Batch], correction: Batch, store: Store
    ) -> None:
        """What is needed to try.

        Args:
            quantized: All int8.
            scores: What its outputs are.
            batches: Images to try on.
            correction: Images for bias correction.
            store: What earlier searches found.
        """
        self.quantized, self.made = quantized, 0
        self._scores, self._batches, self._correction, self._store = scores, batches, correction, store
        self._plain = _uncorrected(quantized)
        self._means: dict[str, Wide] = {}
        self._models: SwitchedModel | None = None
        self._references: dict[int, Values] = {}

    @property
    def images(self) -> int:
        """How many images there are to try on."""
        return sum(map(_count, self._batches))

    def quick(self, heads: Iterable[str], images: int) -> Trial:
        """Without bias correction, which takes longer than all the rest, on the first so many images (whole batches).

        A bias that makes up for the rounding of units before it is wrong as soon as those are in float, so all biases
        are the float model's.
        """
        reverted = effective(self.quantized, heads)
        return self._try("quick", reverted, images, lambda: mix(self._plain, dict.fromkeys(reverted, "tried")))

    def full(self, heads: Iterable[str]) -> Trial:
        """As it would be exported, on all images."""
        reverted = effective(self.quantized, heads)
        return self._try("full", reverted, self.images, lambda: self.mixture(dict.fromkeys(reverted, "tried")))

    def mixture(self, reverted: Mapping[str, str]) -> Quantized:
        """The mixture to export: biases are corrected for it if those of the all-int8 model are.

        Args:
            reverted: Unit -> why it is in float.
        """
        if not reverted:
            return self.quantized
        mixture = mix(self._plain, reverted)
        graph, exact = mixture.graph, mixture.exact
        grids = value_grids(graph, self.quantized.ranges)
        if mixture.rounding == "nearest":
            graph = graph.copy()
        else:
            self._means = self._means or kernel_means(exact, self._correction)
            graph = correct_biases(exact, graph, grids, self._correction, self._means)
        round_biases(graph, grids)
        return dataclasses.replace(mixture, graph=graph, int8_graph=self.quantized.graph)

    def seconds_an_image(self) -> float:
        """How long one image takes, once everything is built."""
        first = self._batches[:1]
        self._model().answer(self._plain, first)
        begun = time.monotonic()
        self._model().answer(self._plain, first)
        return (time.monotonic() - begun) / _count(first[0])

    def _try(self, way: str, reverted: frozenset[str], images: int, make: Callable[[], Quantized]) -> Trial:
        name = f"{way} {images} {' '.join(sorted(reverted))}"
        known = self._store.get(name)
        if known is None or known.keys() != {"divergence", "changed"}:
            batches = self._first(images)
            reference, found = self._reference(batches), self._model().answer(make(), batches)
            known = {
                "divergence": divergence(reference, found, self._scores),
                "changed": changed(reference, found, self._scores),
            }
            self.made += 1
            self._store.put(name, known)
        return Trial(reverted, known["divergence"], known["changed"])

    def _first(self, images: int) -> Sequence[Batch]:
        taken = 0
        for number, batch in enumerate(self._batches, 1):
            taken += _count(batch)
            if taken >= images:
                return self._batches[:number]
        return self._batches

    def _reference(self, batches: Sequence[Batch]) -> Values:
        if len(batches) not in self._references:
            everything = dict.fromkeys(units(self.quantized.graph), "reference")
            self._references[len(batches)] = self._model().answer(mix(self._plain, everything), batches)
        return self._references[len(batches)]

    def _model(self) -> SwitchedModel:
        if self._models is None:
            self._models = SwitchedModel(self._plain)
        return self._models


def _uncorrected(quantized: Quantized) -> Quantized:
    """With the float model's biases."""
    ops = dict(quantized.graph.ops)
    for op in quantized.graph:
        if op.has_kernel:
            ops[op.name] = dataclasses.replace(op, weights=[op.weights[0], quantized.exact.ops[op.name].weights[1]])
    return dataclasses.replace(quantized, graph=Graph(ops, quantized.graph.outputs))


def _count(batch: Batch) -> int:
    return len(next(iter(batch.values())))
