"""Which drops the ledger allows, and what is ours afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.capabilities import Capabilities
from framework_m_migrations.domain.lowering import creation_order
from framework_m_migrations.domain.ownership import OwnedTable, Ownership, constraint_identities
from framework_m_migrations.domain.plan import PlannedChange
from framework_m_migrations.domain.risk.drop_blockers import drop_order
from framework_m_migrations.domain.risk.rules import DROP
from framework_m_migrations.domain.schema import Table, TableName


def table_drops(
    tables: Sequence[Table], capabilities: Capabilities, kept_enums: AbstractSet[TableName] = frozenset()
) -> dict[TableName, tuple[o.Operation, ...]]:
    """How to drop tables that go together, in an order in which the database lets each go.

    A table goes before those that it refers to. Where tables refer to each other in a circle, the foreign key that
    closes it goes first.

    Args:
        tables: as they are in the database.
        capabilities: where a constraint cannot be dropped alone, none is.
        kept_enums: enumerations that the models want.
    """
    dropped: dict[TableName, tuple[o.Operation, ...]] = {}
    going = {table.name for table in tables}
    order = creation_order(tables, frozenset(), apart_from_existing=False)
    pointing = [(table, key) for table in tables for key in table.foreign_keys if key.target in going - {table.name}]
    for target, _ in reversed(order):
        closing = [
            o.DropConstraint(table.name, key.name, "foreign_key")
            for table, key in pointing
            if key.target == target.name and table.name not in dropped and key.name is not None
        ]
        used = {column.type.enum for column in target.columns if column.type.enum is not None} - kept_enums
        drop = o.DropTable(target.name, tuple(sorted(used, key=str)))
        dropped[target.name] = (*(closing if capabilities.alter_constraints else ()), drop)
    return dropped


def drops_of(changes: tuple[PlannedChange, ...], ownership: Ownership) -> tuple[PlannedChange, ...]:
    """The changes of a plan that ``--allow-drop`` brings about, what stands on something before what it stands on."""
    allowed = [change for change in changes if droppable(change, ownership)]
    return tuple(sorted(allowed, key=drop_order))


def droppable(planned: PlannedChange, ownership: Ownership) -> bool:
    """True when a change is a drop of something that the ledger says is ours."""
    change = planned.change
    owned = ownership.get(change.table)
    if owned is None or planned.judgement.handled_by != DROP or not planned.operations:
        return False
    match change:
        case c.TableRemoved():
            return True
        case c.ColumnRemoved(column=column):
            return column.name in owned.columns
        case c.IndexRemoved(index=index):
            return owned.has_index(index)
        case c.UniqueRemoved(unique=constraint):
            # Where a constraint is an index, one of ours may be recorded as an index.
            ours = owned.constraints.intersection(constraint_identities(constraint))
            return bool(ours) or constraint.name in owned.indexes
        case c.CheckRemoved(check=check):
            return bool(owned.constraints.intersection(constraint_identities(check)))
        case c.ForeignKeyRemoved(foreign_key=key):
            return bool(owned.constraints.intersection(constraint_identities(key)))
        case _:
            return False


def after_drop(planned: PlannedChange, owned: OwnedTable) -> OwnedTable | None:
    """What is ours of a table once a drop is done; None when the table is gone."""
    match planned.change:
        case c.TableRemoved():
            return None
        case c.ColumnRemoved(column=column):
            return replace(owned, columns=owned.columns - {column.name})
        case c.IndexRemoved(index=index):
            return owned.without_index(index)
        case c.UniqueRemoved(unique=unique):
            rest = owned.constraints - set(constraint_identities(unique))
            return replace(owned, constraints=rest, indexes=owned.indexes.difference({unique.name}))
        case c.CheckRemoved(check=check):
            return replace(owned, constraints=owned.constraints - set(constraint_identities(check)))
        case c.ForeignKeyRemoved(foreign_key=key):
            return replace(owned, constraints=owned.constraints - set(constraint_identities(key)))
        case _:
            return owned


def owned_after(
    planned: PlannedChange, ownership: dict[TableName, OwnedTable]
) -> tuple[dict[TableName, OwnedTable], OwnedTable | None]:
    """The ownership after a drop, and the table's entry in it."""
    table = planned.change.table
    rest = dict(ownership)
    entry = after_drop(planned, rest.pop(table))
    if entry is not None:
        rest[table] = entry
    return rest, entry
