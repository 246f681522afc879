"""Puts our commands into the host's ``m migrate``.

The entry point ``framework_m_core.cli_commands: migrate-doctor`` loads this module for every ``m`` command, so that it
imports nothing of the engine. Importing it replaces the host's commands; what it registers itself is the self-check,
under a name that nobody else takes, so that it can be asked whatever became of ``m migrate``.
"""

from __future__ import annotations

from cyclopts import Parameter

from framework_m_migrations.cli.app import EXIT_CODES, HELP
from framework_m_migrations.cli.framework_m.commands import COMMANDS, doctor
from framework_m_migrations.cli.framework_m.options import HOST_PROGRAM
from framework_m_migrations.domain.hints import Invocation
from framework_m_migrations.embedding.framework_m.host_cli import replace_commands

__all__ = ["doctor"]

replace_commands(
    COMMANDS,
    COMMANDS["run"],
    summary=Invocation(HOST_PROGRAM).spell(HELP),
    help_epilogue=EXIT_CODES,
    default_parameter=Parameter(negative=(), show_default=False),
)
