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
from typing import Any

import numpy as np

from edgevision.runtime.errors import InputError, ModelError
from edgevision.trainers.history import Epoch, History

#: A state is written when so many times the seconds that the last one took have passed: 2 % of a training at most.
APART = 50.0
_FILE = "state.npz"
_ANEW = "begin anew with --force in place of --resume"
_DAMAGE = (KeyError, TypeError, ValueError, EOFError, OSError, zipfile.BadZipFile)
#: How fields of the record are called in messages; the others by their names.
_WORDS = {"data_sha256": "the training data", "val_data_sha256": "the validation data"}


def state_folder(out: Path) -> Path:
    """The hidden folder beside the model that is to be written."""
    return out.with_name(f".{out.stem}.training")


def has_state(out: Path) -> bool:
    """Whether an interrupted training of ``out`` can be gone on with."""
    return (state_folder(out) / _FILE).is_file()


def interrupted(out: Path) -> tuple[dict[str, Any], int] | None:
    """Recipe of the interrupted training of ``out`` and its finished epochs; None where there is none.

    Raises:
        ModelError: Its state is damaged.
    """
    if not has_state(out):
        return None
    try:
        with (state_folder(out) / _FILE).open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            plain = json.loads(str(file["state"]))
        return dict(plain["what"]["recipe"]), len(plain["epochs"])
    except _DAMAGE as error:
        raise _damaged(state_folder(out), error) from error


class Checkpoint:
    """The state of one training.

    Args:
        out: The .keras file of the training.
        what: All that decides the training; a state of anything else is refused.
    """

    def __init__(self, out: Path, what: dict[str, Any]) -> None:
        self.folder = state_folder(out)
        self._what = json.loads(json.dumps(what))
        self._next = 0.0

    def save(self, variables: Sequence[Any], history: History, now: bool = False) -> None:
        """Replace the state; where it need not be ``now``, only if the last one is old enough not to slow training."""
        begun = time.monotonic()
        if not now and begun < self._next:
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
        ended = time.monotonic()
        self._next = ended + APART * (ended - begun)

    def restore(self, variables: Sequence[Any]) -> History | None:
        """Bring ``variables`` to the state; None where there is none.

        Raises:
            InputError: The state is of another training: another recipe, other data, other versions.
            ModelError: It is damaged.
        """
        if not (self.folder / _FILE).is_file():
            return None
        try:
            with (self.folder / _FILE).open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            plain = json.loads(str(arrays.pop("state")))
            self._check(plain["what"])
            weights = [arrays.pop(f"w{index}") for index in range(sum(name.startswith("w") for name in arrays))]
            values = [arrays.pop(f"v{index}") for index in range(len(variables))]
            if arrays or any(value.shape != tuple(each.shape) for value, each in zip(values, variables)):
                raise ValueError("it holds other variables than the network has")
            history = History([Epoch(**epoch) for epoch in plain["epochs"]], plain["best"], weights)
        except _DAMAGE as error:
            if isinstance(error, InputError):
                raise
            raise _damaged(self.folder, error) from error
        for variable, value in zip(variables, values):
            variable.assign(value)
        return history

    def remove(self) -> None:
        """Remove the folder."""
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self.folder)

    def _check(self, what: dict[str, Any]) -> None:
        """Whether the state is of this training, its recipe first: from it other differences follow."""
        ours, theirs = _flat(self._what), _flat(what)
        for name in sorted(ours.keys() | theirs.keys(), key=lambda name: (not name.startswith("recipe."), name)):
            if ours.get(name) != theirs.get(name):
                called = _WORDS.get(name, name.removeprefix("recipe."))
                raise InputError(
                    f"the interrupted training was another one: {called} differs",
                    expected=_shown(theirs.get(name)),
                    got=_shown(ours.get(name)),
                    cure=f"give what was given then, or {_ANEW}",
                )


def _damaged(folder: Path, error: Exception) -> ModelError:
    return ModelError(f"the state in {folder} is damaged", got=" ".join(str(error).split()), cure=_ANEW)


def _flat(value: dict[str, Any], path: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, item in value.items():
        found |= _flat(item, f"{path}{key}.") if isinstance(item, dict) else {f"{path}{key}": item}
    return found


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
