"""One at a time in a process: ``alembic.op`` and ``alembic.context`` are module globals.

Waiting must not block an event loop: the holder may be another task of the same thread, which could then never go on.
So a waiter on an asynchronous driver asks its database for next to nothing in between, which lets other tasks run.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock, get_ident

import sqlalchemy as sa

from framework_m_migrations.domain.errors import MigrationLocked

_LOCK = Lock()
_POLL_SECONDS = 0.05
_holder: list[int] = []


@contextmanager
def exclusive(connection: sa.Connection) -> Iterator[None]:
    """Hold Alembic's globals.

    Args:
        connection: that of the waiter, outside a transaction or inside one; it is left as it was.

    Raises:
        MigrationLocked: this very thread holds them already, in a revision that starts another migration.
    """
    while not _LOCK.acquire(blocking=False):
        _wait(connection)
    _holder.append(get_ident())
    try:
        yield
    finally:
        _holder.clear()
        _LOCK.release()


def _wait(connection: sa.Connection) -> None:
    if connection.dialect.is_async:
        _let_others_run(connection)
        return
    if _holder == [get_ident()]:
        raise MigrationLocked(
            "A revision or env.py that is being run starts another migration.",
            next_step="Let the second one run after the first, not inside it.",
        )
    if _LOCK.acquire(timeout=_POLL_SECONDS):
        _LOCK.release()


def _let_others_run(connection: sa.Connection) -> None:
    idle = not connection.in_transaction()
    pause = f"SELECT pg_sleep({_POLL_SECONDS})" if connection.dialect.name == "postgresql" else "SELECT 1"
    connection.exec_driver_sql(pause)
    if idle:
        connection.rollback()
