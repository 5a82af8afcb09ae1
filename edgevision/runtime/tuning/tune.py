"""tune(): measures once on this machine, in a process of its own, and remembers."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgevision.runtime.cache import cache_folder
from edgevision.runtime.choice import Wish
from edgevision.runtime.errors import BackendError, BundleError
from edgevision.runtime.golden import Verdict
from edgevision.runtime.host import host_key
from edgevision.runtime.tuning.record import HostMemory, Trial, Tuning

if TYPE_CHECKING:
    from edgevision.runtime.bundle import Bundle

#: Seconds of racing. Opening every model comes on top (``trials.OPENING_S``).
SECONDS = 3.0
#: An engine that hangs is stopped after this many seconds and twenty times those of the race.
_PATIENCE_S = 30.0
_CODE = "import json,sys;r=json.loads(sys.stdin.readline());sys.path[:]=r['path'];" + (
    "from edgevision.runtime.tuning.child import main;main(r)"
)


def tune(bundle: Bundle, wish: Wish, seconds: float = SECONDS, *, again: bool = False) -> Tuning:
    """The fastest way to run a bundle on this machine, as far as ``wish`` leaves it open.

    What was found once holds as long as bundle, processor, usable CPUs and engine versions stay the same. Where several
    processes ask at once one measures and the others wait for it.

    Args:
        bundle: The bundle.
        wish: What is fixed.
        seconds: How long the race lasts; opening the models and their golden inputs come on top.
        again: Measure even if it was measured before.

    Raises:
        BundleError: None of the models runs here and gives its golden outputs.
        BackendError: Nothing can be measured: there is no Python to start, or it fails.
    """
    host = host_key()
    known = None if again else HostMemory(bundle, host).tuning(wish)
    if known is not None:
        return known
    with _one_at_a_time():
        memory = HostMemory(bundle, host)
        known = None if again else memory.tuning(wish)
        if known is not None:
            return known
        start = time.perf_counter()
        trials, verdicts = _measure(bundle, wish, seconds)
        for name, provider, verdict in verdicts:
            memory.keep_verdict(name, provider, verdict)
        found = Tuning(bundle.path.resolve().name, round(time.perf_counter() - start, 2), trials)
        if trials[0].ms is None:
            got = "; ".join(f"{trial.label}: {trial.note}" for trial in trials)
            cure = "see 'edgevision verify' and 'edgevision doctor', or insist with artifact=..."
            raise BundleError("no model of the bundle can be used on this machine", got=got, cure=cure)
        memory.keep_tuning(wish, found)
    return found


def _measure(bundle: Bundle, wish: Wish, seconds: float) -> tuple[tuple[Trial, ...], list[tuple[str, Any, Verdict]]]:
    """What the child found; an engine that kills it is left out the next time."""
    crashed: list[str] = []
    while True:
        request = {
            "bundle": str(bundle.path.resolve()),
            "wish": dataclasses.asdict(wish),
            "seconds": seconds,
            "crashed": crashed,
            "path": [entry or str(Path.cwd()) for entry in sys.path],
        }
        answers, problem = _ask(request, _PATIENCE_S + 20 * seconds)
        if answers and "trials" in answers[-1]:
            found = answers[-1]
            verdicts = [(name, provider, Verdict(**plain)) for name, provider, plain in found["verdicts"]]
            return tuple(Trial(**plain) for plain in found["trials"]), verdicts
        opening = answers[-1].get("opening") if answers else None
        if opening is None or opening in crashed:
            raise BackendError("the models could not be measured", got=problem, cure="load with tune=False")
        crashed.append(opening)


def _ask(request: dict[str, Any], patience_s: float) -> tuple[list[dict[str, Any]], str]:
    """The child's answers, and its last words if it failed."""
    import subprocess
    import tempfile

    python = sys.executable or ""
    if getattr(sys, "frozen", False) or not Path(python).name.lower().startswith(("python", "pypy")):
        raise BackendError("the models could not be measured", got="no Python to start", cure="load with tune=False")
    with tempfile.TemporaryDirectory(prefix="edgevision-") as folder:  # holds nothing that could be imported by mistake
        log = Path(folder) / "log"
        with log.open("wb") as errors:
            try:
                done = subprocess.run(
                    [python, "-c", _CODE],
                    input=json.dumps(request) + "\n",
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    text=True,
                    cwd=folder,
                    timeout=patience_s,
                    check=False,
                )
                out, end = done.stdout, f"exit code {done.returncode}"
            except subprocess.TimeoutExpired as error:
                said: Any = error.stdout  # bytes, whatever was asked for
                out, end = (said or b"").decode(errors="replace"), f"no end after {patience_s:.0f} s"
            except OSError as error:
                out, end = "", str(error)
        words = log.read_text(errors="replace").strip().splitlines()
    lines = [line for line in out.splitlines() if line.endswith("}")]
    return [json.loads(line) for line in lines], ", ".join([end, *words[-1:]])


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Processes that measure at the same time measure each other. Where files cannot be locked, nobody waits."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError, ImportError):
            import fcntl

            folder = cache_folder() / "tuning"
            folder.mkdir(parents=True, exist_ok=True)
            fcntl.flock(stack.enter_context((folder / "lock").open("w")), fcntl.LOCK_EX)
        yield
