"""Changes to a memory database: additive ones, and, wired apart, destructive ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.filling import Batch
from framework_m_migrations.domain.plan import DefinitionEdit, LockLevel
from framework_m_migrations.domain.schema import TableName
from tests.fakes.memory.database import MemoryConnection
from tests.fakes.memory.render import render_destructive, rendered


class MemoryExecutor:
    """Implements ports.executor.Executor.

    Args:
        connection: to write through.

    Attributes:
        applied: the operations carried out so far, those included that were rolled back later.
    """

    def __init__(self, connection: MemoryConnection) -> None:
        self._connection = connection
        self.applied: list[o.AdditiveOperation] = []

    def apply(self, *operations: o.AdditiveOperation) -> tuple[str, ...]:
        """Carry out operations; raises DatabaseError where the database refuses one."""
        for operation in operations:
            self._connection.apply(operation)
            self.applied.append(operation)
        return self.render(*operations)

    def fill(self, operation: o.FillColumn, after: str | None) -> Batch:
        """All rows in one batch; see the port."""
        del after
        self.apply(operation)
        return Batch(0, 0, None)

    def render(self, *operations: o.Operation) -> tuple[str, ...]:
        """The operations in words that look like SQL."""
        return tuple(sql for operation in operations for sql in rendered(operation))

    def edits(self, *operations: o.Operation) -> tuple[DefinitionEdit, ...]:
        """Definitions are no text."""
        del operations
        return ()

    def rejected(self, tries: Sequence[Sequence[o.Defining]], *, unsure: bool) -> Mapping[o.Defining, str]:
        """Nothing is known."""
        del tries, unsure
        return {}

    def lock_levels(self, operation: o.AdditiveOperation) -> tuple[tuple[TableName, LockLevel], ...]:
        """The whole database has one writer: whatever is changed is locked in full."""
        match operation:
            case o.CreateEnum() | o.CreateObject() | o.AddEnumValue():
                return ()
            case o.CreateTable(definition=table, foreign_keys=keys):
                return tuple((key.target, LockLevel.ACCESS_EXCLUSIVE) for key in keys if key.target != table.name)
            case _:
                return ((operation.table, LockLevel.ACCESS_EXCLUSIVE),)


class MemoryPruner:
    """Implements ports.pruner.Pruner.

    Args:
        connection: to write through.
    """

    def __init__(self, connection: MemoryConnection) -> None:
        self._connection = connection

    def apply(self, operation: o.DestructiveOperation) -> None:
        """Carry out one operation; raises DatabaseError where the database refuses it."""
        self._connection.apply(operation)

    def render(self, operation: o.DestructiveOperation) -> tuple[str, ...]:
        """The operation in words that look like SQL."""
        return render_destructive(operation)
