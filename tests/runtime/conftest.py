"""What all tests share: a steady hypothesis profile, and one bundle of tiny models."""

from __future__ import annotations

from pathlib import Path

import hypothesis
import pytest

from tests import tiny

# The machines that run this are small and shared: a slow example says nothing about the code.
hypothesis.settings.register_profile(
    "edgevision", deadline=None, derandomize=True, suppress_health_check=list(hypothesis.HealthCheck)
)
hypothesis.settings.load_profile("edgevision")


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of six tiny models, made once. Tests that change it work on a copy."""
    return tiny.write(tmp_path_factory.mktemp("tiny") / "tiny.edge")
