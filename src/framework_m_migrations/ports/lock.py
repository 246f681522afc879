"""One migrator at a time."""

from __future__ import annotations

from typing import Protocol


class MigrationLock(Protocol):
    """A lock over one (database, schema), across processes and machines.

    Obligations:
        - ``try_acquire`` never waits: use cases poll it and pause in between, so that a waiter blocks nobody.
        - A holder that dies, however it dies, holds it no longer.
        - Independent of the session's transactions: commits and rollbacks leave it held.
    """

    def try_acquire(self) -> bool:
        """Take the lock if it is free. True when it is held by this session now."""
        ...

    def release(self) -> None:
        """Give the lock back; does nothing when it is not held."""
        ...

    def holder(self) -> str | None:
        """Who holds it, in words for a person, without secrets; None when nobody does or it cannot be told."""
        ...
