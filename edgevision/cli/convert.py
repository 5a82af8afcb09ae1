"""``edgevision convert``: a Keras model in, a bundle out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from edgevision.cli.console import Progress, results
from edgevision.cli.gate import calibration_lines, check_word, gate_lines, search_lines
from edgevision.cli.options import (
    force_option,
    geometry_options,
    given,
    input_size_option,
    json_option,
    limit_options,
    names,
    preprocess_option,
)
from edgevision.runtime.errors import InputError
from edgevision.runtime.manifest import Artifact, ModelFormat, Precision, Scores, Target, to_plain

if TYPE_CHECKING:
    from edgevision.runtime.bundle import Bundle

GATE_FAILED = 3


@click.command("convert", short_help="A Keras model in, a checked bundle of models out.")
@click.argument("model")
@click.option(
    "--calibration", required=True, metavar="DATA", help="Images like those it will see, no labels needed; or an .npz."
)
@click.option("--out", required=True, metavar="NAME.edge", help="The bundle to write.")
@click.option(
    "--evaluate", metavar="DATA", help="Labelled images for the gate.  [default: agreement on held-out images]"
)
@click.option("--labels", metavar="FILE", help="Class names, one a line.  [default: what the model itself says]")
@preprocess_option
@click.option(
    "--scores",
    type=click.Choice(get_args(Scores)),
    help="What the outputs are, of a model whose layers cannot be seen.  [default: told from its answers]",
)
@click.option(
    "--head", metavar="JSON", help='What its outputs are: a kind, {"kind": ...} or a .json file (docs/tasks.md).'
)
@input_size_option("Size of the model's input, where the model leaves it open.")
@click.option("--formats", callback=names(*get_args(ModelFormat)), help="[default: tflite,onnx,openvino]")
@click.option(
    "--precision",
    callback=names(*get_args(Precision)),
    help=f"Of {','.join(get_args(Precision))}.  [default: int8,float32]",
)
@click.option(
    "--target",
    type=click.Choice(get_args(Target)),
    help="Processors it is for: any, x86 with VNNI, or ARM.  [default: any]",
)
@click.option("--max-drop", type=click.FloatRange(min=0), help="Points int8 may lose against float.  [default: 1.0]")
@click.option(
    "--finetune",
    metavar="N",
    type=click.IntRange(min=0),
    help="Train the int8 model for up to N passes; kept if it brings it nearer to float.  [default: 0]",
)
@click.option(
    "--finetune-data", metavar="DATA", help="More images to train on; labels help.  [default: those of --calibration]"
)
@click.option(
    "--budget",
    metavar="SECONDS",
    type=click.FloatRange(min=0),
    help="Time to find out what has to stay in float, should int8 lose more.  [default: 60]",
)
@click.option("--strict-gate", is_flag=True, help="Exit with 3 when there are too few images to tell, too.")
@click.option(
    "--golden", type=click.Choice(("real", "synthetic")), help="synthetic where photos may not travel.  [default: real]"
)
@geometry_options
@limit_options
@force_option
@json_option
def command(
    model: str,
    calibration: str,
    out: str,
    evaluate: str | None,
    labels: str | None,
    preprocess: str | None,
    scores: str | None,
    head: str | None,
    input_size: tuple[int, int] | None,
    formats: tuple[str, ...] | None,
    precision: tuple[str, ...] | None,
    target: str | None,
    max_drop: float | None,
    finetune: int | None,
    finetune_data: str | None,
    budget: float | None,
    strict_gate: bool,
    golden: str | None,
    resize: str | None,
    interpolation: str | None,
    antialias: bool | None,
    trust: bool | None,
    memory_limit: float | None,
    time_limit: float | None,
    force: bool,
    as_json: bool,
) -> int:
    """Quantise a Keras MODEL once and write int8 and float32 artifacts for three engines.

    Exit code 3: the bundle is written, but int8 lost more than --max-drop; the table says where. Too few images to
    be sure is no failure, and said; --strict-gate makes it one.
    """
    from edgevision.converters.convert import convert

    asked = given(
        evaluate=evaluate,
        labels=None if labels is None else read_labels(Path(labels)),
        preprocess=preprocess,
        scores=scores,
        head=head,
        input_size=input_size,
        formats=formats,
        precisions=precision,
        target=target,
        max_drop=max_drop,
        finetune=finetune,
        finetune_data=finetune_data,
        budget=budget,
        golden=golden,
        resize=resize,
        interpolation=interpolation,
        antialias=antialias,
        trust=trust,
        memory_limit=memory_limit,
        time_limit=time_limit,
    )
    with results() as stdout:
        with Progress() as progress:
            bundle = convert(model, calibration, out, force=force, progress=progress, **asked)
        if as_json:
            stdout.json({"bundle": str(bundle.path), **to_plain(bundle.manifest)})
        else:
            stdout.text(summary(bundle))
    return 0 if passed(bundle) and not (strict_gate and is_undecided(bundle)) else GATE_FAILED


def is_undecided(bundle: Bundle) -> bool:
    """Whether there were too few images to be sure that no more was lost than allowed."""
    gate = bundle.manifest.gate
    return gate is not None and gate.verdict == "undecided"


def passed(bundle: Bundle) -> bool:
    """Whether the gate and every check of every artifact passed."""
    gate = bundle.manifest.gate
    return (gate is None or gate.passed) and all(artifact.passed for artifact in bundle.manifest.artifacts)


def read_labels(path: Path) -> tuple[str, ...]:
    """Class names, one a line, in the order of the model's outputs.

    Raises:
        InputError: The file cannot be read, is empty, or names a class twice.
    """
    cure = "write one class name a line, in the order of the model's outputs"
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeError) as error:
        raise InputError(f"{path} cannot be read", expected="a text file", got=str(error), cure=cure) from error
    while lines and not lines[-1]:
        lines.pop()
    twice = sorted({line for line in lines if lines.count(line) > 1})
    if not lines or twice or "" in lines:
        got = "an empty file" if not lines else f"{twice[0]!r} twice" if twice else "an empty line between names"
        raise InputError(f"{path} does not name the classes", expected="different names", got=got, cure=cure)
    return tuple(lines)


def summary(bundle: Bundle) -> str:
    """The table of artifacts and the gate's verdict."""
    from edgevision.benchmarks.report import text_table, words

    rows = []
    for artifact in bundle.manifest.artifacts:
        row = {
            "artifact": artifact.name,
            "size": words.size(artifact.size),
            "int8 work": f"{artifact.int8_macs:.0%}",
        }
        rows.append({**row, **_against_float(artifact), "checks": check_word(artifact)})
    lines = [text_table(rows).rstrip("\n")]
    gate = bundle.manifest.gate
    lines += [] if gate is None else gate_lines(gate)
    lines += search_lines(bundle.manifest)
    lines += calibration_lines(bundle.manifest)
    for item in bundle.manifest.provenance.get("left_out", ()):
        lines.append(f"left out: {item['precision']} in {item['format']}: {item['reason']}")
    lines.append(f"written: {bundle.path}" + ("" if passed(bundle) else ", marked as failed"))
    return "\n".join(lines)


def _against_float(artifact: Artifact) -> dict[str, str]:
    """Cells of the table: how the artifact stands to the float model."""
    found = artifact.agreement
    if found is None:
        return {"same answer as float": "", "points against float": ""}
    low, high = found.interval
    if not found.signals:
        same = "" if found.same_top1 is None else f"{found.same_top1:.1%}"
        return {
            "same answer as float": same,
            "points against float": f"{found.difference:+.2f} ({low:+.2f} to {high:+.2f})",
        }
    if found.metric is not None and found.value is not None:
        points = f"{found.difference:+.2f} ({low:+.2f} to {high:+.2f})"
        return {found.metric: f"{found.value:.3f}", "points against float": points}
    cells = {"least signal to noise, dB": f"{found.difference:.1f} ({low:.1f} to {high:.1f})"}
    if len(found.signals) > 1:
        cells["by output"] = ", ".join(f"{each.output} {each.sqnr_db:.1f}" for each in found.signals)
    return cells if found.same_top1 is None else {**cells, "same best class": f"{found.same_top1:.1%}"}
