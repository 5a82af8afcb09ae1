"""The documents name every command and option there is, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from edgevision.cli.main import COMMANDS, cli

ROOT = Path(__file__).resolve().parents[2]
CLI = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
_SHARED = {"--json", "--debug", "--help"}


def _options(name: str) -> set[str]:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    return {
        option
        for parameter in command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
        if option.startswith("--")
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_in_the_document_and_the_other_way_round(name: str) -> None:
    section = CLI.split(f"\n## {name}\n")[1].split("\n## ")[0]
    written = set(re.findall(r"--[a-z0-9-]+", section))
    # Sections may name options of other commands in prose, but the call line at their head is this command's alone.
    call = set(re.findall(r"--[a-z0-9-]+", section.split("```")[1]))
    assert _options(name) - _SHARED <= written
    assert call <= _options(name)


def test_every_command_in_the_documents_exists() -> None:
    for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md"]:
        called = set(re.findall(r"(?:^|`)edgevision ([a-z]+)", path.read_text(encoding="utf-8"), re.MULTILINE))
        assert called <= set(COMMANDS), path.name


def test_every_link_in_the_documents_leads_somewhere() -> None:
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!https?://)([^)#]+)", path.read_text(encoding="utf-8")):
            assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_every_error_is_in_the_document() -> None:
    from edgevision.runtime import errors

    text = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    names = [
        name for name, value in vars(errors).items() if isinstance(value, type) and value.__module__ == errors.__name__
    ]
    assert all(f"`{name}`" in text for name in names)


def test_every_field_of_the_manifest_is_in_the_document() -> None:
    import dataclasses

    from edgevision.runtime import manifest

    text = (ROOT / "docs" / "bundle.md").read_text(encoding="utf-8")
    for kind in (manifest.Manifest, manifest.Artifact, manifest.Gate, manifest.Parity, manifest.Agreement):
        assert all(f"`{field.name}`" in text for field in dataclasses.fields(kind))
