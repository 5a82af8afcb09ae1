"""Labelled and unlabelled images, read lazily, decoded by the runtime."""
