"""One suite that every backend passes. Gaps are named in GAPS with the reason; nothing is skipped in silence."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgevision.runtime.backends import BACKENDS, open_session
from edgevision.runtime.errors import BackendError, InputError, TensorError
from edgevision.runtime.session import Session
from tests import tiny

#: (backend, what it cannot do): why.
GAPS = {("null", "computes"): "it runs no engine: its answers are zeros"}


def expected(backend: str, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    scores = tiny.reference(pixels)
    return np.zeros_like(scores) if (backend, "computes") in GAPS else scores


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def session(backend: str) -> Iterator[Session]:
    with open_session(backend, *tiny.model(backend)) as made:
        yield made


@pytest.fixture
def float_session(backend: str) -> Iterator[Session]:
    with open_session(backend, *tiny.model(backend, "float32")) as made:
        yield made


def test_specs_come_from_the_model(session: Session, float_session: Session) -> None:
    assert [(spec.name, spec.shape, spec.dtype) for spec in session.inputs] == [("image", tiny.SHAPE, "uint8")]
    assert [(spec.name, spec.shape, spec.dtype) for spec in session.outputs] == [("scores", (1, 4), "float32")]
    assert float_session.inputs[0].dtype == "float32"


def test_answers_are_right(session: Session, float_session: Session) -> None:
    for seed in range(5):
        pixels = tiny.pixels(seed)
        scaled = (pixels / np.float32(255)).astype(np.float32)
        for made, feed in ((session, pixels), (float_session, scaled)):
            scores = made.run({"image": feed})["scores"]
            np.testing.assert_allclose(scores, expected(session.backend, pixels), rtol=1e-4, atol=1e-4)


def test_describes_what_runs(session: Session, backend: str) -> None:
    facts = session.describe()
    keys = {"backend", "engine", "version", "provider", "delegated", "float_precision", "threads"}
    assert facts.keys() - {"node_precisions"} == keys
    assert facts["backend"] == session.backend == backend
    assert facts["float_precision"] == ("none" if backend == "null" else "float32")
    assert facts["threads"] == 1
    has_xnnpack = facts["provider"] == "CPU (XNNPACK)"
    assert facts["delegated"] == {"null": 0, "tflite": 0.5 * has_xnnpack}.get(backend, 1)
    assert has_xnnpack == (facts["engine"] == "ai-edge-litert") or facts["engine"] == "tflite-runtime"
    assert ("node_precisions" in facts) == (backend == "openvino")
    assert all(value for name, value in facts.items() if name != "delegated")


def test_threads_are_passed_on(backend: str) -> None:
    with open_session(backend, *tiny.model(backend), threads=2) as session:
        assert session.describe()["threads"] == (1 if backend == "null" else 2)
        assert session.run({"image": tiny.pixels(0)})["scores"].shape == (1, 4)


@pytest.mark.parametrize("threads", [0, -1, 1.5, True, "2"])
def test_unusable_thread_counts_are_refused(backend: str, threads: int) -> None:
    with pytest.raises(InputError, match="threads"):
        open_session(backend, *tiny.model(backend), threads=threads)


@pytest.mark.parametrize(
    "feeds",
    [
        {},
        {"picture": tiny.pixels(0)},
        {"image": tiny.pixels(0), "more": tiny.pixels(0)},
        {"image": tiny.pixels(0)[0]},
        {"image": np.zeros((2, 8, 8, 3), np.uint8)},
        {"image": tiny.pixels(0).astype(np.float32)},
        {"image": tiny.pixels(0).astype(np.int8)},
        {"image": tiny.pixels(0).tolist()},
        {"image": None},
        {"image": tiny.pixels(0), 7: tiny.pixels(0)},
        {b"image": tiny.pixels(0)},
        {"image": np.uint8(7)},
        {"image": np.array(7, np.uint8)},
        {"image": np.zeros((0, 8, 8, 3), np.uint8)},
        {"image": np.zeros((1, 8, 8, 0), np.uint8)},
        {"image": tiny.pixels(0).reshape(1, 8, 3, 8)},
        {"image": tiny.pixels(0).reshape(-1)},
        {"image": tiny.pixels(0).astype(bool)},
        {"image": tiny.pixels(0).astype(object)},
        {"image": tiny.pixels(0).view("S1")},
        {"image": tiny.pixels(0).view([("value", "u1")])},
        {"image": np.ma.masked_array(tiny.pixels(0), tiny.pixels(0) > 9)},
        [tiny.pixels(0)],
        None,
    ],
    ids=[
        "none",
        "other name",
        "one more",
        "no batch",
        "batch",
        "float",
        "int8",
        "list",
        "None",
        "a number for a name",
        "bytes for a name",
        "scalar",
        "0-d",
        "no batch at all",
        "no channels",
        "other axes",
        "flat",
        "bool",
        "object",
        "strings",
        "fields",
        "masked",
        "no dict",
        "nothing",
    ],
)
def test_every_backend_refuses_the_same_feeds(session: Session, feeds: object) -> None:
    with pytest.raises(TensorError) as caught:
        session.run(feeds)  # type: ignore[arg-type]
    assert caught.value.expected
    assert caught.value.got


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_every_backend_refuses_values_that_are_not_finite(float_session: Session, value: float) -> None:
    image = np.zeros(tiny.SHAPE, np.float32)
    image[0, 7, 7, 2] = value
    with pytest.raises(TensorError, match="finite"):
        float_session.run({"image": image})


@pytest.mark.parametrize("dtype", [">f4", "f8", "f2", "c8", "i4", "u1"])
def test_no_other_float_is_cast(float_session: Session, dtype: str) -> None:
    with pytest.raises(TensorError, match="does not fit"):
        float_session.run({"image": np.zeros(tiny.SHAPE, dtype)})


class Labelled(np.ndarray[Any, Any]):
    """A subclass that would like to do things of its own."""

    def __array_finalize__(self, other: object) -> None:
        self.label = "label"


def _odd_address(values: NDArray[Any]) -> NDArray[Any]:
    raw = np.zeros(values.nbytes + 1, np.uint8)
    moved = raw[1:].view(values.dtype).reshape(values.shape)
    moved[...] = values
    return moved


def _read_only(values: NDArray[Any]) -> NDArray[Any]:
    values.flags.writeable = False
    return values


#: Every way in which memory may hold the same values.
LAYOUTS: dict[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
    "Fortran order": np.asfortranarray,
    "transposed": lambda values: values.transpose(0, 3, 1, 2).copy().transpose(0, 2, 3, 1),
    "negative strides": lambda values: values[:, ::-1, ::-1].copy()[:, ::-1, ::-1],
    "steps": lambda values: values.repeat(2, axis=2)[:, :, ::2],
    "a part of more": lambda values: np.pad(values, ((0, 0), (2, 1), (0, 3), (1, 0)))[:, 2:-1, :-3, 1:],
    "read-only": _read_only,
    "read-only, not contiguous": lambda values: _read_only(np.asfortranarray(values)),
    "odd address": _odd_address,
    "subclass": lambda values: values.view(Labelled),
    "repeated": lambda values: np.broadcast_to(values[:, :1, :1], values.shape),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_same_values_in_any_memory(session: Session, float_session: Session, layout: str) -> None:
    pixels = tiny.pixels(3)
    if layout == "repeated":
        pixels[:] = pixels[:, :1, :1]
    scaled = (pixels / np.float32(255)).astype(np.float32)
    for made, feed in ((session, pixels), (float_session, scaled)):
        plain = made.run({"image": feed.copy()})["scores"]
        given = LAYOUTS[layout](feed.copy())
        found = made.run({"image": given})["scores"]
        np.testing.assert_array_equal(found, plain)
        assert type(found) is np.ndarray
        np.testing.assert_array_equal(given, feed, "what was fed is left alone")
    np.testing.assert_allclose(session.run({"image": pixels})["scores"], expected(session.backend, pixels), atol=1e-4)


def test_any_mapping_will_do(session: Session) -> None:
    found = session.run(MappingProxyType({"image": tiny.pixels(0)}))
    np.testing.assert_array_equal(found["scores"], session.run({"image": tiny.pixels(0)})["scores"])


def test_providers_that_a_backend_does_not_have_are_refused(backend: str) -> None:
    for provider in ("", "CPU", "cpu ", "fpga"):
        with pytest.raises(InputError, match="provider"):
            open_session(backend, *tiny.model(backend), provider=provider)


def test_feeds_are_left_alone(session: Session) -> None:
    pixels = tiny.pixels(1)
    pixels.flags.writeable = False
    feeds = {"image": pixels}
    session.run(feeds)
    np.testing.assert_array_equal(pixels, tiny.pixels(1))
    assert list(feeds) == ["image"]


def test_outputs_are_fresh(session: Session) -> None:
    first = session.run({"image": tiny.pixels(0)})["scores"]
    kept = first.copy()
    second = session.run({"image": tiny.pixels(1)})["scores"]
    np.testing.assert_array_equal(first, kept)
    first[:] = 99
    np.testing.assert_allclose(second, expected(session.backend, tiny.pixels(1)), rtol=1e-4, atol=1e-4)


def in_eight_threads(session: Session, calls: int) -> list[str]:
    """Calls whose answers differ by a bit from those of one thread; every call of a thread has another input."""
    inputs = [[tiny.pixels(1000 * number + turn) for turn in range(calls)] for number in range(8)]
    serial = [[session.run({"image": pixels})["scores"] for pixels in row] for row in inputs]
    wrong: list[str] = []
    start = threading.Barrier(8)

    def work(number: int) -> None:
        start.wait()
        for turn, pixels in enumerate(inputs[number]):
            scores = session.run({"image": pixels})["scores"]
            if scores.tobytes() != serial[number][turn].tobytes():
                wrong.append(f"thread {number}, turn {turn}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return wrong


def test_eight_threads_get_their_own_answers(session: Session) -> None:
    assert in_eight_threads(session, 100) == []


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2])
def test_eight_threads_times_400(backend: str, threads: int) -> None:
    with open_session(backend, *tiny.model(backend), threads=threads) as session:
        assert in_eight_threads(session, 400) == []


def test_a_closed_session_says_so(backend: str) -> None:
    session = open_session(backend, *tiny.model(backend))
    with session as entered:
        assert entered is session
    session.close()
    with pytest.raises(BackendError, match="closed"):
        session.run({"image": tiny.pixels(0)})


def test_closing_while_others_run_crashes_nothing(backend: str) -> None:
    session = open_session(backend, *tiny.model(backend))
    surprises: list[Exception] = []

    def work() -> None:
        try:
            while True:
                session.run({"image": tiny.pixels(0)})
        except BackendError as error:
            surprises.extend([] if "is closed" in str(error) else [error])
        except Exception as error:
            surprises.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    session.close()
    for thread in threads:
        thread.join(10)
    assert surprises == []
    assert not any(thread.is_alive() for thread in threads)


@pytest.mark.parametrize("model", [b"", b"\0", b"no model at all", bytes(1000)], ids=["empty", "zero", "text", "zeros"])
def test_what_is_no_model_is_refused(backend: str, model: bytes) -> None:
    with pytest.raises(BackendError) as caught:
        open_session(backend, model, tiny.model(backend).weights)
    assert caught.value.got
    assert caught.value.cure


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_truncated_model_is_refused(backend: str, share: float) -> None:
    made = tiny.model(backend)
    with pytest.raises(BackendError):
        open_session(backend, made.model[: int(len(made.model) * share)], made.weights)


def test_weights_are_refused_where_there_are_none_and_needed_where_there_are(backend: str) -> None:
    model = tiny.model(backend).model
    with pytest.raises(BackendError):
        open_session(backend, model, None if backend == "openvino" else b"weights")
