"""Statements of one transaction that go to the server together, in one message where the driver can send several.

Each is handed to SQLAlchemy as ever, so that whoever listens sees each; only what the driver is given waits until
something is asked, until it is a lot, or until the transaction ends. A message that is refused is taken back to the
savepoint at its beginning and sent again statement by statement, so that the error names the one that is at fault. What
waited too long for a lock is not sent again at once: the whole transaction is tried anew, and then one by one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from framework_m_migrations.adapters.sql.errors import Translate, translated
from framework_m_migrations.adapters.sql.sqlalchemy_versions import send_script
from framework_m_migrations.adapters.sql.watching import watched
from framework_m_migrations.domain.errors import ConnectionFailed, DatabaseError, LockTimeout

DRIVERS = frozenset({"asyncpg", "psycopg", "psycopg2"})
"""Drivers that send a text of several statements as one message."""
LATE = "57014"
"""SQLSTATE of a statement that took longer than it may."""
_KEY = "m_migrate.gathered"
_SAVEPOINT = "m_migrate_message"
_LONGEST = 1 << 18
"""Characters of one message, after which it is sent."""


class Gathered:
    """What waits to be sent on one connection.

    Args:
        connection: in a transaction whenever something is sent.
        translate: of its dialect.
        brief: see Limits.
        singly: send each statement by itself.
    """

    def __init__(self, connection: sa.Connection, translate: Translate, *, brief: bool, singly: bool) -> None:
        self._connection = connection
        self._translate = translate
        self._brief = brief
        self._singly = singly
        self._waiting: list[str] = []
        self._length = 0

    def add(self, sql: str) -> None:
        """Have a statement sent, with those that come after it."""
        self._waiting.append(sql)
        self._length += len(sql)
        if self._singly or self._length > _LONGEST:
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
            # A statement may end with a comment, which goes to the end of its line.
            self._script("\n;\n".join(message), "; ".join(waiting))
        except (ConnectionFailed, LockTimeout):
            raise
        except DatabaseError as error:
            if self._brief and error.details.get("sqlstate") == LATE:
                raise  # It waited for locks.
            self._script(f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}", "ROLLBACK")
            for sql in waiting:
                self._script(sql, sql)

    def _script(self, sql: str, shown: str) -> None:
        with translated(self._translate, shown), watched(self._connection):
            send_script(self._connection, sql)


def gathered(connection: sa.Connection) -> Gathered | None:
    """What waits on a connection; None where statements are sent as they come."""
    return None if connection.invalidated else connection.info.get(_KEY)


def options(connection: sa.Connection) -> dict[str, Any]:
    """Execution options of a statement whose answer nobody reads, and which may wait for others."""
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
def gathering(
    connection: sa.Connection, translate: Translate, *, brief: bool = False, singly: bool = False
) -> Iterator[None]:
    """Have statements within wait for each other, where the driver can send several; ``flush`` ends the wait.

    Args:
        connection: of the session.
        translate: of its dialect.
        brief: see Limits.
        singly: all the same send each by itself.
    """
    dialect = connection.dialect
    if dialect.driver not in DRIVERS or gathered(connection) is not None:
        yield
        return
    if not event.contains(dialect, "do_execute_no_params", _kept):
        event.listen(dialect, "do_execute_no_params", _kept)
    waits = Gathered(connection, translate, brief=brief, singly=singly)

    def before(_connection: Any, _cursor: Any, _statement: Any, _parameters: Any, context: Any, _many: Any) -> None:
        if _KEY not in context.execution_options:
            waits.send()

    connection.info[_KEY] = waits
    # Before the one who watches for waits, whom the message must not take in.
    event.listen(connection, "before_cursor_execute", before, insert=True)
    try:
        yield
    finally:
        event.remove(connection, "before_cursor_execute", before)
        if not connection.closed and not connection.invalidated:
            connection.info.pop(_KEY, None)


def _kept(_cursor: Any, statement: str, context: Any) -> bool | None:
    """SQLAlchemy's event in the place of the driver: True where the statement waits."""
    waits: Gathered | None = context.execution_options.get(_KEY)
    if waits is None:
        return None
    waits.add(statement)
    return True
