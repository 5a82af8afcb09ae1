"""Images with a mask beside each: a picture whose values are the indices of the pixels' classes."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from edgevision.datasets.aligning import places_in
from edgevision.datasets.dataset import Dataset, OfImages
from edgevision.datasets.layout import Parts
from edgevision.datasets.splits import choose_split
from edgevision.datasets.stores import RawImage
from edgevision.datasets.tree import Tree, open_tree, split_of
from edgevision.runtime.errors import DatasetError, ImageError

#: Value of pixels that are not judged, as in Pascal VOC and Cityscapes.
IGNORED = 255
#: Names of classes, in any case, that mean the same.
VOID = frozenset({"void", "ignore", "ignored", "unlabelled", "unlabeled"})

_MASK_FOLDERS = frozenset({"masks", "mask", "labels", "annotations", "annotation", "segmentationclass", "gt"})
_IMAGE_FOLDERS = frozenset({"images", "image", "imgs", "jpegimages"})
_NAMES = ("classes.json", "labels.json", "classes.txt", "labels.txt")
_UNKNOWN = -1


@dataclass(frozen=True, eq=False)
class MaskDataset(OfImages):
    """Images and their masks; both are read when they are asked for.

    Attributes:
        labels: Class names in the order of the indices that ``mask`` gives; empty where the data does not name them.
        images: The images, without labels.
        masks: The masks, in the same order.
        order: int16 (256,): what each value of a mask file becomes: an index, ``IGNORED``, or -1 for an error.
    """

    labels: tuple[str, ...]
    images: Dataset
    masks: Dataset
    order: NDArray[np.int16]

    @property
    def judged(self) -> NDArray[np.int64]:
        """int64 (k,), ascending: the indices that masks of this data can hold."""
        return np.unique(self.order[(self.order >= 0) & (self.order != IGNORED)]).astype(np.int64)

    def mask(self, index: int) -> NDArray[np.uint8]:
        """Classes of an image's pixels, uint8 (height, width): indices into ``labels``, or ``IGNORED``.

        Raises:
            DatasetError: The mask is damaged, is none, or holds a value without a class.
        """
        sample_name = self.masks.entries[index].name
        values = _values(self.masks, index)
        found = self.order[values]
        if (found == _UNKNOWN).any():
            expected = f"0..{len(self.labels) - 1}, or {IGNORED} for what is not judged"
            got = f"value {int(values[found == _UNKNOWN].max())}"
            raise DatasetError(f"the mask {sample_name} has a class without a name", expected=expected, got=got)
        return found.astype(np.uint8)

    def subset(self, indices: Iterable[int] | NDArray[np.integer]) -> MaskDataset:
        """The images at ``indices`` with their masks, in that order.

        Raises:
            DatasetError: An index is outside 0..len - 1.
        """
        chosen = [int(index) for index in indices]
        return dataclasses.replace(self, images=self.images.subset(chosen), masks=self.masks.subset(chosen))

    def present(self) -> NDArray[np.bool_]:
        """Which classes are in each image, bool (images, classes), to stratify by; reads all masks.

        Raises:
            DatasetError: A mask is damaged.
        """
        rows = [np.bincount(self.mask(index).ravel(), minlength=256)[:IGNORED] > 0 for index in range(len(self))]
        found = np.array(rows, np.bool_).reshape(len(self), IGNORED)
        return found[:, : len(self.labels) or 1 + int(np.flatnonzero(found.any(axis=0)).max(initial=0))]

    def aligned_to(self, labels: Sequence[str]) -> MaskDataset:
        """The same with indices that follow ``labels``, a model's; by number where the data names no classes.

        What the data calls "void", "ignore" or "unlabelled" is not judged.

        Raises:
            DatasetError: A class of the data is none of the model's.
        """
        order = np.full(256, _UNKNOWN, np.int16)
        own = self.labels or tuple(labels)
        known = [index for index, label in enumerate(own) if label.lower() not in VOID]
        order[known] = places_in([own[index] for index in known], labels)
        order[[index for index, label in enumerate(own) if label.lower() in VOID]] = IGNORED
        order[IGNORED] = IGNORED
        return dataclasses.replace(self, labels=tuple(labels), order=order)


def open_masks(data: str | Path, split: str | None = None, *, prefer: str = "test") -> MaskDataset:
    """Images with index masks.

    Args:
        data: A folder or .zip of images/NAME and masks/NAME (train/, val/, test/ above or below; masks/ may also be
            called labels, annotations, gt or SegmentationClass), or of NAME and NAME_mask side by side. A file
            classes.json (a list) or classes.txt (one a line), or labels.json or .txt, names the classes.
        split: The split to open. None: the only one, else the one that ``prefer`` leads to.
        prefer: As for ``open_dataset``.

    Raises:
        DatasetError: There are no masks, some are missing (the message names the first), or there is no such split.
    """
    tree = open_tree(data)
    images: dict[Parts, int] = {}
    masks: dict[Parts, int] = {}
    for place, parts in enumerate(tree.images.images):
        (masks if _is_mask(parts) else images)[_key(parts)] = place
    missing = sorted(images.keys() - masks.keys())
    if not masks or missing:
        expected = "images/NAME and masks/NAME, or NAME and NAME_mask"
        got = f"{len(images)} images, {len(masks)} masks; none for {'/'.join(missing[0])}" if missing else "no images"
        raise DatasetError(f"{data} lacks masks", expected=expected, got=got, cure="put a mask beside each image")
    if not images:
        raise DatasetError(f"{data} has masks alone", expected="images/NAME and masks/NAME", got=f"{len(masks)} masks")
    splits: dict[str, list[Parts]] = {}
    for key in sorted(images):
        splits.setdefault(split_of((*key[:-1], "")), []).append(key)
    name = choose_split(tree.where, tuple(splits), split, prefer)
    parts_of = [tree.dataset(name, tuple(splits), [found[key] for key in splits[name]]) for found in (images, masks)]
    return MaskDataset(_labels(tree), parts_of[0], parts_of[1], np.arange(256, dtype=np.int16))


def has_masks(images: Iterable[Parts]) -> bool:
    """Whether any of these files lies where masks do."""
    return any(map(_is_mask, images))


def _is_mask(parts: Parts) -> bool:
    return any(part.lower() in _MASK_FOLDERS for part in parts[:-1]) or PurePosixPath(parts[-1]).stem.endswith("_mask")


def _key(parts: Parts) -> Parts:
    """What an image and its mask have in common: the path without the folder that tells them apart, and no ending."""
    folders = [part for part in parts[:-1] if part.lower() not in _MASK_FOLDERS | _IMAGE_FOLDERS]
    return (*folders, PurePosixPath(parts[-1]).stem.removesuffix("_mask"))


def _labels(tree: Tree) -> tuple[str, ...]:
    for parts in sorted(tree.documents, key=len):
        if parts[-1].lower() not in _NAMES:
            continue
        if parts[-1].lower().endswith(".json"):
            names = tree.json(parts)
        else:
            names = [line.strip() for line in tree.text(parts).splitlines() if line.strip()]
        right = isinstance(names, list) and all(isinstance(name, str) for name in names)
        if not right or not 0 < len(set(names)) == len(names) < IGNORED:
            expected = f"a list of 1..{IGNORED - 1} different names"
            raise tree.damaged(parts, "does not name the classes", expected=expected, got=repr(names)[:80])
        return tuple(names)
    return ()


def _values(masks: Dataset, index: int) -> NDArray[np.uint8]:
    """The values of a mask file, uint8 (height, width); of a palette the indices, not the colours."""
    from PIL import Image

    name = masks.entries[index].name
    try:
        source: RawImage = masks[index].image
        if isinstance(source, np.ndarray):
            return source
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as picture:
            mode, values = picture.mode, np.asarray(picture)
    except (ImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DatasetError(f"the mask {name} cannot be read", got=str(error), cure="mend or copy it again") from error
    if mode not in ("P", "L", "1") and (values.ndim != 2 or not np.issubdtype(values.dtype, np.integer)):
        expected = "one value per pixel: a palette or grey PNG"
        raise DatasetError(f"the mask {name} holds no indices", expected=expected, got=f"a picture of mode {mode}")
    if values.max(initial=0) > IGNORED or values.min(initial=0) < 0:
        got = f"{values.min()}..{values.max()}"
        raise DatasetError(f"the mask {name} holds no indices", expected=f"0..{IGNORED}", got=got)
    return values.astype(np.uint8)
