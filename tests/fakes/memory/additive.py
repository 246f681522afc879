"""Additive operations on a memory database. Nothing in this file takes anything away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import assert_never

from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.capabilities import Capabilities
from framework_m_migrations.domain.errors import DatabaseError
from framework_m_migrations.domain.schema import (
    Check,
    Column,
    EnumType,
    ForeignKey,
    Index,
    Table,
    TableName,
    Unique,
)
from tests.fakes.memory import rules
from tests.fakes.memory.expressions import OPAQUE, constant
from tests.fakes.memory.spelling import canonical
from tests.fakes.memory.state import MemoryState
from tests.fakes.memory.types import coerce


def add(state: MemoryState, operation: o.AdditiveOperation, capabilities: Capabilities) -> None:
    """Carry out one operation on ``state``; after an error ``state`` is to be thrown away.

    Raises:
        DatabaseError: the database cannot do it, its objects do not allow it, or rows stand against it.
    """
    match operation:
        case o.CreateEnum() | o.AddEnumValue():
            _need(capabilities.named_enums, "has no named enumerations")
            _change_enum(state, operation)
        case o.CreateObject():
            pass  # Nothing here depends on one.
        case o.CreateTable():
            _create_table(state, operation, capabilities)
        case o.AddColumn():
            _add_column(state, operation, capabilities)
        case o.FillColumn() | o.ValidateNotNull():
            _settle_rows(state, operation)
        case o.AlterType() | o.SetNotNull() | o.SetDefault():
            _need(capabilities.alter_column, "cannot change a column that exists")
            _alter_column(state, operation)
        case o.SetComment():
            _need(capabilities.comments, "keeps no comments")
            _set_comment(state, operation)
        case o.CreateIndex(table=name, index=index):
            table = rules.need_table(state, name)
            _create_index(state, table, index)
        case o.AttachIndex(table=name):
            rules.need_table(state, name)  # there are no partitions here, and nothing to attach to
        case o.RebuildIndex(table=name, index=index):
            table = rules.need_table(state, name)
            found = next((item for item in table.indexes if item.name == index.name), None)
            if found is None:
                raise DatabaseError(f"There is no index {index.name}.")
            rebuilt = replace(found, valid=True)
            rules.require_unique_index(table, rebuilt, state.rows.get(name, ()))
            _put(state, replace(table, indexes=_swapped(table.indexes, found, rebuilt)))
        case o.AddUnique() | o.AddCheck() | o.AddForeignKey() | o.ValidateConstraint():
            _need(capabilities.alter_constraints, "cannot add a constraint to a table that exists")
            _constrain(state, operation, capabilities)
        case _ as unreachable:
            assert_never(unreachable)


def _need(able: bool, lack: str) -> None:
    if not able:
        raise DatabaseError(f"This database {lack}.")


def _put(state: MemoryState, table: Table) -> None:
    state.tables[table.name] = canonical(replace(table, native=None, renamed_from=None))


def _swapped[T](items: tuple[T, ...], old: T, new: T) -> tuple[T, ...]:
    return tuple(new if item is old else item for item in items)


def _change_enum(state: MemoryState, operation: o.CreateEnum | o.AddEnumValue) -> None:
    if isinstance(operation, o.CreateEnum):
        enum = operation.enum
        if enum.name in state.enums:
            raise DatabaseError(f"The enumeration {enum.name} exists already.")
        state.enums[enum.name] = EnumType(enum.name, enum.values)
        return
    existing = state.enums.get(operation.enum)
    if existing is None:
        raise DatabaseError(f"There is no enumeration {operation.enum}.")
    values = list(existing.values)
    if operation.value in values:
        return
    beside = operation.after if operation.after is not None else operation.before
    if beside is not None and beside not in values:
        raise DatabaseError(f"The enumeration {operation.enum} has no label {beside!r}.")
    place = len(values) if beside is None else values.index(beside) + (operation.after is not None)
    values.insert(place, operation.value)
    state.enums[existing.name] = EnumType(existing.name, tuple(values))


def _create_table(state: MemoryState, operation: o.CreateTable, capabilities: Capabilities) -> None:
    table = operation.definition
    if table.name in state.tables:
        raise DatabaseError(f"The table {table.name} exists already.")
    _need(table.name.schema is None or capabilities.schemas, "has no named schemas")
    if not table.columns:
        raise DatabaseError(f"The table {table.name} has no columns.")
    names = [column.name for column in table.columns]
    if len(set(names)) != len(names):
        raise DatabaseError(f"The table {table.name} names a column twice.")
    for column in table.columns:
        _check_column(state, column)
    if table.primary_key is not None:
        rules.need_columns(table, table.primary_key.columns)
    keys = table.primary_key.columns if table.primary_key is not None else ()
    columns = tuple(replace(col, nullable=col.nullable and col.name not in keys, native=None) for col in table.columns)
    bare = replace(table, columns=columns, indexes=(), uniques=(), checks=(), foreign_keys=())
    _put(state, bare)
    state.rows[table.name] = ()
    for unique in table.uniques:
        _add_unique(state, bare.name, unique)
    for check in table.checks:
        _add_named(state, bare.name, check)
    for key in operation.foreign_keys:
        _check_target(state, bare, key, capabilities)
        _add_named(state, bare.name, key)
    for index in table.indexes:
        _create_index(state, state.tables[table.name], index)


def _check_column(state: MemoryState, column: Column) -> None:
    if column.type.enum is not None and column.type.enum not in state.enums:
        raise DatabaseError(f"There is no enumeration {column.type.enum}.")


def _add_column(state: MemoryState, operation: o.AddColumn, capabilities: Capabilities) -> None:
    table, column = rules.need_table(state, operation.table), operation.column
    if table.column(column.name) is not None:
        raise DatabaseError(f"Table {table.name} has a column {column.name!r} already.")
    _check_column(state, column)
    rows = state.rows.get(table.name, ())
    if column.volatile_default and rows and not operation.staged:
        _need(capabilities.add_volatile_default, "cannot add a column with a volatile default to a table with rows")
    value = None
    if column.default is not None and not operation.staged:
        value = rules.default_value(column)
    elif not column.nullable and column.fill is not None:
        filled = constant(column.fill)
        value = column.fill if filled is OPAQUE else coerce(filled, column.type)
        column = replace(column, default=column.fill)
    changed = tuple({**row, column.name: value} for row in rows)
    if not column.nullable and column.generated is None:
        rules.require_no_nulls(table, column.name, changed)
    state.rows[table.name] = changed
    _put(state, replace(table, columns=(*table.columns, replace(column, native=None, renamed_from=None))))


def _alter_column(state: MemoryState, operation: o.AlterType | o.SetNotNull | o.SetDefault) -> None:
    table = rules.need_table(state, operation.table)
    wanted = operation.column
    rules.need_columns(table, [wanted.name])
    existing = next(column for column in table.columns if column.name == wanted.name)
    rows = state.rows.get(table.name, ())
    if isinstance(operation, o.AlterType):
        _check_column(state, wanted)
        state.rows[table.name] = tuple({**row, wanted.name: coerce(row[wanted.name], wanted.type)} for row in rows)
        changed = replace(existing, type=replace(wanted.type, native=None))
    elif isinstance(operation, o.SetNotNull):
        if operation.validate:
            rules.require_no_nulls(table, wanted.name, rows)
        changed = replace(existing, nullable=False)
    else:
        changed = replace(existing, default=wanted.default)
    _put(state, replace(table, columns=_swapped(table.columns, existing, changed)))


def _settle_rows(state: MemoryState, operation: o.FillColumn | o.ValidateNotNull) -> None:
    table, name = rules.need_table(state, operation.table), operation.column.name
    rules.need_columns(table, [name])
    rows = state.rows.get(table.name, ())
    if isinstance(operation, o.ValidateNotNull):
        rules.require_no_nulls(table, name, rows)
        return
    value = rules.default_value(operation.column)
    state.rows[table.name] = tuple({**row, name: value} if row[name] is None else row for row in rows)


def _set_comment(state: MemoryState, operation: o.SetComment) -> None:
    table = rules.need_table(state, operation.table)
    if operation.column is None:
        _put(state, replace(table, comment=operation.comment))
        return
    rules.need_columns(table, [operation.column])
    columns = tuple(
        replace(column, comment=operation.comment) if column.name == operation.column else column
        for column in table.columns
    )
    _put(state, replace(table, columns=columns))


def index_names(state: MemoryState, schema: str | None) -> Mapping[str, TableName]:
    """The tables of a schema by the names of their indexes, which are unique within it."""
    return {
        index.name: table.name
        for table in state.tables.values()
        if table.name.schema == schema
        for index in table.indexes
    }


def _create_index(state: MemoryState, table: Table, index: Index) -> None:
    if index.name in index_names(state, table.name.schema):
        raise DatabaseError(f"An index {index.name} exists already.")
    rules.need_columns(table, [key.column for key in index.keys if key.column is not None])
    rules.need_columns(table, index.include)
    rules.require_unique_index(table, index, state.rows.get(table.name, ()))
    _put(state, replace(table, indexes=(*table.indexes, replace(index, valid=True, native=None))))


def _constrain(
    state: MemoryState,
    operation: o.AddUnique | o.AddCheck | o.AddForeignKey | o.ValidateConstraint,
    capabilities: Capabilities,
) -> None:
    table = rules.need_table(state, operation.table)
    rows = state.rows.get(table.name, ())
    match operation:
        case o.AddUnique(unique=unique, via_index=via_index):
            if via_index is not None:
                _need(capabilities.unique_via_index, "cannot make a constraint of an index")
                unique = _adopt(state, table, unique, via_index)
            _add_unique(state, table.name, unique)
        case o.AddCheck(check=check, validate=validate):
            _need(validate or capabilities.deferred_validation, "validates constraints when they are added")
            if validate:
                rules.require_check(table, check, rows)
            _add_named(state, table.name, replace(check, valid=validate))
        case o.AddForeignKey(foreign_key=key, validate=validate):
            _need(validate or capabilities.deferred_validation, "validates constraints when they are added")
            _check_target(state, table, key, capabilities)
            if validate:
                rules.require_partners(state, table, key, rows)
            _add_named(state, table.name, replace(key, valid=validate))
        case o.ValidateConstraint(constraint=constraint):
            _validate(state, table, constraint)


def _adopt(state: MemoryState, table: Table, unique: Unique, via_index: str) -> Unique:
    """Turn a unique index into a constraint, which takes the index's name where it has none of its own."""
    index = next((item for item in table.indexes if item.name == via_index), None)
    if index is None or not index.unique or not index.valid or index.plain_columns != unique.columns:
        raise DatabaseError(f"{via_index} is no valid unique index over ({', '.join(unique.columns)}).")
    _put(state, replace(table, indexes=tuple(item for item in table.indexes if item is not index)))
    return unique if unique.name is not None else replace(unique, name=via_index)


def _add_unique(state: MemoryState, name: TableName, unique: Unique) -> None:
    table = state.tables[name]
    if unique.name is not None and unique.name in index_names(state, name.schema):
        raise DatabaseError(f"An index {unique.name} exists already.")
    rules.need_columns(table, unique.columns)
    rules.require_unique(table, unique.columns, state.rows.get(name, ()))
    _add_named(state, name, unique)


def _add_named(state: MemoryState, name: TableName, constraint: Unique | Check | ForeignKey) -> None:
    table = state.tables[name]
    others: tuple[Unique | Check | ForeignKey, ...] = (*table.uniques, *table.checks, *table.foreign_keys)
    if constraint.name is not None and constraint.name in {item.name for item in others}:
        raise DatabaseError(f"Table {name} has a constraint {constraint.name} already.")
    match constraint:
        case Unique():
            table = replace(table, uniques=(*table.uniques, replace(constraint, native=None)))
        case Check():
            table = replace(table, checks=(*table.checks, replace(constraint, native=None)))
        case ForeignKey():
            table = replace(table, foreign_keys=(*table.foreign_keys, replace(constraint, native=None)))
    _put(state, table)


def _check_target(state: MemoryState, table: Table, key: ForeignKey, capabilities: Capabilities) -> None:
    rules.need_columns(table, key.columns)
    target = state.tables.get(key.target)
    if target is None:
        if capabilities.forward_references:
            return
        raise DatabaseError(f"The foreign key {key.name or key.columns} names {key.target}, which does not exist.")
    rules.need_columns(target, key.target_columns)
    keys = [unique.columns for unique in target.uniques]
    keys += [index.plain_columns for index in target.indexes if index.unique and index.plain_columns is not None]
    if target.primary_key is not None:
        keys.append(target.primary_key.columns)
    if not any(sorted(columns) == sorted(key.target_columns) for columns in keys):
        raise DatabaseError(f"({', '.join(key.target_columns)}) of {key.target} is no key of it.")


def _validate(state: MemoryState, table: Table, constraint: ForeignKey | Check) -> None:
    rows = state.rows.get(table.name, ())
    if isinstance(constraint, Check):
        found = next((item for item in table.checks if item.name == constraint.name), None)
        if found is None:
            raise DatabaseError(f"Table {table.name} has no check {constraint.name}.")
        rules.require_check(table, found, rows)
        _put(state, replace(table, checks=_swapped(table.checks, found, replace(found, valid=True))))
        return
    key = next((item for item in table.foreign_keys if item.name == constraint.name), None)
    if key is None:
        raise DatabaseError(f"Table {table.name} has no foreign key {constraint.name}.")
    rules.require_partners(state, table, key, rows)
    _put(state, replace(table, foreign_keys=_swapped(table.foreign_keys, key, replace(key, valid=True))))
