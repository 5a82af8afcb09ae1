"""Output tensors to a typed result, one file per task."""
