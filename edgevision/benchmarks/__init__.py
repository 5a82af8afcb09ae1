"""Accuracy, latency and memory of exactly the predictor that users call; reports."""
