"""train: what the options become, how its course is shown, what an interruption says."""

from __future__ import annotations

import io
import shlex
from pathlib import Path
from typing import Any

import pytest

from edgevision.cli.console import Progress
from edgevision.cli.training_bar import TrainingBar
from edgevision.trainers.history import Epoch, Live
from edgevision.trainers.recipe import Recipe
from tests.cli.conftest import Run


def test_every_option_arrives(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edgevision.trainers.train import TrainingResult, settled

    call: dict[str, Any] = {}

    def train(data: str, out: Path, **options: Any) -> TrainingResult:
        call.update(options, data=data, out=out)
        return TrainingResult(out, settled(data, {})[2], ("a", "b"), (), 1, "accuracy", 0.9, 100, 20, 1234)

    monkeypatch.setattr("edgevision.trainers.train.train", train)
    outcome = run("train", "photos", "--out", tmp_path / "m.keras")
    assert outcome.code == 0
    for name in ("progress", "on_step", "on_epoch"):
        assert callable(call.pop(name))
    plain = {"data": "photos", "out": tmp_path / "m.keras", "resume": False, "pictures": True, "force": False}
    assert call == plain, "what is not given is left to the API"
    assert "accuracy 0.9000 on 20 held out" in outcome.out and " convert " in outcome.out

    words = "--task classification --model cnn-folder --epochs 3 --input-size 48 --batch-size 8 --seed 5 --resize crop"
    words += " --preprocess tf --augment flip,shift=0.2 --optimizer sgd --learning-rate 0.1 --schedule steps --loss mae"
    words += (
        " --patience 2 --set ema=0.5 --set label-smoothing=0.1 --set width=2 --config r.toml --resume --report r.html"
    )
    words += " --weights imagenet --freeze 1 --teacher t.keras --sparsity 0.5 --keep-channels 0.5 --qat 2 --strict"
    words += " --augment-sheet s.png --no-images --tensorboard logs --to m.edge"
    words += " --interpolation nearest --no-antialias --force"
    assert run("train", "photos", "--out", tmp_path / "m.keras", *shlex.split(words)).code == 0
    assert {name: call[name] for name in call if name not in ("progress", "on_step", "on_epoch")} == {
        **plain,
        "task": "classification",
        "model": "cnn-folder",
        "epochs": 3,
        "input_size": (48, 48),
        "batch_size": 8,
        "seed": 5,
        "resize": "crop",
        "preprocess": "tf",
        "augment": ("flip", "shift=0.2"),
        "optimizer": "sgd",
        "learning_rate": 0.1,
        "schedule": "steps",
        "loss": "mae",
        "patience": 2,
        "ema": 0.5,
        "label_smoothing": 0.1,
        "options": {"width": 2},
        "weights": "imagenet",
        "freeze": 1,
        "teacher": "t.keras",
        "sparsity": 0.5,
        "keep_channels": 0.5,
        "qat": 2,
        "strict": True,
        "sheet": Path("s.png"),
        "config": Path("r.toml"),
        "resume": True,
        "report": Path("r.html"),
        "pictures": False,
        "tensorboard": Path("logs"),
        "to": Path("m.edge"),
        "interpolation": "nearest",
        "antialias": False,
        "force": True,
    }
    run("train", "photos", "--out", tmp_path / "m.keras", "--augment", "none")
    assert call["augment"] == ()
    assert run("train", "photos", "--out", tmp_path / "m.keras", "--set", "ema").code == 2


def test_networks_are_listed_without_data(run: Run) -> None:
    outcome = run("train", "--list")
    assert outcome.code == 0 and "cnn-cifar-wide" in outcome.out and "28x28" in outcome.out


@pytest.mark.parametrize(("epochs", "said"), [(0, "nothing to go on with"), (2, "--resume goes on after epoch 2 of 9")])
def test_an_interruption_says_how_to_go_on(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, epochs: int, said: str
) -> None:
    from edgevision.trainers.checkpoint import Checkpoint
    from edgevision.trainers.history import History

    def train(data: str, out: Path, **options: Any) -> None:
        if epochs:
            history = History([Epoch(n, 1.0, {}) for n in range(1, epochs + 1)], 1)
            Checkpoint(out, {"recipe": {"epochs": 9}}).save([], history)
        raise KeyboardInterrupt

    monkeypatch.setattr("edgevision.trainers.train.train", train)
    outcome = run("train", "photos", "--out", tmp_path / "m.keras")
    assert outcome.code == 130 and said in outcome.err


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("terminal", [True, False])
def test_the_course_is_a_line_an_epoch_and_on_a_terminal_a_bar(terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    stream, now = Terminal() if terminal else io.StringIO(), [0.0]
    bar = TrainingBar(Progress(stream, lambda: now[0]), lambda: now[0])
    recipe = Recipe(task="classification", model="net", epochs=2, input_size=(8, 8))
    bar.progress("read images", 5, 5)
    for epoch in (1, 2):
        for step in (1, 2):
            now[0] += 10.0
            done = 2 * (epoch - 1) + step
            bar.progress("train", done, 4)
            bar.on_step(Live(recipe, 1000, 20, epoch, done, 4, {"loss": 0.5, "accuracy": 0.25}))
        bar.on_epoch(Epoch(epoch, 3.0, {"loss": 0.5, "val_loss": 0.75}))
    text = stream.getvalue()
    lines = [line.rpartition("\033[K")[2] for line in text.split("\n")]
    assert lines[1:] == [
        "classification with net: 1,000 examples, 20 held out, 2 epochs",
        "epoch 1/2  loss 0.5000  val_loss 0.7500  3.0 s",
        "epoch 2/2  loss 0.5000  val_loss 0.7500  3.0 s",
        "",
    ]
    assert ("epoch 1/2 [############............] 1/2 0:" in text) == terminal
    assert ("left  loss 0.5000  accuracy 0." in text) == terminal
    assert all(len(part) < 90 for line in text.split("\n") for part in line.split("\r")), "it fits the terminal"
