"""Which artifacts of a bundle can be measured on this machine."""

from __future__ import annotations

from edgevision.runtime.backends import installed
from edgevision.runtime.errors import BundleError, MissingPackageError
from edgevision.runtime.manifest import Manifest
from edgevision.runtime.needs import unmet

#: Package to name in an error, per format.
_PACKAGES = {"tflite": "ai-edge-litert", "onnx": "onnxruntime", "openvino": "openvino"}


def runnable(manifest: Manifest) -> tuple[tuple[str, ...], dict[str, str]]:
    """Names of the artifacts whose engine is installed, in the manifest's order, and why the others are left out.

    Raises:
        MissingPackageError: None can run here.
        BundleError: The bundle has no artifacts.
    """
    if not manifest.artifacts:
        raise BundleError("the bundle has no artifacts", expected="at least one model", cure="convert the model again")
    here = installed()
    names = tuple(artifact.name for artifact in manifest.artifacts if here.get(artifact.format))
    skipped = {
        artifact.name: f"{_PACKAGES[artifact.format]} is not installed"
        for artifact in manifest.artifacts
        if artifact.name not in names
    }
    skipped |= {item.name: reason for item in manifest.artifacts if item.name in names and (reason := unmet(item))}
    names = tuple(name for name in names if name not in skipped)
    if not names:
        first = manifest.artifacts[0]
        raise MissingPackageError(_PACKAGES[first.format], f"to run {first.name}", first.format)
    return names, skipped


def chosen(manifest: Manifest, wanted: tuple[str, ...] | None) -> tuple[tuple[str, ...], dict[str, str]]:
    """The artifacts named in ``wanted``, or all that can run here.

    Raises:
        BundleError: A name is not in the bundle.
        MissingPackageError: The engine of a named artifact is not installed.
    """
    if wanted is None:
        return runnable(manifest)
    formats: dict[str, str] = {artifact.name: artifact.format for artifact in manifest.artifacts}
    here = installed()
    for name in wanted:
        if name not in formats:
            raise BundleError(f"the bundle has no artifact {name!r}", expected=" or ".join(formats), got=name)
        if not here.get(formats[name]):
            raise MissingPackageError(_PACKAGES[formats[name]], f"to run {name}", formats[name])
    return tuple(dict.fromkeys(wanted)), {}
