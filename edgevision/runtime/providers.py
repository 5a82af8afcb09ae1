"""Where an engine computes: the names that ``provider=`` takes, and what each engine calls them.

None is the engine's own way on the CPU. A provider that was asked for and is not there, or takes over nothing, is a
BackendError: engines themselves go on on the CPU without a word.
"""

from __future__ import annotations

from edgevision.runtime.errors import BackendError, InputError

#: Backend -> names that it knows. Besides these, tflite takes the path of an external delegate's library.
PROVIDERS: dict[str, tuple[str, ...]] = {
    "tflite": ("cpu", "xnnpack", "builtin", "edgetpu"),
    "onnx": ("cpu", "cuda", "tensorrt"),
    "openvino": ("cpu", "gpu", "npu", "auto"),
    "null": (),
}
_LIBRARIES = (".so", ".dylib", ".dll")


def is_library(provider: str) -> bool:
    """Whether the name is the path of a delegate's library, e.g. "/usr/lib/libedgetpu.so.1"."""
    name = provider.lower()
    return name.endswith(_LIBRARIES) or ".so." in name


def knows(backend: str, provider: str | None) -> bool:
    """Whether a backend can be asked for a provider."""
    return provider is None or provider in PROVIDERS[backend] or (backend == "tflite" and is_library(provider))


def check_provider(provider: str | None, backend: str | None = None) -> str | None:
    """The name itself.

    Raises:
        InputError: No backend knows the name, or not the one that was asked for.
    """
    backends = PROVIDERS if backend is None else (backend,)
    if provider is not None and not (isinstance(provider, str) and any(knows(each, provider) for each in backends)):
        known = " or ".join(dict.fromkeys(name for each in backends for name in PROVIDERS[each])) or "none"
        problem = f"{backend} has no such provider" if backend else "the provider is unknown"
        more = ", or the path of a delegate's library" if "tflite" in backends else ""
        raise InputError(problem, expected=known + more, got=repr(provider))
    return provider


def not_there(provider: str, engine: str, *, got: str, cure: str = "") -> BackendError:
    """What is raised instead of going on on the CPU."""
    cure = cure or "leave provider out to run on the CPU, or see 'edgevision doctor'"
    return BackendError(f"{engine} does not run on {provider!r} here", expected=provider, got=got, cure=cure)
