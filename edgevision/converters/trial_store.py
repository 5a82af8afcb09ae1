"""What a search has found out, on disk, so that an interrupted or repeated one need not find it out again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from edgevision.runtime.cache import cache_folder, write_json

#: Numbers of one trial, by name.
Numbers = dict[str, float]


class TrialStore:
    """Trials of one search: a JSON file named by everything that decides what they find.

    A file that cannot be used is as good as none: nothing is lost but time, so it is said (``note``) and not raised.

    Attributes:
        note: Why trials were not read or cannot be kept; "" where all is well.
    """

    def __init__(self, key: Mapping[str, str]) -> None:
        name = hashlib.sha256(json.dumps(dict(key), sort_keys=True).encode()).hexdigest()[:32]
        self._path = cache_folder() / "search" / f"{name}.json"
        self.note = ""
        self._trials: dict[str, Numbers] = self._read()

    def get(self, name: str) -> Numbers | None:
        """What a trial found; None when it was not made yet."""
        return self._trials.get(name)

    def put(self, name: str, numbers: Numbers) -> None:
        """Keep what a trial found. The file is whole at any time: an old one is exchanged for a new one."""
        self._trials[name] = numbers
        if problem := write_json(self._path, dict(self._trials)):
            self.note = f"trials cannot be kept for the next search: {problem}"

    def _read(self) -> dict[str, Numbers]:
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
            return {str(name): {str(k): float(v) for k, v in row.items()} for name, row in found.items()}
        except FileNotFoundError:
            return {}
        except OSError as error:
            self.note = f"earlier trials cannot be read: {error.strerror or error}"
        except (ValueError, AttributeError, TypeError):
            self.note = "earlier trials were damaged and were made again"
        return {}
