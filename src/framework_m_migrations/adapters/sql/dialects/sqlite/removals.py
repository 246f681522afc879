"""What a dropped constraint or column takes out of a stored CREATE TABLE text. Pure; used by the pruner's path only."""

from __future__ import annotations

from dataclasses import replace

from framework_m_migrations.adapters.sql.dialects.sqlite.create_sql import parse_table
from framework_m_migrations.adapters.sql.dialects.sqlite.create_text import CheckText, ForeignKeyText, TableText
from framework_m_migrations.adapters.sql.dialects.sqlite.cursor import Span
from framework_m_migrations.adapters.sql.dialects.sqlite.tokens import NAME, WORD, lower, tokens, unquoted
from framework_m_migrations.domain.errors import DatabaseError
from framework_m_migrations.domain.operations import DropColumn, DropConstraint
from framework_m_migrations.domain.schema import Table


def removed_spans(before: str, operation: DropConstraint | DropColumn) -> list[Span]:
    """The parts that go, the comma before a table constraint included.

    Raises:
        UnreadableSql: the text is not understood.
        DatabaseError: there is no such constraint, or it cannot go without copying the table.
    """
    table = parse_table(before)
    if isinstance(operation, DropColumn):
        found = _of_column(table, operation.column)
        column = table.column(operation.column)
        inside = column.span if column is not None else (0, 0)
        # What stands in the column's own definition: checks go with it, a foreign key must be gone before.
        found = [item for item in found if not (isinstance(item, CheckText) and _within(item.span, inside))]
    else:
        both: list[CheckText | ForeignKeyText] = [*table.checks, *table.foreign_keys]
        found = [item for item in both if item.name == operation.constraint]
        if not found:
            raise DatabaseError(
                f"The constraint {operation.constraint} of table {operation.table} cannot be dropped in place.",
                next_step="Change the table with a revision that copies it: `m-migrate create`.",
            )
    return [with_comma(before, item.span, table) for item in found]


def _of_column(table: TableText, column: str) -> list[CheckText | ForeignKeyText]:
    """Foreign keys of a column, and checks that are about this column alone."""
    name = lower(column)
    names = {lower(item.name) for item in table.columns}
    keys = [key for key in table.foreign_keys if name in {lower(item) for item in key.columns}]
    checks = [check for check in table.checks if names_in(check.expression) & names == {name}]
    return [*keys, *checks]


def names_in(expression: str) -> set[str]:
    """The names in an expression, in lower case."""
    return {lower(unquoted(token.text)) for token in tokens(expression) if token.kind in {WORD, NAME}}


def _within(span: Span, outer: Span) -> bool:
    return outer[0] <= span[0] and span[1] <= outer[1]


def with_comma(before: str, span: Span, table: TableText) -> Span:
    """A table constraint goes with the comma before it, unless the next one, which may come without, needs it."""
    if any(_within(span, column.span) for column in table.columns):
        return span
    found = tokens(before)
    earlier = [token for token in found if token.end <= span[0]][-1]
    later = next(token for token in found if token.start >= span[1])
    return (earlier.start, span[1]) if earlier.text == "," and later.text in {",", ")"} else span


def only_removed(before: Table, after: Table) -> bool:
    """Whether ``after`` is ``before`` without some checks and foreign keys, and with nothing else changed."""
    bare = replace(before, checks=(), foreign_keys=()) == replace(after, checks=(), foreign_keys=())
    return bare and {*after.checks, *after.foreign_keys} < {*before.checks, *before.foreign_keys}
