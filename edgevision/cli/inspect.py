"""``edgevision inspect``: what is inside a bundle, a lone artifact or a Keras file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgevision.cli.console import results
from edgevision.cli.gate import calibration_lines, check_word, gate_lines, search_lines
from edgevision.cli.options import check_reports, force_option, given, json_option, limit_options
from edgevision.runtime.manifest import Artifact, Manifest, to_plain
from edgevision.runtime.needs import need_words
from edgevision.runtime.spec import TensorSpec

if TYPE_CHECKING:
    from edgevision.runtime.heads import Head
    from edgevision.runtime.spec import Preprocessing

#: Lone artifacts that carry their own description.
_ARTIFACTS = {".tflite": "tflite", ".onnx": "onnx", ".xml": "openvino"}
_SHOWN_LABELS = 10
#: Letters of a head's field that is not shown: names of all joints, stored anchors.
_LONG = 60


@click.command("inspect", short_help="Show what is inside a bundle or a model file.")
@click.argument("path", metavar="NAME.edge|FILE", type=click.Path(path_type=Path))
@click.option(
    "--executed", is_flag=True, help="Count again in the files, and ask the engines what they run in int8 here."
)
@click.option("--layers", is_flag=True, help="Signal-to-noise ratio of every layer of a bundle, the worst first.")
@click.option("--html", metavar="FILE.html", help="Write the layers as one self-contained page with pictures.")
@limit_options
@force_option
@json_option
def command(
    path: Path,
    executed: bool,
    layers: bool,
    html: str | None,
    trust: bool | None,
    memory_limit: float | None,
    time_limit: float | None,
    force: bool,
    as_json: bool,
) -> None:
    """Show tensors, precision, the share of work in int8 and where it came from.

    Of a Keras model: what is in it, and what will hurt int8, before anything is converted. A bundle's files are checked
    against their hashes first. A bundle or one of its models needs no converter installed; --executed and any other
    model file do.
    """
    if layers or html is not None:
        _show_layers(path, html, force, as_json)
        return
    with results() as out:
        manifest = _manifest(path)
        facts: dict[str, Any] = {} if manifest is None else to_plain(manifest)
        if manifest is None or executed:
            from edgevision.converters.inspect import inspect

            limits = given(trust=trust, memory_limit=memory_limit, time_limit=time_limit)
            facts = inspect(path, executed=executed, **limits)
        if as_json:
            out.json(facts)
        elif manifest is None:
            findings = facts.pop("preflight", None)
            out.text("\n".join(plain_lines(facts) + ([] if findings is None else preflight_lines(findings))))
        else:
            out.text(describe(path.resolve().name, manifest))
            if executed:
                out.text(text_of_executed(facts))


def _show_layers(path: Path, html: str | None, force: bool, as_json: bool) -> None:
    """What a bundle says about its layers, on stdout, and as a page where one is asked for."""
    from edgevision.benchmarks.report.layers import Layers
    from edgevision.runtime.bundle import Bundle

    if html is not None:
        check_reports([Path(html)], force, (".html",))
    with results() as out:
        bundle = Bundle.open(path)
        found = Layers.read(bundle)
        if html is not None:
            Path(html).write_text(found.to_html(path.resolve().name, bundle.manifest), encoding="utf-8")
        if as_json:
            out.json(found.to_dict())
        else:
            out.text(found.to_text())


def _manifest(path: Path) -> Manifest | None:
    """What a bundle or one of our artifacts says of itself; None for other files, which a converter must read."""
    from edgevision.runtime.bundle import Bundle
    from edgevision.runtime.embedded import read_embedded
    from edgevision.runtime.errors import BundleError

    kind = _ARTIFACTS.get(path.suffix.lower())
    if (path / "saved_model.pb").is_file():
        return None
    if path.is_dir() or not path.exists():
        return Bundle.open(path).manifest
    if kind is None:
        return None
    try:
        return read_embedded(path, kind)
    except BundleError:
        from importlib.util import find_spec

        # Not ours, then: the converters can still say what is in it, if they are here.
        if find_spec("tensorflow") is None:
            raise
        return None


def describe(name: str, manifest: Manifest) -> str:
    """The manifest for the terminal."""
    from edgevision.benchmarks.report import text_table

    shown = ", ".join(manifest.labels[:_SHOWN_LABELS]) + (", ..." if len(manifest.labels) > _SHOWN_LABELS else "")
    classes = f", {len(manifest.labels)} classes ({shown})" if manifest.labels else ""
    lines = [f"{name}: {manifest.task}{classes}" + (f", outputs {manifest.scores}" if manifest.scores else "")]
    if manifest.task == "tensors":
        lines = [f"{name}: {manifest.task}, named arrays in and out"]
    if manifest.head is not None:
        lines.append(f"head: {_head(manifest.head)}")
    if manifest.preprocessing is not None:
        lines.append(f"input: {_preprocessing(manifest.preprocessing)}")
    lines += [] if manifest.gate is None else gate_lines(manifest.gate)
    lines += search_lines(manifest)
    lines += calibration_lines(manifest)
    lines += ["", text_table([_row(artifact) for artifact in manifest.artifacts])]
    for artifact in manifest.artifacts:
        lines += [f"{artifact.name} in float: {op.name} ({op.kind}), {op.reason}" for op in artifact.float_ops]
        lines += [f"{artifact.name} needs {need_words(need)}" for need in artifact.needs]
    if manifest.provenance:
        lines += ["", "provenance", *plain_lines(manifest.provenance, "  ")]
    return "\n".join(lines)


def _head(head: Head) -> str:
    """Its kind and fields; long ones are left out."""
    plain = to_plain(head)
    shown = [f"{key} {value}" for key, value in plain.items() if key != "kind" and len(str(value)) < _LONG]
    return ", ".join([plain["kind"], *shown])


def _row(artifact: Artifact) -> dict[str, str]:
    from edgevision.benchmarks.report import words

    checked = artifact.parity is not None or artifact.agreement is not None
    return {
        "artifact": artifact.name,
        "precision": artifact.precision,
        "size": words.size(artifact.size) if artifact.files else "",
        "inputs": _tensors(artifact.inputs),
        "outputs": _tensors(artifact.outputs),
        "int8 work": f"{artifact.int8_macs:.1%}",
        "int8 weights": f"{artifact.int8_weight_bytes:.1%}",
        "checks": check_word(artifact) if checked else "",
    }


def _tensors(specs: Sequence[TensorSpec]) -> str:
    return ", ".join(f"{spec.name} {spec.dtype} {'x'.join(map(str, spec.shape))}" for spec in specs)


def _preprocessing(p: Preprocessing) -> str:
    numbers = "raw pixels" if p.is_raw else f"(pixel - {_numbers(p.mean)}) * {_numbers(p.scale)}"
    kernel = p.interpolation + ("" if p.antialias else ", no antialias")
    return f"{p.height}x{p.width} {p.color}, {p.resize} ({kernel}), {numbers}"


def _numbers(values: tuple[float, ...]) -> str:
    texts = [f"{value:.6g}" for value in values]
    return texts[0] if len(set(texts)) == 1 else f"[{', '.join(texts)}]"


def preflight_lines(findings: Sequence[dict[str, str]]) -> list[str]:
    """What will hurt int8, a paragraph each."""
    if not findings:
        return ["before converting: nothing found that will hurt int8"]
    lines = [f"before converting: {len(findings)} found that may hurt int8"]
    for found in findings:
        lines += ["", f"  {found['kind']}, {found['layer']}: {found['risk']}"]
        lines += [f"    usual cost: {found['cost']}", f"    rewrite: {found['rewrite']}"]
    return lines


def text_of_executed(facts: dict[str, Any]) -> str:
    """A table of what was counted in the files and of what the engines really run."""
    from edgevision.benchmarks.report import text_table

    counted = [item["counted"] for item in facts["artifacts"]] if "artifacts" in facts else [facts]
    rows = []
    for each in counted:
        ran = each["executed"]
        row = {"artifact": each["file"], "int8 work, counted": f"{each['int8_macs']:.1%}"}
        rows.append({**row, "kernels run in int8": f"{sum(kernel['int8'] for kernel in ran)} of {len(ran)}"})
    return "\n" + text_table(rows)


def plain_lines(value: dict[str, Any], indent: str = "") -> list[str]:
    """Nested dicts and lists as indented lines; a list of like dicts as a table."""
    from edgevision.benchmarks.report import text_table

    lines = []
    for key, item in value.items():
        if isinstance(item, dict):
            lines += [f"{indent}{key}", *plain_lines(item, indent + "  ")]
        elif isinstance(item, (list, tuple)) and item and isinstance(item[0], dict):
            table = text_table([{name: _text(each) for name, each in row.items()} for row in item])
            lines += [f"{indent}{key}", *(f"{indent}  {line}" for line in table.splitlines())]
        elif item is not None and item != "":
            lines.append(f"{indent}{key}: {_text(item)}")
    return lines


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
