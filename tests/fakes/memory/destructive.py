"""Destructive operations on a memory database. Used by the pruner and by revisions that take themselves back."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.capabilities import Capabilities
from framework_m_migrations.domain.errors import DatabaseError
from framework_m_migrations.domain.renames import stands_on
from framework_m_migrations.domain.schema import Table, TableName
from tests.fakes.memory import rules
from tests.fakes.memory.state import MemoryState


def remove(state: MemoryState, operation: o.DestructiveOperation, capabilities: Capabilities) -> None:
    """Carry out one operation on ``state``; after an error ``state`` is to be thrown away.

    Raises:
        DatabaseError: the object does not exist, or another one stands on it.
    """
    table = rules.need_table(state, operation.table)
    match operation:
        case o.DropTable():
            _require_unreferenced(state, table.name, None)
            del state.tables[table.name]
            state.rows.pop(table.name, None)
        case o.DropColumn(column=column):
            _drop_column(state, table, column, capabilities)
        case o.DropIndex(index=name):
            if all(index.name != name for index in table.indexes):
                raise DatabaseError(f"Table {table.name} has no index {name}.")
            indexes = tuple(index for index in table.indexes if index.name != name)
            state.tables[table.name] = replace(table, indexes=indexes)
        case o.DropConstraint(constraint=name, kind=kind):
            state.tables[table.name] = _without_constraint(table, name, kind, capabilities)
        case o.DropNotNull(column=wanted):
            rules.need_columns(table, [wanted.name])
            if table.primary_key is not None and wanted.name in table.primary_key.columns:
                raise DatabaseError(f"Column {wanted.name!r} of {table.name} belongs to its primary key.")
            columns = tuple(
                replace(column, nullable=True) if column.name == wanted.name else column for column in table.columns
            )
            state.tables[table.name] = replace(table, columns=columns)
        case _ as unreachable:
            assert_never(unreachable)


def _require_unreferenced(state: MemoryState, name: TableName, column: str | None) -> None:
    for other in state.tables.values():
        for key in other.foreign_keys:
            if other.name != name and key.target == name and (column is None or column in key.target_columns):
                raise DatabaseError(f"{other.name} refers to {name} by the foreign key {key.name or key.columns}.")


def _drop_column(state: MemoryState, table: Table, column: str, capabilities: Capabilities) -> None:
    rules.need_columns(table, [column])
    if table.primary_key is not None and column in table.primary_key.columns:
        raise DatabaseError(f"Column {column!r} of {table.name} belongs to its primary key.")
    if len(table.columns) == 1:
        raise DatabaseError(f"Column {column!r} is the only one of {table.name}.")
    if not capabilities.drop_unique and any(column in unique.columns for unique in table.uniques):
        raise DatabaseError(f"Column {column!r} of {table.name} is part of a unique constraint.")
    _require_unreferenced(state, table.name, column)
    state.tables[table.name] = replace(
        table,
        columns=tuple(item for item in table.columns if item.name != column),
        indexes=tuple(index for index in table.indexes if not stands_on(index, [column])),
        uniques=tuple(unique for unique in table.uniques if column not in unique.columns),
        foreign_keys=tuple(key for key in table.foreign_keys if column not in key.columns),
    )
    rows = state.rows.get(table.name, ())
    state.rows[table.name] = tuple({key: row[key] for key in row if key != column} for row in rows)


def _without_constraint(table: Table, name: str, kind: str, capabilities: Capabilities) -> Table:
    if not capabilities.alter_constraints or (kind == "unique" and not capabilities.drop_unique):
        raise DatabaseError("This database cannot drop a constraint of a table that exists.")
    changed = table
    match kind:
        case "unique":
            changed = replace(table, uniques=tuple(item for item in table.uniques if item.name != name))
        case "check":
            changed = replace(table, checks=tuple(item for item in table.checks if item.name != name))
        case "foreign_key":
            changed = replace(table, foreign_keys=tuple(item for item in table.foreign_keys if item.name != name))
        case _:
            raise DatabaseError(f"{kind!r} is no kind of constraint.")
    if changed == table:
        raise DatabaseError(f"Table {table.name} has no {kind} constraint {name}.")
    return changed
