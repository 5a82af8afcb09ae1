"""Named arrays in, named arrays out: bundles of the task "tensors", whose outputs nothing decodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edgevision.runtime.closing import Closing
from edgevision.runtime.errors import EdgevisionError, InputError
from edgevision.runtime.inputs import input_form

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from edgevision.runtime.images import ImageSource
    from edgevision.runtime.manifest import Artifact, Manifest
    from edgevision.runtime.session import Session
    from edgevision.runtime.spec import TensorSpec


class TensorPredictor(Closing):
    """A model with inputs and outputs of any kind. Safe to call from many threads at once.

    Attributes:
        session: The model in its engine; ``session.inputs`` and ``session.outputs`` say what goes in and comes out.
        manifest: What the bundle or the lone file says.
        artifact: Which model of it runs.
    """

    def __init__(self, session: Session, manifest: Manifest, artifact: Artifact) -> None:
        self.session, self.manifest, self.artifact = session, manifest, artifact
        try:
            self._form = input_form(manifest, session.inputs)
        except EdgevisionError:
            session.close()
            raise

    def run(self, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Runs the model once.

        Args:
            arrays: One array per input, by name, of exactly the dtype and shape of its spec in ``session.inputs``, the
                batch of 1 included. Values are in the model's own units; uint8 means raw pixels.

        Returns:
            One array per output, by name, float32 in the model's own units, or integers where the model's are.

        Raises:
            TensorError: A name, dtype or shape is wrong, or a value is not finite.
            BackendError: The predictor is closed, or the engine failed.
        """
        found = self.session.run(arrays)
        return {spec.name: real_values(found[spec.name], spec) for spec in self.session.outputs}

    def __call__(self, source: ImageSource) -> dict[str, NDArray[Any]]:
        """What the model makes of one image, by name of the output.

        Args:
            source: A path, bytes, PIL image or uint8 array as ``images.decode`` takes it.

        Raises:
            InputError: The model takes no image; ``run`` takes its arrays.
            ImageError: The image cannot be used.
            BackendError: The predictor is closed, or the engine failed.
        """
        if self.manifest.preprocessing is None:
            names = ", ".join(f"{spec.name} {spec.dtype} {spec.shape}" for spec in self.session.inputs)
            raise InputError("the model takes no image", expected=names, cure="call run({name: array})")
        return self.run(self._form.feeds(source)[0])

    def describe(self) -> dict[str, Any]:
        """What runs: the artifact, and the session's engine, version, provider, precision and threads."""
        return described(self.artifact, self.manifest, self.session)

    def close(self) -> None:
        """Lets go of the engine; calling afterwards is a BackendError."""
        self.session.close()


def described(artifact: Artifact, manifest: Manifest, session: Session) -> dict[str, Any]:
    """What ``describe`` of a predictor says."""
    guessed = manifest.provenance.get("guessed")
    more = {} if guessed is None else {"guessed": list(guessed)}
    return {"artifact": artifact.name, "precision": artifact.precision, **session.describe(), **more}


def real_values(values: NDArray[Any], spec: TensorSpec) -> NDArray[Any]:
    """An output in its real unit: what is stored in quantised integers becomes float32, anything else stays."""
    if spec.quant is None:
        return values
    real: NDArray[np.float32] = (values.astype(np.float32) - spec.quant.zero_point) * np.float32(spec.quant.scale)
    return real
