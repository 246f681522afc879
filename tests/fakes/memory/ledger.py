"""The engine's memory, in a memory database."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from framework_m_migrations.domain.errors import DatabaseError
from framework_m_migrations.domain.ownership import (
    LedgerForm,
    LedgerSnapshot,
    LogEntry,
    OwnedTable,
    Ownership,
    WorkState,
)
from framework_m_migrations.domain.schema import TableName
from tests.fakes.memory.database import MemoryConnection
from tests.fakes.memory.state import LedgerState


class MemoryLedger:
    """Implements ports.ledger.Ledger.

    Args:
        connection: to read and write through.
    """

    def __init__(self, connection: MemoryConnection) -> None:
        self._connection = connection

    def snapshot(self, *, token: bool = False) -> LedgerSnapshot:
        """Checksums and state."""
        del token
        ledger = self._connection.state.ledger
        return LedgerSnapshot(ledger.form, dict(ledger.checksums), dict(ledger.state))

    def prepare(self) -> None:
        """Bring the ledger into its present form."""
        ledger = self._connection.state.ledger
        if ledger.form is not LedgerForm.CURRENT:
            self._put(replace(ledger, form=LedgerForm.CURRENT))

    def objects(self, tables: Collection[TableName] | None = None) -> Ownership:
        """What is ours."""
        objects = self._connection.state.ledger.objects
        return {name: owned for name, owned in objects.items() if tables is None or name in tables}

    def store(self, checksums: Mapping[str, str]) -> None:
        """Set checksums."""
        ledger = self._prepared()
        self._put(replace(ledger, checksums={**ledger.checksums, **checksums}))

    def forget(self, doctypes: Collection[str]) -> None:
        """Remove checksums."""
        ledger = self._prepared()
        kept = {name: checksum for name, checksum in ledger.checksums.items() if name not in doctypes}
        self._put(replace(ledger, checksums=kept))

    def record(self, owned: Sequence[OwnedTable]) -> None:
        """Add to what is ours."""
        ledger = self._prepared()
        objects = dict(ledger.objects)
        for item in owned:
            before = objects.get(item.table)
            objects[item.table] = item if before is None else before.merge(item)
        self._put(replace(ledger, objects=objects))

    def replace(self, owned: Sequence[OwnedTable]) -> None:
        """Set what is ours of these tables."""
        ledger = self._prepared()
        self._put(replace(ledger, objects={**ledger.objects, **{item.table: item for item in owned}}))

    def disown(self, tables: Collection[TableName]) -> None:
        """Forget tables."""
        ledger = self._prepared()
        kept = {name: owned for name, owned in ledger.objects.items() if name not in tables}
        self._put(replace(ledger, objects=kept))

    def set_state(self, values: Mapping[str, str | None]) -> None:
        """Set or remove single values."""
        ledger = self._prepared()
        merged = {**ledger.state, **values}
        self._put(replace(ledger, state={key: value for key, value in merged.items() if value is not None}))

    def open_log(self) -> str | None:
        """Begin the log; what still runs was interrupted."""
        ledger = self._connection.state.ledger
        over = {
            key: replace(entry, outcome=WorkState.INTERRUPTED) if entry.outcome is WorkState.RUNNING else entry
            for key, entry in (ledger.log or {}).items()
        }
        self._put(replace(ledger, log=over))
        return None

    def log(self, entry: LogEntry, replaces: str | None = None) -> str:
        """Keep an entry."""
        ledger = self._connection.state.ledger
        key = replaces or f"{len(ledger.log or ()):05d}"
        if ledger.log is not None:
            self._put(replace(ledger, log={**ledger.log, key: entry}))
        return key

    def logged(self, limit: int) -> tuple[LogEntry, ...]:
        """The last entries."""
        log = self._connection.state.ledger.log or {}
        return tuple(log[key] for key in sorted(log, reverse=True)[:limit])

    def clear(self) -> None:
        """Forget everything but the log."""
        self._put(LedgerState(form=LedgerForm.CURRENT, log=self._prepared().log))

    def rebuild(self) -> None:
        """Make the ledger anew, empty, in whatever state it is."""
        self._put(LedgerState(form=LedgerForm.CURRENT, log=self._connection.state.ledger.log))

    def _prepared(self) -> LedgerState:
        ledger = self._connection.state.ledger
        if ledger.form is not LedgerForm.CURRENT:
            raise DatabaseError("The ledger is not prepared.")
        return ledger

    def _put(self, ledger: LedgerState) -> None:
        with self._connection.changing() as state:
            state.ledger = ledger
