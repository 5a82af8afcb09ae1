"""``edgevision doctor``: this machine, the engines on it, what is missing and the line that installs it."""

from __future__ import annotations

import platform
import signal
import subprocess
import sys
from importlib import metadata
from typing import Any

import click

from edgevision import __version__
from edgevision.cli.console import results
from edgevision.cli.options import json_option

#: What each extra brings besides the engines.
_PACKAGES = {
    "convert": ("tensorflow", "keras", "onnx", "tf2onnx", "nncf"),
    "train": ("tensorflow", "keras", "scikit-learn"),
    "report": ("jinja2",),
}
#: Extras that need a certain Python: (oldest, newest).
_PYTHONS = {"convert": ((3, 11), (3, 13)), "train": ((3, 11), (3, 13))}

# The engine is imported in a process of its own: a wheel built for another processor kills the process it is in.
# It prints the providers that it was built with, or the devices that it sees.
_IMPORTS = {
    "tflite": "import importlib.util as u, importlib as i;"
    "i.import_module(('ai_edge_litert' if u.find_spec('ai_edge_litert') else 'tflite_runtime') + '.interpreter')",
    "onnx": "import onnxruntime as o; from edgevision.runtime.onnx_providers import available; print(*available(o))",
    "openvino": "from edgevision.runtime.backends.openvino import import_openvino as i; o = i();"
    "print(*(name.lower() for name in o.Core().available_devices))",
}
_TIMEOUT_S = 120

_X86 = ("x86_64", "AMD64", "i686")


@click.command("doctor", short_help="This machine, its engines, and how to install what is missing.")
@json_option
def command(as_json: bool) -> int:
    """Say what this machine is, which engines work on it, and how to install what is missing.

    Exit code 1 when no engine works here. Nothing is sent anywhere: OpenVINO's telemetry stays off.
    """
    with results() as out:
        facts = examine()
        if as_json:
            out.json(facts)
        else:
            out.text(describe(facts))
    return 0 if any(engine["works"] for engine in facts["engines"].values()) else 1


def examine() -> dict[str, Any]:
    """Everything doctor knows, as plain values."""
    from edgevision.runtime.backends import installed
    from edgevision.runtime.gpu import nvidia_gpu
    from edgevision.runtime.host import host_description, int8_instructions
    from edgevision.runtime.host_state import host_state

    versions = {name: version for name, version in installed().items() if name in _IMPORTS}
    return {
        "edgevision": __version__,
        "host": host_description(),
        "state": host_state(),
        "nvidia": nvidia_gpu(),
        "int8_dot_product": int8_instructions(),
        "engines": {name: _engine(name, version) for name, version in versions.items()},
        "extras": {name: _extra(name) for name in _PACKAGES},
        "telemetry": "off",
    }


def _engine(name: str, version: str | None) -> dict[str, Any]:
    install = f"pip install 'edgevision[{name}]'"
    if version is None:
        return {"version": None, "works": False, "problem": "not installed", "cure": install, "providers": []}
    problem, said = _import_problem(_IMPORTS[name])
    cure = f"{install} --force-reinstall, or another version of it" if problem else ""
    providers = said.split()
    return {"version": version, "works": not problem, "problem": problem, "cure": cure, "providers": providers}


def _import_problem(code: str) -> tuple[str, str]:
    """Why the code fails in a fresh process, in one line, "" when it runs; and what it prints."""
    words = [sys.executable, "-c", code]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return f"does not start within {_TIMEOUT_S} s", ""
    if done.returncode == -signal.SIGILL:
        return "was built for a newer processor (illegal instruction)", ""
    if done.returncode < 0:
        return f"crashes on import (signal {-done.returncode})", ""
    last = (done.stderr.strip().splitlines() or ["fails on import"])[-1]
    return (last, "") if done.returncode else ("", done.stdout)


def _extra(name: str) -> dict[str, Any]:
    found = {package: _version(package) for package in _PACKAGES[name]}
    missing = [package for package, version in found.items() if version is None]
    oldest, newest = _PYTHONS.get(name, (sys.version_info[:2], sys.version_info[:2]))
    cure = f"pip install 'edgevision[{name}]'" if missing else ""
    if missing and not oldest <= sys.version_info[:2] <= newest:
        cure = f"needs Python {oldest[0]}.{oldest[1]} to {newest[0]}.{newest[1]}, this is {platform.python_version()}"
    return {"packages": found, "missing": missing, "cure": cure}


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def describe(facts: dict[str, Any]) -> str:
    """The facts of ``examine`` for the terminal."""
    host = facts["host"]
    memory = f", {host['memory_bytes'] / 2**30:.1f} GiB" if host["memory_bytes"] else ""
    lines = [
        f"edgevision {facts['edgevision']}, {host['python']}, {host['os']}",
        *([f"board      {host['board']}"] if host["board"] else []),
        f"processor  {host['cpu']} ({host['machine']}), {host['cpus']} of {host['cpus_total']} cores usable{memory}",
        f"int8       {_int8_line(facts['int8_dot_product'], host['machine'])}",
        *_state_lines(facts["state"], facts["nvidia"]),
        "",
        "engines",
    ]
    for name, engine in facts["engines"].items():
        found = f" ({', '.join(engine['providers'])})" if engine["providers"] else ""
        state = f"{engine['version']}{found}" if engine["works"] else f"{engine['problem']}: {engine['cure']}"
        lines.append(f"  {name:<10} {state}")
    lines += ["", "extras"]
    for name, extra in facts["extras"].items():
        found = ", ".join(f"{package} {version}" for package, version in extra["packages"].items() if version)
        state = f"{', '.join(extra['missing'])} not installed: {extra['cure']}" if extra["missing"] else found
        lines.append(f"  {name:<10} {state}")
    return "\n".join([*lines, "", "telemetry  none: edgevision sends nothing, and keeps OpenVINO from doing so"])


def _state_lines(state: dict[str, Any], nvidia: dict[str, str]) -> list[str]:
    """Heat, throttling, power mode and GPU, as far as the machine has them."""
    lines = []
    if state["temperature_c"] is not None:
        lines.append(f"heat       {state['temperature_c']:.0f} degrees Celsius")
    if state["throttled"]:
        now, before = (", ".join(state["throttled"][key]) or "nothing" for key in ("now", "since_boot"))
        lines.append(f"throttling {now} now, {before} since it was started")
    if state["power_mode"]:
        lines.append(f"power mode {state['power_mode']}")
    if nvidia["gpu"]:
        more = ", ".join(f"{key} {nvidia[key]}" for key in ("driver", "tensorrt") if nvidia[key])
        lines.append(f"GPU        {nvidia['gpu']}{f' ({more})' if more else ''}")
    return lines


def _int8_line(instructions: list[str] | None, machine: str) -> str:
    if instructions is None:
        return "unknown: the system does not list the processor's instructions"
    if instructions:
        return f"8-bit dot products in hardware ({', '.join(instructions)})"
    if machine in _X86:
        return "no 8-bit dot product (VNNI): int8 gains little; models that need VNNI run in onnxruntime alone, slower"
    return "no 8-bit dot product (dotprod): int8 gains less than on newer cores"
