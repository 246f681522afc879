"""Which withheld changes have an online form in two phases, and why another one has none."""

from __future__ import annotations

from collections.abc import Collection

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain.renames import stands_on
from framework_m_migrations.domain.revisions import Phase
from framework_m_migrations.domain.schema import Catalog, Check, Column, ForeignKey, Index, Table, TableName, Unique

_NEVER: dict[type, str] = {
    c.PrimaryKeyChanged: "rows and foreign keys depend on the primary key",
    c.EnumValuesIncompatible: "another type takes the place of the enumeration, for each of its columns under a lock",
    c.TableOptionsChanged: "the options of a table are changed under its lock, and may rewrite it",
    c.ColumnGenerationChanged: "how the database fills a column cannot be changed in place",
}
"""What has no online form at all."""
_KNOWN_OPTIONS = {
    Index: frozenset({"nulls_not_distinct"}),
    Unique: frozenset({"deferrable", "initially", "nulls_not_distinct"}),
    ForeignKey: frozenset({"deferrable", "initially", "match"}),
}


def obstacle(
    change: c.Change, catalog: Catalog, *, widens: bool = False, renamed: Collection[TableName] = ()
) -> str | None:
    """Why no revision can be written that makes a change while old and new code run; None where one can.

    Args:
        change: withheld by sync.
        catalog: of all tables, for the foreign keys that point to a column.
        widens: the new type of a renamed column has room for every value, and sync applies it after the contract step.
        renamed: former and new names of tables that are renamed in the same revision.
    """
    if change.table in renamed and not isinstance(change, c.TableRenamed):
        return "the table is renamed: change it in the next revision"
    if type(change) in _NEVER:
        return _NEVER[type(change)]
    match change:
        case c.ObjectChanged(object=wanted):
            return f"a plain revision changes the {wanted.kind} at once"
        case c.ColumnAdded(column=column) if column.generated is not None:
            return "the database would fill the column row by row under a lock"
        case c.ColumnRenamed(before=before, column=column) if _differs(before, column, widens=widens):
            return "it changes more than the name: rename the column first, and change it in the next revision"
        case c.ColumnRenamed(table=table, before=before) | c.ColumnTypeChanged(table=table, before=before):
            return _on_column(table, before, catalog)
        case c.ColumnRemoved(table=table, column=column, superseded_by=None):
            on_it = (unsupported_option(item) for item in standing_on(catalog.tables[table], column.name))
            return next((found for found in on_it if found), None) or _pointed_at(table, column.name, catalog)
        case c.ColumnRemoved():
            return "an online change is between its phases: its contract revision drops the column"
        case c.UniqueAdded(table=table) | c.UniqueChanged(table=table) if _is_partitioned(table, catalog):
            return "a partitioned table cannot adopt an index that was built beside writers"
        case c.UniqueAdded(unique=unique) | c.UniqueChanged(unique=unique):
            return unsupported_option(unique)
        case c.IndexAdded(index=index) | c.IndexChanged(index=index):
            return unsupported_option(index)
        case c.ForeignKeyAdded(table=table) if table not in catalog.tables:
            return "sync adds it, once it has made the table"
        case c.ForeignKeyAdded(foreign_key=key) | c.ForeignKeyChanged(foreign_key=key):
            return unsupported_option(key)
        case c.CheckAdded(check=check) | c.CheckChanged(check=check) | c.CheckRemoved(check=check):
            return unsupported_option(check)
        case _:
            return None


def _differs(before: Column, column: Column, *, widens: bool) -> bool:
    """Whether a renamed column changes what its copy cannot have beside the former one, nor sync apply afterwards."""
    same = before.generated == column.generated and (widens or before.type == column.type)
    return not same or (before.nullable and not column.nullable)


def has_half(change: c.Change, phase: Phase) -> bool:
    """Whether a change has something to do in one of the halves of an online revision."""
    match change:
        case c.TableRenamed() | c.ColumnRenamed() | c.ColumnTypeChanged():
            return True
        case c.ColumnAdded(column=column):
            waits = not column.nullable and column.default is None
            return phase is Phase.EXPAND or waits
        case c.ColumnNullabilityChanged(column=column):
            return phase is Phase.EXPAND or not column.nullable
        case c.ColumnRemoved(column=column):
            return phase is Phase.CONTRACT or (not column.nullable and column.default is None)
        case (
            c.EnumAdded()
            | c.IndexAdded()
            | c.UniqueAdded()
            | c.CheckAdded()
            | c.ForeignKeyAdded()
            | c.ConstraintNotValidated()
        ):
            return phase is Phase.EXPAND
        case _:
            return phase is Phase.CONTRACT


def _is_partitioned(name: TableName, catalog: Catalog) -> bool:
    table = catalog.tables.get(name)
    return table is not None and table.partitioned


def standing_on(table: Table, column: str) -> tuple[Index | Unique | Check | ForeignKey, ...]:
    """The indexes and constraints of a table that have a column."""
    items: tuple[Index | Unique | Check | ForeignKey, ...] = (
        *table.indexes,
        *table.uniques,
        *table.checks,
        *table.foreign_keys,
    )
    return tuple(item for item in items if stands_on(item, [column]))


def _on_column(name: TableName, before: Column, catalog: Catalog) -> str | None:
    table = catalog.tables[name]
    if before.generated is not None:
        return f"the database itself fills {before.name}"
    if table.primary_key is not None and before.name in table.primary_key.columns:
        return f"{before.name} is in the primary key"
    for other in table.columns:
        expression = other.generated.expression if other.generated is not None else None
        if expression is not None and stands_on(Check(None, expression), [before.name]):
            return f"{other.name} is computed from {before.name}"
    for item in standing_on(table, before.name):
        found = unsupported_option(item)
        if found is not None:
            return found
    return _pointed_at(name, before.name, catalog)


def _pointed_at(name: TableName, column: str, catalog: Catalog) -> str | None:
    for other in catalog.tables.values():
        for key in other.foreign_keys:
            if key.target == name and column in key.target_columns:
                return f"a foreign key of {other.name} points to {column}"
    return None


def unsupported_option(item: Index | Unique | Check | ForeignKey) -> str | None:
    """An option of an index or constraint that the helpers do not take."""
    known = _KNOWN_OPTIONS.get(type(item), frozenset[str]())
    if isinstance(item, Check) and item.exclusion:
        return f"{item.name} is an exclusion constraint, whose index cannot be built beside writers"
    unknown = [option for option, _ in item.options if option not in known]
    if not unknown:
        return None
    called = item.name or ", ".join(item.columns if isinstance(item, Unique | ForeignKey) else ())
    return f"{called} has the option {unknown[0]}"
