"""One command at work: its output, its settings, its manager; and what surrounds each of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
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


def execute(common: Common, body: Callable[[Work], int], *, database: bool = True, announced: bool = True) -> int:
    """Run the body of a command.

    Args:
        common: the options that every command has.
        body: does the work and shows the result; returns the exit code.
        database: the command works on the database, so that its output names it.
        announced: say so on stderr; for a command whose result does not name it.

    Returns:
        The exit code; whatever was raised has been shown.
    """
    output = common.output(dict(os.environ))
    url = common.database_url or os.environ.get("DATABASE_URL", "")
    try:
        with output.stdout_kept_clean():
            # What follows imports the engine, for which the help does not wait.
            from framework_m_migrations.cli.progress import ProgressSink

            with ProgressSink(output) as progress:
                manager = common.manager(progress)
                url = manager.settings.url
                if database:
                    output = replace(output, database=manager.shown_url)
                code = body(Work(output, manager, progress))
                if announced:
                    output.announce(default=not manager.settings.database_url)
                return code
    except BaseException as error:  # noqa: BLE001 - the outermost boundary: all that is raised is shown, as one line
        return report_failure(error, output, url)
