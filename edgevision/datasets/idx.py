"""MNIST's idx files: images and labels as bare arrays, packed by gzip or not, in a folder or a zip."""

from __future__ import annotations

import gzip
import io
import math
import re
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.datasets.arrays import Found, assemble
from edgevision.datasets.dataset import UNDIVIDED
from edgevision.datasets.folders import list_images
from edgevision.datasets.tree import split_of
from edgevision.runtime.errors import DatasetError, ImageError

_NAME = re.compile(r"(.*?)(images|labels)[-._]?idx\d-ubyte(\.gz)?", re.IGNORECASE)
#: Of the third byte; the numbers are big-endian.
_KINDS = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4"}
#: No array is larger: the sizes in a damaged head can be anything.
_MAX_BYTES = 1 << 32


def is_idx(name: str) -> bool:
    """Whether a file is named as MNIST's are: train-images-idx3-ubyte, t10k-labels.idx1-ubyte.gz, ..."""
    return _NAME.fullmatch(name) is not None


def read_idx(path: Path, labels_needed: bool) -> Found:
    """As ``arrays.read_npz``; "t10k" or "test" in a name means the test split, "train" the train split.

    Args:
        path: A folder or zip of such files, or one file of images, whose labels lie beside it.
        labels_needed: Whether images without labels are an error.

    Raises:
        DatasetError: Files are missing, damaged, or of another kind.
    """
    files = _files(path)
    splits: dict[str, tuple[NDArray[Any], NDArray[Any] | None]] = {}
    for stem in sorted(stem for stem, what in files if what == "images"):
        split = "test" if "t10k" in stem.lower() else split_of((stem,))
        if split in splits:
            cure = "give the file of images itself"
            raise DatasetError(f"{path} has several idx files of images for one split", got=stem, cure=cure)
        labels = files.get((stem, "labels"))
        if labels is None and labels_needed:
            raise DatasetError(f"{path} has no labels", expected=f"{stem}labels-idx1-ubyte beside the images")
        images = _array(f"{stem}images of {path}", files[stem, "images"])
        splits[split] = images, _array(f"{stem}labels of {path}", labels) if labels and labels_needed else None
    if not splits:
        raise DatasetError(f"{path} has no images", expected="a file ...images-idx3-ubyte", got="labels alone")
    ordered = {name: splits[name] for name in ("train", "val", "test", UNDIVIDED) if name in splits}
    return assemble(str(path), ordered, None)


def _files(path: Path) -> dict[tuple[str, str], bytes]:
    """Bytes by what the name begins with and "images" or "labels"; of a file only its own and its labels'."""
    alone = _NAME.fullmatch(path.name) if path.is_file() else None
    listing, store = list_images(path.parent if alone else path, is_idx)
    found: dict[tuple[str, str], bytes] = {}
    for place, parts in enumerate(listing.images):
        match = _NAME.fullmatch(parts[-1])
        if match is None or (alone and (len(parts) > 1 or match[1] != alone[1])):
            continue
        try:
            content = store.read(place)
            found["/".join((*parts[:-1], match[1])), match[2].lower()] = (
                content.read_bytes() if isinstance(content, Path) else bytes(content)
            )
        except (OSError, ImageError) as error:
            raise DatasetError(f"{'/'.join(parts)} of {path} cannot be read", got=str(error)) from error
    return found


def _array(where: str, data: bytes) -> NDArray[Any]:
    packed = data[:2] == b"\x1f\x8b"
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) if packed else io.BytesIO(data) as stream:
            zeros, kind, dimensions = struct.unpack(">HBB", stream.read(4))
            if zeros or kind not in _KINDS or not 1 <= dimensions <= 4:
                raise ValueError(f"a head {zeros:04x} {kind:02x} {dimensions:02x}")
            shape = struct.unpack(f">{dimensions}I", stream.read(4 * dimensions))
            dtype = np.dtype(_KINDS[kind])
            size = math.prod(shape) * dtype.itemsize
            content = stream.read(min(size, _MAX_BYTES) + 1)
            if len(content) != size:
                raise ValueError(f"{len(content):,} bytes for {'x'.join(map(str, shape))}")
    except (OSError, EOFError, ValueError, struct.error, zlib.error) as error:
        cure = "copy or download it again"
        raise DatasetError(f"{where} is no idx file", expected="MNIST's format", got=str(error), cure=cure) from error
    return np.frombuffer(content, dtype).reshape(shape)
