from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import edgevision
from edgevision.runtime.backends import BACKENDS, installed, is_installed, open_session
from edgevision.runtime.errors import BackendError, MissingPackageError, UnknownBackendError
from tests import tiny

MODULES = {"tflite": ("ai_edge_litert", "tflite_runtime"), "onnx": ("onnxruntime",), "openvino": ("openvino",)}
PACKAGES = {"tflite": "ai-edge-litert", "onnx": "onnxruntime", "openvino": "openvino"}


def uninstall(backend: str, patch: pytest.MonkeyPatch) -> None:
    """As if the engine were not there: every import of it fails as it fails when it is not installed."""
    for module in MODULES[backend]:
        for name in [*sys.modules, module]:
            if name == module or name.startswith(f"{module}."):
                patch.setitem(sys.modules, name, None)


def test_file_name_backend_name_and_class_name_agree() -> None:
    folder = Path(edgevision.__file__).parent / "runtime" / "backends"
    assert {path.stem for path in folder.glob("[!_]*.py")} == set(BACKENDS)
    for backend in BACKENDS:
        with open_session(backend, *tiny.model(backend)) as session:
            assert session.backend == backend
            assert type(session).__name__ == f"{backend.capitalize()}Session"


@pytest.mark.parametrize("name", ["", "ONNX", "tensorflow", "onnx ", "../null", None, 3])
def test_unknown_backends_list_the_known(name: str) -> None:
    for attempt in (lambda: open_session(name, b""), lambda: is_installed(name)):
        with pytest.raises(UnknownBackendError) as caught:
            attempt()
        assert all(known in str(caught.value) for known in BACKENDS)
        assert repr(name) in str(caught.value)


def test_versions_are_those_the_engines_report() -> None:
    versions = installed()
    assert versions.keys() == set(BACKENDS)
    for backend in tiny.ENGINES:
        assert is_installed(backend)
        with open_session(backend, *tiny.model(backend)) as session:
            assert session.describe()["version"].startswith(versions[backend] or "not installed")


def test_asking_what_is_installed_imports_no_engine() -> None:
    code = (
        "import sys; from edgevision.runtime.backends import installed; installed(); "
        "print([name for name in ('onnxruntime', 'ai_edge_litert', 'openvino', 'numpy') if name in sys.modules])"
    )
    root = Path(edgevision.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() in ("[]", "['numpy']")


@pytest.mark.parametrize("backend", tiny.ENGINES)
def test_an_engine_that_is_not_installed(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny.model(backend)  # made with the engine's own package
    uninstall(backend, monkeypatch)
    assert not is_installed(backend)
    assert installed()[backend] is None
    with pytest.raises(MissingPackageError) as caught:
        open_session(backend, *model)
    assert isinstance(caught.value, ImportError)
    assert PACKAGES[backend] in str(caught.value)
    assert f"pip install 'edgevision[{backend}]'" in str(caught.value)


@pytest.mark.parametrize("backend", tiny.ENGINES)
def test_an_engine_whose_libraries_are_broken(backend: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    model = tiny.model(backend)
    uninstall(backend, monkeypatch)
    module = MODULES[backend][0]
    for name in list(sys.modules):
        if name == module or name.startswith(f"{module}."):
            monkeypatch.delitem(sys.modules, name)
    broken = tmp_path / module
    broken.mkdir()
    (broken / "__init__.py").write_text("raise ImportError('libwhatever.so.1: cannot open shared object file')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(BackendError, match="libwhatever") as caught:
        open_session(backend, *model)
    assert not isinstance(caught.value, MissingPackageError)
    assert "reinstall" in caught.value.cure


def test_a_folder_named_like_an_engine_is_no_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "onnxruntime").mkdir()
    for name in list(sys.modules):
        if name.partition(".")[0] == "onnxruntime":
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert not is_installed("onnx")


def test_openvino_is_imported_without_its_telemetry() -> None:
    code = """
import socket, sys
def refuse(*_, **__):
    raise SystemExit("a connection was tried")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
from edgevision.runtime.backends.openvino import import_openvino
openvino = import_openvino()
openvino.Core()
from openvino.tools.ovc import convert_model
print(sorted(name for name in sys.modules if "telemetry" in name))
import threading
print(threading.active_count())
"""
    root = Path(edgevision.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    names, threads = done.stdout.strip().splitlines()
    assert "'openvino_telemetry" not in names
    assert threads == "1"
