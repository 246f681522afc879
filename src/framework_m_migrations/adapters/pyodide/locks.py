"""One holder of a store at a time, in all tabs of a site."""

from __future__ import annotations

from typing import Any

from framework_m_migrations.adapters.pyodide.javascript import script, store_failures


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
            with store_failures(f"The store {self._name} is not to be had"):
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
