"""Where a database file in a browser is kept.

IndexedDB or the origin's private file system, with one holder at a time.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from pathlib import PurePosixPath
from typing import Any

from framework_m_migrations.domain.errors import (
    PersistenceError,
    QuotaExceeded,
    StoreConflict,
    StoreInUse,
    StoreUnavailable,
)
from framework_m_migrations.ports.persistence import Persistence

_MEANINGS: dict[str, type[PersistenceError]] = {
    "QuotaExceededError": QuotaExceeded,
    "NoModificationAllowedError": StoreInUse,
    "StoreInUse": StoreInUse,
    "StoreConflict": StoreConflict,
    "InvalidStateError": StoreUnavailable,
    "NotAllowedError": StoreUnavailable,
    "SecurityError": StoreUnavailable,
    "StoreUnavailable": StoreUnavailable,
    "TypeMismatchError": StoreUnavailable,
    "UnknownError": StoreUnavailable,
    "VersionError": StoreUnavailable,
}
"""What the names of DOMExceptions (Web IDL, IndexedDB, File System standards) and of our own errors mean."""


@cache
def script(name: str) -> Any:
    """The value of a JavaScript file of this package, evaluated once for each worker."""
    from pyodide.code import run_js

    return run_js(files(__package__).joinpath("js", name).read_text(encoding="utf-8"))


def file_system() -> Any:
    """Emscripten's FS object of this worker."""
    import pyodide_js

    return pyodide_js.FS


@contextmanager
def store_failures(doing: str) -> Iterator[None]:
    """Turns JavaScript's exceptions into PersistenceError.

    Args:
        doing: what failed then, as the beginning of a sentence.
    """
    from pyodide.ffi import JsException

    try:
        yield
    except JsException as error:
        name = str(getattr(error, "name", ""))
        message = " ".join(str(getattr(error, "message", error)).split()).rstrip(".")
        kind = _MEANINGS.get(name, PersistenceError)
        raise kind(f"{doing}: {message or name}.", details={"name": name}) from error


# One holder of a store at a time, in all tabs of a site.


class StoreLock:
    """A Web Lock, which the browser takes back from a worker that is killed.

    Where there are no Web Locks (Node before version 24, pages without https) it excludes within the worker only.

    Args:
        name: the same for all who use the same store.
        patience: seconds to wait for another holder.
    """

    def __init__(self, name: str, patience: float) -> None:
        self._name = name
        self._patience = patience
        self._held: Any = None

    @property
    def held(self) -> bool:
        """True between acquire and release."""
        return self._held is not None

    async def acquire(self) -> None:
        """Wait for the lock; raises StoreInUse when another holder keeps it longer than ``patience``."""
        lock = script("store.js").lock(self._name, self._patience * 1000)
        try:
            with store_failures(f"The store {self._name} is not available"):
                await lock.ready
        except BaseException:
            lock.release()
            raise
        self._held = lock

    async def release(self) -> None:
        """Give it back; does nothing when it is not held."""
        lock, self._held = self._held, None
        if lock is not None:
            await lock.release()


# Who holds which folder in this worker, so that a command run by an application that holds its store joins in.


_holders: dict[str, Persistence] = {}


def enter(folder: str, holder: Persistence) -> None:
    """The holder has loaded the folder."""
    _holders[folder] = holder


def leave(folder: str, holder: Persistence) -> None:
    """The holder has released the folder."""
    if _holders.get(folder) is holder:
        del _holders[folder]


def holder_of(path: str) -> Persistence | None:
    """Who has loaded the folder that a path is in, at any depth; None when no one has."""
    for folder, holder in _holders.items():
        if path.startswith(f"{folder.rstrip('/')}/"):
            return holder
    return None


# A folder kept in IndexedDB, in the layout of Emscripten's IDBFS.


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

        Files that changed while the store had no holder, and were not flushed, are kept when the store is still
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
        enter(self.folder, self)

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
            leave(self.folder, self)
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


# A database in the origin's private file system: durable at COMMIT, at a cost that does not depend on its size.


"""Seconds to wait for another tab."""

# The sidecar file of adapters/sql/file_lock.py: here the Web Lock keeps others out, so it may be in memory.
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
        enter(self.folder, self)

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
        leave(self.folder, self)
        try:
            with store_failures(f"The folder {self.folder} cannot be closed"):
                mounted.close()
        finally:
            await self._lock.release()


# Which store a database file in a browser is kept in.


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
