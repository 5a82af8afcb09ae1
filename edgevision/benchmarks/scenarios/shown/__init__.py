"""How findings of scenarios are told: one file per kind, each a ``Shown``."""
