"""Keeps phantom differences out: spells a wanted table as SQLite stores it.

A wanted table is built in an empty database in memory, by the same library, and read back by the same reader. What then
still differs only in words (INT for INTEGER) takes the actual table's words.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.sqlite.catalog import build_table, read_raw
from framework_m_migrations.adapters.sql.dialects.sqlite.expressions import canonical_default, names_folded
from framework_m_migrations.adapters.sql.dialects.sqlite.spelling import default_affinity
from framework_m_migrations.adapters.sql.dialects.sqlite.text import lower, quoted
from framework_m_migrations.adapters.sql.sqltext import verbatim_dialect
from framework_m_migrations.domain.risk.facts import TypeChange
from framework_m_migrations.domain.schema import Check, Column, ForeignKey, Index, IndexKey, Table, TableName

type CompareTypes = Callable[[TableName, Column, Column], TypeChange]


def respell(wanted: Table, actual: Table, dialect: sa.Dialect, compare: CompareTypes) -> Table:
    """The wanted table in the spelling of SQLite and, where that means the same, of the actual table."""
    built = _built(wanted, dialect) if isinstance(wanted.native, sa.Table) else None
    if built is not None:
        wanted = _as_built(wanted, built)
    return _as_actual(wanted, actual, compare)


def _built(wanted: Table, dialect: sa.Dialect) -> Table | None:
    """The table as SQLite reads it back; None where it needs something that this connection alone knows.

    That is a function or a collation of the application's, or an index method of another table.
    """
    native: Any = wanted.native
    dialect = verbatim_dialect(dialect, str)
    texts = [str(sa.schema.CreateTable(native).compile(dialect=dialect))]
    texts += [str(sa.schema.CreateIndex(index).compile(dialect=dialect)) for index in native.indexes]
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as scratch:
        try:
            if native.schema is not None:
                scratch.execute(f"ATTACH ':memory:' AS {quoted(native.schema)}")
            for text in texts:
                scratch.execute(text)
        except sqlite3.Error:
            return None
        schema = native.schema or "main"
        raw = read_raw(lambda sql, parameters: scratch.execute(sql, parameters).fetchall(), schema=schema)
    table = raw.tables.get(wanted.name.name)
    if table is None:
        return None
    return build_table(table, schema=wanted.name.schema, keys={}, names={lower(name): name for name in raw.names})


def _as_built(wanted: Table, built: Table) -> Table:
    """What only SQLite's own reading tells: types, defaults, expressions. Names and order stay as wanted."""
    columns = {column.name: column for column in built.columns}
    indexes = {index.name: index for index in built.indexes}
    return replace(
        wanted,
        columns=tuple(_column_as_built(column, columns.get(column.name)) for column in wanted.columns),
        indexes=tuple(_index_as_built(index, indexes.get(index.name)) for index in wanted.indexes),
        checks=tuple(
            replace(mine, expression=theirs.expression)
            for mine, theirs in zip(wanted.checks, built.checks, strict=True)
        )
        if [check.name for check in wanted.checks] == [check.name for check in built.checks]
        else wanted.checks,
        options=built.options,
    )


def _column_as_built(wanted: Column, built: Column | None) -> Column:
    if built is None:
        return wanted
    type_ = replace(built.type, native=wanted.type.native)
    return replace(wanted, type=type_, default=built.default, generated=built.generated)


def _index_as_built(wanted: Index, built: Index | None) -> Index:
    if built is None or len(built.keys) != len(wanted.keys):
        return wanted
    return replace(wanted, keys=built.keys, where=built.where)


def _as_actual(wanted: Table, actual: Table, compare: CompareTypes) -> Table:
    existing = {column.name: column for column in actual.columns}
    fold = frozenset(lower(column.name) for column in actual.columns)
    indexes = {index.name: index for index in actual.indexes}
    return replace(
        wanted,
        columns=tuple(
            _column(wanted.name, column, existing.get(column.name), fold, compare) for column in wanted.columns
        ),
        indexes=tuple(_index(index, indexes.get(index.name), fold) for index in wanted.indexes),
        checks=_sorted_checks(tuple(_check(check, actual.checks, fold) for check in wanted.checks)),
        foreign_keys=tuple(_foreign_key(key, actual.foreign_keys) for key in wanted.foreign_keys),
    )


def _column(
    table: TableName, wanted: Column, actual: Column | None, fold: frozenset[str], compare: CompareTypes
) -> Column:
    if actual is None or actual == wanted:
        return wanted
    if wanted.type != actual.type and compare(table, actual, wanted) is TypeChange.EQUAL:
        wanted = replace(wanted, type=replace(actual.type, native=wanted.type.native))
    default = None if wanted.default is None else canonical_default(wanted.default, default_affinity(wanted.type))
    if default == actual.default:
        wanted = replace(wanted, default=default)
    if wanted.generated is not None and actual.generated is not None:
        mine, theirs = wanted.generated.expression, actual.generated.expression
        if mine is not None and theirs is not None and names_folded(mine, fold) == names_folded(theirs, fold):
            wanted = replace(wanted, generated=replace(wanted.generated, expression=theirs))
    return wanted


def _index(wanted: Index, actual: Index | None, fold: frozenset[str]) -> Index:
    if actual is None or actual == wanted or len(actual.keys) != len(wanted.keys):
        return wanted
    keys = tuple(_key(mine, theirs, fold) for mine, theirs in zip(wanted.keys, actual.keys, strict=True))
    same = wanted.where and actual.where and names_folded(wanted.where, fold) == names_folded(actual.where, fold)
    return replace(wanted, keys=keys, where=actual.where if same else wanted.where)


def _key(wanted: IndexKey, actual: IndexKey, fold: frozenset[str]) -> IndexKey:
    if wanted.expression is None or actual.expression is None:
        return wanted
    if names_folded(wanted.expression, fold) == names_folded(actual.expression, fold):
        return wanted._replace(expression=actual.expression)
    return wanted


def _check(wanted: Check, actual: tuple[Check, ...], fold: frozenset[str]) -> Check:
    meaning = names_folded(wanted.expression, fold)
    for check in actual:
        if names_folded(check.expression, fold) == meaning and check.name in {wanted.name, None}:
            return replace(wanted, expression=check.expression)
    return wanted


def _sorted_checks(checks: tuple[Check, ...]) -> tuple[Check, ...]:
    return tuple(sorted(checks, key=lambda check: (check.name or "", check.expression)))


def _foreign_key(wanted: ForeignKey, actual: tuple[ForeignKey, ...]) -> ForeignKey:
    """SQLite's names are equal without regard to case; targets are told as they are called."""
    for key in actual:
        same = lower(key.target.name) == lower(wanted.target.name) and key.columns == wanted.columns
        if same and [lower(name) for name in key.target_columns] == [lower(name) for name in wanted.target_columns]:
            return replace(wanted, target=key.target, target_columns=key.target_columns)
    return wanted
