"""Many benchmarks in one go: bundles x artifacts x providers x threads x batch sizes, resumable."""

from __future__ import annotations
