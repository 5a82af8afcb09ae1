from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgevision.runtime.errors import InputError
from edgevision.trainers import tasks
from edgevision.trainers.recipe import from_text, read_recipe, recipe_of
from edgevision.trainers.tasks import guessed_task
from edgevision.trainers.tasks.classification import Classification
from edgevision.trainers.train import _asked, settled, train
from tests.trainers import small


def test_a_recipe_is_read_from_a_toml_file(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    lines = ('task = "classification"', 'model = "small"', "input_size = [12, 12]", "epochs = 4", "batch_size = 8")
    changed = ('augment = ["flip", "shift=0.1"]', "ema = 0.5", "[options]", "width = 2", 'name = "a\\"b"')
    path.write_text("\n".join((*lines, *changed)), encoding="utf-8")
    recipe = small.recipe(options={"width": 2, "name": 'a"b'}, augment=("flip", "shift=0.1"), ema=0.5)
    assert recipe_of(read_recipe(path)) == recipe


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("loss", "1", "1"),
        ("ema", "0.5", 0.5),
        ("augment", "flip, shift=0.1", ("flip", "shift=0.1")),
        ("input_size", "48", (48, 48)),
        ("input_size", "48x32", (48, 32)),
        ("antialias", "false", False),
        ("width", "2", 2),
        ("kind", "deep", "deep"),
    ],
)
def test_settings_as_text(name: str, text: str, value: Any) -> None:
    assert from_text(name, text) == value


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"task": "clasification"}, "task is unknown: expected classification"),
        ({"model": "cnn-cifer"}, "network is unknown: expected cnn-cifar"),
        ({"optimizer": "adamm"}, "optimizer is unknown: expected adam"),
        ({"schedule": "cosin"}, "schedule is unknown: expected cosine"),
        ({"loss": "dice"}, "loss is unknown: expected .*"),
        ({"metric": "acuracy"}, "metric is unknown: expected accuracy"),
        ({"options": {"epoch": 3}}, "no option 'epoch'.*write epochs"),
        ({"learning_rat": 3}, "no setting 'learning_rat'; write learning_rate"),
        ({"ema": 1.0}, "ema is not usable: expected a share"),
    ],
)
def test_misspelt_names_are_recognised(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        settled("digits", fields)


def test_a_training_is_repeated_from_its_model_alone(tmp_path: Path) -> None:
    data = small.images(tmp_path)
    asked: dict[str, Any] = {"model": "cnn-folder", "epochs": 1, "seed": 4, "metric": "loss", "augment": ["flip"]}
    first = train(data, tmp_path / "a.keras", **asked)
    assert first.metric == "loss" and first.value == first.history[0].figures["val_loss"]
    again = train(data, tmp_path / "b.keras", config=tmp_path / "a.keras")
    assert again.recipe == first.recipe
    assert again.history[0].figures == pytest.approx(first.history[0].figures, rel=1e-4)
    assert recipe_of(_asked(tmp_path / "c.keras", tmp_path / "a.keras", False, {"epochs": 7})).epochs == 7


def test_models_that_do_not_say_how_they_were_trained(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not there"):
        read_recipe(tmp_path / "m.keras")
    small.task().built.model.save(tmp_path / "m.keras")
    with pytest.raises(InputError, match="does not say how it was trained"):
        read_recipe(tmp_path / "m.keras")


def test_options_of_a_network_are_not_handed_to_another(tmp_path: Path) -> None:
    config = tmp_path / "r.toml"
    config.write_text('task = "classification"\nmodel = "one"\n[options]\nwidth = 2\ndepth = 3\n', encoding="utf-8")
    out = tmp_path / "m.keras"
    assert _asked(out, config, False, {"options": {"width": 4}})["options"] == {"width": 4, "depth": 3}
    assert _asked(out, config, False, {"model": "two", "epochs": None}) == {"model": "two"}


def test_data_that_could_be_of_two_kinds_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def kind(called: str) -> type[Classification]:
        return type(called, (Classification,), {"name": called, "recognises": classmethod(lambda cls, data: True)})

    boxes, masks = kind("boxes"), kind("masks")
    monkeypatch.setattr(tasks, "TASKS", {"boxes": boxes, "masks": masks, "classification": Classification})
    with pytest.warns(UserWarning, match="d is taken for boxes, and could be for masks: choose with --task"):
        assert guessed_task("d") is boxes
