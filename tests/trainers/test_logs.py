from __future__ import annotations

from pathlib import Path

import tensorflow as tf

from edgevision.trainers.history import Epoch
from edgevision.trainers.logs import Logs


def test_figures_are_logged_as_tensorboard_reads_them(tmp_path: Path) -> None:
    logs = Logs(tmp_path / "logs")
    for number in (1, 2):
        logs(Epoch(number, 1.0, {"loss": 0.5 * number, "val_loss": 0.75 * number}, 0.25))
    found = {}
    for path in sorted((tmp_path / "logs").rglob("events*")):
        for record in tf.data.TFRecordDataset(str(path)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            for value in event.summary.value:
                assert value.metadata.plugin_data.plugin_name == "scalars"
                found[path.parent.name, value.tag, event.step] = float(tf.make_ndarray(value.tensor))
    wanted = {("train", "epoch_learning_rate", number): 0.25 for number in (1, 2)}
    wanted |= {("train", "epoch_loss", number): 0.5 * number for number in (1, 2)}
    wanted |= {("validation", "epoch_loss", number): 0.75 * number for number in (1, 2)}
    assert found == wanted
