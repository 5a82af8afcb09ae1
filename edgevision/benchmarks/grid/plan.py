"""Which cells a grid has, and what identifies a cell."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from edgevision.benchmarks.choice import chosen, runnable
from edgevision.benchmarks.grid.settings import GridSettings
from edgevision.datasets import open_dataset, open_images
from edgevision.runtime.bundle import MANIFEST, Bundle, entries
from edgevision.runtime.errors import DatasetError, EdgevisionError, InputError
from edgevision.runtime.host import host_key
from edgevision.runtime.providers import check_provider, knows

#: Digits of the identity that names a cell's files.
_DIGITS = 16
#: Why only a batch of one is measured.
_ONE = "models run one image at a time"


@dataclass(frozen=True)
class Cell:
    """One benchmark of a grid.

    Attributes:
        bundle: Path of the bundle.
        artifact: The artifact.
        provider: Where its engine computes; None is the engine's own way.
        threads: Threads of its engine; None is what ``load`` takes.
        batch: Images at once.
        key: Hash of everything that its figures depend on: the bundle's files, the settings, the data, the machine, its
            engines and the version of edgevision.
    """

    bundle: str
    artifact: str
    provider: str | None
    threads: int | None
    batch: int
    key: str

    @property
    def model(self) -> str:
        """Name of the bundle."""
        return Path(self.bundle).name.removesuffix(".edge")

    @property
    def name(self) -> str:
        """What its files are called, without a suffix: readable, and different for different identities."""
        parts = [self.model, self.artifact, Path(self.provider or "default").name, f"{self.threads or 'auto'}t"]
        return re.sub(r"[^\w.-]+", "_", "-".join([*parts, f"b{self.batch}", self.key]))

    @property
    def label(self) -> str:
        """For people: "cnn int8.tflite, 2 threads"."""
        threads = [f"{self.threads} thread{'' if self.threads == 1 else 's'}"] if self.threads else []
        return ", ".join([f"{self.model} {self.artifact}", *([self.provider] if self.provider else []), *threads])


class LeftOut(NamedTuple):
    """Cells that cannot be.

    Attributes:
        what: Which.
        reason: Why.
    """

    what: str
    reason: str


@dataclass(frozen=True)
class Plan:
    """The cells of a grid, each once.

    Attributes:
        settings: What was asked for.
        cells: In the order of the settings.
        left_out: What was asked for and cannot be.
    """

    settings: GridSettings
    cells: tuple[Cell, ...]
    left_out: tuple[LeftOut, ...]


def plan_grid(settings: GridSettings) -> Plan:
    """The cells of a grid on this machine.

    Raises:
        BundleError: A bundle cannot be used.
        DatasetError, ImageError: The data cannot be used.
        InputError: A provider is unknown, or nothing would be measured.
    """
    providers = [None if name == "default" else check_provider(name) for name in settings.providers]
    common = {"data": _data_hash(settings.data), "protocol": settings.protocol, "host": host_key()}
    cells: dict[str, Cell] = {}
    left_out = {LeftOut(f"batch of {size}", _ONE) for size in settings.batch if size != 1}
    for path in settings.bundles:
        bundle = Bundle.open(path)
        names, skipped = _artifacts(bundle, settings.artifacts)
        left_out |= {LeftOut(f"{bundle.path.name} {name}", reason) for name, reason in skipped.items()}
        common["files"] = _file_hashes(bundle)
        for artifact, provider, threads in itertools.product(names, providers, settings.threads):
            backend = bundle.artifact(artifact).format
            if not knows(backend, provider):
                left_out.add(LeftOut(f"{artifact} on {provider}", f"{backend} has no such provider"))
            elif 1 in settings.batch:
                facts: dict[str, Any] = {"artifact": artifact, "provider": provider, "threads": threads or None}
                cell = Cell(str(bundle.path.resolve()), **facts, batch=1, key=_key({**common, **facts, "batch": 1}))
                cells.setdefault(cell.key, cell)
    if not cells:
        got = "; ".join(f"{item.what}: {item.reason}" for item in sorted(left_out))
        raise InputError("nothing would be measured", got=got, cure="change the grid's artifacts, providers or batch")
    return Plan(settings, tuple(cells.values()), tuple(sorted(left_out)))


def _artifacts(bundle: Bundle, wanted: tuple[str, ...]) -> tuple[tuple[str, ...], dict[str, str]]:
    """Those of the wanted artifacts that can run here, and why the others cannot."""
    if not wanted:
        return runnable(bundle.manifest)
    skipped = {name: reason for name in wanted if (reason := _obstacle(bundle, name))}
    return tuple(name for name in wanted if name not in skipped), skipped


def _obstacle(bundle: Bundle, name: str) -> str:
    try:
        chosen(bundle.manifest, (name,))
    except EdgevisionError as error:
        return error.problem
    return ""


def _file_hashes(bundle: Bundle) -> dict[str, str]:
    """Of every file; the manifest's, too: how images are prepared may stand nowhere else."""
    manifest = hashlib.sha256((bundle.path / MANIFEST).read_bytes()).hexdigest()
    return {MANIFEST: manifest, **{entry.name: entry.sha256 for entry in entries(bundle.manifest)}}


def _data_hash(data: str) -> str:
    """Of the images' content, and of the labels where there are any."""
    if not data:
        return ""
    try:
        return open_dataset(data, prefer="test").content_hash()
    except DatasetError:
        return open_images(data, prefer="test").content_hash()


def _key(facts: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:_DIGITS]
