"""A device that was asked for runs the model, or that it does not is an error: with engines, and with fakes of GPUs."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import edgevision
from edgevision.runtime import files, onnx_providers
from edgevision.runtime.backends import onnx, open_session, openvino, tflite
from edgevision.runtime.errors import BackendError, BundleError, InputError
from edgevision.runtime.providers import PROVIDERS, check_provider, is_library, knows
from edgevision.runtime.tflite_operators import delegated
from tests import tiny

CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"


@pytest.mark.parametrize(
    ("backend", "provider", "ran"),
    [
        ("tflite", None, "CPU (XNNPACK)"),
        ("tflite", "cpu", "CPU (XNNPACK)"),
        ("tflite", "xnnpack", "CPU (XNNPACK)"),
        ("tflite", "builtin", "CPU"),
        ("onnx", None, CPU),
        ("onnx", "cpu", CPU),
        ("openvino", "cpu", "CPU"),
        ("openvino", "auto", "CPU"),
    ],
)
def test_what_every_machine_has(backend: str, provider: str | None, ran: str) -> None:
    with open_session(backend, *tiny.model(backend), provider=provider) as session:
        assert session.describe()["provider"] == ran
        scores = session.run({"image": tiny.pixels(0)})["scores"]
        assert scores == pytest.approx(tiny.reference(tiny.pixels(0)), abs=1e-4)


@pytest.mark.parametrize(
    ("backend", "provider", "names"),
    [
        ("onnx", "cuda", CPU),
        ("onnx", "tensorrt", CPU),
        ("openvino", "gpu", "the devices CPU"),
        ("openvino", "npu", "the devices CPU"),
        ("tflite", "edgetpu", "edgetpu"),
        ("tflite", "/opt/libnone_delegate.so", "libnone"),
    ],
)
def test_what_this_machine_does_not_have(tiny_bundle: Path, backend: str, provider: str, names: str) -> None:
    for attempt in (
        lambda: open_session(backend, *tiny.model(backend), provider=provider),
        lambda: edgevision.load(tiny_bundle, provider=provider),
        lambda: edgevision.load(tiny_bundle / f"int8.{tiny.SUFFIX[backend]}", provider=provider),
    ):
        with pytest.raises(BackendError, match=names) as caught:
            attempt()
        assert provider in str(caught.value)
        assert caught.value.cure


@pytest.mark.parametrize(("backend", "provider"), [("onnx", "gpu"), ("tflite", "cuda"), (None, "CUDA"), (None, "")])
def test_names_that_nobody_knows(tiny_bundle: Path, backend: str | None, provider: str) -> None:
    with pytest.raises(InputError, match="provider") as caught:
        edgevision.load(tiny_bundle, backend, provider=provider)
    assert "cpu" in caught.value.expected
    with pytest.raises(InputError):
        check_provider(3)  # type: ignore[arg-type]


def test_a_provider_chooses_the_engines_that_know_it(tiny_bundle: Path) -> None:
    with edgevision.load(tiny_bundle, provider="auto") as predictor:
        assert predictor.describe()["artifact"] == "int8.xml"
    with pytest.raises(BundleError, match="no artifact fits"):
        edgevision.load(tiny_bundle, provider="auto", artifact="int8.onnx")
    assert all(knows(backend, name) for backend, names in PROVIDERS.items() for name in names)
    assert is_library("/usr/lib/libedgetpu.so.1.0") and not is_library("some")


class FakeGpu:
    """The real onnxruntime as a build for a GPU, whose sessions say and do what a test wants."""

    def __init__(self, says: list[str], ran: Callable[[str], str]) -> None:
        import onnxruntime

        self.real, self.says, self.ran = onnxruntime, says, ran
        self.asked: list[Any] = []
        self.SessionOptions, self.__version__ = onnxruntime.SessionOptions, onnxruntime.__version__

    def get_available_providers(self) -> list[str]:
        return ["TensorrtExecutionProvider", CUDA, CPU]

    def InferenceSession(self, model: bytes, options: Any, providers: list[Any]) -> Any:
        self.asked.append(providers)
        session = self.real.InferenceSession(model, options, providers=[CPU])
        return SimpleNamespace(
            **{name: getattr(session, name) for name in ("get_inputs", "get_outputs", "get_session_options", "run")},
            get_providers=lambda: self.says,
            end_profiling=lambda: self._profile(Path(session.end_profiling())),
        )

    def _profile(self, path: Path) -> str:
        events = json.loads(path.read_text())
        for event in events:
            if "provider" in event.get("args", {}):
                event["args"]["provider"] = self.ran(event["args"]["op_name"])
        path.write_text(json.dumps(events))
        return str(path)


@pytest.mark.parametrize(
    ("says", "ran", "share"),
    [
        ([CUDA, CPU], lambda op: CUDA, 1.0),
        ([CUDA, CPU], lambda op: CUDA if op == "Gemm" else CPU, 1 / 3),
        ([CUDA, CPU], lambda op: CPU, None),
        ([CPU], lambda op: CPU, None),
    ],
    ids=["all of it", "a part", "promised, and ran nothing", "fell back"],
)
def test_onnxruntime_on_a_gpu(
    says: list[str], ran: Callable[[str], str], share: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx, "import_engine", lambda *_: FakeGpu(says, ran))
    model = tiny.model("onnx").model
    if share is None:
        with pytest.raises(BackendError, match="does not run on 'CUDAExecutionProvider'"):
            open_session("onnx", model, provider="cuda")
        return
    with open_session("onnx", model, provider="cuda") as session:
        facts = session.describe()
        assert facts["provider"] == CUDA
        assert 0 < facts["delegated"] <= 1
        assert facts["delegated"] == pytest.approx(share, abs=0.18), "engines fuse nodes before they run them"
    with open_session("onnx", model) as session:
        assert session.describe()["delegated"] == 1.0


def test_tensorrt_engines_are_kept_by_what_they_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEVISION_CACHE", str(tmp_path))
    fake = FakeGpu(["TensorrtExecutionProvider", CUDA, CPU], lambda op: "TensorrtExecutionProvider")
    monkeypatch.setattr(onnx, "import_engine", lambda *_: fake)
    folders = set()
    for gpu in ({"gpu": "Orin", "driver": "36.3"}, {"gpu": "Orin", "driver": "36.4"}):
        monkeypatch.setattr(onnx_providers, "nvidia_gpu", lambda gpu=gpu: gpu)
        for model in (tiny.model("onnx").model, tiny.model("onnx", "float32").model):
            open_session("onnx", model, provider="tensorrt").close()
            (name, options), (second, _), last = fake.asked[-1]
            assert (name, second, last) == ("TensorrtExecutionProvider", CUDA, CPU)
            assert options["trt_int8_enable"] == "0" and options["trt_engine_cache_enable"] == "1"
            folders.add(options["trt_engine_cache_path"])
    assert len(folders) == 4 and all(Path(folder).is_dir() for folder in folders)
    assert onnx_providers.tensorrt_options(b"..QuantizeLinear..")["trt_int8_enable"] == "1"
    monkeypatch.setenv("EDGEVISION_CACHE", "/proc/none")
    assert "trt_engine_cache_path" not in onnx_providers.tensorrt_options(b"")


def test_openvino_on_another_device_than_asked() -> None:
    def property_of(name: str) -> Any:
        return ["CPU"] if name == "EXECUTION_DEVICES" else pytest.fail(name)

    compiled = SimpleNamespace(get_property=property_of)
    with pytest.raises(BackendError, match=r"does not run on 'gpu' here.*execution on CPU"):
        openvino._read_back(compiled, "GPU", 1)


@pytest.mark.parametrize("takes", [False, True])
def test_a_delegate_that_takes_nothing(takes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    real = tflite._engine()
    loaded: list[str] = []

    class Interpreter(real.module.Interpreter):  # type: ignore[name-defined, misc]
        """With a delegate that takes nothing, or for which XNNPACK stands in."""

        def __init__(self, experimental_delegates: Any = None, experimental_op_resolver_type: Any = None, **rest: Any):
            more = {} if takes else {"experimental_op_resolver_type": experimental_op_resolver_type}
            super().__init__(**rest, **more)

    fake = SimpleNamespace(
        Interpreter=Interpreter, OpResolverType=real.module.OpResolverType, load_delegate=loaded.append
    )
    monkeypatch.setattr(tflite, "_engine", lambda: tflite._Engine("fake", "1", fake))
    monkeypatch.setattr("ctypes.CDLL", lambda library: None)
    if takes:
        with open_session("tflite", tiny.model("tflite").model, provider="edgetpu") as session:
            assert session.describe()["provider"] == "edgetpu"
            assert session.describe()["delegated"] == 0.5
    else:
        with pytest.raises(BackendError, match=r"takes none of the model's operators.*edgetpu_compiler"):
            open_session("tflite", tiny.model("tflite").model, provider="edgetpu")
    assert loaded == ["libedgetpu.so.1"]


def test_what_lies_inside_delegates_is_counted() -> None:
    def op(name: str, inputs: list[int], outputs: list[int]) -> dict[str, Any]:
        return {"op_name": name, "inputs": inputs, "outputs": outputs}

    model = [op("A", [0, 9], [1]), op("B", [1], [2]), op("C", [2, 1], [3]), op("D", [3, -1], [4]), op("E", [4], [5])]
    assert delegated(model) == 0
    assert delegated([*model, op("DELEGATE", [1], [3])]) == 0.4, "B and C"
    assert delegated([*model, op("DELEGATE", [0], [1]), op("EdgeTpuDelegateForCustomOp", [3], [5])]) == 0.6
    assert delegated([*model, op("DELEGATE", [0, 9], [5])]) == 1
    assert delegated([]) == 0


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({}, {"gpu": "", "driver": "", "tensorrt": ""}),
        (
            {
                "proc/driver/nvidia/gpus/0000:01:00.0/information": "Model: \t NVIDIA RTX A2000\nIRQ: 5\n",
                "proc/driver/nvidia/version": "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.15  Rel",
                "usr/lib/x86_64-linux-gnu/libnvinfer.so.10.3.0": "",
                "usr/lib/x86_64-linux-gnu/libnvinfer.so.10": "",
            },
            {"gpu": "NVIDIA RTX A2000", "driver": "570.86.15", "tensorrt": "10.3.0"},
        ),
        (
            {
                "etc/nv_tegra_release": "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64",
                "proc/device-tree/model": "NVIDIA Jetson Orin Nano Developer Kit\0",
                "usr/lib/aarch64-linux-gnu/libnvinfer.so.8.6.2": "",
            },
            {"gpu": "NVIDIA Jetson Orin Nano Developer Kit", "driver": "L4T 36.4.3", "tensorrt": "8.6.2"},
        ),
    ],
    ids=["no GPU", "a card", "a Jetson"],
)
def test_the_gpu_is_read_from_files(
    given: dict[str, str], found: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgevision.runtime.gpu import nvidia_gpu

    for name, content in given.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    monkeypatch.setattr(files, "ROOT", tmp_path)
    assert nvidia_gpu() == found


_IDLE = """
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
struct delegate { void *data; int (*prepare)(void *, struct delegate *); void *copy[3]; int64_t flags; void *builder; };
static int prepare(void *context, struct delegate *self) { return 0; }
struct delegate *tflite_plugin_create_delegate(const char **keys, const char **values, size_t count, void *report) {
    struct delegate *made = calloc(1, sizeof *made);
    made->prepare = prepare;
    return made;
}
void tflite_plugin_destroy_delegate(struct delegate *made) { free(made); }
"""


def test_a_real_library_whose_delegate_takes_nothing(tmp_path: Path) -> None:
    """What a Coral's library does with a model that edgetpu_compiler has not seen."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    library = tmp_path / "libidle_delegate.so"
    (tmp_path / "idle.c").write_text(_IDLE)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, tmp_path / "idle.c"], check=True)
    with pytest.raises(BackendError, match="takes none of the model's operators"):
        open_session("tflite", tiny.model("tflite").model, provider=str(library))
