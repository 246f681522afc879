"""Drops that something else stands in the way of: they are not offered, and the reason is told."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain.plan import PlannedChange
from framework_m_migrations.domain.risk.conflicts import Obstacle
from framework_m_migrations.domain.risk.rules import DROP, MANUAL
from framework_m_migrations.domain.schema import Check, ForeignKey, Table, TableName


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


# Drops that something else stands in the way of: they are not offered, and the rest of the drops goes on.
#
# A view on a column, a trigger that names it, another table's foreign key: the database refuses the drop, after
# others have been done, or carries it out and leaves a view behind that no query can read any more.


Removal = c.TableRemoved | c.ColumnRemoved | c.IndexRemoved | c.UniqueRemoved | c.CheckRemoved | c.ForeignKeyRemoved


def drop_order(planned: PlannedChange) -> int:
    """Where a drop stands in their order: what stands on something goes before what it stands on."""
    match planned.change:
        case c.ForeignKeyRemoved():
            return 0
        case c.ColumnRemoved(column=column):
            return 2 if column.generated is not None else 3  # what is computed of a column goes before it
        case c.TableRemoved():
            return 4
        case _:
            return 1


def drops_asked_about(planned: Iterable[PlannedChange]) -> list[c.Change]:
    """The drops to ask ``Inspector.dependents`` about, in the order in which they would be made."""
    offered = [p for p in planned if p.judgement.handled_by == DROP and isinstance(p.change, Removal)]
    return [p.change for p in sorted(offered, key=drop_order)]


def not_offered(planned: Iterable[PlannedChange], obstacles: Mapping[c.Change, Obstacle]) -> list[PlannedChange]:
    """The same changes; drops with an obstacle are nobody's to make but the user's, who is told what keeps them.

    Their risk and their rule stay what they are.
    """
    result: list[PlannedChange] = []
    for p in planned:
        why = obstacles.get(p.change) if isinstance(p.change, Removal) else None
        if why is None or p.judgement.handled_by != DROP:
            result.append(p)
        else:
            judgement = replace(p.judgement, reason=f"{p.judgement.reason} {why.reason}", handled_by=MANUAL)
            result.append(replace(p, judgement=judgement))
    return result


def held_by_keys(changes: Sequence[c.Change], keys: Iterable[tuple[TableName, ForeignKey]]) -> dict[c.Change, Obstacle]:
    """An obstacle for each drop of what a foreign key points at that does not go with them.

    Args:
        changes: drops that go together.
        keys: foreign keys with their tables, at least those that point at a table of the drops.
    """
    tables = {change.table for change in changes if isinstance(change, c.TableRemoved)}
    columns = {(change.table, change.column.name) for change in changes if isinstance(change, c.ColumnRemoved)}
    dropped = {
        (change.table, change.foreign_key.columns) for change in changes if isinstance(change, c.ForeignKeyRemoved)
    }
    staying = [
        (table, key)
        for table, key in keys
        if table not in tables
        and (table, key.columns) not in dropped
        and columns.isdisjoint((table, name) for name in key.columns)
    ]
    found: dict[c.Change, Obstacle] = {}
    for change in changes:
        for table, key in staying:
            if key.target == change.table and _needs(key, change):
                found[change] = stands(f"the foreign key {key.name or key.columns} of table {table}")
                break
    return found


def _needs(key: ForeignKey, change: c.Change) -> bool:
    match change:
        case c.TableRemoved():
            return True
        case c.ColumnRemoved(column=column):
            return column.name in key.target_columns
        case c.UniqueRemoved(unique=unique):
            return set(unique.columns) == set(key.target_columns)
        case c.IndexRemoved(index=index):
            return index.unique and set(index.plain_columns or ()) == set(key.target_columns)
        case _:
            return False


def stands(what: str) -> Obstacle:
    """The obstacle to a drop that something is, such as ``the view totals``."""
    return Obstacle(f"{what[:1].upper()}{what[1:]} depends on it and must be changed or dropped first.")
