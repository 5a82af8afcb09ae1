"""Where images are read from: a folder, a zip file that stays packed, an array, memory. All are thread-safe."""

from __future__ import annotations

import os
import threading
import zipfile
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.runtime.errors import ImageError
from edgevision.runtime.images import MAX_BYTES

RawImage = Path | bytes | NDArray[np.uint8]


class Store(ABC):
    """A numbered collection of undecoded images."""

    @abstractmethod
    def read(self, index: int) -> RawImage:
        """Image number ``index``, undecoded.

        Raises:
            ImageError: It can no longer be read.
        """


class FolderStore(Store):
    """Image files of a folder; ``read`` gives their paths."""

    def __init__(self, paths: tuple[Path, ...]) -> None:
        self._paths = paths

    def read(self, index: int) -> Path:
        """Path of image ``index``."""
        return self._paths[index]


class ArrayStore(Store):
    """Images of one array, uint8 (N, H, W) or (N, H, W, 1|3)."""

    def __init__(self, images: NDArray[np.uint8]) -> None:
        self._images = images

    def read(self, index: int) -> NDArray[np.uint8]:
        """Pixels of image ``index``: uint8 (H, W) or (H, W, 1|3), a read-only view."""
        image: NDArray[np.uint8] = self._images[index]
        image.flags.writeable = False
        return image


class BytesStore(Store):
    """Encoded images held in memory."""

    def __init__(self, images: tuple[bytes, ...]) -> None:
        self._images = images

    def read(self, index: int) -> bytes:
        """Bytes of image ``index``."""
        return self._images[index]


class ZipStore(Store):
    """Members of a zip file, read without unpacking anything to disk.

    Args:
        path: The zip file.
        members: The images among its members.
    """

    def __init__(self, path: Path, members: tuple[zipfile.ZipInfo, ...]) -> None:
        self._path, self._members = path, members
        self._restart()

    def _restart(self) -> None:
        self._lock, self._file, self._pid = threading.Lock(), None, 0

    def read(self, index: int) -> bytes:
        """Bytes of image ``index``.

        Raises:
            ImageError: The member is damaged, encrypted or too large, or the zip is gone.
        """
        member = self._members[index]
        name = f"{member.filename} in {self._path.name}"
        if member.file_size > MAX_BYTES:  # a gigabyte of zeros packs into a member of a megabyte
            raise ImageError(
                f"{name} is too large", expected=f"at most {MAX_BYTES} bytes", got=f"{member.file_size} bytes"
            )
        try:
            with self._lock:
                return self._opened().read(member)
        except Exception as error:  # zipfile has a dozen types for a damaged member, by compression method
            raise ImageError(f"{name} cannot be read", got=str(error) or type(error).__name__) from error

    _file: zipfile.ZipFile | None

    def _opened(self) -> zipfile.ZipFile:
        # A forked child shares the file offset with its parent: each process opens its own.
        if self._file is None or self._pid != os.getpid():
            self._file, self._pid = zipfile.ZipFile(self._path), os.getpid()
        return self._file

    def __getstate__(self) -> dict[str, Any]:
        return {"_path": self._path, "_members": self._members}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._restart()
