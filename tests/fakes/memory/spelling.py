"""The memory database's own spelling, which it stores and to which wanted tables are brought."""

from __future__ import annotations

from dataclasses import replace

from framework_m_migrations.domain.schema import Column, Index, Table
from tests.fakes.memory.expressions import tidy
from tests.fakes.memory.types import respell


def canonical(table: Table) -> Table:
    """The table with types, defaults, checks, predicates and index expressions in this database's own spelling."""
    return replace(
        table,
        columns=tuple(_column(column) for column in table.columns),
        checks=tuple(replace(check, expression=tidy(check.expression)) for check in table.checks),
        indexes=tuple(_index(index) for index in table.indexes),
    )


def _column(column: Column) -> Column:
    default = None if column.default is None else tidy(column.default)
    type_ = respell(column.type)
    return replace(column, type=replace(type_, native=column.type.native), default=default)


def _index(index: Index) -> Index:
    keys = tuple(key if key.expression is None else key._replace(expression=tidy(key.expression)) for key in index.keys)
    return replace(index, keys=keys, where=None if index.where is None else tidy(index.where))
