"""Drops that something else stands in the way of: they are not offered, and the rest of the drops goes on.

A view on a column, a trigger that names it, another table's foreign key: the database refuses the drop, after others
have been done, or carries it out and leaves a view behind that no query can read any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain.obstacles import Obstacle
from framework_m_migrations.domain.plan import PlannedChange
from framework_m_migrations.domain.risk import DROP, MANUAL
from framework_m_migrations.domain.schema import ForeignKey, TableName

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
    return Obstacle(f"{what[:1].upper()}{what[1:]} stands on it and must be changed or dropped first.")
