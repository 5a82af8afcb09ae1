"""TensorFlow graphs that do more than compute: refused before they are loaded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
from tensorflow.python.framework import op_def_registry

from edgevision.converters.files import read_model
from edgevision.converters.files.graph_ops import COMPUTING, SAVING
from edgevision.converters.files.graph_safety import check_graph
from edgevision.converters.files.saved_model import SavedGraph
from edgevision.runtime.errors import ModelError, UnsafeModelError

_SPEC = [tf.TensorSpec((None, 4), tf.float32)]


def _read(values: Any) -> Any:
    return values + tf.cast(tf.strings.length(tf.io.read_file("/etc/hostname")), tf.float32)


def _read_in_a_loop(values: Any) -> Any:
    return tf.while_loop(lambda values: tf.reduce_sum(values) < 1.0, lambda values: [_read(values)], [values])[0]


def _written(values: Any) -> Any:
    tf.io.write_file("/tmp/never-written-by-a-test", "x")
    return values


def _printed(values: Any) -> Any:
    tf.print("x", output_stream="file:///tmp/never-written-by-a-test")
    return values


def _python(values: Any) -> Any:
    return tf.ensure_shape(tf.py_function(lambda values: values, [values], tf.float32), (None, 4))


def _parsed(values: Any) -> Any:
    return values + tf.cast(tf.io.decode_image(b"GIF89a")[0, 0, 0], tf.float32)


def _saved(compute: Callable[[Any], Any], folder: Path) -> Path:
    class Module(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.weight = tf.Variable(2.0)

        @tf.function(input_signature=_SPEC)  # type: ignore[untyped-decorator]
        def __call__(self, values: Any) -> Any:
            return compute(values * self.weight)

    tf.saved_model.save(Module(), str(folder))
    return folder


@pytest.fixture(scope="module")
def harmless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _saved(tf.nn.softmax, tmp_path_factory.mktemp("harmless") / "model")


def _changed(path: Path, change: Callable[[Any], None]) -> bytes:
    """The content of its saved_model.pb after ``change(its only graph)``."""
    saved = SavedModel.FromString((path / "saved_model.pb").read_bytes())
    change(saved.meta_graphs[0])
    content: bytes = saved.SerializeToString()
    return content


@pytest.mark.parametrize(
    ("compute", "op"),
    [
        (_read, "ReadFile"),
        (_read_in_a_loop, "ReadFile"),
        (_written, "WriteFile"),
        (_printed, "PrintV2"),
        (_python, "EagerPyFunc"),
        (_parsed, "DecodeImage"),
    ],
)
def test_what_does_more_than_compute_is_named(compute: Callable[[Any], Any], op: str, tmp_path: Path) -> None:
    path = _saved(compute, tmp_path / "model")
    with pytest.raises(UnsafeModelError, match=rf"graph of model does more than compute.*\b{op}\b.*--trust"):
        read_model(path)
    assert not Path("/tmp/never-written-by-a-test").exists()


def test_a_trusted_graph_may_do_anything(tmp_path: Path) -> None:
    path = _saved(_read, tmp_path / "model")
    found = read_model(path, trust=True)
    assert isinstance(found, SavedGraph)
    values = found.loaded.signatures["serving_default"](values=tf.zeros((1, 4)))["output_0"]
    assert np.asarray(values).tolist() == [[len(Path("/etc/hostname").read_bytes())] * 4]


def test_a_graph_that_computes_is_read(harmless: Path) -> None:
    found = read_model(harmless)
    values = found.loaded.signatures["serving_default"](values=tf.constant([[1.0, 2.0, 3.0, 4.0]]))["output_0"]
    np.testing.assert_allclose(np.asarray(values)[0], tf.nn.softmax([2.0, 4.0, 6.0, 8.0]), rtol=1e-5)


def _call_the_saver(graph: Any) -> None:
    """What a signature would do to have a file written."""
    calls = [node for node in graph.graph_def.node if node.op == "StatefulPartitionedCall"]
    saver = next(node for node in calls if "traced_save" in node.attr["f"].func.name)
    other = next(node for node in calls if "signature_wrapper" in node.attr["f"].func.name)
    other.attr["f"].func.name = saver.attr["f"].func.name


def _nest_the_saver(graph: Any) -> None:
    """The same from within a function, in place of one of its operations."""
    functions = graph.graph_def.library.function
    saver = next(item.signature.name for item in functions if "traced_save" in item.signature.name)
    next(item for item in functions if "__call__" in item.signature.name).node_def[0].op = saver


def _call_the_signature_a_saver(graph: Any) -> None:
    """A function of the model's own that may then save."""
    calls = [node for node in graph.graph_def.node if node.op == "StatefulPartitionedCall"]
    other = next(node for node in calls if "signature_wrapper" in node.attr["f"].func.name)
    graph.saver_def.restore_op_name = other.name


def _take_an_operations_name(graph: Any) -> None:
    graph.graph_def.library.function.add().signature.name = "ReadFile"


def _use_what_is_not_known(graph: Any) -> None:
    graph.graph_def.library.function[0].node_def.add(name="x", op="SomebodysOwn")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (_call_the_saver, "a call of __inference__traced_save"),
        (_nest_the_saver, "a call of __inference__traced_save"),
        (_call_the_signature_a_saver, "a call of __inference_signature_wrapper"),
        (_take_an_operations_name, "ReadFile"),
        (_use_what_is_not_known, "SomebodysOwn"),
    ],
)
def test_graphs_made_to_pass(change: Callable[[Any], None], named: str, harmless: Path) -> None:
    check_graph(harmless, _changed(harmless, lambda graph: None), trust=False)
    with pytest.raises(UnsafeModelError, match=named):
        check_graph(harmless, _changed(harmless, change), trust=False)


def test_what_tensorflow_1_wrote_is_not_run(harmless: Path) -> None:
    content = _changed(harmless, lambda graph: graph.ClearField("object_graph_def"))
    for trust in (False, True):
        with pytest.raises(ModelError, match=r"TensorFlow 1.*tf\.saved_model\.save"):
            check_graph(harmless, content, trust)


def test_a_damaged_graph(harmless: Path) -> None:
    with pytest.raises(ModelError, match="damaged"):
        check_graph(harmless, (harmless / "saved_model.pb").read_bytes()[:-100], trust=False)


def test_operations_that_are_allowed_take_no_text() -> None:
    """So none of them can be told a file, an address or a function by name."""
    for name in COMPUTING:
        found = op_def_registry.get(name)
        assert found is not None, f"TensorFlow has no {name}"
        assert all(item.type != types_pb2.DT_STRING for item in found.input_arg), name
    assert not COMPUTING & SAVING
