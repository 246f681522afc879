"""What must happen around a job so that its database outlives the process: a browser's file system."""

from __future__ import annotations

from typing import Protocol


class Persistence(Protocol):
    """Loads the store before a job and flushes it after. On a server both do nothing.

    Obligations:
        - ``load`` returns only when the stored files are there; a second holder waits or is refused until ``release``.
        - ``flush`` returns only when the files are safe; after a failure the store is as it was before.
    """

    async def load(self) -> None:
        """Bring the stored files in; raises PersistenceError."""
        ...

    async def flush(self) -> None:
        """Make the files durable; raises PersistenceError."""
        ...

    async def release(self) -> None:
        """Let others load."""
        ...
