"""A database in the origin's private file system: durable at COMMIT, at a cost that does not depend on its size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from framework_m_migrations.adapters.pyodide import holders
from framework_m_migrations.adapters.pyodide.javascript import file_system, script, store_failures
from framework_m_migrations.adapters.pyodide.locks import StoreLock
from framework_m_migrations.domain.errors import PersistenceError

PATIENCE = 30.0
"""Seconds to wait for another tab."""

# The sidecar file of adapters/sql/dialects/sqlite/lock.py: here the Web Lock keeps others out, so it may be in memory.
_LOCK_SUFFIX = "-migrate-lock"


class OpfsPersistence:
    """Implements ports.persistence.Persistence over FileSystemSyncAccessHandle, which workers have.

    Every write goes to the browser's file at once, and the files are flushed in the order that SQLite's rollback
    journal relies on; ``flush`` only makes sure of the last one. Journal modes DELETE, TRUNCATE and PERSIST work, WAL
    does not. A worker that is killed within a transaction leaves a journal, which the next connection rolls back.

    Args:
        folder: absolute, empty; it exists between load and release only. The files are kept under the same path.
        databases: names of the database files; other files cannot be created in the folder.
        patience: seconds to wait for another tab that holds the store.
    """

    def __init__(self, folder: str, databases: Sequence[str] = ("dev.db",), *, patience: float = PATIENCE) -> None:
        self.folder = folder
        self._databases = tuple(databases)
        self._lock = StoreLock(f"framework-m-migrations:opfs:{folder}", patience)
        self._mounted: Any = None

    @property
    def held(self) -> bool:
        """True between load and release."""
        return self._lock.held

    async def load(self) -> None:
        """Open the files and mount them. Does nothing when this holder has done so already.

        Raises:
            StoreInUse: another tab holds the store.
            StoreUnavailable: the browser gives no access.
        """
        if self.held:
            return
        await self._lock.acquire()
        try:
            with store_failures(f"The folder {self.folder} cannot be opened"):
                kept = self._with_journals("")
                passing = self._with_journals(_LOCK_SUFFIX)
                self._mounted = await script("opfs.js").open(file_system(), self.folder, kept, passing)
        except BaseException:
            await self._lock.release()
            raise
        holders.enter(self.folder, self)

    def _with_journals(self, suffix: str) -> str:
        return "\n".join(f"{name}{suffix}{journal}" for name in self._databases for journal in ("", "-journal"))

    async def flush(self) -> None:
        """Make the last writes durable; raises PersistenceError, also for a store that is not loaded."""
        if self._mounted is None:
            raise PersistenceError(f"The folder {self.folder} is not loaded.", next_step="Await load() first.")
        with store_failures(f"The folder {self.folder} cannot be stored"):
            self._mounted.flush()

    async def release(self) -> None:
        """Close the files and let other tabs open them."""
        mounted, self._mounted = self._mounted, None
        if mounted is None:
            return
        holders.leave(self.folder, self)
        try:
            with store_failures(f"The folder {self.folder} cannot be closed"):
                mounted.close()
        finally:
            await self._lock.release()
