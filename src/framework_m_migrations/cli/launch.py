"""From arguments to an exit code."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cyclopts import CycloptsError

from framework_m_migrations.cli.app import make_app, version
from framework_m_migrations.cli.errors import UsageError
from framework_m_migrations.cli.failures import report_failure
from framework_m_migrations.cli.output import Output, is_terminal

if TYPE_CHECKING:
    from rich.console import Console


def launch(arguments: Sequence[str] | None = None) -> int:
    """Run one command; see framework_m_migrations.cli.main."""
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A table's name must not end a command in a UnicodeEncodeError because the terminal speaks ASCII.
            stream.reconfigure(errors="backslashreplace")
    if tokens == ["--json"]:
        # A program that reads JSON has lost its command.
        return report_failure(UsageError("No command was given."), Output(json=True))
    if not tokens or tokens[0] == "help":
        tokens = [*tokens[1:], "--help"]
    if tokens in (["--version"], ["-V"]):
        sys.stdout.write(f"{version()}\n")
        return 0
    app = make_app(fancy=is_terminal(sys.stdout))
    output = Output(json=_wants_json(tokens))
    asked = io.StringIO()
    console = _help_console(tokens, asked if output.json else None)
    try:
        code = app(tokens, console=console, exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        return report_failure(_usage(error, tokens), output)
    except KeyboardInterrupt as error:
        return report_failure(error, output)
    if text := asked.getvalue():
        # A script that reads JSON gets JSON, whatever else it asked for.
        output.show_json({"version" if text.strip() == version() else "help": text})
    return code if isinstance(code, int) else 0


def _help_console(tokens: Sequence[str], asked: io.StringIO | None) -> Console | None:
    """For help that is piped: wide, so that each option keeps to its line, and without codes despite FORCE_COLOR.

    Args:
        tokens: the arguments.
        asked: what help and version are written to in the place of stdout, under ``--json``.
    """
    if not {"--help", "-h", "--version", "-V"}.intersection(tokens) or (asked is None and is_terminal(sys.stdout)):
        return None
    from rich.console import Console

    return Console(file=asked or sys.stdout, width=160, color_system=None, force_terminal=False)


def _wants_json(tokens: Sequence[str]) -> bool:
    return any(
        one in {"--json", "--format=json"} or (one == "--format" and after == "json")
        for one, after in zip(tokens, (*tokens[1:], ""), strict=True)
    )


def _usage(error: CycloptsError, tokens: Sequence[str]) -> UsageError:
    next_step = None
    if tokens and tokens[0].startswith("-"):
        next_step = "Options come after the command: m-migrate COMMAND --option; see `m-migrate --help`."
    return UsageError(" ".join(str(error).split()), next_step=next_step)
