"""Safe changes that something else in the catalog stands in the way of: they are withheld, and the rest goes on."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain.capabilities import Capabilities
from framework_m_migrations.domain.plan import Judgement, PlannedChange, Risk
from framework_m_migrations.domain.risk import CREATE, DROP, MANUAL
from framework_m_migrations.domain.schema import TableName


class Obstacle(NamedTuple):
    """What stands in the way of a change.

    ``reason`` is a sentence; ``table`` the one whose index has the name that the change needs, None for anything else.
    ``by_copy`` says that a revision which copies the table brings the change about.
    """

    reason: str
    table: TableName | None = None
    by_copy: bool = False


_ASKED = c.IndexAdded | c.UniqueAdded | c.ColumnDefaultChanged | c.ColumnNullabilityChanged


def asked_about(planned: Sequence[PlannedChange], capabilities: Capabilities) -> list[c.Change]:
    """The changes to ask ``Inspector.obstacles`` about: what takes a name, or writes rows; those of new tables too."""
    found: list[c.Change] = []
    for p in planned:
        if p.withheld:
            continue
        if isinstance(p.change, c.TableAdded):
            found.extend(_parts(p.change, capabilities))
        elif isinstance(p.change, _ASKED):
            found.append(p.change)
    return found


def _parts(added: c.TableAdded, capabilities: Capabilities) -> Iterable[c.IndexAdded | c.UniqueAdded]:
    for index in added.definition.indexes:
        yield c.IndexAdded(added.table, index)
    for unique in added.definition.uniques:
        # Where a constraint is an index, one of CREATE TABLE has a name that the database makes up.
        if unique.name is not None and not capabilities.unique_is_index:
            yield c.UniqueAdded(added.table, unique)


def withhold_obstructed(
    planned: Sequence[PlannedChange],
    obstacles: Mapping[c.Change, Obstacle],
    going: Collection[TableName],
    capabilities: Capabilities,
) -> list[PlannedChange]:
    """The same changes, those withheld that something stands in the way of.

    Args:
        planned: judged changes of one plan.
        obstacles: what stands in the way of which change.
        going: tables that ``sync --allow-drop`` would drop. With them, and with indexes that it drops, names come free.
        capabilities: as given to ``asked_about``.
    """
    if not obstacles:
        return list(planned)
    free = {(p.change.table, p.change.index.name) for p in planned if isinstance(p.change, c.IndexRemoved)}
    result: list[PlannedChange] = []
    for p in planned:
        if p.withheld or not isinstance(p.change, c.TableAdded):
            why = None if p.withheld else obstacles.get(p.change)
            result.append(p if why is None else replace(p, judgement=_obstructed(p.change, why, going, free)))
            continue
        parts = [part for part in _parts(p.change, capabilities) if part in obstacles]
        indexes = {part.index for part in parts if isinstance(part, c.IndexAdded)}
        uniques = {part.unique for part in parts if isinstance(part, c.UniqueAdded)}
        table = p.change.definition
        kept = replace(
            table,
            indexes=tuple(index for index in table.indexes if index not in indexes),
            uniques=tuple(unique for unique in table.uniques if unique not in uniques),
        )
        result.append(replace(p, change=c.TableAdded(table.name, kept)) if parts else p)
        result.extend(
            replace(p, change=part, judgement=_obstructed(part, obstacles[part], going, free)) for part in parts
        )
    return result


def _obstructed(
    change: c.Change, obstacle: Obstacle, going: Collection[TableName], free: Collection[tuple[TableName, str]]
) -> Judgement:
    if obstacle.by_copy:
        return Judgement(Risk.WARNING, "obstructed", obstacle.reason, CREATE)
    match change:
        case c.IndexAdded(index=index):
            name: str | None = index.name
        case c.UniqueAdded(unique=unique):
            name = unique.name
        case _:
            name = None
    holder = obstacle.table
    dropped = holder is not None and (holder in going or (name is not None and (holder, name) in free))
    return Judgement(Risk.WARNING, "obstructed", obstacle.reason, DROP if dropped else MANUAL)
