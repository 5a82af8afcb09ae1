"""One content in four forms: text for the terminal, Markdown, one HTML page, JSON."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from edgevision.runtime.errors import InputError, OutputExistsError


class Document(ABC):
    """What is shown to people, whatever the form; who derives from it says what, not how.

    Attributes:
        raw: Whether raw measurements are in it: they would be most of the lines of indented JSON.
    """

    raw: ClassVar[bool] = False

    @abstractmethod
    def title(self) -> str:
        """What it is, in a line."""

    @abstractmethod
    def sections(self, *, markdown: bool) -> Iterable[tuple[str, str]]:
        """Headings ("" for none) and what stands below them, as text or as Markdown; what is empty is left out."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""

    @abstractmethod
    def to_html(self) -> str:
        """One self-contained HTML page.

        Raises:
            MissingPackageError: Jinja2 is not installed (extra ``report``).
        """

    def to_json(self) -> str:
        """JSON text."""
        layout: dict[str, Any] = {"separators": (",", ":")} if self.raw else {"indent": 2}
        return json.dumps(self.to_dict(), sort_keys=True, **layout) + "\n"

    def to_text(self) -> str:
        """For the terminal."""
        return self._document(markdown=False)

    def to_markdown(self) -> str:
        """A Markdown document."""
        return self._document(markdown=True)

    def write(self, path: str | Path, *, force: bool = True) -> Path:
        """Writes JSON, Markdown or HTML, by the suffix of ``path``: .json, .md, .html.

        Raises:
            InputError: Another suffix.
            OutputExistsError: ``path`` exists and ``force`` is False.
            MissingPackageError: A page, and Jinja2 is not installed (extra ``report``).
        """
        path = Path(path)
        writers = {".json": self.to_json, ".md": self.to_markdown, ".html": self.to_html}
        if path.suffix not in writers:
            raise InputError(f"{path.name} is no report", expected=" or ".join(writers), got=path.suffix or "no suffix")
        if path.exists() and not force:
            raise OutputExistsError(path)
        path.write_text(writers[path.suffix](), encoding="utf-8")
        return path

    def _document(self, *, markdown: bool) -> str:
        parts = [f"# {self.title()}" if markdown else self.title()]
        for heading, body in self.sections(markdown=markdown):
            if body:
                parts += [f"## {heading}" if markdown else heading] if heading else []
                parts.append(body)
        return "\n\n".join(parts) + "\n"


def listed_notes(notes: Sequence[str]) -> str:
    """Sentences as a list, one a line; the same in text and Markdown."""
    return "\n".join(f"- {note}" for note in notes)
