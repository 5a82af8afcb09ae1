"""What is not the same in two reports: the machine, the models, what they ran, the software."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from edgevision.benchmarks.report.model import Report

#: What makes a machine another one as far as latencies go. Names of computers are in no report.
_HOST = ("board", "cpu", "machine", "instructions", "cpus", "cpus_total", "power_mode")
#: The system counts a little less or more memory after an update.
_MEMORY = 0.1
#: Settings of an engine that change how fast it is.
_SETTINGS = ("threads", "provider", "precision", "float_precision")
#: How much of a hash tells two files apart in print.
_SHOWN = 12


class Difference(NamedTuple):
    """One thing that is not the same.

    Attributes:
        item: What.
        old: As it was.
        new: As it is.
    """

    item: str
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.item}: {self.old} and {self.new}"


def host_differences(old: Report, new: Report) -> tuple[Difference, ...]:
    """What makes the second report's machine another one; what one of them does not say is no difference."""
    found = list(_differing(old.host, new.host, (key for key in _HOST if key in old.host and key in new.host)))
    before, after = old.host.get("memory_bytes"), new.host.get("memory_bytes")
    if before and after and abs(after - before) > _MEMORY * before:
        found.append(Difference("memory", f"{before / 2**30:.1f} GiB", f"{after / 2**30:.1f} GiB"))
    return tuple(found)


def model_differences(old: Report, new: Report) -> tuple[Difference, ...]:
    """Files of one name with other content; where a report does not list all files, artifacts and their source."""
    hashes = {run.artifact: run.sha256 for run in new.artifacts}
    found = [
        Difference(run.artifact, run.sha256[:_SHOWN], hashes[run.artifact][:_SHOWN])
        for run in old.artifacts
        if hashes.get(run.artifact, run.sha256) != run.sha256
    ]
    files = _differing(old.files, new.files, (name for name in old.files if name in new.files and name not in hashes))
    found += [Difference(name, before[:_SHOWN], after[:_SHOWN]) for name, before, after in files]
    before, after = (_source_hash(report) for report in (old, new))
    if not found and not (old.files and new.files) and before and after and before != after:
        found.append(Difference("source model", before[:_SHOWN], after[:_SHOWN]))
    return tuple(found)


def other_differences(old: Report, new: Report) -> tuple[Difference, ...]:
    """Software, settings and images: what may explain a change, or what the comparison is about."""
    systems = _differing(old.host, new.host, ("os", "python"))
    packages = sorted({*old.versions, *new.versions} - {"python"})
    versions = _differing(old.versions, new.versions, packages)
    known = [key for key in ("name", "split", "distinct", "sha256") if key in old.images and key in new.images]
    images = _differing(old.images, new.images, known)
    protocol = _differing(old.protocol, new.protocol, sorted({*old.protocol, *new.protocol}))
    return (
        *systems,
        *versions,
        *(Difference(f"images, {item}", before[:_SHOWN], after[:_SHOWN]) for item, before, after in images),
        *(Difference(f"protocol, {item}", before, after) for item, before, after in protocol),
        *_engines(old, new),
    )


def _engines(old: Report, new: Report) -> tuple[Difference, ...]:
    after = {run.artifact: run.engine for run in new.artifacts}
    found: dict[Difference, None] = {}  # an engine runs several artifacts
    for run in old.artifacts:
        engine = run.engine.get("engine", run.format)
        for each in _differing(run.engine, after.get(run.artifact, run.engine), ("engine", "version", *_SETTINGS)):
            found[Difference(f"{engine}, {each.item}" if each.item != "engine" else run.format, *each[1:])] = None
    return tuple(found)


def _differing(old: Mapping[str, Any], new: Mapping[str, Any], keys: Iterable[str]) -> list[Difference]:
    pairs = [(key, old.get(key), new.get(key)) for key in keys]
    return [Difference(key.replace("_", " "), _shown(a), _shown(b)) for key, a, b in pairs if a != b]


def _shown(value: Any) -> str:
    return (
        ", ".join(map(str, value)) or "none" if isinstance(value, list) else "unknown" if value is None else str(value)
    )


def _source_hash(report: Report) -> str:
    model = report.provenance.get("model")
    return str(model.get("sha256") or "") if isinstance(model, dict) else ""
