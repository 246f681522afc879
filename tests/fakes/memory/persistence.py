"""A store that outlives a memory database, as a browser's storage outlives its page."""

from __future__ import annotations

from framework_m_migrations.domain.errors import PersistenceError
from tests.fakes.memory.database import MemoryDatabase
from tests.fakes.memory.state import MemoryState


class MemoryStore:
    """What is stored, and who works with it.

    Attributes:
        stored: the state as of the last flush.
        owner: who has loaded it and not released it yet.
        failing: True makes ``load`` and ``flush`` fail.
    """

    def __init__(self) -> None:
        self.stored = MemoryState()
        self.owner: MemoryPersistence | None = None
        self.failing = False


class MemoryPersistence:
    """Implements ports.persistence.Persistence.

    Args:
        store: what outlives the database.
        database: whose state is loaded and flushed.
    """

    def __init__(self, store: MemoryStore, database: MemoryDatabase) -> None:
        self._store = store
        self._database = database

    async def load(self) -> None:
        """Bring the stored state in; raises PersistenceError, also while another one holds the store."""
        if self._store.owner not in {None, self}:
            raise PersistenceError("Another session works on the stored database.")
        if self._store.failing:
            raise PersistenceError("The store cannot be read.")
        self._store.owner = self
        self._database.state = self._store.stored.copy()

    async def flush(self) -> None:
        """Store what is committed; raises PersistenceError, also for one that does not hold the store."""
        if self._store.owner is not self:
            raise PersistenceError("The stored database is not held by this session.")
        if self._store.failing:
            raise PersistenceError("The store cannot be written.")
        self._store.stored = self._database.state.copy()

    async def release(self) -> None:
        """Let others load."""
        if self._store.owner is self:
            self._store.owner = None
