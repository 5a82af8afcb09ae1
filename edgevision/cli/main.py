"""``edgevision``: the group of commands, and what becomes of errors.

Exit codes: 0 done; 1 an error, one line on stderr; 2 a wrong call; 3 converted, but the accuracy gate
failed, or compared, and something regressed;
130 interrupted; 141 whoever read the output stopped reading.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import Any

import click

from edgevision import __version__
from edgevision.cli import console
from edgevision.runtime.errors import EdgevisionError

COMMANDS = (
    *("demo", "train", "convert", "import", "predict", "evaluate", "benchmark", "compare", "report", "tune", "verify"),
    *("inspect", "doctor"),
)
# "import" is a word of Python's: no module that other code imports can have this name.
_MODULES = {"import": "import_model"}

_DEBUG = "EDGEVISION_DEBUG"


class _Commands(click.Group):
    """The commands in the order of the work; a command's file is imported when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"edgevision.cli.{_MODULES.get(cmd_name, cmd_name)}")
        command: click.Command = module.command
        return command


@click.group(cls=_Commands, name="edgevision", context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="edgevision")
@click.option(
    "--debug",
    is_flag=True,
    help=f"Show where errors come from and what libraries print; may stand anywhere (also {_DEBUG}=1).",
)
def cli(debug: bool) -> None:
    """Trained image-recognition models on small computers: quantise once, prove it, run it anywhere.

    \b
    A first round without any data of your own:   edgevision demo
    Which engines are installed here:             edgevision doctor
    """


def main(args: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
        args: Words after the program's name; None takes those of the process.

    Returns:
        The exit code.
    """
    words, debug = _without_debug(list(sys.argv[1:] if args is None else args))
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning  # type: ignore[assignment]
        try:
            code = _run(words, debug)
            sys.stdout.flush()
        except BrokenPipeError:
            # Python would complain once more when it flushes stdout at exit.
            _silence_stdout()
            return 141
        except (KeyboardInterrupt, click.Abort):
            console.say("interrupted")
            return 130
        except click.ClickException as error:
            error.show()
            return error.exit_code
        except Exception as error:
            if debug:
                traceback.print_exc()
            for line in _explained(error, debug):
                console.say(line)
            return 1
        return code


def _run(words: list[str], debug: bool) -> int:
    if "_EDGEVISION_COMPLETE" in os.environ:  # shell completion is click's own protocol
        cli.main(words, prog_name="edgevision")
    # Not cli.main(): it would turn a broken pipe and an interrupt into exit codes of its own.
    try:
        with cli.make_context("edgevision", words, obj=debug) as context:
            result: Any = cli.invoke(context)
    except click.exceptions.Exit as ending:
        result = ending.exit_code
    return result if isinstance(result, int) else 0


def _without_debug(words: list[str]) -> tuple[list[str], bool]:
    """The words without --debug wherever it stands before a "--", and whether to show tracebacks."""
    end = words.index("--") if "--" in words else len(words)
    left = [word for word in words[:end] if word != "--debug"] + words[end:]
    return left, len(left) < len(words) or os.environ.get(_DEBUG, "") not in ("", "0")


def _explained(error: Exception, debug: bool) -> list[str]:
    if isinstance(error, EdgevisionError):
        return [f"error: {console.one_line(error)}"]
    if isinstance(error, MemoryError):
        return ["error: there is not enough memory; take a smaller --input-size or less data"]
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename is not None else ""
        return [f"error: {where}{error.strerror}"]
    lines = [f"unexpected error: {type(error).__name__}: {console.one_line(error)}"]
    return lines if debug else [*lines, "this is a fault of edgevision; --debug shows where it happened"]


def _show_warning(message: Warning | str, category: type[Warning], filename: str, *rest: object) -> None:
    """Our own warnings as one line; those of libraries are of no use to who types commands."""
    ours = f"{os.sep}edgevision{os.sep}" in filename or issubclass(category, UserWarning)
    if ours and not issubclass(category, (DeprecationWarning, FutureWarning)):
        console.say(f"warning: {console.one_line(message)}")


def _silence_stdout() -> None:
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, sys.stdout.fileno())
    os.close(devnull)
