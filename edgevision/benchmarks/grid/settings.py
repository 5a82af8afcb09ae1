"""What a grid file says."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from edgevision.benchmarks.protocol import Protocol
from edgevision.runtime.errors import InputError, MissingPackageError

_CURE = "docs/cli.md shows a grid file"


@dataclass(frozen=True)
class GridSettings:
    """The dimensions of a grid and how each of its cells is measured.

    Attributes:
        bundles: Paths of bundles.
        artifacts: Names, e.g. "int8.tflite"; empty takes all of each bundle.
        providers: Where engines compute, e.g. "cpu"; "default" is the engine's own way.
        threads: Threads per engine; 0 is what ``load`` takes.
        batch: Images at once.
        data: Images to run, as ``benchmark`` takes them; "" runs golden inputs.
        runs: As ``benchmark`` takes it; None is its own default.
        min_s: Likewise.
        processes: Likewise.
        quick: Likewise.
    """

    bundles: tuple[str, ...]
    artifacts: tuple[str, ...] = ()
    providers: tuple[str, ...] = ("default",)
    threads: tuple[int, ...] = (0,)
    batch: tuple[int, ...] = (1,)
    data: str = ""
    runs: int | None = None
    min_s: float | None = None
    processes: int | None = None
    quick: bool = False

    def __post_init__(self) -> None:
        if not self.bundles or not all((self.providers, self.threads, self.batch)):
            raise _refused("a grid with an empty dimension", "at least one value in bundles, providers, threads, batch")
        if min(self.threads) < 0 or min(self.batch) < 1:
            raise _refused("a number that is too small", "threads >= 0, batch >= 1")
        Protocol.of(self.quick, self.runs, self.min_s, self.processes)

    @property
    def protocol(self) -> dict[str, Any]:
        """What ``benchmark`` is told about how much to measure."""
        return {"runs": self.runs, "min_s": self.min_s, "processes": self.processes, "quick": self.quick}


def read_grid(source: str | Path | Mapping[str, Any]) -> GridSettings:
    """The settings in a .toml or .json file, or in a mapping of the same keys; paths are seen from the file's folder.

    Raises:
        InputError: The file is missing or damaged, a key is unknown, missing or of the wrong type.
        MissingPackageError: It is TOML, Python is 3.10, and tomli is not installed.
    """
    if isinstance(source, Mapping):
        return _settings(source, Path())
    path = Path(source)
    try:
        plain = _parsed(path)
    except OSError as error:
        raise InputError(f"{path} cannot be read", got=error.strerror or str(error)) from error
    except ValueError as error:  # both parsers' errors, and bytes that are no text
        raise InputError(f"{path} is damaged", expected=path.suffix[1:].upper(), got=str(error), cure=_CURE) from error
    return _settings(plain, path.parent)


def _parsed(path: Path) -> Any:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        return json.loads(text)
    if path.suffix != ".toml":
        raise InputError(f"{path.name} is no grid", expected="a .toml or .json file", got=path.suffix or "no suffix")
    name = "tomllib" if sys.version_info >= (3, 11) else "tomli"
    try:
        return importlib.import_module(name).loads(text)
    except ModuleNotFoundError as error:
        cure = "pip install 'edgevision[report]', or write the same keys as a .json file"
        raise MissingPackageError("tomli", f"to read {path.name} on Python 3.10", cure=cure) from error


def _settings(plain: Any, folder: Path) -> GridSettings:
    known = {field.name: field for field in fields(GridSettings)}
    if not isinstance(plain, Mapping) or "bundles" not in plain:
        raise _refused("a grid without bundles", 'bundles = ["NAME.edge", ...]')
    unknown = [str(key) for key in plain if key not in known]
    if unknown:
        raise _refused("an unknown key", " or ".join(known), ", ".join(unknown))
    values = {key: _value(key, value) for key, value in plain.items()}
    values["bundles"] = tuple(str(folder / item) for item in values["bundles"])
    if values.get("data") and (folder / values["data"]).exists():  # else a known data set's name
        values["data"] = str(folder / values["data"])
    return GridSettings(**values)


#: Type of one value per key; what is not here is text.
_KINDS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("threads", "batch", "runs", "processes"), (int,)),
    "min_s": (int, float),
    "quick": (bool,),
}
#: Keys that have one value; the others are dimensions.
_SINGLE = ("data", "runs", "min_s", "processes", "quick")


def _value(key: str, value: Any) -> Any:
    """A value of the right type; a list for a dimension, for which a single value will do."""
    kinds, single = _KINDS.get(key, (str,)), key in _SINGLE
    items = value if isinstance(value, (list, tuple)) and not single else [value]
    if not all(isinstance(item, kinds) and (bool in kinds or not isinstance(item, bool)) for item in items):
        names = " or ".join(kind.__name__ for kind in kinds)
        raise _refused(f"{key} of the wrong type", names if single else f"{names}, or a list of them", repr(value))
    return items[0] if single else tuple(dict.fromkeys(items))


def _refused(what: str, expected: str, got: str = "") -> InputError:
    return InputError(f"{what} cannot be measured", expected=expected, got=got, cure=_CURE)
