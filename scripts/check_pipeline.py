"""Whether the input pipeline keeps up: images a second by itself, and how long training waits for it.

    python scripts/check_pipeline.py DATA [--model cnn-folder] [--steps 300] [--json FILE]

DATA is what ``edgevision train`` takes. Measured are, with the augmentation that the network has by default:

- decoding: images a second until all are read, in as many threads as there are processors;
- the pipeline alone: images a second, batches made and thrown away, from the first epoch on;
- an epoch's first seconds together: what a training sees that begins with files;
- training: the share of steps that found no batch made when they asked for one, which is waiting for the pipeline;
- of a step's time, the share until it had its batch in hand, median and 95th percentile of that, and the share of steps
  for which that took longer than a millisecond. The same, in turns, with one batch again and again, so that nothing is
  to be made. Where a batch was ready, what it takes longer is the step's wait for a processor or the interpreter;
- the longer step itself: what the processors do for the pipeline, time that the network does not get.

Images a second of one processor's time are given as well; other work on the machine disturbs them less.

The figure to hold: 5,000 images a second, and no step that finds no batch but an epoch's first.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edgevision.runtime.spec import named_preprocessing
from edgevision.trainers.augment import Policy
from edgevision.trainers.engine import import_tensorflow
from edgevision.trainers.families import named_family
from edgevision.trainers.optimizers import make_optimizer
from edgevision.trainers.pipeline import Pipeline
from edgevision.trainers.step import Step
from edgevision.trainers.tasks.classification import Classification
from edgevision.trainers.train import settled

#: Steps of one kind before the other's turn: more than are made ahead.
_TURN = 25
_LONG_S = 1e-3


def measured(data: str, model: str, steps: int) -> dict[str, Any]:
    """All figures by name."""
    _, family, recipe = settled(data, {"model": model, "validation_split": 0.0})
    p = named_preprocessing(recipe.preprocess, *recipe.input_size, family.channels or 3)
    start, begun = time.perf_counter(), time.process_time()
    examples = Classification.open(data, recipe, p, None)
    decoding, decoding_cpu = time.perf_counter() - start, time.process_time() - begun
    built = family.build((p.height, p.width, p.channels), examples.labels, recipe.options)
    task = Classification(recipe, built, examples.labels, p)
    pipeline = _Counted(examples.train, Policy(recipe.augment), task.encode, recipe.batch_size, recipe.seed)
    alone, alone_cpu = _alone(pipeline, recipe.batch_size, len(examples.train))
    count = len(examples.train)
    return {
        "images": count,
        "augment": list(recipe.augment),
        "batch_size": recipe.batch_size,
        "processors": len(os.sched_getaffinity(0)),
        "decoding_images_per_s": count / decoding,
        "decoding_images_per_cpu_s": count / decoding_cpu,
        "pipeline_images_per_s": alone,
        "pipeline_images_per_cpu_s": alone_cpu,
        "first_epoch_images_per_s": count / (decoding + count / alone),
        **_training(pipeline, task, recipe, steps),
    }


def _alone(pipeline: Pipeline, size: int, count: int) -> tuple[float, float]:
    """Images a second of one epoch, by the clock and of processor time; without two batches, in which threads start."""
    batches = pipeline.epoch(1)
    for _ in range(2):
        next(batches)
    start, begun = time.perf_counter(), time.process_time()
    for _ in batches:
        pass
    left = count - 2 * size
    return left / (time.perf_counter() - start), left / (time.process_time() - begun)


class _Counted(Pipeline):
    """It knows how many batches are made and not yet taken."""

    def __init__(self, *of: Any) -> None:
        self.made, self.taken = list[None](), 0  # appended to by the threads that make batches; a number might lose one
        super().__init__(*of)

    def epoch(self, number: int) -> Iterator[Any]:
        batches = super().epoch(number)
        self.made, self.taken = [], 0  # the one that told shapes does not count
        return batches

    def batch(self, places: Any, epoch: int) -> Any:
        found = super().batch(places, epoch)
        self.made.append(None)
        return found

    @property
    def ready(self) -> int:
        return len(self.made) - self.taken


def _training(pipeline: _Counted, task: Classification, recipe: Any, steps: int) -> dict[str, float]:
    step = task.step(make_optimizer(recipe, steps))
    batches = _endless(pipeline)
    made = iter(import_tensorflow().data.Dataset.from_tensors(next(batches)).repeat().prefetch(2))
    with_it, without = _Times(), _Times()
    for turn in range(2 + 2 * -(-steps // _TURN)):  # the first two, in which all is compiled, do not count
        source, times = (made, without) if turn % 2 else (batches, with_it)
        time.sleep(0.1)  # the batches ahead are made: what follows has the processors for itself
        found = _turn(step, source, pipeline)
        if turn > 1:
            times.waits += [wait for wait, _, _ in found]
            times.works += [work for _, work, _ in found]
            times.ready += [ready for _, _, ready in found]
    return {
        "steps_without_a_batch": sum(ready < 1 for ready in with_it.ready) / len(with_it.ready),
        "batches_ready_median": float(np.median(with_it.ready)),
        "training_images_per_s": 1e3 * recipe.batch_size / with_it.step_ms,
        **{f"{name}_pipeline": value for name, value in with_it.figures().items()},
        **{f"{name}_nothing_to_make": value for name, value in without.figures().items()},
    }


@dataclass
class _Times:
    """Seconds of each step: until its batch was there, and of the step itself."""

    waits: list[float] = field(default_factory=list)
    works: list[float] = field(default_factory=list)
    ready: list[int] = field(default_factory=list)

    @property
    def step_ms(self) -> float:
        return 1e3 * float(np.mean(self.waits) + np.mean(self.works))

    def figures(self) -> dict[str, float]:
        return {
            "step_ms": self.step_ms,
            "wait_share": sum(self.waits) / (sum(self.waits) + sum(self.works)),
            "wait_median_ms": 1e3 * float(np.median(self.waits)),
            "wait_p95_ms": 1e3 * float(np.percentile(self.waits, 95)),
            "steps_that_waited": float((np.array(self.waits) > _LONG_S).mean()),
        }


def _turn(step: Step, source: Iterator[Any], pipeline: _Counted) -> list[tuple[float, float, int]]:
    found = []
    for _ in range(_TURN):
        ready, start = pipeline.ready, time.perf_counter()
        batch = next(source)
        there = time.perf_counter()
        step(*batch)
        found.append((there - start, time.perf_counter() - there, ready))
    return found


def _endless(pipeline: _Counted) -> Iterator[Any]:
    number = 1
    while True:
        for batch in pipeline.epoch(number):
            pipeline.taken += 1
            yield batch
        number += 1


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--model", default="cnn-folder", help=f"one of {named_family('cnn-folder').task}'s networks")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    found = measured(arguments.data, arguments.model, arguments.steps)
    for name, value in found.items():
        print(f"{name:34} {value:,.3f}" if isinstance(value, float) else f"{name:34} {value}")
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
