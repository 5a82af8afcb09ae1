"""What runs on the board, and on this machine for comparison: `python -m tests.arm64.guest FOLDER OUT BACKEND`.

FOLDER holds bundles, NAME.edge, and for each NAME.npz with ``images``, uint8 (n, H, W, 3), and NAME.jpg. Every
bundle is verified, its models of that backend answer the images, and ``edgevision.load`` predicts the photo. OUT.json
holds the facts, OUT.npz the answers: "NAME.edge/int8.onnx/scores" -> (n, values). Needs what a device needs, no more.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import edgevision
from edgevision.benchmarks.verify import verify
from edgevision.runtime.bundle import Bundle, Golden
from edgevision.runtime.choice import Wish
from edgevision.runtime.errors import BackendError
from edgevision.runtime.golden import feeds
from edgevision.runtime.host import host_description
from edgevision.runtime.manifest import Artifact
from edgevision.runtime.opening import open_artifact


def answers(path: Path, images: NDArray[np.uint8], backend: str) -> dict[str, NDArray[Any]]:
    """What each of the backend's models answers to the images, by "bundle/artifact/output", (n, values)."""
    bundle = Bundle.open(path)
    found: dict[str, NDArray[Any]] = {}
    for artifact in bundle.manifest.artifacts:
        if artifact.format != backend:
            continue
        with contextlib.suppress(BackendError):  # an engine that refuses the model: verify says so
            for name, values in _answers(bundle, artifact, images).items():
                found[f"{path.name}/{artifact.name}/{name}"] = values
    return found


def _answers(bundle: Bundle, artifact: Artifact, images: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
    with open_artifact(bundle, artifact, Wish(threads=1)) as session:
        asked = Golden({session.inputs[0].name: images}, {})
        fed = [feeds(session, bundle.manifest.preprocessing, asked, index) for index in range(len(images))]
        rows = [session.run(each) for each in fed]
    return {name: np.stack([row[name].reshape(-1) for row in rows]) for name in rows[0]}


def predicted(path: Path, photo: Path, backend: str) -> dict[str, Any]:
    """What a user gets: a bundle is loaded, measured unless EDGEVISION_TUNE is 0, and asked about a file."""
    with edgevision.load(path, backend=backend) as predictor:
        result = predictor(photo)
        described = predictor.describe()
    scores = [float(score) for score in result.scores]
    return {"label": result.label, "scores": scores, "described": {name: str(described[name]) for name in described}}


def main(folder: Path, out: Path, backend: str) -> None:
    facts: dict[str, Any] = {"host": host_description(), "numpy": np.__version__, "bundles": {}}
    arrays: dict[str, NDArray[Any]] = {}
    for path in sorted(folder.glob("*.edge")):
        if all(artifact.format != backend for artifact in Bundle.open(path).manifest.artifacts):
            continue
        with np.load(path.with_suffix(".npz")) as stored:
            arrays |= answers(path, stored["images"], backend)
        start = time.monotonic()
        verification = verify(path).to_dict()
        facts["bundles"][path.name] = {
            "verify": verification,
            "seconds": time.monotonic() - start,
            "prediction": predicted(path, path.with_suffix(".jpg"), backend),
        }
    np.savez(out.with_suffix(".npz"), **arrays)  # type: ignore[arg-type]
    out.with_suffix(".json").write_text(json.dumps(facts), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
