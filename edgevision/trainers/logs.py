"""Logs that TensorBoard shows, written by TensorFlow alone: TensorBoard need not be installed where one trains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgevision.trainers.engine import import_tensorflow
from edgevision.trainers.history import Epoch


class Logs:
    """Called with each epoch; figures of training and validation in the folders that Keras' callback takes.

    Args:
        folder: Where they go; what is there stays, so that a resumed training goes on with its curves.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)
        self._writers: dict[str, Any] = {}

    def __call__(self, epoch: Epoch) -> None:
        """Writes what became of an epoch."""
        for name, value in epoch.figures.items():
            part = "validation" if name.startswith("val_") else "train"
            self._write(part, f"epoch_{name.removeprefix('val_')}", value, epoch.number)
        self._write("train", "epoch_learning_rate", epoch.learning_rate, epoch.number)
        for writer in self._writers.values():
            writer.flush()

    def _write(self, part: str, name: str, value: float, number: int) -> None:
        tf = import_tensorflow()
        if part not in self._writers:
            self._writers[part] = tf.summary.create_file_writer(str(self._folder / part))
        # tf.summary.scalar is this call, and refuses to make it where TensorBoard is not installed.
        kind = tf.compat.v1.SummaryMetadata(data_class="DATA_CLASS_SCALAR")
        kind.plugin_data.plugin_name = "scalars"
        with self._writers[part].as_default():
            tf.summary.write(name, tf.constant(value, tf.float32), step=number, metadata=kind)
