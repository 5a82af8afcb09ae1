"""Detectors: a backbone whose maps of three scales are brought together, and a head on each."""
