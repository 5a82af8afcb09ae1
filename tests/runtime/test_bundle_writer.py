from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgevision.runtime import bundle_writer
from edgevision.runtime.bundle import Bundle, file_entry, write_bundle
from edgevision.runtime.errors import BundleError, OutputExistsError
from edgevision.runtime.manifest import Manifest
from tests import tiny

Parts = tuple[Manifest, dict[str, Path | bytes]]


def parts(*contents: bytes) -> Parts:
    files = {f"file{i}.txt": content for i, content in enumerate(contents)}
    return tiny.manifest(files=tuple(file_entry(*item) for item in files.items())), dict(files)


@pytest.fixture(params=[True, False], ids=["atomic exchange", "two renames"])
def exchange(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Both ways of replacing: what the kernel does in one step, and what is left where it cannot."""
    if not request.param:
        monkeypatch.setattr(bundle_writer, "_renameat2", lambda *_: False)
    return bool(request.param)


def everything(folder: Path) -> list[str]:
    return sorted(item.name for item in folder.iterdir())


def test_writes_beside_nothing_else(exchange: bool, tmp_path: Path) -> None:
    path = tmp_path / "new" / "deep" / "a.edge"
    bundle = write_bundle(path, *parts(b"one", b"two"))
    assert bundle.read("file1.txt") == b"two"
    assert everything(path.parent) == ["a.edge"]
    assert everything(path) == ["file0.txt", "file1.txt", "manifest.json"]


def test_copies_from_paths(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"content")
    manifest = tiny.manifest(files=(file_entry("a", b"content"),))
    bundle = write_bundle(tmp_path / "a.edge", manifest, {"a": tmp_path / "source"})
    assert bundle.read("a") == b"content"
    with pytest.raises(BundleError, match="cannot be written"):
        write_bundle(tmp_path / "b.edge", manifest, {"a": tmp_path / "gone"})
    assert everything(tmp_path) == ["a.edge", "source"]


def test_an_existing_path_needs_force(exchange: bool, tmp_path: Path) -> None:
    path = tmp_path / "a.edge"
    write_bundle(path, *parts(b"old"))
    with pytest.raises(OutputExistsError, match="--force"):
        write_bundle(path, *parts(b"new"))
    assert Bundle.open(path).read("file0.txt") == b"old"
    write_bundle(path, *parts(b"new", b"more"), force=True)
    assert Bundle.open(path).read("file0.txt") == b"new"
    assert everything(tmp_path) == ["a.edge"]
    write_bundle(path, *parts(b"newest"), force=True)
    assert everything(path) == ["file0.txt", "manifest.json"]


def test_force_on_nothing_just_writes(exchange: bool, tmp_path: Path) -> None:
    write_bundle(tmp_path / "a.edge", *parts(b"x"), force=True)
    assert everything(tmp_path) == ["a.edge"]


def test_a_damaged_bundle_may_be_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.edge"
    write_bundle(path, *parts(b"old"))
    (path / "file0.txt").write_bytes(b"spoiled")
    manifest = (path / "manifest.json").read_bytes()
    (path / "manifest.json").write_bytes(manifest[:-20])
    write_bundle(path, *parts(b"new"), force=True)
    assert Bundle.open(path).read("file0.txt") == b"new"


def a_file(path: Path) -> None:
    path.write_text("precious")


def an_empty_folder(path: Path) -> None:
    path.mkdir()


def a_folder_of_photos(path: Path) -> None:
    path.mkdir()
    (path / "photo.jpg").write_text("precious")


def a_browser_extension(path: Path) -> None:
    path.mkdir()
    (path / "manifest.json").write_text('{"manifest_version": 3, "name": "precious"}')


def a_bundle_with_folders_in_it(path: Path) -> None:
    write_bundle(path, *parts(b"x"))
    (path / "photos").mkdir()


@pytest.mark.parametrize(
    "make", [a_file, an_empty_folder, a_folder_of_photos, a_browser_extension, a_bundle_with_folders_in_it]
)
def test_what_is_no_bundle_is_never_replaced(make: Callable[[Path], None], tmp_path: Path) -> None:
    path = tmp_path / "a.edge"
    make(path)
    before = everything(path) if path.is_dir() else path.read_bytes()
    for force in (False, True):
        with pytest.raises(OutputExistsError) as caught:
            write_bundle(path, *parts(b"new"), force=force)
        assert caught.value.cure
        assert ("--force" in caught.value.cure) is not force
    assert (everything(path) if path.is_dir() else path.read_bytes()) == before
    assert everything(tmp_path) == ["a.edge"]


def test_a_link_to_a_bundle_stays_a_link(exchange: bool, tmp_path: Path) -> None:
    write_bundle(tmp_path / "real.edge", *parts(b"old"))
    link = tmp_path / "link.edge"
    link.symlink_to("real.edge")
    write_bundle(link, *parts(b"new"), force=True)
    assert link.is_symlink()
    assert Bundle.open(tmp_path / "real.edge").read("file0.txt") == b"new"
    assert everything(tmp_path) == ["link.edge", "real.edge"]


def test_files_and_manifest_must_match(tmp_path: Path) -> None:
    manifest, files = parts(b"one")
    for wrong in ({}, {**files, "more": b""}, {"file0.txt": b"two"}, {"file0.txt": b"longer"}):
        with pytest.raises(BundleError):
            write_bundle(tmp_path / "a.edge", manifest, wrong)
    outside = tiny.manifest(files=(file_entry("../a", b"x"),))
    with pytest.raises(BundleError, match="plain file name"):
        write_bundle(tmp_path / "a.edge", outside, {"../a": b"x"})
    assert everything(tmp_path) == []


STEPS = ["_copy", "_write_synced", "_sync_directory", "_place"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device"), MemoryError])
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("force", [False, True])
def test_an_interruption_leaves_the_old_whole_and_nothing_else(
    step: str, error: Any, force: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.edge"
    if force:
        write_bundle(path, *parts(b"old"))

    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(bundle_writer, step, fail)
    with pytest.raises(BundleError if isinstance(error, OSError) else error):
        write_bundle(path, *parts(b"new", b"more"), force=force)
    monkeypatch.undo()
    assert everything(tmp_path) == (["a.edge"] if force else [])
    if force:
        assert Bundle.open(path).read("file0.txt") == b"old"


@pytest.mark.parametrize("fails_at", [1, 2])
def test_an_interruption_between_the_two_renames(
    fails_at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.edge"
    write_bundle(path, *parts(b"old"))
    rename, calls = Path.rename, 0

    def interrupted(self: Path, target: Path) -> Path:
        nonlocal calls
        calls += 1
        if calls == fails_at:
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(bundle_writer, "_renameat2", lambda *_: False)
    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_bundle(path, *parts(b"new"), force=True)
    monkeypatch.undo()
    assert Bundle.open(path).read("file0.txt") == b"old"
    assert everything(tmp_path) == ["a.edge"]


def test_a_target_that_appears_meanwhile_is_not_replaced(
    exchange: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, place = tmp_path / "a.edge", bundle_writer._place

    def late(staging: Path, target: Path, *, force: bool) -> None:
        a_folder_of_photos(target)
        place(staging, target, force=force)

    monkeypatch.setattr(bundle_writer, "_place", late)
    with pytest.raises(OutputExistsError):
        write_bundle(path, *parts(b"new"))
    assert everything(path) == ["photo.jpg"]
    assert everything(tmp_path) == ["a.edge"]


# A shell's background jobs, and what they start, ignore SIGINT unless they say otherwise.
_WRITE_FOR_EVER = """
import signal
import sys
from pathlib import Path
from edgevision.runtime.bundle import file_entry, write_bundle
from tests import tiny

signal.signal(signal.SIGINT, signal.default_int_handler)
number = 0
while True:
    data = bytes([number % 256]) * 100_000
    files = {f"file{i}": data for i in range(5)}
    manifest = tiny.manifest(files=tuple(file_entry(*item) for item in files.items()))
    write_bundle(Path(sys.argv[1]), manifest, files, force=True)
    print("written", flush=True)
    number += 1
"""


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("delay_s", [0.0, 0.003, 0.011, 0.023])
def test_a_real_interrupt_leaves_a_whole_bundle(tmp_path: Path, delay_s: float) -> None:
    path = tmp_path / "a.edge"
    command = [sys.executable, "-c", _WRITE_FOR_EVER, str(path)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "written\n"
        time.sleep(delay_s)
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=30)
    assert "KeyboardInterrupt" in errors
    assert len({Bundle.open(path).read(f"file{i}") for i in range(5)}) == 1
    assert everything(tmp_path) == ["a.edge"]


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(BundleError, match="cannot be written"):
        write_bundle(tmp_path / "file" / "a.edge", *parts(b"x"))
