"""Reports: what was measured (raw), what follows from it, and how it is shown."""

from __future__ import annotations

from edgevision.benchmarks.report.model import AccuracyRecord, Flip, Measured, Report
from edgevision.benchmarks.report.tables import text_table

__all__ = ["AccuracyRecord", "Flip", "Measured", "Report", "text_table"]
