"""Texts of a wanted table that no statement can hold, told before anything is planned."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from framework_m_migrations.adapters.sql.names import unsendable
from framework_m_migrations.domain.errors import InvalidMetadata
from framework_m_migrations.domain.schema import Column, EnumType, Index, Table


def refuse_unsendable(table: Table, enums: Iterable[EnumType]) -> None:
    """Go on where every text of a table can be sent to a database.

    Raises:
        InvalidMetadata: a comment, default, expression, type or label holds a NUL or half a character.
    """
    # Nearly always all is well, and one look at all texts together says so.
    if unsendable("".join(text for _, text in _texts(table, enums))) is None:
        return
    for what, text in _texts(table, enums):
        wrong = unsendable(text)
        if wrong is not None:
            raise InvalidMetadata(f"The {what} of table {table.name} {wrong}: {text!r}.")


def _texts(table: Table, enums: Iterable[EnumType]) -> Iterator[tuple[str, str]]:
    if table.comment:
        yield "comment", table.comment
    for column in table.columns:
        yield from _of_column(column)
    for index in table.indexes:
        yield from _of_index(index)
    for check in table.checks:
        yield "check", check.expression
    for enum in enums:
        for value in enum.values:
            yield f"enumeration {enum.name}", value


def _of_column(column: Column) -> Iterator[tuple[str, str]]:
    yield f"type of column {column.name}", column.type.spelling
    if column.comment:
        yield f"comment of column {column.name}", column.comment
    if column.default is not None:
        yield f"default of column {column.name}", column.default
    if column.fill is not None:
        yield f"default in Python of column {column.name}", column.fill
    if column.generated is not None and column.generated.expression is not None:
        yield f"expression of column {column.name}", column.generated.expression


def _of_index(index: Index) -> Iterator[tuple[str, str]]:
    if index.where is not None:
        yield f"predicate of index {index.name}", index.where
    for key in index.keys:
        if key.expression is not None:
            yield f"expression of index {index.name}", key.expression
    for name, value in index.options:
        yield f"option {name} of index {index.name}", value
