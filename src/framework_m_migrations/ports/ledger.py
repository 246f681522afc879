"""The engine's memory in the database."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from framework_m_migrations.domain.ownership import LedgerSnapshot, LogEntry, OwnedTable, Ownership
from framework_m_migrations.domain.schema import TableName


class Ledger(Protocol):
    """Checksums, ownership and single state values.

    Obligations:
        - Writes belong to the caller's transaction and vanish with it.
        - Reading never creates anything; writing works after ``prepare`` only.
        - A name of the engine's that is a view's, a sequence's or a type's is refused by ``snapshot``, ``prepare`` and
          ``rebuild`` with LedgerNameTaken, before anything is changed.
        - Two-column ``__schema_versions__`` tables made by Framework M stay readable and writable by it.
    """

    def snapshot(self, *, token: bool = False) -> LedgerSnapshot:
        """Checksums and state, in one statement when the ledger exists.

        Args:
            token: ask for ``Inspector.catalog_token`` in the same statement, where that can be done.

        Raises:
            LedgerCorrupt: the tables do not have the form that they should have.
        """
        ...

    def prepare(self) -> None:
        """Create what is missing of the ledger's own tables. Does nothing when all is there."""
        ...

    def objects(self, tables: Collection[TableName] | None = None) -> Ownership:
        """What is ours, of the named tables or of all."""
        ...

    def store(self, checksums: Mapping[str, str]) -> None:
        """Set the checksums of DocTypes."""
        ...

    def forget(self, doctypes: Collection[str]) -> None:
        """Remove the checksums of DocTypes; unknown names are passed over."""
        ...

    def record(self, owned: Sequence[OwnedTable]) -> None:
        """Add to what is ours; merges with what is recorded of the same table (OwnedTable.merge)."""
        ...

    def replace(self, owned: Sequence[OwnedTable]) -> None:
        """Set what is ours of these tables to exactly this."""
        ...

    def disown(self, tables: Collection[TableName]) -> None:
        """Forget tables."""
        ...

    def set_state(self, values: Mapping[str, str | None]) -> None:
        """Set single values; None removes one."""
        ...

    def open_log(self) -> str | None:
        """Create the log if it is missing, and cut it to its length; entries that still run become interrupted ones.

        Called under the migration lock, before the first ``log``. Without it, or where it gives a reason, ``log``
        writes nothing.

        Returns:
            Why no log can be kept, None where it can.
        """
        ...

    def log(self, entry: LogEntry, replaces: str | None = None) -> str:
        """Write an entry, without passwords, long texts cut; the ledger says who is at work.

        Args:
            entry: to be kept.
            replaces: the key of what was written of the same work before.

        Returns:
            The entry's key.
        """
        ...

    def logged(self, limit: int) -> tuple[LogEntry, ...]:
        """The last entries, newest first; none where there is no log."""
        ...

    def clear(self) -> None:
        """Forget all checksums, objects and state, as before a rebuild; the tables themselves and the log stay."""
        ...

    def rebuild(self) -> None:
        """Throw the ledger's own tables away, whatever is in them, and make them anew, empty. For repair only.

        The log stays if it can be read.
        """
        ...
