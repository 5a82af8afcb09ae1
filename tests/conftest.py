"""A skipped test is not a passed test: where CI is set, a skip without a listed reason fails the run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

from edgevision.runtime import files

_LIST = Path(__file__).parent / "allowed_skips.txt"
_UNLISTED = pytest.StashKey[list[str]]()

# What is the fastest here is no business of tests, but of those that measure it; nor is what is in somebody's cache.
os.environ["EDGEVISION_TUNE"] = "0"


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGEVISION_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The top of another machine's file system, for ``other_machine.lay``: no file in it and no program on PATH."""
    monkeypatch.setattr(files, "ROOT", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_UNLISTED] = []
    config.pluginmanager.register(_SkipWatch(config.stash[_UNLISTED]), "skip-watch")


class _SkipWatch:
    """Collects what was skipped, tests and whole files alike, unless the reason is listed."""

    def __init__(self, unlisted: list[str]) -> None:
        self.unlisted, self.allowed = unlisted, _allowed(_LIST.read_text(encoding="utf-8"))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if not hasattr(report, "wasxfail"):
            self._note(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._note(report)

    def _note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.skipped:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            line = f"{report.nodeid}: {reason.removeprefix('Skipped: ')}"
            if not any(fnmatch(line, pattern) for pattern in self.allowed):
                self.unlisted.append(line)


def _allowed(text: str) -> list[str]:
    """The patterns of allowed_skips.txt: each line "PATTERN  # reason"; a line without a reason is refused."""
    patterns = []
    for line in filter(None, (line.strip() for line in text.splitlines())):
        pattern, mark, reason = line.partition("  # ")
        if line.startswith("#"):
            continue
        if not (mark and reason.strip()):
            raise pytest.UsageError(f"{_LIST.name}: no reason given for {line!r}; write 'PATTERN  # reason'")
        patterns.append(pattern.strip())
    return patterns


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if os.environ.get("CI") and session.config.stash[_UNLISTED] and exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    unlisted = config.stash[_UNLISTED]
    if unlisted and os.environ.get("CI"):
        terminalreporter.section("skipped without a reason in tests/allowed_skips.txt", red=True)
        for line in unlisted:
            terminalreporter.line(line)
