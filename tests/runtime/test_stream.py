"""Streams: every frame once and in order, the newest frame where asked, and no thread left whatever happens."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import edgevision
from edgevision.runtime.errors import BackendError, ImageError, InputError, SourceError
from edgevision.runtime.heads.classes import SequenceHead
from edgevision.runtime.predictor import Predictor
from edgevision.runtime.sources import Frame, Source
from edgevision.runtime.spec import Preprocessing, TensorSpec
from edgevision.runtime.stream import Stream
from tests import tiny
from tests.runtime.tasks.answers import predictor_of


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


@pytest.fixture
def predictor(tiny_bundle: Path) -> Iterator[Predictor]:
    with edgevision.load(tiny_bundle, "onnx") as opened:
        yield opened


def arrays(count: int) -> list[NDArray[np.uint8]]:
    return [tiny.pixels(seed)[0].repeat(3, 0) for seed in range(count)]


class Recorded(Source):
    """Twenty frames a second."""

    kind = "recording"
    name = "clip"

    def __init__(self, count: int) -> None:
        self.count, self.closed = count, 0

    def frames(self) -> Iterator[Frame | ImageError]:
        for index in range(self.count):
            yield Frame(tiny.pixels(index)[0], index, index / 20, f"clip frame {index}")

    def close(self) -> None:
        self.closed += 1


class Slow:
    """A predictor whose answer is the frame's first pixel, after a while."""

    def __init__(self, infer_s: float = 0.0, preprocess_s: float = 0.0) -> None:
        self.infer_s, self.preprocess_s = infer_s, preprocess_s
        self.form = SimpleNamespace(feeds=self.feeds)

    def feeds(self, image: Any) -> Any:
        time.sleep(self.preprocess_s)
        return image, image.shape[:2]

    def infer(self, feeds: Any) -> Any:
        time.sleep(self.infer_s)
        return feeds

    def postprocess(self, outputs: Any, size: tuple[int, int]) -> Any:
        assert size == outputs.shape[:2]
        return int(outputs.flat[0])


@pytest.fixture(params=[2, 4], autouse=True)
def _cpus(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgevision.runtime.stream.available_cpus", lambda: request.param)


def run(predictor: Any, source: Any, **options: Any) -> Stream:
    return Stream(predictor, source, **options)


def test_every_frame_in_order_with_the_results_of_single_calls(predictor: Predictor) -> None:
    images = arrays(60)
    found = list(predictor.stream(iter(images), depth=3))
    assert [result.frame.index for result in found] == list(range(60))
    for image, result in zip(images, found):
        assert result.frame.image is image
        np.testing.assert_array_equal(result.result.scores, predictor(image).scores)
    assert all(0 <= result.age_s < 60 and result.dropped == result.skipped == 0 for result in found)


def test_an_empty_source_ends() -> None:
    assert list(run(Slow(), iter(()))) == []


def test_stages_overlap() -> None:
    def slowly() -> Iterator[NDArray[np.uint8]]:
        for image in arrays(10):
            time.sleep(0.03)
            yield image

    start = time.monotonic()
    assert len(list(run(Slow(0.03, 0.03), slowly()))) == 10
    assert time.monotonic() - start < 0.75 * 10 * 0.09


def test_buffers_are_bounded() -> None:
    given = 0

    def endless() -> Iterator[NDArray[np.uint8]]:
        nonlocal given
        while True:
            given += 1
            yield np.zeros((2, 2, 3), np.uint8)

    with run(Slow(), endless(), depth=1) as stream:
        next(stream)
        time.sleep(0.1)
        assert given <= 8  # one waits after each of three stages, one is in each, one was taken


def test_latest_takes_the_newest_and_counts_the_rest() -> None:
    source = Recorded(20)
    found = list(run(Slow(0.14), source, latest=True))
    indices = [result.frame.index for result in found]
    assert indices == sorted(set(indices)) and indices[-1] == 19
    assert found[-1].dropped == 20 - len(found) > 5
    assert all(0.14 <= result.age_s < 0.14 + 3 / 20 + 0.2 for result in found)
    assert source.closed


def test_a_slow_consumer_of_the_latest_gets_no_old_frame() -> None:
    stream = run(Slow(), Recorded(40), latest=True)
    next(stream)
    time.sleep(0.5)
    late = next(stream)
    assert late.frame.index >= 8
    assert late.age_s < 0.2
    stream.close()


@pytest.mark.parametrize("options", [{}, {"latest": True}])
def test_break_close_and_with_end_the_threads(options: dict[str, Any]) -> None:
    source = Recorded(1000)
    for _ in run(Slow(), source, **options):
        break
    assert source.closed == 1
    stream = run(Slow(), Recorded(1000), **options)
    next(stream)
    stream.close()
    stream.close()
    assert list(stream) == []
    with run(Slow(), Recorded(1000), **options) as stream:
        next(stream)


def test_a_stream_that_never_began_lets_go_of_its_source() -> None:
    source = Recorded(3)
    run(Slow(), source).close()
    assert source.closed == 1


@pytest.mark.parametrize("options", [{}, {"latest": True}])
def test_ctrl_c(options: dict[str, Any]) -> None:
    def silent() -> Iterator[NDArray[np.uint8]]:
        yield np.zeros((2, 2, 3), np.uint8)
        time.sleep(0.6)
        yield np.zeros((2, 2, 3), np.uint8)

    stream = run(Slow(), silent(), **options)
    next(stream)
    threading.Timer(0.2, signal.raise_signal, [signal.SIGINT]).start()
    with pytest.raises(KeyboardInterrupt):
        next(stream)


def test_a_damaged_file_is_raised_in_its_place_with_its_name(predictor: Predictor, tmp_path: Path) -> None:
    from PIL import Image

    for number in range(4):
        Image.fromarray(tiny.pixels(number)[0]).save(tmp_path / f"{number}.png")
    (tmp_path / "2.png").write_bytes((tmp_path / "2.png").read_bytes()[:60])
    stream = predictor.stream(tmp_path)
    assert [Path(next(stream).frame.name).name for _ in range(2)] == ["0.png", "1.png"]
    with pytest.raises(ImageError, match=r"2\.png"):
        next(stream)
    assert list(stream) == []

    found = list(predictor.stream(tmp_path, on_error="skip"))
    assert [(result.frame.index, result.skipped) for result in found] == [(0, 0), (1, 0), (3, 1)]
    told: list[ImageError] = []
    assert len(list(predictor.stream(tmp_path, on_error=told.append))) == 3
    assert len(told) == 1 and "2.png" in str(told[0])


def test_an_unusable_array_is_named_by_its_place(predictor: Predictor) -> None:
    images: list[Any] = arrays(3)
    images[1] = np.zeros((3, 3), np.float32)
    with pytest.raises(ImageError, match=r"the images\[1\].*uint8"):
        list(predictor.stream(images))


def test_an_error_of_the_engine_names_the_frame_and_is_not_skipped(predictor: Predictor) -> None:
    stream = predictor.stream(iter(arrays(50)), on_error="skip", depth=1)
    next(stream)
    predictor.close()
    with pytest.raises(BackendError, match=r"the images\[\d+\].*closed"):
        list(stream)


def test_an_error_of_the_callers_iterator_arrives_as_it_is() -> None:
    def failing() -> Iterator[NDArray[np.uint8]]:
        yield from arrays(2)
        raise ZeroDivisionError("mine")

    for latest in (False, True):
        with pytest.raises(ZeroDivisionError, match="mine"):
            list(run(Slow(), failing(), latest=latest))


def test_a_source_that_breaks_off_ends_even_a_stream_that_skips() -> None:
    class Broken(Recorded):
        def frames(self) -> Iterator[Frame | ImageError]:
            yield from super().frames()
            yield ImageError("clip frame 2 is damaged")
            raise SourceError("clip broke off")

    stream = run(Slow(), Broken(2), on_error="skip")
    assert [next(stream).frame.index for _ in range(2)] == [0, 1]
    with pytest.raises(SourceError, match="broke off"):
        next(stream)


def test_options_that_make_no_sense() -> None:
    for options in ({"on_error": "ignore"}, {"depth": 0}, {"depth": 1.5}):
        with pytest.raises(InputError, match=next(iter(options))):
            run(Slow(), Recorded(1), **options)
    with pytest.raises(InputError, match="latest"):
        run(Slow(), arrays(2), latest=True)


def test_a_source_that_does_not_return_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgevision.runtime.line._PATIENCE_S", 0.05)
    release = threading.Event()

    def stuck() -> Iterator[NDArray[np.uint8]]:
        yield np.zeros((2, 2, 3), np.uint8)
        release.wait(5)

    stream = run(Slow(), stuck())
    next(stream)
    with pytest.warns(RuntimeWarning, match="source"):
        stream.close()
    release.set()
    time.sleep(0.1)


def test_a_model_of_windows_gets_the_last_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = (TensorSpec("frames", (1, 3, 4, 6, 3), "uint8"),)
    outputs = {"scores": np.zeros((1, 2), np.float32)}
    predictor = predictor_of(
        SequenceHead(), outputs, ("walk", "run"), Preprocessing(4, 6), scores="logits", inputs=inputs
    )
    fed: list[list[int]] = []
    infer = predictor.infer

    def noted(feeds: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        fed.append(feeds["frames"][0, :, 0, 0, 0].tolist())
        return infer(feeds)

    monkeypatch.setattr(predictor, "infer", noted)
    images: list[Any] = [np.full((8, 12, 3), 10 * number, np.uint8) for number in range(6)]
    images[3] = np.zeros((8, 12), np.float32)  # passed over
    found = list(predictor.stream(images, on_error="skip"))
    assert [result.frame.index for result in found] == [2, 4, 5]
    assert fed == [[0, 10, 20], [10, 20, 40], [20, 40, 50]]
    assert all(result.result.label in ("walk", "run") for result in found)
