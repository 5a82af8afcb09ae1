"""Where things are kept, and that nothing depends on whether they can be."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgevision.runtime.cache import cache_folder, read_json, write_json


def test_where_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("EDGEVISION_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"
    monkeypatch.delenv("EDGEVISION_CACHE")
    assert cache_folder() == tmp_path / "xdg" / "edgevision"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "edgevision"


def test_a_user_without_a_home_has_no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("EDGEVISION_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", nowhere)
    assert write_json(cache_folder() / "x.json", {"a": 1}) == os.strerror(20)
    assert read_json(cache_folder() / "x.json") == {}


def test_a_file_is_exchanged_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "x.json"
    assert write_json(path, {"a": 1}) == ""
    assert write_json(path, {"a": 2}) == ""
    assert read_json(path) == {"a": 2}
    assert [each.name for each in path.parent.iterdir()] == ["x.json"]
