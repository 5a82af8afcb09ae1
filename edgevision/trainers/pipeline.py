"""From examples to batches: shuffled, augmented and stacked in parallel while the network is trained."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.trainers.augment import Policy
from edgevision.trainers.augment.affine import Affine
from edgevision.trainers.augment.batch import warped_pixels
from edgevision.trainers.engine import import_tensorflow
from edgevision.trainers.examples import Example, Examples

#: Batches made ahead: steps and batches take turns on few processors, and a step that is not ready to be fed waits.
_AHEAD = 8

#: Named arrays of a batch beside the images.
Targets = dict[str, NDArray[Any]]
Encode = Callable[[Sequence[Example]], Targets]


class Pipeline:
    """The batches of any epoch, the same for the same seed whatever was asked before: so a training can be resumed.

    Args:
        examples: What to train on.
        policy: Their augmentation.
        encode: What the loss is to see of a batch's labels.
        batch_size: Examples of a batch; the last one holds what is left.
        seed: With the epoch's number and the example's place it decides all that is random.
    """

    def __init__(self, examples: Examples, policy: Policy, encode: Encode, batch_size: int, seed: int) -> None:
        self._examples, self._policy, self._encode = examples, policy, encode
        self._size, self._seed, self._random = batch_size, seed, _Random()

    def __len__(self) -> int:
        """Batches of an epoch."""
        return -(-len(self._examples) // self._size)

    def epoch(self, number: int) -> Iterator[tuple[Any, dict[str, Any]]]:
        """tf.Tensors of each batch: images uint8 (batch, H, W, C), and the targets by name."""
        tf = import_tensorflow()
        order = np.random.default_rng([self._seed, number]).permutation(len(self._examples))
        images, targets = self.batch(order[:1], number)
        names, arrays = list(targets), [images, *targets.values()]
        kinds = [tf.as_dtype(array.dtype) for array in arrays]

        def made(step: Any) -> tuple[Any, ...]:
            begin = int(step) * self._size
            found, encoded = self.batch(order[begin : begin + self._size], number)
            return (found, *(encoded[name] for name in names))

        def shaped(step: Any) -> tuple[Any, dict[str, Any]]:
            tensors = tf.numpy_function(made, [step], kinds)
            for tensor, array in zip(tensors, arrays):
                tensor.set_shape([None, *array.shape[1:]])
            return tensors[0], dict(zip(names, tensors[1:]))

        data = tf.data.Dataset.range(len(self)).map(shaped, num_parallel_calls=2, deterministic=True).prefetch(_AHEAD)
        return iter(data)

    def batch(self, places: NDArray[np.int64], epoch: int) -> tuple[NDArray[np.uint8], Targets]:
        """Images and targets of the examples at ``places``, augmented as in that epoch."""
        found, moves = zip(*(self._unmoved(int(place), epoch) for place in places))
        return warped_pixels(found, moves), self._encode(found)

    def _unmoved(self, place: int, epoch: int) -> tuple[Example, Affine | None]:
        """One example as it is seen in that epoch, but for its last move."""
        if not self._policy.operations:
            return self._examples[place], None
        random = self._random.at(self._seed, epoch, place)

        def draw() -> Example:
            return self._examples[int(random.integers(len(self._examples)))]

        return self._policy.unmoved(self._examples[place], random, draw)


class _Random(threading.local):
    """A generator a thread, set anew for every example: making one would take longer than mirroring does."""

    def __init__(self) -> None:
        self._bits = np.random.Philox()
        self._generator = np.random.Generator(self._bits)

    def at(self, seed: int, epoch: int, place: int) -> np.random.Generator:
        """As ``Generator(Philox(key=seed, counter=[0, 0, epoch, place]))`` while the seed has no more than 64 bits."""
        counter, key = np.array([0, 0, epoch, place], np.uint64), np.array([seed % (1 << 64), 0], np.uint64)
        self._bits.state = {
            "bit_generator": "Philox",
            "state": {"counter": counter, "key": key},
            "buffer": np.zeros(4, np.uint64),
            "buffer_pos": 4,
            "has_uint32": 0,
            "uinteger": 0,
        }
        return self._generator
