"""What went wrong in a revision: the line, the cause, and what became of the transaction."""

from __future__ import annotations

import re
import traceback
from pathlib import Path

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.engines import redact
from framework_m_migrations.domain.errors import (
    ConnectionFailed,
    DatabaseCorrupt,
    DatabaseError,
    DatabaseReadOnly,
    LockTimeout,
    MigrationError,
    MissingPrivilege,
    PreparedStatementLost,
    RevisionFailed,
    ServerFailed,
    StatementCancelled,
    StorageFull,
    ValuesWouldBeLost,
)

OF_THE_DATABASE = (
    ConnectionFailed,
    DatabaseCorrupt,
    DatabaseReadOnly,
    LockTimeout,
    MissingPrivilege,
    PreparedStatementLost,
    StatementCancelled,
    ServerFailed,
    StorageFull,
)
"""What keeps its own kind when it ends a revision: the database has to be looked at, not the revision."""

_FATES: dict[bool | None, str] = {
    False: "It was rolled back: the database is as it was before this revision.",
    True: "The part before its COMMIT or autocommit block stands (on MariaDB: up to its last DDL statement); the rest "
    "was rolled back, and the revision is not recorded as done.",
    None: "env.py ran it on a SQLite connection of its own, so a part of it may stand.",
}
_UNANSWERED = (
    "The server had been asked to commit it and may have done so; `m-migrate status` shows whether it is applied."
)

_NEXT = {
    False: "Undo by hand what stands, or make the revision fit to run twice, as the helpers of "
    "framework_m_migrations.online are; then run the same command.",
    True: "End or wait for the sessions named above, then run the same command again. Undo by hand what stands before, "
    "unless the revision is fit to run twice, as the helpers of framework_m_migrations.online are.",
}
"""What to do about a part that stands, by whether a lock was what it lacked."""


_TABLE_IS_THERE = re.compile(r"\b(table|relation)\s.*\balready exists\b", re.IGNORECASE | re.DOTALL)


def failing_line(error: BaseException, file: Path) -> int | None:
    """The line of ``file`` in which the error arose, as deep as it goes in that file; None when it was elsewhere."""
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename) == file:
        return error.lineno
    line = None
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename == str(file):
            line = frame.lineno
    # A database's error is translated on its way up; where it arose is known to the original one.
    return line if line is not None or error.__cause__ is None else failing_line(error.__cause__, file)


def cause_of(error: BaseException) -> str:
    """The error in one line, without SQLAlchemy's links, without bound values and without passwords."""
    return redact(_plain_cause(error))


def _plain_cause(error: BaseException) -> str:
    if isinstance(error, sa.exc.DBAPIError):
        text = str(error.orig).strip() or type(error.orig).__name__
        statement = " ".join((error.statement or "").split())
        shown = statement if len(statement) <= 200 else f"{statement[:200]}..."
        return f"{' '.join(text.split())} (statement: {shown})" if shown else " ".join(text.split())
    if isinstance(error, MigrationError):
        return error.what
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def revision_failed(
    *,
    revision: str,
    app: str | None,
    file: Path,
    direction: str,
    error: BaseException,
    committed: bool | None,
    way_out: str | None = None,
    stamp: str | None = None,
) -> MigrationError:
    """The error of a revision that raised: of the cause's own kind where the database has to be looked at.

    Args:
        revision: its id.
        app: the app that has it.
        file: its file.
        direction: ``upgrade`` or ``downgrade``.
        error: what it raised.
        committed: a part of it stands, because it left its transaction itself; None where that is not known, with an
            ``error`` that is ConnectionFailed because the COMMIT got no answer.
        way_out: what to do about that part, where the database has a way of its own.
        stamp: the command that records the revision without running it, where it is the first of its app.
    """
    line = failing_line(error, file)
    place = f"{file}, line {line}" if line else str(file)
    unanswered = committed is None and isinstance(error, ConnectionFailed)
    fate = _UNANSWERED if unanswered else _FATES[committed]
    owner = f" of app {app!r}" if app else ""
    locked = isinstance(error, LockTimeout)
    # What a helper or a writer refuses without a kind of its own is the revision's to mend.
    known = error if isinstance(error, DatabaseError | ValuesWouldBeLost) and type(error) is not DatabaseError else None
    kind = type(known) if known is not None else RevisionFailed
    verb = "did not get a lock" if locked else "failed"
    # What a step of the engine says of its own rollback is not said of the revision.
    cause = cause_of(error).removeprefix("The step was rolled back: ").rstrip(".")
    next_step = None if committed is False or unanswered else way_out or _NEXT[locked]
    if stamp is not None and next_step is None and _TABLE_IS_THERE.search(cause):
        next_step = (
            f"If this database has what the revision makes, record it without running it: `{stamp}`. Else remove what "
            "is in its way. Then run the same command again."
        )
    elif known is not None and not locked:
        next_step = known.next_step if next_step is None else f"{known.next_step} {next_step}"
    return kind(
        f"Revision {revision}{owner} {verb} in {direction} ({place}): {cause}. {fate}",
        next_step=next_step,
        details={
            **(known.details if known is not None else {}),
            "revision": revision,
            "app": app,
            "file": str(file),
            "line": line,
            "direction": direction,
            "rolled_back": None if committed is None else not committed,
        },
    )
