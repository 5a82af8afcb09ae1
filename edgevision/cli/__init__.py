"""The command line: a thin skin, one lazily imported file per command."""
