"""A model's vector to a direction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from edgevision.runtime.errors import TensorError
from edgevision.runtime.heads.embedding import EmbeddingHead
from edgevision.runtime.results.embedding import Embedding
from edgevision.runtime.tasks.task import Outputs, Task, misfit

if TYPE_CHECKING:
    from edgevision.runtime.manifest import Manifest
    from edgevision.runtime.spec import TensorSpec


class EmbeddingTask(Task):
    """See ``EmbeddingHead``."""

    def __init__(self, manifest: Manifest, outputs: Sequence[TensorSpec]) -> None:
        super().__init__(manifest, outputs)
        assert isinstance(manifest.head, EmbeddingHead), "refused when the manifest was made"
        self._spec = self.spec(manifest.head.output)
        if sum(size > 1 for size in self._spec.shape) != 1:
            raise misfit(self._spec, "one vector, (1, dimensions)")

    def decode(self, outputs: Outputs, size: tuple[int, int]) -> Embedding:
        """See ``Task.decode``."""
        values = self.real(outputs, self._spec).reshape(-1).astype(np.float64)
        norm = float(np.linalg.norm(values))
        if norm < 1e-12:
            raise TensorError("the embedding has no direction", expected="values other than 0", got=f"a norm of {norm}")
        return Embedding((values / norm).astype(np.float32))
