"""Training the quantised model when calibration is not enough: with labels, or towards the float model's answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edgevision.converters.quantize.build import answer, build_model, feeds, run
from edgevision.converters.quantize.distil import loss, scored
from edgevision.converters.quantize.graph import Graph
from edgevision.converters.quantize.logits import moved_logits
from edgevision.converters.quantize.observe import Batch, Batches
from edgevision.converters.quantize.quantize import Quantized
from edgevision.converters.quantize.scoring import divergence, noise_shares
from edgevision.converters.quantize.trainable import Trainable
from edgevision.runtime.manifest import Scores

#: Adam's learning rate at the first step per nat of divergence, and the largest, in the units of ``trainable``. Adam's
#: steps do not shrink with the gradients: a network that lost next to nothing would first be shaken out of its place.
#: Measured on networks for CIFAR-10, 5,000 images, 3 epochs: 2e-5 is best at a divergence of 3e-4 nats (1e-3 makes it
#: three times that), 6e-5 at 1e-3 nats, 1e-3 at 3e-2 nats (a depthwise network with weights of 4 bits).
_RATE_PER_NAT, _LARGEST_RATE = 0.06, 1e-3
#: Epochs in a row without a better result after which it ends, unless they get better.
_PATIENCE = 2
#: The best epoch is kept if it leaves at most this share of the distance. Gains of a few percent on at most 200 images
#: that chose it among several epochs were no gain on others.
LEAST_GAIN = 0.95


Step = Callable[[Batch, NDArray[np.int64]], None]


class Training(Protocol):
    """Samples to train on, streamed."""

    def __len__(self) -> int: ...

    def batches(self, size: int, epoch: int) -> Iterator[tuple[Batch, NDArray[np.int64]]]:
        """Named arrays (n, ...) and classes (n,), ``distil.UNKNOWN`` where there is none; each epoch another order."""


@dataclass(frozen=True)
class Finetuning:
    """What fine-tuning did.

    Attributes:
        epochs: How many passes were made.
        kept: The pass whose result was kept; 0: none was better than no fine-tuning.
        distance: From float on the choosing samples, before and then after each pass: divergence of a classifier's
            probabilities, nats; else ``scoring.noise_shares``.
    """

    epochs: int
    kept: int
    distance: tuple[float, ...]

    @property
    def words(self) -> str:
        """One sentence without its full stop."""
        passes = f"{self.epochs} pass{'' if self.epochs == 1 else 'es'}"
        if not self.kept:
            least = min(self.distance)
            hardly = "hardly" if least < self.distance[0] else "no"
            return (
                f"{passes} brought it {hardly} nearer to float than {self.distance[0]:.2g}, so nothing of it was kept"
            )
        moved = f"from {self.distance[0]:.2g} to {self.distance[self.kept]:.2g}"
        return f"distance from float {moved}; {passes} made, that of number {self.kept} kept"


def finetune(
    graph: Graph,
    quantized: Quantized,
    scores: Scores | None,
    training: Training,
    held_out: Batches,
    epochs: int,
    *,
    batch_size: int = 32,
    learning_rate: float | None = None,
    tell: Callable[[int, float], None] = lambda epoch, best: None,
) -> tuple[Quantized, Finetuning]:
    """Train kernels and biases of a quantised model; the best of all epochs, and never one worse than ``quantized``.

    Ends early when two epochs in a row brought nothing and the last was no better than the one before, or when weights
    are no numbers any more.

    Args:
        graph: Folded float graph: the teacher.
        quantized: What to start from; not changed.
        scores: What a classifier's outputs are; None for outputs that are no class scores.
        training: Samples to train on.
        held_out: Samples that choose the epoch; not among the training ones.
        epochs: Passes over ``training``, at least 1.
        batch_size: Samples per step.
        learning_rate: At the first step, falling to 0 along half a cosine; None: by how far it is from float.
        tell: Called before each epoch with its number and the least distance so far.
    """
    judge = _Judge(graph, scores, held_out)
    best, found, kept = quantized, [judge(quantized)], 0
    student = Trainable(quantized.graph, quantized.ranges, scored(graph, scores))
    rate = first_rate(found[0]) if learning_rate is None else learning_rate
    step = _step(graph, student, scores, rate, epochs * -(-len(training) // batch_size))
    for epoch in range(1, epochs + 1):
        tell(epoch, found[kept])
        for batch, targets in training.batches(batch_size, epoch):
            step(batch, targets)
        rounded = student.rounded()
        if rounded is None:
            break
        candidate = dataclasses.replace(quantized, graph=rounded, is_pair_safe=False)
        found.append(judge(candidate))
        if found[-1] < found[kept]:
            best, kept = candidate, epoch
        elif epoch - kept >= _PATIENCE and found[-1] >= found[-2]:
            break
    if found[kept] > LEAST_GAIN * found[0]:
        best, kept = quantized, 0
    if kept:
        best = _with_logits(best, scores, held_out)
    return best, Finetuning(len(found) - 1, kept, tuple(found))


def first_rate(distance: float) -> float:
    """Adam's learning rate at the first step, in the units of ``trainable``.

    Args:
        distance: From float, of what is to be trained: nats, or a share of the signal.
    """
    return min(_LARGEST_RATE, _RATE_PER_NAT * distance)


def _with_logits(quantized: Quantized, scores: Scores | None, held_out: Batches) -> Quantized:
    """The grid of the logits where training has moved them to."""
    if scores is None or quantized.logits is None:
        return quantized
    return dataclasses.replace(quantized, logits=moved_logits(quantized.logits, _logits(quantized, held_out), scores))


def _logits(quantized: Quantized, held_out: Batches) -> NDArray[np.float32]:
    assert quantized.logits is not None, "who calls has looked"
    name = quantized.logits.name
    model = build_model(quantized.graph, quantized.ranges, outputs=[name])
    return np.concatenate([np.asarray(run(model, batch)[name]) for batch in held_out()])


def _step(graph: Graph, student: Trainable, scores: Scores | None, learning_rate: float, steps: int) -> Step:
    """A function that takes one step of Adam on named arrays and their targets."""
    import keras
    import tensorflow as tf

    names = scored(graph, scores)
    teacher = build_model(graph, outputs=names)
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(learning_rate, max(1, steps)))
    optimizer.build(student.variables)

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def step(inputs: Any, targets: Any) -> None:
        exact = teacher(inputs, training=False)
        with tf.GradientTape() as tape:
            found = zip(names, student(inputs))
            value = tf.add_n([loss(exact[name], values, targets, scores) for name, values in found]) / len(names)
        gradients = tape.gradient(value, [variable.value for variable in student.variables])
        pairs = [(each, variable) for each, variable in zip(gradients, student.variables) if each is not None]
        optimizer.apply_gradients(pairs)

    return lambda batch, targets: step(feeds(teacher, batch), targets)


class _Judge:
    """How far quantised models are from the float one on the same samples."""

    def __init__(self, graph: Graph, scores: Scores | None, held_out: Batches) -> None:
        self._graph, self._scores, self._held_out = graph, scores, held_out
        self._float = build_model(graph)

    def __call__(self, quantized: Quantized) -> float:
        models = (self._float, quantized.model())
        rows = ([answer(model, self._graph, batch) for model in models] for batch in self._held_out())
        if self._scores is None:
            return noise_shares(rows)[0]
        (name,) = self._graph.outputs
        exact, found = (np.concatenate([outputs[name] for outputs in column]) for column in zip(*rows))
        return divergence(exact, found, self._scores)
