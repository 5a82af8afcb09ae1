"""A bundle on disk: a directory whose manifest.json holds the hash of every file in it."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgevision.runtime.errors import BundleDamagedError, BundleError, BundleVersionError
from edgevision.runtime.manifest import SCHEMA_VERSION, Artifact, FileEntry, Manifest, from_plain, to_plain

if TYPE_CHECKING:
    from numpy.typing import NDArray

MANIFEST = "manifest.json"
GOLDEN = "golden.npz"

#: Group of the inputs' arrays in golden.npz.
_INPUTS = "inputs"
_GIVEN, _ANSWERED = ("uint8", "float32", "int32"), ("float32", "int32", "int64", "bool")
_CHUNK = 1 << 18
_RESTORE = "copy the bundle again from where it was made, or convert the model again"


@dataclass(frozen=True, eq=False)
class Golden:
    """Inputs with the outputs each artifact gave where the bundle was made.

    Attributes:
        inputs: Name -> (N, ...); an image's are pixels as the preprocessing's geometry leaves them, uint8 (N, H, W, C).
        outputs: Artifact name -> name of the output -> (N, ...).
    """

    inputs: dict[str, NDArray[Any]]
    outputs: dict[str, dict[str, NDArray[Any]]]


class Bundle:
    """An opened bundle, every byte of which was found to be as written.

    Attributes:
        path: The directory.
        manifest: What it says about itself.
    """

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self.path, self.manifest = path, manifest
        self._entries = {entry.name: entry for entry in entries(manifest)}

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Bundle:
        """Reads the manifest and hashes every file it lists.

        Raises:
            BundleDamagedError: A byte of any file is not as written, or a file is missing.
            BundleVersionError: The bundle was written by a newer edgevision.
            BundleError: The path is no bundle.
        """
        directory = Path(path)
        manifest = parse_manifest(_manifest_bytes(directory))
        bundle = cls(directory, manifest)
        for entry in bundle._entries.values():
            bundle._verify(entry)
        return bundle

    def read(self, name: str) -> bytes:
        """The bytes of one file; what was hashed is what is returned.

        Raises:
            BundleError: The manifest lists no such file.
            BundleDamagedError: The bytes are not as written.
        """
        entry = self._entries.get(name)
        if entry is None:
            raise BundleError(f"{self.path} holds no {name}", expected=" or ".join(self._entries), got=repr(name))
        try:
            data = (self.path / name).read_bytes()
        except OSError as error:
            raise _unreadable(self.path / name, error) from error
        _compare(self.path / name, entry, len(data), hashlib.sha256(data).hexdigest())
        return data

    def artifact(self, name: str) -> Artifact:
        """The artifact of that name, e.g. "int8.tflite".

        Raises:
            BundleError: There is none.
        """
        for artifact in self.manifest.artifacts:
            if artifact.name == name:
                return artifact
        names = " or ".join(artifact.name for artifact in self.manifest.artifacts)
        raise BundleError(f"{self.path} has no artifact {name!r}", expected=names or "an artifact", got=repr(name))

    def golden(self) -> Golden:
        """The golden inputs and outputs.

        Raises:
            BundleError: The bundle holds none, or not in the agreed form.
        """
        return _parse_golden(self.read(GOLDEN), self.manifest)

    def _verify(self, entry: FileEntry) -> None:
        path, digest, size = self.path / entry.name, hashlib.sha256(), 0
        try:
            with path.open("rb") as file:
                while size <= entry.bytes and (chunk := file.read(_CHUNK)):
                    digest.update(chunk)
                    size += len(chunk)
        except OSError as error:
            raise _unreadable(path, error) from error
        _compare(path, entry, size, digest.hexdigest())


def file_entry(name: str, data: bytes) -> FileEntry:
    """The manifest's line about a file of these bytes."""
    return FileEntry(name, len(data), hashlib.sha256(data).hexdigest())


def entries(manifest: Manifest) -> Iterator[FileEntry]:
    """Every file the manifest lists: the artifacts' first."""
    for artifact in manifest.artifacts:
        yield from artifact.files
    yield from manifest.files


def manifest_bytes(manifest: Manifest) -> bytes:
    """The content of manifest.json: canonical JSON that holds the hash of itself without that hash.

    Raises:
        BundleError: A value has no JSON form (NaN, infinity, an object).
    """
    plain = to_plain(manifest)
    try:
        plain["sha256"] = hashlib.sha256(_canonical(plain)).hexdigest()
        return _canonical(plain)
    except (TypeError, ValueError) as error:
        raise BundleError("the manifest cannot be written as JSON", got=str(error)) from error


def parse_manifest(data: bytes) -> Manifest:
    """The inverse of ``manifest_bytes``.

    Raises:
        BundleDamagedError: A byte is not as written.
        BundleVersionError: It was written by a newer edgevision.
    """
    try:
        plain: Any = json.loads(data)
        digest = plain.pop("sha256")
        right = digest == hashlib.sha256(_canonical(plain)).hexdigest()
        right = right and _canonical({**plain, "sha256": digest}) == data
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        raise BundleDamagedError(f"{MANIFEST} is damaged or was not written by edgevision", cure=_RESTORE) from error
    if not right:
        raise BundleDamagedError(f"{MANIFEST} was changed after it was written", cure=_RESTORE)
    version = plain.get("schema_version")
    if isinstance(version, int) and version > SCHEMA_VERSION:
        cure = "pip install --upgrade edgevision"
        raise BundleVersionError(
            "the bundle is newer than this edgevision",
            expected=f"schema {SCHEMA_VERSION} or older",
            got=str(version),
            cure=cure,
        )
    manifest = from_plain(Manifest, plain)
    for entry in entries(manifest):
        check_name(entry.name)
    return manifest


def check_name(name: str) -> None:
    """Refuses a file name that could point outside the bundle.

    Raises:
        BundleError: It is not a plain file name.
    """
    if not name or name in (".", "..", MANIFEST) or any(mark in name for mark in "/\\:\0"):
        raise BundleError("a file of the bundle has an unusable name", expected="a plain file name", got=repr(name))


def golden_bytes(golden: Golden) -> bytes:
    """The content of golden.npz: arrays "inputs/NAME" and "ARTIFACT/NAME". The same arrays give the same bytes."""
    import zipfile

    stream = io.BytesIO()
    groups = {_INPUTS: golden.inputs, **golden.outputs}
    arrays = {f"{group}/{name}": array for group, named in groups.items() for name, array in named.items()}
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(array), allow_pickle=False)
            info = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
            archive.writestr(info, member.getvalue(), zipfile.ZIP_DEFLATED)
    return stream.getvalue()


def write_bundle(
    path: str | os.PathLike[str], manifest: Manifest, files: Mapping[str, Path | bytes], *, force: bool = False
) -> Bundle:
    """Writes a bundle whole or not at all, and opens it.

    Args:
        path: The directory to make.
        manifest: Complete: every file has its entry (``file_entry``).
        files: Content of every file the manifest lists, as bytes or as a path to copy from.
        force: Replace the bundle that is there. Anything else that is there is never replaced.

    Raises:
        OutputExistsError: ``path`` exists and ``force`` is not given, or what exists is not a bundle.
        BundleError: Files and manifest do not match, or the disk refuses.
    """
    from edgevision.runtime.bundle_writer import write  # what only writing needs, a device never loads

    write(Path(path), manifest, files, force=force)
    return Bundle.open(path)


def _canonical(plain: dict[str, Any]) -> bytes:
    return (json.dumps(plain, sort_keys=True, indent=2, allow_nan=False) + "\n").encode("ascii")


def _manifest_bytes(directory: Path) -> bytes:
    cure = "pass the NAME.edge directory that 'edgevision convert' wrote"
    try:
        return (directory / MANIFEST).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        got = "nothing there" if not directory.exists() else "no such file" if directory.is_dir() else "a file"
        raise BundleError(
            f"{directory} is not a bundle", expected=f"a directory with {MANIFEST}", got=got, cure=cure
        ) from None
    except OSError as error:
        raise BundleError(f"{directory} cannot be opened", got=str(error), cure=cure) from error


def _compare(path: Path, entry: FileEntry, size: int, digest: str) -> None:
    if size != entry.bytes:
        got = f"{size}" if size < entry.bytes else "more"
        raise BundleDamagedError(f"{path} has the wrong size", expected=f"{entry.bytes} bytes", got=got, cure=_RESTORE)
    if digest != entry.sha256:
        raise BundleDamagedError(
            f"{path} was changed after it was written", expected=f"sha256 {entry.sha256}", got=digest, cure=_RESTORE
        )


def _unreadable(path: Path, error: OSError) -> BundleDamagedError:
    got = "nothing there" if isinstance(error, FileNotFoundError) else str(error)
    return BundleDamagedError(f"{path} cannot be read", expected="a file of the bundle", got=got, cure=_RESTORE)


def _parse_golden(data: bytes, manifest: Manifest) -> Golden:
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except Exception as error:
        raise BundleError(
            f"{GOLDEN} is not readable", expected="arrays inputs/NAME and ARTIFACT/NAME", got=str(error)
        ) from error
    groups: dict[str, dict[str, NDArray[Any]]] = {}
    for key, array in arrays.items():
        group, _, name = key.partition("/")
        groups.setdefault(group, {})[name or _only_name(group, manifest)] = array
    inputs = groups.pop(_INPUTS, {})
    outputs = [array for named in groups.values() for array in named.values()]
    counts = {array.shape[:1] for array in (*inputs.values(), *outputs)}
    right = len(counts) == 1 and not {(), (0,)} & counts
    right = right and all(array.dtype in _GIVEN for array in inputs.values())
    if not inputs or not right or not all(array.dtype in _ANSWERED for array in outputs):
        expected = "inputs uint8, float32 or int32 (N, ...), outputs float32 or integers (N, ...)"
        raise BundleError(f"{GOLDEN} is not as agreed", expected=expected)
    return Golden(inputs, groups)


def _only_name(group: str, manifest: Manifest) -> str:
    """The tensor that an array without a name is of: bundles of schema 1 had one input and one output."""
    for artifact in manifest.artifacts:
        if group in (_INPUTS, artifact.name):
            return (artifact.inputs if group == _INPUTS else artifact.outputs)[0].name
    return ""
