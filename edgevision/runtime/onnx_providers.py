"""onnxruntime's providers on NVIDIA GPUs: what they are given, and what they really ran."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from edgevision.runtime.cache import cache_folder
from edgevision.runtime.gpu import nvidia_gpu
from edgevision.runtime.providers import not_there

_NAMES = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider", "tensorrt": "TensorrtExecutionProvider"}
_CPU, _CUDA = _NAMES["cpu"], _NAMES["cuda"]
#: numpy dtype per element type of an onnxruntime input; anything else has the name of the numpy dtype.
_DTYPES = {"float": "float32", "double": "float64"}


def available(runtime: Any) -> tuple[str, ...]:
    """Providers that this build of onnxruntime was made with, by our names. A promise: starting them is the test."""
    built = runtime.get_available_providers()
    return tuple(name for name, theirs in _NAMES.items() if theirs in built)


def provider_list(runtime: Any, provider: str | None, model: bytes) -> list[Any]:
    """What ``InferenceSession`` takes for ``providers``: the one asked for first, the CPU for nodes it cannot run.

    Raises:
        BackendError: This build of onnxruntime does not have it.
    """
    if provider in (None, "cpu"):
        return [_CPU]
    name = _NAMES[str(provider)]
    built = runtime.get_available_providers()
    if name not in built:
        cure = "install a build of onnxruntime for this GPU (on a Jetson that of its JetPack), or leave provider out"
        raise not_there(str(provider), "onnxruntime", got=f"a build with {', '.join(built)}", cure=cure)
    if hasattr(runtime, "preload_dlls"):  # finds CUDA libraries that came as packages of Python
        runtime.preload_dlls()
    chain = [(_CUDA, _cuda_options(runtime)), _CPU]
    return chain if provider == "cuda" else [(name, tensorrt_options(model)), *(chain if _CUDA in built else [_CPU])]


def _cuda_options(runtime: Any) -> dict[str, str]:
    """TF32 has 10 bits of mantissa and would be called float32. Builds before 1.18 neither know nor use the option."""
    numbers = tuple(int(part) for part in str(runtime.__version__).split(".")[:2] if part.isdigit())
    return {"use_tf32": "0"} if numbers >= (1, 18) else {}


def tensorrt_options(model: bytes) -> dict[str, str]:
    """Options of the TensorRT provider.

    Building an engine takes minutes, so it is kept; one that was built for another GPU, driver or TensorRT does not
    load or, worse, does: each combination has its folder, and in it each model.
    """
    key = json.dumps(nvidia_gpu(), sort_keys=True)
    parts = (hashlib.sha256(key.encode()).hexdigest()[:16], hashlib.sha256(model).hexdigest()[:16])
    folder = cache_folder().joinpath("tensorrt", *parts)
    options = {"trt_int8_enable": "1" if b"QuantizeLinear" in model else "0", "trt_fp16_enable": "0"}
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return options  # every start builds again
    return {
        **options,
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": str(folder),
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": str(folder),
    }


def nodes_by_provider(runtime: Any, model: bytes, options: Any, asked: list[Any]) -> tuple[Any, dict[str, int]]:
    """A session that was run once on zeros, and how many nodes each provider ran, from the engine's own profile."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="edgevision-") as folder:
        options.enable_profiling, options.profile_file_prefix = True, str(Path(folder) / "profile")
        session = runtime.InferenceSession(model, options, providers=asked)
        session.run(None, {item.name: _zeros(item) for item in session.get_inputs()})
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    ran = {
        event["name"]: event["args"]["provider"]
        for event in events
        if event.get("cat") == "Node" and "provider" in event.get("args", {})
    }
    return session, dict(Counter(ran.values()))


def _zeros(item: Any) -> Any:
    kind = item.type.removeprefix("tensor(").removesuffix(")")
    return np.zeros([size if isinstance(size, int) else 1 for size in item.shape], _DTYPES.get(kind, kind))
