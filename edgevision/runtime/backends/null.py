"""No engine at all: zeros of the declared shapes. Tests and the harness' own overhead run on it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from edgevision.runtime.errors import BackendError
from edgevision.runtime.manifest import from_plain, to_plain
from edgevision.runtime.providers import check_provider
from edgevision.runtime.session import Session, checked_threads, engine_errors
from edgevision.runtime.spec import TensorSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray


def describe_model(inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> bytes:
    """What NullSession takes for a model: the tensors as JSON, nothing else."""
    return json.dumps({"inputs": to_plain(tuple(inputs)), "outputs": to_plain(tuple(outputs))}).encode()


class NullSession(Session):
    """Checks its feeds like every session and returns zeros."""

    backend: ClassVar[str] = "null"

    def __init__(
        self, model: bytes, *, weights: bytes | None = None, threads: int | None = None, provider: str | None = None
    ) -> None:
        checked_threads(threads)
        check_provider(provider, "null")
        with engine_errors("the null backend", "read the model", "make it with null.describe_model"):
            plain = json.loads(model)
            inputs, outputs = (
                tuple(from_plain(TensorSpec, item) for item in plain[key]) for key in ("inputs", "outputs")
            )
        if weights is not None:
            raise BackendError("the null backend takes no weights", cure="leave them out")
        from edgevision import __version__

        facts = {
            "engine": "null",
            "version": __version__,
            "provider": "none",
            "delegated": 0.0,
            "float_precision": "none",
            "threads": 1,
        }
        super().__init__(inputs, outputs, facts)

    def _run(self, feeds: dict[str, NDArray[Any]]) -> Sequence[NDArray[Any]]:
        return [np.zeros(spec.shape, spec.dtype) for spec in self.outputs]
