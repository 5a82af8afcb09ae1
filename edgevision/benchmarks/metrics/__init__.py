"""Metrics of every task: plain functions on arrays; what one artifact got is in ``benchmarks.figures``."""
