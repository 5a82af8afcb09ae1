"""Images that are the same, or nearly: found by their pixels at the model's input, whatever their files are called."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevision.trainers.examples import Examples

#: Bits in which the perceptual hashes of near twins differ, at most.
_MOST_BITS = 3
#: Ones, and zeros, of a hash that tells anything: on a flat background, as of digits, most bits are zero.
_LEAST_BITS = 20
#: Correlation of near twins' thumbnails, at least.
_LEAST_ALIKE = 0.95
#: Images that share a quarter of their hash are compared with each other; of more than so many none is.
_MOST_ALIKE = 20_000
#: Of the thumbnails, pixels.
SIDE = 16
_ROWS = 512
_BITS = np.array([number.bit_count() for number in range(1 << 16)], np.uint8)


@dataclass(frozen=True, eq=False)
class Prints:
    """What is compared of images.

    Attributes:
        digests: Of all pixels.
        hashes: uint64 (n,): dHash, whether each of 8 x 8 cells is brighter than its neighbour on the right.
        thumbnails: uint8 (n, 256), grey.
    """

    digests: tuple[bytes, ...]
    hashes: NDArray[np.uint64]
    thumbnails: NDArray[np.uint8]


def prints_of(examples: Examples) -> Prints:
    """The prints of all examples; of windows of frames the digest covers all, the rest the first frame."""
    digests, hashes, thumbnails = [], [], []
    for index in range(len(examples)):
        pixels = examples[index].pixels
        digests.append(hashlib.blake2b(np.ascontiguousarray(pixels).data, digest_size=16).digest())
        frame = pixels if pixels.ndim == 3 else pixels[0]
        gray = Image.fromarray(frame if frame.shape[-1] == 3 else frame[..., 0]).convert("L")
        cells = np.asarray(gray.resize((9, 8), Image.Resampling.BOX))
        hashes.append(np.packbits(cells[:, :-1] > cells[:, 1:]).view(np.uint64)[0])
        thumbnails.append(np.asarray(gray.resize((SIDE, SIDE), Image.Resampling.BOX)).ravel())
    shape = (len(digests), SIDE * SIDE)
    return Prints(tuple(digests), np.array(hashes, np.uint64), np.array(thumbnails, np.uint8).reshape(shape))


def joined(parts: Sequence[Prints]) -> Prints:
    """The prints of several sets as one, in their order."""
    digests = tuple(digest for part in parts for digest in part.digests)
    hashes, thumbnails = ([getattr(part, name) for part in parts] for name in ("hashes", "thumbnails"))
    return Prints(digests, np.concatenate(hashes), np.concatenate(thumbnails))


def same(prints: Prints) -> list[list[int]]:
    """Groups of images whose pixels are the same."""
    groups: dict[bytes, list[int]] = {}
    for index, digest in enumerate(prints.digests):
        groups.setdefault(digest, []).append(index)
    return [group for group in groups.values() if len(group) > 1]


def near(prints: Prints) -> NDArray[np.int64]:
    """Pairs of images that look the same and are not: int64 (n, 2), each the smaller number first.

    Their dHashes differ in at most 3 of 64 bits, so that one of four quarters is the same, and their thumbnails of
    16 x 16 correlate by 0.95 or more. Finds copies that were compressed, resized, brightened or cut a little; not
    those that were turned or mirrored, and none among pictures that are mostly flat, such as digits.

    Of 14,000 CIFAR-10 images it finds four pairs, all of the same object; of 4,000 digits none that differ.
    """
    quarters = prints.hashes.view(np.uint16).reshape(-1, 4)
    ones = sum(_BITS[quarter].astype(np.int64) for quarter in quarters.T)
    telling = np.flatnonzero((ones >= _LEAST_BITS) & (ones <= 64 - _LEAST_BITS))
    groups = (telling[group] for quarter in quarters[telling].T for group in _groups(quarter))
    found = [pairs for group in groups for pairs in _close(prints, group)]
    pairs = np.unique(np.concatenate([*found, np.empty((0, 2), np.int64)]), axis=0)
    return pairs[[prints.digests[one] != prints.digests[two] for one, two in pairs]] if len(pairs) else pairs


def _groups(values: NDArray[np.uint16]) -> Iterator[NDArray[np.int64]]:
    order = np.argsort(values, kind="stable")
    for group in np.split(order, np.flatnonzero(np.diff(values[order])) + 1):
        if 1 < len(group) <= _MOST_ALIKE:
            yield group


def _close(prints: Prints, group: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    quarters = prints.hashes.view(np.uint16).reshape(-1, 4)[group]
    for start in range(0, len(group), _ROWS):
        rows = quarters[start : start + _ROWS]
        apart = sum(_BITS[rows[:, None, place] ^ quarters[None, start:, place]] for place in range(4))
        one, two = np.nonzero(apart <= _MOST_BITS)
        pairs = np.stack([group[start + one], group[start + two]], axis=1)[one < two]
        first, second = (_normalised(prints.thumbnails[side]) for side in pairs.T)
        yield np.sort(pairs[(first * second).sum(axis=1) >= _LEAST_ALIKE], axis=1)


def _normalised(thumbnails: NDArray[np.uint8]) -> NDArray[np.float64]:
    apart = thumbnails - thumbnails.mean(axis=1, keepdims=True)
    found: NDArray[np.float64] = apart / np.maximum(np.linalg.norm(apart, axis=1, keepdims=True), 1e-9)
    return found
