"""One command at work: its output, its settings, its manager; and what surrounds each of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from framework_m_migrations.cli.failures import report_failure
from framework_m_migrations.cli.options import Common
from framework_m_migrations.cli.output import Output

if TYPE_CHECKING:
    from framework_m_migrations.cli.progress import ProgressSink
    from framework_m_migrations.embedding.sync import MigrationManager

DONE, DIRTY = 0, 3


@dataclass(frozen=True, slots=True)
class Work:
    """Handed to the body of a command."""

    output: Output
    manager: MigrationManager
    progress: ProgressSink


def execute(common: Common, body: Callable[[Work], int]) -> int:
    """Run the body of a command.

    Args:
        common: the options that every command has.
        body: does the work and shows the result; returns the exit code.

    Returns:
        The exit code; whatever was raised has been shown.
    """
    output = common.output(dict(os.environ))
    try:
        with output.stdout_kept_clean():
            return _with_manager(common, output, body)
    except BaseException as error:  # noqa: BLE001 - the outermost boundary: all that is raised is shown, as one line
        return report_failure(error, output, common.database_url or os.environ.get("DATABASE_URL", ""))


def _with_manager(common: Common, output: Output, body: Callable[[Work], int]) -> int:
    # What follows imports the engine, for which the help does not wait.
    from framework_m_migrations.cli.progress import ProgressSink

    with ProgressSink(output) as progress:
        return body(Work(output, common.manager(progress), progress))
