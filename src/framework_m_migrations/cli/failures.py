"""Every way a command can fail, shown the same way: code, what, next step; never a bare traceback."""

from __future__ import annotations

import traceback

from framework_m_migrations.cli.document import Code, Document, Span, line
from framework_m_migrations.cli.errors import Interrupted, Unexpected
from framework_m_migrations.cli.output import Output
from framework_m_migrations.cli.redaction import hide, hide_deeply
from framework_m_migrations.domain.errors import MigrationError


def as_migration_error(error: BaseException) -> MigrationError:
    """The failure as one of the documented errors."""
    match error:
        case MigrationError():
            return error
        case KeyboardInterrupt():
            return Interrupted("Interrupted.")
        case SystemExit():
            # Code of a project that exits 0 must not make a deployment believe that it was migrated.
            return Unexpected(f"An app, hook or revision ended the program: sys.exit({error.code!r}).")
        case _:
            first = next(iter(str(error).strip().splitlines()), "")
            return Unexpected(f"Unexpected {type(error).__name__}{': ' if first else ''}{first}")


def report_failure(error: BaseException, output: Output, url: str = "") -> int:
    """Show a failure on stderr, and under ``--json`` as the one document on stdout too.

    Args:
        error: what was raised.
        output: the streams.
        url: the database URL, whose password is kept out of everything shown.

    Returns:
        The exit code.
    """
    failure = as_migration_error(error)
    output.note(failure_report(failure, url))
    if output.verbose and (failure is not error or error.__cause__ is not None):
        trace = "".join(traceback.format_exception(error))
        output.note((Code(hide(trace, url), 0),))
    output.show_json({"error": hide_deeply(failure.to_dict(), url)})
    return failure.exit_code


def failure_report(failure: MigrationError, url: str = "") -> Document:
    """The failure for people."""
    return (
        line(Span(f"Error {failure.code}", "breaking"), f": {hide(failure.what, url)}"),
        line(Span("Next", "bold"), f": {hide(failure.next_step, url)}"),
    )
