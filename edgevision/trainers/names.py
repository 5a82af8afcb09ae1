"""Names that people type: looked up, and near ones offered where they are misspelt."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches

from edgevision.runtime.errors import InputError

#: Known names that a message lists at most; of more it offers near ones only.
_LISTED = 12


def check_name(what: str, name: object, known: Collection[str], cure: str = "") -> None:
    """Whether ``name`` is one of the known ones.

    Raises:
        InputError: It is not; the message names the near ones, else all.
    """
    if name in known:
        return
    near = get_close_matches(str(name), known, 3)
    listed = near or [*known][:_LISTED]
    expected = " or ".join(listed) + (", ..." if not near and len(known) > _LISTED else "")
    raise InputError(f"the {what} is unknown", expected=expected, got=repr(name), cure=cure)
