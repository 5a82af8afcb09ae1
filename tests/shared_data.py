"""Real images for tests: not part of the repository, beside its checkout."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def shared_path(name: str) -> Path:
    """Path of ../shared/data/NAME; missing, the test fails on CI and is skipped elsewhere."""
    default = Path(__file__).resolve().parents[2] / "shared"
    path = Path(os.environ.get("EDGEVISION_SHARED", default)) / "data" / name
    if not path.exists():
        if os.environ.get("CI"):
            raise FileNotFoundError(f"{path}: set EDGEVISION_SHARED to the folder that holds data/{name}")
        pytest.skip(f"{path} is missing")
    return path
