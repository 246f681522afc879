"""Changes that the database cannot make, by its capabilities: they are withheld, whatever else says they are safe."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain.capabilities import Capabilities
from framework_m_migrations.domain.lowering import creation_order
from framework_m_migrations.domain.plan import Judgement, PlannedChange, Risk
from framework_m_migrations.domain.risk.rules import MANUAL
from framework_m_migrations.domain.schema import Column, ForeignKey, Table, TableName

UNSUPPORTED = "unsupported"
"""The rule by which such changes are withheld."""

_ALTERED = c.ColumnTypeChanged | c.ColumnNullabilityChanged | c.ColumnDefaultChanged | c.ColumnGenerationChanged
_CONSTRAINED = (
    c.UniqueAdded | c.CheckAdded | c.ForeignKeyAdded | c.UniqueChanged | c.CheckChanged | c.ForeignKeyChanged
    | c.UniqueRemoved | c.CheckRemoved | c.ForeignKeyRemoved
)  # fmt: skip
_HELD = (
    c.ColumnAdded | c.ColumnTypeChanged | c.ColumnNullabilityChanged | c.ColumnGenerationChanged
    | c.ColumnRemoved | c.ColumnRenamed | c.TableRenamed
)  # fmt: skip


def withhold_unsupported(
    planned: Iterable[PlannedChange], can: Capabilities, tables: Mapping[TableName, Table], names: frozenset[TableName]
) -> list[PlannedChange]:
    """The same changes, those withheld that this database has no statement for.

    Args:
        planned: judged changes of one plan.
        can: what the database can do.
        tables: as they are, as far as they were read.
        names: of all tables that exist.
    """
    listed = list(planned)
    keys = _left_out([p.change.definition for p in listed if isinstance(p.change, c.TableAdded)], can, names)
    result: list[PlannedChange] = []
    for p in listed:
        why = _reason(p.change, can, tables)
        if why is not None:
            result.append(replace(p, judgement=_withheld(p.judgement, why)))
        elif isinstance(p.change, c.TableAdded) and p.change.table in keys:
            table, without = p.change.definition, keys[p.change.table]
            kept = tuple(key for key in table.foreign_keys if key not in without)
            result.append(replace(p, change=c.TableAdded(table.name, replace(table, foreign_keys=kept))))
            result += [
                replace(p, change=c.ForeignKeyAdded(table.name, key), judgement=_withheld(p.judgement, reason))
                for key, reason in without.items()
            ]
        else:
            result.append(p)
    return result


def _withheld(judgement: Judgement, why: str) -> Judgement:
    return Judgement(max(judgement.risk, Risk.WARNING), UNSUPPORTED, why, MANUAL)


def _reason(change: c.Change, can: Capabilities, tables: Mapping[TableName, Table]) -> str | None:
    """Why the database cannot make a change, None where it can."""
    match change:
        case c.ForeignKeyAdded(foreign_key=key) | c.ForeignKeyChanged(foreign_key=key) if _acts(key, can):
            return _acts(key, can)
        case c.UniqueAdded() if change.via_index is not None or can.unique_is_index:
            return None
        case c.UniqueRemoved() | c.UniqueChanged() if can.unique_is_index:
            return None
        case _ if isinstance(change, _CONSTRAINED) and not can.alter_constraints:
            return "This database adds and drops constraints with CREATE TABLE only."
        case c.CheckAdded() | c.CheckChanged() if not can.validates_checks:
            return "This database adds a check without a look at the rows that exist."
        case _ if isinstance(change, _ALTERED) and not can.alter_column:
            return "This database changes no column of a table that exists."
        case c.EnumValueAdded() | c.EnumValuesIncompatible() if not can.alter_enums:
            return "This database changes no enumeration that exists."
        case c.ColumnAdded(column=column) | c.ColumnGenerationChanged(column=column) if (
            not can.add_computed and column.generated is not None and column.generated.kind == "computed"
        ):
            return "This database creates computed columns with CREATE TABLE only."
        case c.ColumnRemoved(table=name, column=column) if not can.alter_constraints and _keyed(name, column, tables):
            return "This database does not drop a column with a foreign key."
        case c.ColumnAdded(column=column) if column.nullable:
            return None
        case _ if isinstance(change, _HELD) and not can.alter_under_dependents:
            name = change.before if isinstance(change, c.TableRenamed) else change.table
            return _held(name, tables)
        case _:
            return None


def _held(name: TableName, tables: Mapping[TableName, Table]) -> str | None:
    """What keeps a table from being altered, where an index and a key that points at it do."""
    table = tables.get(name)
    if table is None:
        return None
    held = [f"the index {index.name}" for index in table.indexes]
    held += [f"the unique constraint {one.name or one.columns}" for one in table.uniques]
    held += [
        f"the foreign key {key.name or key.columns} of table {other.name}"
        for other in tables.values()
        for key in other.foreign_keys
        if key.target == name and other.name != name
    ]
    return f"This database does not alter the table while {held[0]} exists." if held else None


def _keyed(name: TableName, column: Column, tables: Mapping[TableName, Table]) -> bool:
    return name in tables and any(column.name in key.columns for key in tables[name].foreign_keys)


def _acts(key: ForeignKey, can: Capabilities) -> str | None:
    actions = [f"ON DELETE {key.on_delete}"] if key.on_delete else []
    actions += [f"ON UPDATE {key.on_update}"] if key.on_update else []
    return f"This database has no {actions[0]}." if actions and not can.key_actions else None


def _left_out(
    new: Sequence[Table], can: Capabilities, names: frozenset[TableName]
) -> dict[TableName, dict[ForeignKey, str]]:
    """By new table, the foreign keys that CREATE TABLE cannot have and that cannot be added to it later."""
    found: dict[TableName, dict[ForeignKey, str]] = {}
    late = "Its target is created later, and this database adds no foreign key to a table that exists."
    alone = can.alter_constraints or can.forward_references
    for table, inline in creation_order(new, names, apart_from_existing=False):
        for key in table.foreign_keys:
            why = _acts(key, can) or (late if not alone and key not in inline else None)
            if why is not None:
                found.setdefault(table.name, {})[key] = why
    return found
