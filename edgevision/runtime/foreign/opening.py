"""Opening a lone model file that edgevision did not make."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from edgevision.runtime.backends import open_session
from edgevision.runtime.choice import choose
from edgevision.runtime.embedded import has_embedded
from edgevision.runtime.errors import BundleError, InputError
from edgevision.runtime.foreign import FORMATS, Said
from edgevision.runtime.foreign.describe import describe

if TYPE_CHECKING:
    from edgevision.runtime.choice import Wish
    from edgevision.runtime.manifest import Artifact, Manifest
    from edgevision.runtime.session import Session


def read_parts(path: Path) -> list[bytes]:
    """The bytes of a model file and, of OpenVINO, of its weights.

    Raises:
        BundleError: A file cannot be read, or its name ends in none of ``FORMATS``.
    """
    if path.suffix.lower() not in FORMATS:
        expected = f"a name that ends in {' or '.join(FORMATS)}"
        raise BundleError(f"{path} is no model file", expected=expected, got=path.suffix or "no suffix")
    try:
        parts = [path.read_bytes()]
        if path.suffix.lower() == ".xml":
            parts.append(path.with_suffix(".bin").read_bytes())
    except OSError as error:
        cure = "check the path; an .xml needs its .bin beside it"
        raise BundleError(f"{error.filename} cannot be read", got=error.strerror or str(error), cure=cure) from error
    return parts


def open_described(path: Path, wish: Wish, said: Said) -> tuple[Manifest, Session, list[bytes]]:
    """A model in its engine, described by what it says itself, what the user says, and what is guessed.

    Raises:
        BundleError: The file cannot be read, is damaged, or says itself what it is.
        InputError: What is said contradicts the model, or too little is known.
        MissingPackageError: Its engine is not installed.
        BackendError: The engine refuses the model.
    """
    parts = read_parts(path)
    kind = FORMATS[path.suffix.lower()]
    if has_embedded(parts[0], kind):
        problem = f"{path.name} was made by edgevision and says itself what it is"
        raise InputError(problem, cure="leave task, preprocess, labels, head, color and scores out")
    if wish.backend not in (None, kind):
        raise InputError(f"{path.name} does not run in that engine", expected=kind, got=repr(wish.backend))
    session = open_session(kind, parts[0], parts[1] if len(parts) > 1 else None, wish.threads, provider=wish.provider)
    try:
        return describe(session, parts[0], kind, said, path.name), session, parts
    except BaseException:
        session.close()
        raise


def open_foreign(path: Path, wish: Wish, said: Said) -> tuple[Manifest, Artifact, Session]:
    """What ``load`` runs of such a file; what was guessed is a warning."""
    manifest, session, _ = open_described(path, wish, said)
    try:
        artifact = choose(manifest.artifacts, wish)[0]
    except BaseException:
        session.close()
        raise
    session.add_fact("choice", "the only one")
    if manifest.provenance["guessed"]:
        warnings.warn(f"{path.name}: guessed: {'; '.join(manifest.provenance['guessed'])}", stacklevel=4)
    return manifest, artifact, session
