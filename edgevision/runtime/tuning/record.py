"""What tuning found, and where it is kept: a file per bundle and machine, in the user's cache folder."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgevision.runtime.cache import cache_folder, read_json, write_json
from edgevision.runtime.choice import Wish
from edgevision.runtime.golden import Verdict

if TYPE_CHECKING:
    from edgevision.runtime.bundle import Bundle


@dataclass(frozen=True)
class Trial:
    """One candidate.

    Attributes:
        artifact: Name of the model, e.g. "int8.onnx".
        provider: Where it computes; None is the engine's own way on the CPU.
        threads: With how many threads.
        ms: Milliseconds of one call; None when it was not timed.
        note: Why it was not chosen; "" of the one that was.
    """

    artifact: str
    provider: str | None
    threads: int
    ms: float | None
    note: str = ""

    @property
    def label(self) -> str:
        """Its name for people, e.g. "int8.onnx, 2 threads" or "int8.onnx on cuda, 1 thread"."""
        where = f" on {self.provider}" if self.provider else ""
        return f"{self.artifact}{where}, {self.threads} thread{'s' if self.threads > 1 else ''}"


@dataclass(frozen=True)
class Tuning:
    """What was measured on this machine.

    Attributes:
        bundle: Name of the bundle.
        seconds: How long it took.
        trials: The chosen one, then the others that may run, the fastest first, then what cannot.
    """

    bundle: str
    seconds: float
    trials: tuple[Trial, ...]

    @property
    def chosen(self) -> Trial:
        """What ``load`` opens."""
        return self.trials[0]

    def rows(self) -> list[dict[str, str]]:
        """One row per candidate: column name -> text."""
        return [
            {
                "artifact": trial.artifact,
                "provider": trial.provider or "cpu",
                "threads": str(trial.threads),
                "ms": "" if trial.ms is None else f"{trial.ms:.3g}",
                "result": trial.note or "chosen",
            }
            for trial in self.trials
        ]

    def words(self) -> str:
        """The choice in one line."""
        timed = sum(trial.ms is not None for trial in self.trials)
        time = "not timed" if self.chosen.ms is None else f"{self.chosen.ms:.3g} ms"
        return f"measured: {self.chosen.label}, {time}, the fastest of {timed} tried"

    def to_dict(self) -> dict[str, Any]:
        """Plain values ready for JSON."""
        return dataclasses.asdict(self)


class HostMemory:
    """What is known of a bundle on this machine: golden verdicts and tunings.

    A file that is damaged, or cannot be read or written, is as good as none: nothing is lost but time.
    """

    def __init__(self, bundle: Bundle, host: dict[str, Any]) -> None:
        hashes = [entry.sha256 for artifact in bundle.manifest.artifacts for entry in artifact.files]
        hashes += [entry.sha256 for entry in bundle.manifest.files]
        key = hashlib.sha256(json.dumps([hashes, host], sort_keys=True, default=str).encode()).hexdigest()[:32]
        self._path = cache_folder() / "tuning" / f"{key}.json"
        self._known = read_json(self._path)

    def verdict(self, artifact: str, provider: str | None) -> Verdict | None:
        """What came of the golden inputs; None when they were not run yet."""
        found: Verdict | None = _read(Verdict, self._section("golden").get(f"{artifact} {provider}"))
        return found

    def keep_verdict(self, artifact: str, provider: str | None, verdict: Verdict) -> None:
        """For the next time."""
        self._put("golden", f"{artifact} {provider}", dataclasses.asdict(verdict))

    def tuning(self, wish: Wish) -> Tuning | None:
        """What was found under the same conditions; None when nothing was measured yet."""
        plain: Any = self._section("tunings").get(_key(wish))
        trials = plain.get("trials") if isinstance(plain, dict) else None
        read = tuple(_read(Trial, item) for item in trials) if isinstance(trials, (list, tuple)) else ()
        found: Tuning | None = _read(Tuning, {**plain, "trials": read}) if read and all(read) else None
        return found if found and found.chosen.ms is not None else None

    def keep_tuning(self, wish: Wish, tuning: Tuning) -> None:
        """For the next time."""
        self._put("tunings", _key(wish), tuning.to_dict())

    def _section(self, name: str) -> dict[str, Any]:
        found = self._known.get(name)
        return found if isinstance(found, dict) else {}

    def _put(self, section: str, name: str, value: dict[str, Any]) -> None:
        fresh = read_json(self._path) or self._known  # another process may have written meanwhile
        inner = fresh.get(section)
        self._known = {**fresh, section: {**(inner if isinstance(inner, dict) else {}), name: value}}
        write_json(self._path, self._known)


def _key(wish: Wish) -> str:
    return json.dumps(dataclasses.asdict(wish), sort_keys=True)


def _read(kind: Any, plain: Any) -> Any:
    """The dataclass of a cached object; None where a field is missing, unknown or of another type."""
    fields = {item.name: item for item in dataclasses.fields(kind)}
    if not isinstance(plain, dict) or plain.keys() != fields.keys():
        return None
    right = all(_is_of(str(fields[name].type), value) for name, value in plain.items())
    return kind(**plain) if right else None


def _is_of(annotation: str, value: Any) -> bool:
    if annotation.startswith("tuple"):
        return isinstance(value, tuple)
    kinds = {"str": (str,), "int": (int,), "float": (int, float), "None": (type(None),)}
    return any(type(value) in kinds[part] for part in annotation.split(" | "))
