"""Which store a database file in a browser is kept in."""

from __future__ import annotations

import sys
from pathlib import PurePosixPath

from framework_m_migrations.adapters.pyodide.holders import holder_of
from framework_m_migrations.adapters.pyodide.idbfs import PATIENCE, IdbfsPersistence, refuse_hidden_files
from framework_m_migrations.adapters.pyodide.javascript import file_system, script
from framework_m_migrations.ports.persistence import Persistence


class NoPersistence:
    """Implements ports.persistence.Persistence where files need no care: they are durable, or not meant to be."""

    async def load(self) -> None:
        """Nothing to load."""

    async def flush(self) -> None:
        """Nothing to flush."""

    async def release(self) -> None:
        """Nothing to release."""


class DatabasePersistence:
    """Implements ports.persistence.Persistence for one database file, by what its folder turns out to be.

    - Held by the application already (an IdbfsPersistence or OpfsPersistence that it loaded): flushed only.
    - Mounted as IDBFS, or no folder yet, or an empty one: IDBFS.
    - Mounted as anything else: whoever mounted it takes care of it.

    Args:
        database: path of the file; relative ones are below the working directory.
        patience: seconds to wait for another tab that holds the store.
    """

    def __init__(self, database: str, *, patience: float = PATIENCE) -> None:
        self._path = database
        self._patience = patience
        self._using: Persistence = NoPersistence()
        self._joined = False

    async def load(self) -> None:
        """See IdbfsPersistence.load; raises StoreConflict where the folder has files that are in memory only."""
        path = str(PurePosixPath(file_system().cwd()) / self._path)
        holder = holder_of(path)
        self._joined = holder is not None
        self._using = holder or self._choose(str(PurePosixPath(path).parent))
        if not self._joined:
            await self._using.load()

    async def flush(self) -> None:
        """Store what changed; raises PersistenceError."""
        await self._using.flush()

    async def release(self) -> None:
        """Let others load, unless the application held the folder before."""
        if not self._joined:
            await self._using.release()

    def _choose(self, folder: str) -> Persistence:
        kind, mountpoint = script("store.js").mounted(file_system(), folder).to_py()
        if kind == "idbfs":
            return IdbfsPersistence(mountpoint, patience=self._patience)
        if kind == "other":
            return NoPersistence()
        if kind == "memory":
            refuse_hidden_files(folder)
        return IdbfsPersistence(folder, patience=self._patience)


def persistence_of(database: str) -> Persistence:
    """The persistence of a SQLite file: that of its folder in a browser worker, none elsewhere."""
    return DatabasePersistence(database) if sys.platform == "emscripten" else NoPersistence()
