"""Columns that a database without ``Capabilities.drop_unique`` cannot take out of a table in place."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain.schema import Check, Table, TableName


def fixed_columns(changes: Sequence[c.Change], tables: Mapping[TableName, Table]) -> dict[tuple[TableName, str], str]:
    """The surplus columns of a comparison that something keeps in their table, with what does, for people.

    Primary keys, unique constraints, checks over other columns too and computed columns, unless they go before it
    (https://www.sqlite.org/lang_altertable.html#alter_table_drop_column).

    Args:
        changes: all that differs.
        tables: as they are.
    """
    checks = {(item.table, item.check) for item in changes if isinstance(item, c.CheckRemoved) and item.check.name}
    removed = [item for item in changes if isinstance(item, c.ColumnRemoved)]
    gone = {(item.table, item.column.name) for item in removed}
    fixed: dict[tuple[TableName, str], str] = {}
    for change in removed:
        table, name = tables.get(change.table), change.column.name
        holder = None if table is None else _holder(table, name, checks, gone)
        if holder is not None:
            fixed[change.table, name] = holder
    return fixed


def _holder(
    table: Table, column: str, checks: set[tuple[TableName, Check]], gone: set[tuple[TableName, str]]
) -> str | None:
    """What stands on a column and stays."""
    if table.primary_key is not None and column in table.primary_key.columns:
        return "the primary key"
    for unique in table.uniques:
        if column in unique.columns:
            return f"the unique constraint {unique.name or unique.columns}"
    others = [other for other in table.columns if other.name != column]
    for check in table.checks:
        shared = _names(column, check.expression) and any(_names(other.name, check.expression) for other in others)
        if shared and (table.name, check) not in checks:
            return f"the check {check.name or check.expression}"
    for other in others:
        text = "" if other.generated is None else other.generated.expression or ""
        if _names(column, text) and (table.name, other.name) not in gone:
            return f"the computed column {other.name}"
    return "that it is the only column" if not others else None


def _names(column: str, text: str) -> bool:
    """Whether an expression has a column's name as a word, as it is or as quotes make it."""
    forms = {column, column.replace('"', '""'), column.replace("`", "``")}
    return any(re.search(rf"(?<!\w){re.escape(form)}(?!\w)", text, re.IGNORECASE) for form in forms)
