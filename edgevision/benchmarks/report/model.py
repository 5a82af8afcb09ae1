"""Report: everything that was measured, raw. What follows from it is computed in ``findings`` when it is read."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edgevision.benchmarks.report.document import Document
from edgevision.benchmarks.resampling import resampled
from edgevision.runtime.errors import BundleError, InputError
from edgevision.runtime.manifest import Agreement, Gate, from_plain, to_plain

#: Version of the report's fields. A newer edgevision reads every older report.
SCHEMA_VERSION = 2

#: The stages of a prediction, in order.
STAGES = ("decode", "preprocess", "infer", "postprocess")


@dataclass(frozen=True)
class ProcessRecord:
    """One of the processes in which an artifact ran.

    Attributes:
        import_ns: Importing edgevision's runtime with numpy, nanoseconds.
        load_ns: Opening the artifact: reading, hashing, importing the engine, preparing the model.
        first_ns: The first prediction.
        warmup_runs: Runs before measuring.
        settled: Whether the last two windows of the warm-up agreed.
        starts_ns: When each of its blocks began, nanoseconds since the first block of the benchmark.
        peak_bytes: Most memory it ever held.
        steady_bytes: Memory it held after its last block; None where the system does not tell.
        affinity: Numbers of the processors it was allowed to run on; empty where the system does not tell.
        joules_per_run: Energy of a prediction, what the machine takes at rest included; None where there is no meter.
    """

    import_ns: int
    load_ns: int
    first_ns: int
    warmup_runs: int
    settled: bool
    starts_ns: tuple[int, ...]
    peak_bytes: int
    steady_bytes: int | None = None
    affinity: tuple[int, ...] = ()
    joules_per_run: float | None = None


@dataclass(frozen=True)
class Measured:
    """One artifact as it ran in processes of its own.

    Attributes:
        artifact: Name, e.g. "int8.tflite".
        format: Its backend.
        precision: "int8" or "float32".
        size_bytes: All its files together.
        sha256: Of the model file.
        int8_macs: Share of multiply-accumulates in int8, 0..1.
        passed: Whether it passed the checks of its conversion.
        engine: What the session said of itself after loading.
        import_ns: Importing edgevision's runtime with numpy, nanoseconds: the median of its processes.
        load_ns: Opening the artifact: reading, hashing, importing the engine, preparing the model; their median.
        first_ns: The first prediction; their median.
        warmup_runs: Runs before measuring, all processes together.
        settled: Whether the latency had settled in every process when measuring began.
        block: Runs per round; artifacts took turns, one block each per round.
        stages_ns: Per stage of ``STAGES`` the nanoseconds of every run, in the order they were made: process after
            process, block after block.
        base_bytes: Memory of the first process before it imported anything but the standard library.
        peak_bytes: Most memory any of its processes ever held.
        agreement: How it did against float when it was converted.
        steady_bytes: Memory its processes held after their last block, their median.
        processes: Its processes in the order they ran; empty in reports of schema version 1, which had one.
    """

    artifact: str
    format: str
    precision: str
    size_bytes: int
    sha256: str
    int8_macs: float
    passed: bool
    engine: dict[str, Any]
    import_ns: int
    load_ns: int
    first_ns: int
    warmup_runs: int
    settled: bool
    block: int
    stages_ns: dict[str, Any]
    base_bytes: int
    peak_bytes: int
    agreement: Agreement | None = None
    steady_bytes: int | None = None
    processes: tuple[ProcessRecord, ...] = ()

    def __post_init__(self) -> None:
        lengths = {len(self.stages_ns[name]) for name in self.stages_ns}
        if set(self.stages_ns) != set(STAGES) or len(lengths) != 1 or not self.runs or self.runs % self.block:
            raise InputError(
                f"the runs of {self.artifact} are not usable",
                expected=f"equally many in {', '.join(STAGES)}, a multiple of {self.block}",
                got=", ".join(f"{name}: {len(values)}" for name, values in self.stages_ns.items()) or "none",
            )
        started = sum(len(each.starts_ns) for each in self.processes)
        if self.processes and started != self.runs // self.block:
            raise InputError(
                f"the blocks of {self.artifact} are not usable",
                expected=f"a start for each of {self.runs // self.block}",
                got=str(started),
            )

    @property
    def runs(self) -> int:
        """How often it was measured."""
        return len(self.stages_ns["decode"])

    def stage_ms(self, stage: str) -> NDArray[np.float64]:
        """Milliseconds of one stage, (runs,)."""
        return np.asarray(self.stages_ns[stage], np.float64) / 1e6

    @functools.cached_property
    def total_ms(self) -> NDArray[np.float64]:
        """Milliseconds end to end, (runs,): the four stages are all there is."""
        total: NDArray[np.float64] = np.sum([self.stage_ms(stage) for stage in STAGES], axis=0)
        return total

    @property
    def blocks_ms(self) -> NDArray[np.float64]:
        """Milliseconds end to end, (blocks, runs of a block)."""
        return self.total_ms.reshape(-1, self.block)

    @property
    def block_processes(self) -> tuple[int, ...]:
        """Number of the process that measured each block, from 0, (blocks,)."""
        if not self.processes:
            return (0,) * (self.runs // self.block)
        return tuple(i for i, each in enumerate(self.processes) for _ in each.starts_ns)

    @property
    def block_starts_s(self) -> NDArray[np.float64]:
        """When each block began, seconds, (blocks,); only their order where a report does not say."""
        if not self.processes:
            return np.arange(self.runs // self.block, dtype=np.float64)
        return np.array([start / 1e9 for each in self.processes for start in each.starts_ns])

    @property
    def round_medians_ms(self) -> NDArray[np.float64]:
        """Median of each block, milliseconds end to end, (blocks,)."""
        medians: NDArray[np.float64] = np.median(self.blocks_ms, axis=1)
        return medians

    @functools.cached_property
    def resampled_ms(self) -> dict[float, NDArray[np.float64]]:
        """Median (0.5) and 90th percentile (0.9) in each bootstrap replicate, see ``resampling.resampled``.

        Two artifacts of one report are drawn alike, so that their ratio in a replicate is a paired one.
        """
        return resampled(self.blocks_ms, self.block_processes, (0.5, 0.9))


@dataclass(frozen=True)
class Flip:
    """An image that an int8 artifact answers otherwise than float.

    Attributes:
        artifact: The int8 artifact.
        reference: The float32 artifact it is compared with.
        image: Which image of the data, from 0: its place in ``AccuracyRecord.truth``.
        confidence: Of ``artifact`` in its answer, 0..1.
        reference_confidence: Of ``reference`` in its own.
        jpeg: The image, its longest side at most 96 pixels, as JPEG in base64; "" where images may not travel.
    """

    artifact: str
    reference: str
    image: int
    confidence: float
    reference_confidence: float
    jpeg: str = ""


@dataclass(frozen=True)
class AccuracyRecord:
    """Predictions on labelled images, raw.

    Attributes:
        data: Name of the data set.
        split: Which split.
        sha256: Content hash of the data.
        truth: Right class per image.
        predictions: Artifact name -> best class per image.
        labels: Class names; empty in reports that did not keep them.
        flips: Images that the fastest int8 artifact answers otherwise than float, the surest first.
    """

    data: str
    split: str
    sha256: str
    truth: tuple[int, ...]
    predictions: dict[str, Any]
    labels: tuple[str, ...] = ()
    flips: tuple[Flip, ...] = ()


@dataclass(frozen=True)
class Report(Document):
    """One benchmark of one bundle on one machine. No absolute path and no image name is in it.

    Attributes:
        bundle: Name of the bundle.
        created: When, ISO 8601, UTC.
        command: The command line that repeats it, paths reduced to names.
        gate: Verdict of the conversion's accuracy gate.
        artifacts: The measured artifacts.
        overhead: The same run with the ``null`` backend: what the harness and Python cost by themselves.
        images: What was run: {"kind": "data", "golden" or "golden arrays", "name", "split", "distinct", "sha256"}.
        accuracy: Predictions on the data, when it is labelled.
        host: What machine it is, and its state before the timed phase: see ``environment.machine_state``.
        versions: Package -> version.
        provenance: Of the bundle: hashes of model and calibration set, versions, recipe.
        skipped: Artifacts that could not run here, and why.
        remarks: What went otherwise than asked.
        schema_version: Version of these fields; of a report that was read the present one.
        host_after: The machine's state after the timed phase; empty in reports of schema version 1.
        protocol: How much was measured, the fields of ``Protocol``; empty in reports of schema version 1.
        elapsed_s: Seconds that the timed phase lasted, starts and warm-ups included.
        own_cpu_s: Seconds of processor time that the benchmark itself took meanwhile, all processes together.
        energy: Name of the ``meter`` and ``idle_w``, watts at rest; empty where energy was not measured.
        files: File of the bundle -> its sha256, of everything that was measured.
        figures: Accuracy on labelled data of a task without single classes: ``metric``, ``data``, ``split``,
            ``artifacts`` (name -> figures) and ``comparisons``, as ``edgevision.evaluate`` has them; else empty.
    """

    raw: ClassVar[bool] = True

    bundle: str
    created: str
    command: str
    gate: Gate | None
    artifacts: tuple[Measured, ...]
    overhead: Measured | None
    images: dict[str, Any]
    accuracy: AccuracyRecord | None
    host: dict[str, Any]
    versions: dict[str, Any]
    provenance: dict[str, Any] = field(default_factory=dict)
    skipped: dict[str, Any] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    schema_version: int = SCHEMA_VERSION
    host_after: dict[str, Any] = field(default_factory=dict)
    protocol: dict[str, Any] = field(default_factory=dict)
    elapsed_s: float = 0.0
    own_cpu_s: float = 0.0
    energy: dict[str, Any] = field(default_factory=dict)
    files: dict[str, Any] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Raw values and, under "summary", what follows from them; ready for JSON."""
        from edgevision.benchmarks.report.findings import summary

        return {**to_plain(self), "summary": summary(self)}

    @classmethod
    def from_json(cls, text: str) -> Report:
        """The report that ``to_json`` wrote; "summary" is for other programs and not read back.

        Raises:
            InputError: It is no report, or a newer edgevision wrote it.
        """
        cure = "pass the JSON that 'edgevision benchmark --out' wrote"
        try:
            plain = json.loads(text)
        except ValueError as error:
            raise InputError("the report is not JSON", got=str(error), cure=cure) from error
        if not isinstance(plain, dict):
            raise InputError("the report is not usable", expected="a JSON object", got=type(plain).__name__, cure=cure)
        if "scenario" in plain:
            raise InputError(
                "the report is one of a scenario",
                expected="one of single predictions",
                got=str(plain["scenario"]),
                cure="show it alone with 'edgevision report', or measure without --scenario",
            )
        version = plain.get("schema_version", 0)
        if isinstance(version, int) and version > SCHEMA_VERSION:
            raise InputError(
                "the report was written by a newer edgevision",
                expected=f"schema version up to {SCHEMA_VERSION}",
                got=str(version),
                cure="upgrade edgevision",
            )
        plain.pop("summary", None)
        plain["schema_version"] = SCHEMA_VERSION  # every later field has a default that says that it is not known
        try:
            return from_plain(cls, plain)
        except BundleError as error:
            raise InputError(error.problem, expected=error.expected, got=error.got, cure=cure) from error

    def summary_rows(self) -> list[dict[str, str]]:
        """One row per artifact, fastest first: column name -> text; for ``text_table``."""
        from edgevision.benchmarks.report.tables import summary_rows

        return summary_rows(self)

    def headline(self) -> str:
        """The verdict in two or three sentences."""
        from edgevision.benchmarks.report.words import headline

        return headline(self)

    def title(self) -> str:
        """Which bundle was measured."""
        return f"Benchmark of {self.bundle}"

    def sections(self, *, markdown: bool) -> list[tuple[str, str]]:
        """See ``Document.sections``."""
        from edgevision.benchmarks.report.tables import sections

        return sections(self, markdown=markdown)

    def to_html(self) -> str:
        """See ``Document.to_html``."""
        from edgevision.benchmarks.report.html import render

        return render(self)
