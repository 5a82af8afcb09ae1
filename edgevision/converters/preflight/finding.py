"""One thing that will hurt int8."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One finding.

    Attributes:
        kind: Its name in docs/preflight.md.
        layer: The layer, by its Keras name.
        risk: What will happen.
        cost: What that usually costs.
        rewrite: What to do about it.
    """

    kind: str
    layer: str
    risk: str
    cost: str
    rewrite: str
