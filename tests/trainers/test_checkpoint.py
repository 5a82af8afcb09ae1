"""Going on with a training that was interrupted: exactly, or refused in a line that says what to do."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgevision.runtime.errors import InputError, ModelError
from edgevision.trainers import checkpoint as module
from edgevision.trainers.checkpoint import Checkpoint, has_state, interrupted, state_folder
from edgevision.trainers.fit import fit
from edgevision.trainers.history import Epoch, History, Live
from edgevision.trainers.train import train
from tests.trainers import small

#: Everything that has a state: moments of the optimizer, averages, dropout, batch normalisation.
FIELDS: dict[str, Any] = {"ema": 0.9, "optimizer": "adamw", "warmup": 1.0, "epochs": 3}
OUT = "m.keras"


@pytest.fixture(autouse=True)
def _after_every_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "APART", 0.0)


def checkpoint(folder: Path, **changes: Any) -> Checkpoint:
    return Checkpoint(folder / OUT, {"recipe": {"epochs": 4, **changes}, "data_sha256": "ab"})


def stop_after(epoch: int, step: int = 0) -> Callable[[Live], None]:
    def call(live: Live) -> None:
        if live.epoch == epoch + 1 and live.done % 2 == step:
            raise KeyboardInterrupt

    return call


def test_a_training_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    data, plain = small.data(tmp_path), small.task(**FIELDS)
    whole = fit(plain, data), plain.built.model.get_weights()
    for stop in (0, 2):
        with pytest.raises(KeyboardInterrupt):
            fit(small.task(**FIELDS), data, checkpoint(tmp_path), on_step=stop_after(stop))
        assert (interrupted(tmp_path / OUT) or ({}, 0))[1] == stop
    task = small.task(**FIELDS)
    history = fit(task, data, checkpoint(tmp_path))
    assert history.best == whole[0].best and len(history.epochs) == 3
    for epoch, wanted in zip(history.epochs, whole[0].epochs):
        assert epoch.figures == pytest.approx(wanted.figures, rel=1e-4)
        assert epoch.learning_rate == pytest.approx(wanted.learning_rate)
    assert all(np.allclose(a, b, atol=1e-5) for a, b in zip(task.built.model.get_weights(), whole[1]))


def test_what_is_finished_is_not_trained_again(tmp_path: Path) -> None:
    data = small.data(tmp_path)
    first = small.task()
    fit(first, data, checkpoint(tmp_path))
    steps: list[Live] = []
    again = small.task()
    fit(again, data, checkpoint(tmp_path), on_step=steps.append)
    assert steps == []
    assert all(np.array_equal(a, b) for a, b in zip(again.built.model.get_weights(), first.built.model.get_weights()))


def test_a_state_of_another_training_is_refused(tmp_path: Path) -> None:
    checkpoint(tmp_path).save([np.zeros(2)], History([Epoch(1, 1.0, {})], 1))
    with pytest.raises(InputError, match=r"another one: epochs differs: expected 4, got 5; .*begin anew with --force"):
        checkpoint(tmp_path, epochs=5).restore([])
    other = Checkpoint(tmp_path / OUT, {"recipe": {"epochs": 4}, "data_sha256": "cd"})
    with pytest.raises(InputError, match=r'the training data differs: expected "ab", got "cd"'):
        other.restore([])


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def _flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[200] ^= 255  # inside the first array, as its checksum shows
    path.write_bytes(bytes(content))


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _text(path: Path) -> None:
    path.write_bytes(b"state")


@pytest.mark.parametrize("damage", [_cut, _flipped, _empty, _text])
def test_a_damaged_state_is_refused(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    import keras

    state = checkpoint(tmp_path)
    state.save([np.zeros(50)], History([Epoch(1, 1.0, {})], 1))
    damage(state.folder / "state.npz")
    variable = keras.Variable(np.ones(50))
    with pytest.raises(ModelError, match=r"is damaged.*--force"):
        checkpoint(tmp_path).restore([variable])
    assert float(np.asarray(variable).min()) == 1.0, "nothing was taken from it"


def test_a_state_of_other_variables_is_refused(tmp_path: Path) -> None:
    checkpoint(tmp_path).save([np.zeros(2)], History([Epoch(1, 1.0, {})], 1))
    for variables in ([np.zeros(3)], [np.zeros(2), np.zeros(2)], []):
        with pytest.raises(ModelError, match="is damaged"):
            checkpoint(tmp_path).restore(variables)


def test_a_file_half_written_is_not_seen(tmp_path: Path) -> None:
    state = checkpoint(tmp_path)
    state.folder.mkdir()
    (state.folder / "state.npz.tmp").write_bytes(b"half")
    assert not has_state(tmp_path / OUT) and interrupted(tmp_path / OUT) is None and state.restore([]) is None
    state.remove()
    state.remove()
    assert not state.folder.exists()


def test_states_are_written_as_often_as_costs_little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "APART", 1e6)
    state = checkpoint(tmp_path)
    for number in (1, 2):
        state.save([], History([Epoch(number, 1.0, {})] * number, number))
        assert (interrupted(tmp_path / OUT) or ({}, 0))[1] == 1
    state.save([], History([Epoch(3, 1.0, {})] * 3, 3), now=True)
    assert (interrupted(tmp_path / OUT) or ({}, 0))[1] == 3


def test_train_goes_on_with_the_recipe_it_was_given(tmp_path: Path) -> None:
    data, out = small.images(tmp_path), tmp_path / OUT
    asked: dict[str, Any] = {"model": "cnn-folder", "epochs": 3, "batch_size": 9, "validation_split": 0.25}
    with pytest.raises(KeyboardInterrupt):  # where nothing is, to resume is to begin
        train(data, out, **asked, seed=5, resume=True, on_step=stop_after(1, 1))
    with pytest.raises(InputError, match=r"was interrupted.*--resume goes on with it, --force begins anew"):
        train(data, out, **asked)
    with pytest.raises(InputError, match=r"epochs differs: expected 3, got 7"):
        train(data, out, resume=True, epochs=7)
    saved = shutil.copytree(state_folder(out), tmp_path / "saved")
    result = train(data, out, resume=True)
    assert result.recipe.seed == 5 and len(result.history) == 3 and not state_folder(out).exists()
    with pytest.raises(InputError, match="came to its end; --force trains anew"):
        train(data, out, resume=True)
    # Killed between the last write and the clearing up: the file is there, and so is the state.
    saved.rename(state_folder(out))
    assert train(data, out, resume=True).history[-1].figures["loss"] == pytest.approx(
        result.history[-1].figures["loss"], rel=1e-4
    )
