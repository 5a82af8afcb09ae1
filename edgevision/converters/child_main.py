"""The child process that reads or converts one file; the parent's side is ``child.py``.

The request is one line of JSON on stdin, which the parent then keeps open; events are lines of JSON on what was
stdout: "progress", "warning", and at last "done" or "error".
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import traceback
import warnings
from typing import Any, TextIO

#: Seconds to leave in order after the parent is gone.
_GRACE_S = 5.0


class Events:
    """Lines of JSON to the parent."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._lock = stream, threading.Lock()

    def send(self, event: str, **values: Any) -> None:
        """One event."""
        with self._lock:
            self._stream.write(json.dumps({"event": event, **values}) + "\n")
            self._stream.flush()

    def progress(self, stage: str, done: int, total: int) -> None:
        """As ``convert`` reports it."""
        self.send("progress", stage=stage, done=done, total=total)

    def warning(self, message: Warning | str, category: type[Warning], filename: str, *rest: object) -> None:
        """Our own warnings; those of libraries go to the log."""
        if issubclass(category, UserWarning) and f"{os.sep}edgevision{os.sep}" in filename:
            self.send("warning", text=str(message))


def main() -> None:
    """Does what stdin asks for."""
    events = Events(os.fdopen(os.dup(1), "w", encoding="utf-8"))
    os.dup2(2, 1)  # what libraries print goes to the log: stdout belongs to the events
    signal.signal(signal.SIGTERM, _stop)
    request = json.loads(sys.stdin.readline())
    threading.Thread(target=_watch_parent, daemon=True).start()
    _limit_memory(int(request["memory_bytes"]))
    sys.path += [path for path in request["path"] if path not in sys.path]
    warnings.showwarning = events.warning  # type: ignore[assignment]
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    try:
        events.send("done", result=_TASKS[request["task"]](request["options"], events))
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        _report(events, error)
    sys.stdout.flush()
    os._exit(0)  # the interpreter's end would wait seconds for TensorFlow's


def _convert(options: dict[str, Any], events: Events) -> str:
    """Path of the bundle."""
    from edgevision.converters.convert import convert_here

    return str(convert_here(**options, progress=events.progress).path)


def _inspect(options: dict[str, Any], events: Events) -> dict[str, Any]:
    """What is in a Keras file."""
    from edgevision.converters.inspect import inspect_keras

    return inspect_keras(**options)


_TASKS = {"convert": _convert, "inspect": _inspect}


def _report(events: Events, error: BaseException) -> None:
    from edgevision.converters.files.problems import is_memory
    from edgevision.converters.messages import to_message
    from edgevision.runtime.errors import ConversionError, EdgevisionError

    is_ours = isinstance(error, EdgevisionError) and not isinstance(error, ConversionError)
    if is_memory(error) and not is_ours:
        events.send("memory")
    else:
        events.send("error", error=to_message(error), trace=traceback.format_exc())


def _stop(*_: object) -> None:
    raise KeyboardInterrupt


def _watch_parent() -> None:
    """Ends this process when the parent is gone, which is when stdin ends."""
    with contextlib.suppress(OSError, ValueError):
        while os.read(0, 1):
            pass
    timer = threading.Timer(_GRACE_S, os._exit, (1,))
    timer.daemon = True
    timer.start()
    os.kill(os.getpid(), signal.SIGTERM)


def _limit_memory(limit: int) -> None:
    """Limits what may be written to. Not the address space, of which TensorFlow reserves far more than it uses."""
    try:
        import resource
    except ImportError:  # no POSIX system
        return
    with contextlib.suppress(ValueError, OSError):
        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main()
