"""The locks that operations take on tables which exist before them.

From the table of postgres-online-ddl.md (PostgreSQL 15) and the manual's chapter on explicit locking;
tests/postgres/test_statements.py observes each in pg_locks.
"""

from __future__ import annotations

from typing import assert_never

from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.plan import LockLevel
from framework_m_migrations.domain.schema import ForeignKey, TableName

type Levels = tuple[tuple[TableName, LockLevel], ...]


def lock_levels(operation: o.Operation) -> Levels:
    """See SqlDialect.lock_levels."""
    if isinstance(operation, o.BesideOperation):
        on = operation.object.on if isinstance(operation, o.CreateObject) else None
        return () if on is None else ((on, LockLevel.SHARE_ROW_EXCLUSIVE),)
    match operation:
        case o.CreateTable(foreign_keys=keys):
            targets = dict.fromkeys(key.target for key in keys if key.target != operation.table)
            return tuple((target, LockLevel.SHARE_ROW_EXCLUSIVE) for target in targets)
        case o.AddForeignKey(table=table, foreign_key=key):
            return _both(table, key.target, LockLevel.SHARE_ROW_EXCLUSIVE)
        case o.CreateIndex(table=table, online=online):
            return ((table, LockLevel.SHARE_UPDATE_EXCLUSIVE if online else LockLevel.SHARE),)
        case o.AttachIndex(table=table):
            return ((table, LockLevel.ACCESS_SHARE),)
        case o.FillColumn(table=table) | o.Backfill(table=table):
            return ((table, LockLevel.ROW_EXCLUSIVE),)
        case o.RebuildIndex(table=table) | o.SetComment(table=table) | o.ValidateNotNull(table=table):
            return ((table, LockLevel.SHARE_UPDATE_EXCLUSIVE),)
        case o.ValidateConstraint(table=table, constraint=constraint):
            own = (table, LockLevel.SHARE_UPDATE_EXCLUSIVE)
            if isinstance(constraint, ForeignKey) and constraint.target != table:
                return (own, (constraint.target, LockLevel.ROW_SHARE))
            return (own,)
        case (
            o.AddColumn(table=table)
            | o.AddUnique(table=table)
            | o.AddCheck(table=table)
            | o.AlterType(table=table)
            | o.SetNotNull(table=table)
            | o.SetDefault(table=table)
            | o.DropTable(table=table)
            | o.DropColumn(table=table)
            | o.DropIndex(table=table)
            | o.DropConstraint(table=table)
            | o.DropNotNull(table=table)
            | o.RenameTable(before=table)
            | o.RenameColumn(table=table)
            | o.SetGenerated(table=table)
            | o.SetTableOptions(table=table)
        ):
            return ((table, LockLevel.ACCESS_EXCLUSIVE),)
        case _ as unreachable:
            assert_never(unreachable)


def _both(table: TableName, target: TableName, level: LockLevel) -> Levels:
    return ((table, level),) if table == target else ((table, level), (target, level))
