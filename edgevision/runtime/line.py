"""Stages side by side: each in a thread of its own, with a bounded buffer to the next."""

from __future__ import annotations

import threading
import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")

#: How long stopping waits for a stage that is inside a call which cannot be interrupted, such as a camera's read.
_PATIENCE_S = 5.0


class Buffer(Generic[Item]):
    """Hands items from one thread to another, in order.

    Attributes:
        dropped: How many items were replaced by newer ones before they were taken.
    """

    def __init__(self, depth: int, newest: bool = False) -> None:
        """``depth`` items may wait; with ``newest`` a full buffer drops its oldest rather than let the giver wait."""
        self.dropped = 0
        self._depth, self._newest = depth, newest
        self._items: deque[Item] = deque()
        self._changed = threading.Condition()
        self._ended, self._error = False, None  # type: bool, BaseException | None

    def put(self, item: Item) -> bool:
        """Waits for a place; False when the buffer was stopped and nobody will take the item."""
        with self._changed:
            while len(self._items) >= self._depth and not self._newest and not self._ended:
                self._changed.wait()
            if self._ended:
                return False
            if len(self._items) >= self._depth:
                self._items.popleft()
                self.dropped += 1
            self._items.append(item)
            self._changed.notify_all()
            return True

    def finish(self, error: BaseException | None) -> None:
        """Nothing follows; the taker gets what is still there, then the error if there is one."""
        with self._changed:
            self._ended, self._error = True, self._error or error
            self._changed.notify_all()

    def stop(self) -> None:
        """Nobody takes any more: what is there is let go."""
        with self._changed:
            self._ended, self._error = True, None
            self._items.clear()
            self._changed.notify_all()

    def __iter__(self) -> Iterator[Item]:
        while True:
            with self._changed:
                while not self._items and not self._ended:
                    self._changed.wait()
                if not self._items:
                    if self._error is not None:
                        raise self._error
                    return
                item = self._items.popleft()
                self._changed.notify_all()
            yield item


class Line:
    """Threads that belong together and stop together.

    Attributes:
        stopped: Set when the line stops; a stage that waits for something else waits for this too.
    """

    def __init__(self) -> None:
        self.stopped = threading.Event()
        self._stages: list[tuple[threading.Thread, Buffer[Any]]] = []

    def run(self, name: str, items: Iterable[Item], depth: int, newest: bool = False) -> Buffer[Item]:
        """Iterates over ``items`` in a thread from now on; what it gives, errors too, comes out of the buffer."""
        buffer: Buffer[Item] = Buffer(depth, newest)
        thread = threading.Thread(target=_pump, args=(items, buffer), name=f"edgevision {name}", daemon=True)
        self._stages.append((thread, buffer))
        thread.start()
        return buffer

    def stop(self) -> None:
        """Ends all threads and waits for them; warns when one stays inside a call. Stopping twice does nothing."""
        self.stopped.set()
        stages, self._stages = self._stages, []
        for _, buffer in stages:
            buffer.stop()
        for thread, _ in stages:
            thread.join(_PATIENCE_S)
            if thread.is_alive():
                text = f"the thread {thread.name!r} is still waiting for its source after {_PATIENCE_S:.0f} s"
                warnings.warn(text, RuntimeWarning, stacklevel=2)


def _pump(items: Iterable[Item], buffer: Buffer[Item]) -> None:
    error: BaseException | None = None
    try:
        try:
            for item in items:
                if not buffer.put(item):
                    break
        finally:
            close = getattr(items, "close", None)  # a generator's finally is to run here, not at some later time
            if close is not None:
                close()
    except BaseException as caught:
        error = caught
    buffer.finish(error)
