"""The state of a training on disk: written whole or not at all, so that it survives being killed at any moment."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgevision.runtime.errors import InputError, ModelError

if TYPE_CHECKING:
    from edgevision.trainers.fit import History

#: Seconds between two states, at least, where epochs are shorter: at most so much work is lost.
EVERY_S = 10.0
_FILE = "state.npz"


class Checkpoint:
    """A hidden folder beside the model that is to be written.

    Args:
        out: The .keras file of the training.
        what: All that decides the training; a state of anything else is refused.
    """

    def __init__(self, out: Path, what: dict[str, Any]) -> None:
        self.folder = out.with_name(f".{out.stem}.training")
        self._what = json.loads(json.dumps(what))
        self._saved_at = time.monotonic()

    @property
    def exists(self) -> bool:
        """Whether there is a state to go on from."""
        return (self.folder / _FILE).is_file()

    def save(self, variables: Sequence[Any], history: History, now: bool = False) -> None:
        """Replace the state, unless the last one is younger than ``EVERY_S`` seconds and it need not be ``now``."""
        if not now and time.monotonic() - self._saved_at < EVERY_S:
            return
        plain = {"what": self._what, "best": history.best, "epochs": [vars(epoch) for epoch in history.epochs]}
        arrays: dict[str, Any] = {f"v{index}": np.asarray(variable) for index, variable in enumerate(variables)}
        arrays |= {f"w{index}": array for index, array in enumerate(history.weights)}
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = self.folder / f"{_FILE}.tmp"
        with temporary.open("wb") as file:
            np.savez(file, state=np.array(json.dumps(plain)), **arrays)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self.folder / _FILE)
        self._saved_at = time.monotonic()

    def restore(self, variables: Sequence[Any]) -> History | None:
        """Bring ``variables`` to the state; None where there is none.

        Raises:
            InputError: The state is of another training: another recipe, other data, other versions.
            ModelError: It is damaged.
        """
        from edgevision.trainers.fit import Epoch, History

        if not self.exists:
            return None
        try:
            with np.load(self.folder / _FILE, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            plain = json.loads(str(arrays["state"]))
            self._check(plain["what"])
            for index, variable in enumerate(variables):
                variable.assign(arrays[f"v{index}"])
            weights = [arrays[f"w{index}"] for index in range(sum(name.startswith("w") for name in arrays))]
            return History([Epoch(**epoch) for epoch in plain["epochs"]], plain["best"], weights)
        except (KeyError, TypeError, ValueError, OSError, zipfile.BadZipFile) as error:
            if isinstance(error, InputError):
                raise
            cure = f"remove {self.folder} and train again"
            raise ModelError(f"the state in {self.folder} is damaged", got=str(error), cure=cure) from error

    def remove(self) -> None:
        """Remove the folder."""
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self.folder)

    def _check(self, what: dict[str, Any]) -> None:
        for name in sorted(self._what.keys() | what.keys()):
            if self._what.get(name) != what.get(name):
                raise InputError(
                    f"the interrupted training was another one: its {name} differs",
                    expected=str(what.get(name)),
                    got=str(self._what.get(name)),
                    cure="give the same settings, or leave --resume out to begin anew",
                )
