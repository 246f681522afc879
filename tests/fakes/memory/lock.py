"""One migrator at a time on a memory database."""

from __future__ import annotations

from framework_m_migrations.domain.errors import ConnectionFailed
from tests.fakes.memory.database import MemoryConnection


class MemoryLock:
    """Implements ports.lock.MigrationLock. The owner is a connection, so that it goes with it.

    Args:
        connection: of the session that wants the lock.
    """

    def __init__(self, connection: MemoryConnection) -> None:
        self._connection = connection

    def try_acquire(self) -> bool:
        """Take the lock if it is free; raises ConnectionFailed after the session has ended."""
        if not self._connection.is_open:
            raise ConnectionFailed("The connection to the memory database is closed.")
        database = self._connection.database
        if database.lock_owner is None:
            database.lock_owner = self._connection
        return database.lock_owner is self._connection

    def release(self) -> None:
        """Give it back."""
        if self._connection.database.lock_owner is self._connection:
            self._connection.database.lock_owner = None

    def holder(self) -> str | None:
        """The name of the connection that has it."""
        owner = self._connection.database.lock_owner
        return None if owner is None else owner.name
