"""One conversion to everything there is, and a small one."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgevision.converters import convert as module
from edgevision.converters.convert import convert
from edgevision.runtime.bundle import Bundle
from tests.converters.convert.common import ONE, read
from tests.converters.models import pictures, write_folder


def convert_here(patch: pytest.MonkeyPatch) -> None:
    """``convert`` does files, too, in this process."""
    patch.setattr(
        module, "convert_file", lambda options, limits, progress: module.convert_here(**options, progress=progress)
    )


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The conversion itself is tested, with parts replaced; tests/converters/files has the child process."""
    convert_here(monkeypatch)


@pytest.fixture(scope="session")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("evaluation"), *pictures(60, seed=21))


@pytest.fixture(scope="session")
def seen() -> list[tuple[str, int, int]]:
    return []


@pytest.fixture(scope="session")
def bundle(
    keras_file: Path,
    photos: Path,
    labelled: Path,
    seen: list[tuple[str, int, int]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Bundle:
    """All six artifacts, judged on labelled images."""
    out = tmp_path_factory.mktemp("bundle") / "shapes.edge"
    return convert(keras_file, photos, out, evaluate=labelled, progress=lambda *step: seen.append(step))


@pytest.fixture(scope="session")
def old_bytes(keras_file: Path, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a small bundle, to be put where an interrupted conversion would replace it.

    Made in this process, so that TensorFlow has met every function: what it writes for a new one lies among the
    temporary files until the process ends.
    """
    with pytest.MonkeyPatch.context() as patch:
        convert_here(patch)
        small = convert(keras_file, photos, tmp_path_factory.mktemp("old") / "old.edge", **ONE)
    return read(small.path)
