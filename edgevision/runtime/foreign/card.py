"""The README.md of an imported bundle."""

from __future__ import annotations

from edgevision.runtime.manifest import Manifest


def card(name: str, manifest: Manifest) -> str:
    """Markdown text: what it is, how to use it, what was guessed, and that nobody judged it."""
    artifact, p = manifest.artifacts[0], manifest.preprocessing
    lines = [
        f"# {name}",
        "",
        f"A model of the task {manifest.task}, imported by edgevision from `{manifest.provenance['imported']['name']}`"
        " as it is: its accuracy was not judged.",
        "",
    ]
    for title, specs in (("In", artifact.inputs), ("Out", artifact.outputs)):
        lines += [f"- {title}: `{spec.name}` {spec.dtype} {spec.shape}" for spec in specs]
    if p is not None:
        lines.append(
            f"- Images: {p.height}x{p.width} {p.color}, {p.resize} ({p.interpolation}), mean {p.mean}, scale {p.scale}"
        )
    lines += [f"- Guessed: {each}" for each in manifest.provenance["guessed"]]
    return "\n".join([*lines, "", *(["Classes: " + ", ".join(manifest.labels), ""] if manifest.labels else [])])
