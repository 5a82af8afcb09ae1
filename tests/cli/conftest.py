"""A bundle of tiny models, pictures for it, and the command line as a function."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from edgevision.cli.main import main
from tests import tiny


class Outcome(NamedTuple):
    """What one call of the command line left."""

    code: int
    out: str
    err: str


Run = Callable[..., Outcome]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command line in this process."""
    monkeypatch.delenv("EDGEVISION_DEBUG", raising=False)

    def call(*words: object) -> Outcome:
        code = main([str(word) for word in words])
        return Outcome(code, *capsys.readouterr())

    return call


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six tiny models with golden outputs. Tests that change it work on a copy."""
    return tiny.write(tmp_path_factory.mktemp("cli") / "tiny.edge")


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three pictures of each class, in a folder per class."""
    folder = tmp_path_factory.mktemp("photos")
    random = np.random.default_rng(3)
    for label in tiny.LABELS:
        (folder / label).mkdir()
        for i in range(3):
            pixels = random.integers(0, 256, (12, 10, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / label / f"{i}.png")
    return folder
