"""Statements of one transaction that go to the server together, in one message where the driver can send several.

Each is handed to SQLAlchemy as ever, so that whoever listens sees each; only what the driver is given waits until
something is asked, until it is a lot, or until the transaction ends. A message that is refused is taken back to the
savepoint at its beginning and sent again statement by statement, so that the error names the one at fault. Where it
waited too long for a lock, none of those waits for more than a moment: sessions have queued behind it once already.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from framework_m_migrations.adapters.sql.errors import Translate, from_driver, translated
from framework_m_migrations.adapters.sql.sqlalchemy_versions import send_script
from framework_m_migrations.adapters.sql.watching import watched
from framework_m_migrations.domain.errors import ConnectionFailed, DatabaseError, LockTimeout, StatementCancelled
from framework_m_migrations.domain.options import Limits

DRIVERS = frozenset({"asyncpg", "psycopg", "psycopg2"})
"""Drivers that send a text of several statements as one message."""
_KEY = "m_migrate.gathered"
_SAVEPOINT = "m_migrate_message"
_BETWEEN = "\n;\n"
"""A statement may end with a comment, which goes to the end of its line."""
_LONGEST = 1 << 18
"""Characters of one message, after which it is sent."""
_MOMENT = 10
"""Milliseconds that a statement waits for a lock where its message has waited already."""


class Gathered:
    """What waits to be sent on one connection.

    Args:
        connection: in a transaction whenever something is sent.
        translate: of its dialect.
        limits: of the transaction. A statement that has a time limit of its own is sent by itself, so that it is known.
    """

    def __init__(self, connection: sa.Connection, translate: Translate, limits: Limits) -> None:
        self._connection = connection
        self._translate = translate
        self._limits = limits
        self._waiting: list[str] = []
        self._length = 0

    def add(self, sql: str) -> None:
        """Have a statement sent, with those that come after it."""
        self._waiting.append(sql)
        self._length += len(sql)
        if self._limits.statement or self._length > _LONGEST:
            self.send()

    def send(self) -> None:
        """Send what waits.

        Raises:
            DatabaseError: or a kind of it; of those statements that were not sent nothing is left.
        """
        waiting, self._waiting, self._length = self._waiting, [], 0
        if len(waiting) < 2:
            for sql in waiting:
                self._script(sql, sql)
            return
        message = [f"SAVEPOINT {_SAVEPOINT}", *waiting, f"RELEASE SAVEPOINT {_SAVEPOINT}"]
        try:
            self._script(_BETWEEN.join(message), "; ".join(waiting))
        except ConnectionFailed:
            raise
        except DatabaseError as error:
            late = isinstance(error, StatementCancelled)
            if late and not self._limits.brief:
                raise  # There is no limit, so another session cancelled it on purpose.
            try:
                self._script(f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}", "ROLLBACK")
            except ConnectionFailed:
                raise
            except DatabaseError:
                # Not even the savepoint is there: the server could not read the message, and did nothing of it.
                cause = error.__cause__
                if not isinstance(cause, sa.exc.DBAPIError):
                    raise error from cause
                raise from_driver(cause, self._translate, _unread(message, cause)) from cause
            if late or isinstance(error, LockTimeout):
                self._again_at_once(waiting, error)
            else:
                for sql in waiting:
                    self._script(sql, sql)

    def _again_at_once(self, waiting: Sequence[str], error: DatabaseError) -> None:
        """Send one by one what waited too long for a lock together; the first wait is told, and whose it was."""
        limit = max(1, round(self._limits.lock * 1000))
        for sql in waiting:
            try:
                self._script(f"{_lock_timeout(min(_MOMENT, limit))};\n{sql}", sql)
            except (LockTimeout, StatementCancelled) as again:
                error.details["statement"] = again.details["statement"]
                raise error from error.__cause__
        self._script(_lock_timeout(limit), "SET")

    def _script(self, sql: str, shown: str) -> None:
        with translated(self._translate, shown), watched(self._connection):
            send_script(self._connection, sql)


def gathered(connection: sa.Connection) -> Gathered | None:
    """What waits on a connection; None where statements are sent as they come."""
    return None if connection.invalidated else connection.info.get(_KEY)


def options(connection: sa.Connection) -> dict[str, Any]:
    """Execution options of a statement whose answer is not read, and which may wait for others."""
    waits = gathered(connection)
    return {"no_parameters": True} if waits is None else {"no_parameters": True, _KEY: waits}


def flush(connection: sa.Connection) -> None:
    """Send what waits, if anything does.

    Raises:
        DatabaseError: or a kind of it.
    """
    waits = gathered(connection)
    if waits is not None:
        waits.send()


@contextmanager
def gathering(connection: sa.Connection, translate: Translate, limits: Limits) -> Iterator[None]:
    """Have statements within wait for each other, where the driver can send several; ``flush`` ends the wait.

    Args:
        connection: of the session.
        translate: of its dialect.
        limits: of the transaction within.
    """
    dialect = connection.dialect
    if dialect.driver not in DRIVERS or gathered(connection) is not None:
        yield
        return
    waits = Gathered(connection, translate, limits)

    def before(_connection: Any, _cursor: Any, _statement: Any, _parameters: Any, context: Any, _many: Any) -> None:
        if _KEY not in context.execution_options:
            waits.send()

    connection.info[_KEY] = waits
    connection.dialect = _waiting(dialect)
    # Before the one who watches for waits, whom the message must not take in.
    event.listen(connection, "before_cursor_execute", before, insert=True)
    try:
        yield
    finally:
        event.remove(connection, "before_cursor_execute", before)
        connection.dialect = dialect
        if not connection.closed and not connection.invalidated:
            connection.info.pop(_KEY, None)


def _waiting(dialect: sa.Dialect) -> sa.Dialect:
    """The dialect, with what waits kept from the driver.

    The engine's own would have every connection of the caller's go through it. One for each, kept with it, for compiled
    statements are found again by their dialect.
    """
    found: sa.Dialect | None = vars(dialect).get(_KEY)
    if found is None:
        made: Any = copy.copy(dialect)

        def execute(cursor: Any, statement: str, context: Any = None) -> None:
            waits: Gathered | None = context.execution_options.get(_KEY)
            if waits is None:
                type(made).do_execute_no_params(made, cursor, statement, context)
            else:
                waits.add(statement)

        made.do_execute_no_params = execute
        found = vars(dialect)[_KEY] = made
    return found


def _unread(message: Sequence[str], error: sa.exc.DBAPIError) -> str:
    """The statement that the server could not read, by the place in the message that its error tells."""
    orig: Any = error.orig
    told = getattr(getattr(orig, "diag", None), "statement_position", None) or getattr(orig.__cause__, "position", None)
    left = int(told or 0)
    for sql in message:
        left -= len(sql) + len(_BETWEEN)
        if left <= 0:
            break
    return sql if told else "; ".join(message)


def _lock_timeout(milliseconds: int) -> str:
    return f"SET LOCAL lock_timeout = {milliseconds}"
