"""A folder kept in IndexedDB, in the layout of Emscripten's IDBFS."""

from __future__ import annotations

from framework_m_migrations.adapters.pyodide import holders
from framework_m_migrations.adapters.pyodide.javascript import file_system, script, store_failures
from framework_m_migrations.adapters.pyodide.locks import StoreLock
from framework_m_migrations.domain.errors import PersistenceError, StoreConflict

PATIENCE = 30.0
"""Seconds to wait for another tab."""

_known: dict[str, tuple[str, str]] = {}
"""By folder: fingerprints of the files in memory when they were last released, and of those stored then."""


class IdbfsPersistence:
    """Implements ports.persistence.Persistence over IndexedDB.

    A flush is one transaction of IndexedDB with strict durability: all files, or none. Only files with a new time are
    written. The folder is mounted as Emscripten's IDBFS, and ``FS.syncfs`` of an application reads and writes the
    same database.

    Args:
        folder: absolute; it must be empty or mounted as IDBFS.
        patience: seconds to wait for another tab that holds the store.
    """

    def __init__(self, folder: str, *, patience: float = PATIENCE) -> None:
        self.folder = folder
        self._lock = StoreLock(f"framework-m-migrations:idbfs:{folder}", patience)
        self._stored = ""

    @property
    def held(self) -> bool:
        """True between load and release."""
        return self._lock.held

    async def load(self) -> None:
        """Bring the stored files into the folder. Does nothing when this holder has loaded them already.

        Files that somebody changed while nobody held the store, and did not flush, are kept when the store is still
        as this worker knows it.

        Raises:
            StoreInUse: another tab holds the store.
            StoreConflict: files in memory were changed or never loaded, and the stored ones differ from them.
            StoreUnavailable: the browser gives no access.
        """
        if self.held:
            return
        await self._lock.acquire()
        try:
            with store_failures(f"The folder {self.folder} cannot be loaded"):
                store = script("store.js")
                store.mount(file_system(), self.folder)
                self._stored = await store.load(file_system(), self.folder, *_known.get(self.folder, ()))
        except BaseException:
            await self._lock.release()
            raise
        holders.enter(self.folder, self)

    async def flush(self) -> None:
        """Store what changed.

        Raises:
            QuotaExceeded: there is no room; the stored files are as they were.
            PersistenceError: the store is not loaded, or refused; the stored files are as they were.
        """
        if not self.held:
            raise PersistenceError(f"The folder {self.folder} is not loaded.", next_step="Await load() first.")
        with store_failures(f"The folder {self.folder} cannot be stored"):
            self._stored = await script("store.js").flush(file_system(), self.folder)

    async def release(self) -> None:
        """Let other tabs load. The files stay in memory; load again before they are changed."""
        if self.held:
            holders.leave(self.folder, self)
            try:
                with store_failures(f"The folder {self.folder} cannot be released"):
                    _known[self.folder] = script("store.js").fingerprint(file_system(), self.folder), self._stored
            finally:
                await self._lock.release()


def refuse_hidden_files(folder: str) -> None:
    """Raises StoreConflict where mounting a folder would hide files that are in it."""
    names = [name for name in file_system().readdir(folder).to_py() if name not in {".", ".."}]
    if names:
        raise StoreConflict(
            f"The folder {folder} has files that are in memory only: {', '.join(sorted(names)[:5])}.",
            next_step="Put the database into a folder of its own, such as sqlite:////data/dev.db, or mount the folder.",
        )
