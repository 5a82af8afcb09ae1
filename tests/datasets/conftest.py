"""Tiny data sets written on the spot: what is wrong with them is what is tested."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image


def png(grey: int, size: tuple[int, int] = (4, 3)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, (grey, grey, 255 - grey)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """A folder of distinct small images at the given relative paths; other endings get text."""

    def make(paths: Iterable[str], name: str = "data") -> Path:
        root = tmp_path / name
        root.mkdir()
        for index, path in enumerate(paths):
            target = root / path
            if path.endswith("/"):
                target.mkdir(parents=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(png(index))
        return root

    return make


@pytest.fixture
def packed(tmp_path: Path) -> Callable[..., Path]:
    """The same as a zip."""

    def make(paths: Iterable[str], name: str = "data.zip") -> Path:
        with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as archive:
            for index, path in enumerate(paths):
                archive.writestr(path, b"" if path.endswith("/") else png(index))
        return tmp_path / name

    return make


@pytest.fixture
def arrays(tmp_path: Path) -> Callable[..., Path]:
    """An npz of 6 images in 3 classes, with arrays replaced, added, or left out when None."""

    def make(**changes: Any) -> Path:
        images = np.arange(6 * 4 * 5 * 3, dtype=np.uint8).reshape(6, 4, 5, 3)
        content: dict[str, Any] = {"images": images, "labels": np.array([0, 1, 2, 0, 1, 2]), **changes}
        path = tmp_path / "data.npz"
        named: dict[str, Any] = {key: np.asarray(value) for key, value in content.items() if value is not None}
        np.savez(path, **named)
        return path

    return make
