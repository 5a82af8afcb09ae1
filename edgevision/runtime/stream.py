"""A source and a predictor, side by side: while the model computes one frame, the next are read and prepared."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

from edgevision.runtime.closing import Closing
from edgevision.runtime.errors import EdgevisionError, ImageError, InputError
from edgevision.runtime.host import available_cpus
from edgevision.runtime.inputs import FramesInput
from edgevision.runtime.line import Line
from edgevision.runtime.sources import Frame, Source, open_source
from edgevision.runtime.window import SlidingWindow

if TYPE_CHECKING:
    from edgevision.runtime.predictor import Predictor
    from edgevision.runtime.sources import AnySource

    OnError = Literal["raise", "skip"] | Callable[[ImageError], None]

#: More threads than processors take more from the model than they give (two, OpenVINO: 4.0 ms a frame, else 3.2).
_FEW_CPUS = 2

Done = TypeVar("Done")
AnyError = TypeVar("AnyError", bound=EdgevisionError)


@dataclass(frozen=True, eq=False)
class StreamResult:
    """What a stream gives for a frame.

    Attributes:
        frame: The frame.
        result: What the predictor makes of it.
        age_s: How long ago the frame was captured (read from a file, due in a recording played at its own speed).
        dropped: How many frames were dropped so far because newer ones had come (``latest=True``).
        skipped: How many damaged frames were passed over so far.
    """

    frame: Frame
    result: Any
    age_s: float
    dropped: int
    skipped: int


class _Prepared(NamedTuple):
    frame: Frame
    feeds: Any
    size: tuple[int, int]


class Stream(Closing, Iterator[StreamResult]):
    """Results in the order of their frames. Closes itself at the end, on an error, on Ctrl-C and when dropped.

    Attributes:
        source: What is read.
    """

    def __init__(
        self,
        predictor: Predictor,
        source: AnySource,
        *,
        latest: bool = False,
        on_error: OnError = "raise",
        depth: int = 2,
    ) -> None:
        """See ``Predictor.stream``."""
        if on_error not in ("raise", "skip") and not callable(on_error):
            raise InputError("on_error is not usable", expected="'raise', 'skip' or a function", got=repr(on_error))
        if isinstance(depth, bool) or not isinstance(depth, int) or depth < 1:
            raise InputError("depth is not usable", expected="a whole number of at least 1", got=repr(depth))
        self.source = open_source(source)
        if latest and self.source.kind == "stills":
            self.source.close()
            cure = "leave latest away: files wait"
            raise InputError(f"{self.source.name} has no time", expected="a camera or video", got="images", cure=cure)
        # No method of self: a generator that holds its Stream would keep a dropped one alive, and its threads.
        line = Line()
        answers = _newest(line, predictor, self.source) if latest else _all(line, predictor, self.source, depth)
        self._line, self._results = line, _results(line, answers, on_error)

    def __next__(self) -> StreamResult:
        return next(self._results)

    def close(self) -> None:
        """Ends the threads and lets go of the source. Closing twice does nothing."""
        self._results.close()
        if not self._line.stopped.is_set():  # never begun
            self._line.stopped.set()
            self.source.close()


_Answer = tuple[Frame, Any, int]  # frame, result, dropped so far


def _all(line: Line, predictor: Predictor, source: Source, depth: int) -> Iterator[_Answer | ImageError]:
    """Every frame: reading, preparing and inferring in a thread each, or on two processors the first two in one."""
    frames: Iterable[Frame | ImageError] = _read(source)
    if available_cpus() > _FEW_CPUS:
        frames = line.run("source", frames, depth)
    prepared = line.run("preprocess", _prepared(predictor, frames), depth)
    for item in line.run("infer", _inferred(predictor, prepared), depth):
        yield item if isinstance(item, ImageError) else (*item, 0)


def _newest(line: Line, predictor: Predictor, source: Source) -> Iterator[_Answer | ImageError]:
    """The newest frame each time one is asked for: only reading goes on meanwhile, so that no result can grow old."""
    frames = _read(source)
    paced = _paced(frames, line) if source.kind == "recording" else frames
    read = line.run("source", paced, 1, newest=True)
    for item in _inferred(predictor, _prepared(predictor, read)):
        yield item if isinstance(item, ImageError) else (*item, read.dropped)


def _results(
    line: Line, answers: Iterator[_Answer | ImageError], on_error: OnError
) -> Generator[StreamResult, None, None]:
    skipped = 0
    try:
        for item in answers:
            if not isinstance(item, ImageError):
                frame, result, dropped = item
                yield StreamResult(frame, result, time.monotonic() - frame.read_s, dropped, skipped)
            elif on_error == "raise":
                raise item
            else:
                skipped += 1
                if callable(on_error):
                    on_error(item)
    finally:
        line.stop()


def _read(source: Source) -> Iterator[Frame | ImageError]:
    """The source's frames; it is closed in the thread that reads it: closing a camera during a read can crash."""
    try:
        yield from source.frames()
    finally:
        source.close()


def _paced(frames: Iterator[Frame | ImageError], line: Line) -> Iterator[Frame | ImageError]:
    """A recording at its own speed, as a camera would have given it."""
    start_s = None
    for frame in frames:
        if isinstance(frame, Frame):
            now = time.monotonic()
            start_s = now - frame.time_s if start_s is None else start_s
            due_s = start_s + frame.time_s
            if line.stopped.wait(max(due_s - now, 0.0)):
                return
            frame = replace(frame, read_s=due_s)
        yield frame


def _prepared(predictor: Predictor, frames: Iterable[Frame | ImageError]) -> Iterator[_Prepared | ImageError]:
    form = predictor.form
    window = SlidingWindow(form) if isinstance(form, FramesInput) else None
    for frame in frames:
        item = frame if isinstance(frame, ImageError) else _guarded(frame, _prepare, predictor, frame, window)
        if item is not None:
            yield item


def _prepare(predictor: Predictor, frame: Frame, window: SlidingWindow | None) -> _Prepared | None:
    """The first half of a predictor's call; None until a window of frames is full."""
    found = predictor.form.feeds(frame.image) if window is None else window.add(frame.image)
    return None if found is None else _Prepared(frame, *found)


def _inferred(
    predictor: Predictor, items: Iterable[_Prepared | ImageError]
) -> Iterator[tuple[Frame, Any] | ImageError]:
    for item in items:
        yield item if isinstance(item, ImageError) else _guarded(item.frame, _infer, predictor, item)


def _infer(predictor: Predictor, prepared: _Prepared) -> tuple[Frame, Any]:
    """The second half."""
    return prepared.frame, predictor.postprocess(predictor.infer(prepared.feeds), prepared.size)


def _guarded(frame: Frame, step: Callable[..., Done], *words: Any) -> Done | ImageError:
    """What the step returns, or why the frame cannot be used. Any other error ends the stream; both name the frame."""
    try:
        return step(*words)
    except ImageError as error:
        return _with_name(error, frame.name)
    except EdgevisionError as error:
        raise _with_name(error, frame.name) from error.__cause__


def _with_name(error: AnyError, name: str) -> AnyError:
    if name not in str(error):
        error.problem, error.args = f"{name}: {error.problem}", (f"{name}: {error}",)
    return error
