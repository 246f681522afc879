"""What a memory database holds. Values are frozen and replaced, never changed in place, so that a copy is cheap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from framework_m_migrations.domain.ownership import LedgerForm, LogEntry, OwnedTable
from framework_m_migrations.domain.schema import EnumType, Table, TableName

type Row = Mapping[str, object]
"""Column name to value. Never changed in place."""


@dataclass(frozen=True, slots=True)
class LedgerState:
    """The engine's memory."""

    form: LedgerForm = LedgerForm.ABSENT
    checksums: Mapping[str, str] = field(default_factory=dict)
    state: Mapping[str, str] = field(default_factory=dict)
    objects: Mapping[TableName, OwnedTable] = field(default_factory=dict)
    log: Mapping[str, LogEntry] | None = None


@dataclass(slots=True)
class MemoryState:
    """Everything that a transaction can roll back.

    ``token`` is another number after every change of a table or enumeration; ``heads`` are those of the versioned
    track, None as long as there is no version table.
    """

    tables: dict[TableName, Table] = field(default_factory=dict)
    rows: dict[TableName, tuple[Row, ...]] = field(default_factory=dict)
    enums: dict[TableName, EnumType] = field(default_factory=dict)
    ledger: LedgerState = field(default_factory=LedgerState)
    heads: frozenset[str] | None = None
    token: int = 0

    def copy(self) -> MemoryState:
        """The same state, independent of this one."""
        return MemoryState(dict(self.tables), dict(self.rows), dict(self.enums), self.ledger, self.heads, self.token)
