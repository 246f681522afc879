"""What differs between a wanted and an actual table.

Pure and dialect-free: both sides are in canonical spelling, and what a dialect does in its own way is a capability.
Nothing is left out because it cannot be applied: the diff states, risk.py judges.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain.capabilities import Capabilities
from framework_m_migrations.domain.diff_constraints import Item, Named, anew, constraint_changes, other_names
from framework_m_migrations.domain.letter_case import refuse_column, refuse_table
from framework_m_migrations.domain.ownership import OwnedTable, Ownership
from framework_m_migrations.domain.renames import same_expression, stands_on, superseded_columns
from framework_m_migrations.domain.schema import (
    Catalog,
    Check,
    Column,
    DocTypeSchema,
    EnumType,
    ForeignKey,
    Generated,
    Index,
    Table,
    TableName,
    Unique,
)


def diff_doctype(
    doctype: DocTypeSchema,
    catalog: Catalog,
    ownership: Ownership,
    capabilities: Capabilities,
    drift: dict[TableName, list[Item]] | None = None,
) -> list[c.Change]:
    """All differences of one DocType.

    Args:
        doctype: what is wanted.
        catalog: what there is, with at least this DocType's tables read.
        ownership: what the ledger says is ours; decides whether surplus indexes and constraints are our business.
        capabilities: of the database.
        drift: gets what somebody added to the tables by hand: what is surplus and not ours.

    Raises:
        NameInOtherCase: a table or column is there in another case of letters, which the database takes for the same.
    """
    found: list[c.Change] = []
    if capabilities.named_enums:
        for enum in doctype.enums:
            user = doctype.tables[0].name if doctype.tables else enum.name
            found.extend(_enum_changes(user, enum, catalog.enums.get(enum.name)))
    for table in doctype.tables:
        before = TableName(table.renamed_from, table.name.schema) if table.renamed_from else None
        if table.name in catalog.leaving:
            # What else it changes is compared, and what is new is created, once the name is free.
            if before is not None and before in catalog.names:
                found.append(c.TableRenamed(table.name, before, table))
            continue
        actual = catalog.tables.get(table.name)
        if actual is not None:
            surplus: list[Item] = []
            found.extend(diff_table(table, actual, ownership.get(table.name), capabilities, surplus))
            if drift is not None:
                drift[table.name] = surplus
            continue
        if capabilities.folds_tables and table.name not in catalog.names:
            refuse_table(table.name, catalog.names)
        if before is not None and before in catalog.names:
            former = catalog.tables.get(before)
            if former is None:
                found.append(c.TableRenamed(table.name, before, table))
            else:
                found.extend(_renamed(table, former, ownership.get(before), capabilities))
        else:
            found.append(c.TableAdded(table.name, table))
    return found


def _renamed(wanted: Table, actual: Table, owned: OwnedTable | None, capabilities: Capabilities) -> Iterator[c.Change]:
    """A rename, and what else the table changes, under its former name: it is changed first, and renamed afterwards.

    What came along for DDL names the table as it will be called, so that only columns keep it. A foreign key may refer
    to another table of a new name, and waits for all names where the database looks for its target.
    """
    as_was = replace(
        wanted,
        name=actual.name,
        native=None,
        indexes=tuple(replace(index, native=None) for index in wanted.indexes),
        uniques=tuple(replace(unique, native=None) for unique in wanted.uniques),
        checks=tuple(replace(check, native=None) for check in wanted.checks),
    )
    found = diff_table(as_was, actual, owned, capabilities)
    columns = [change.column.name for change in found if isinstance(change, c.ColumnRenamed)]
    called = [pair for pair in other_names(wanted, actual) if not stands_on(pair[1], columns)]
    names = _names(called) if capabilities.rename_constraints else ()
    found += () if capabilities.rename_constraints else anew(actual.name, called)
    yield c.TableRenamed(wanted.name, actual.name, wanted, names)
    for change in found:
        waits = isinstance(change, c.ForeignKeyAdded | c.ForeignKeyChanged) and not capabilities.forward_references
        yield replace(change, table=wanted.name) if waits else change


def _names(called: Iterable[tuple[Named, Named]]) -> tuple[tuple[str, str], ...]:
    return tuple((before.name or "", item.name or "") for before, item in called)


def diff_table(
    wanted: Table,
    actual: Table,
    owned: OwnedTable | None,
    capabilities: Capabilities,
    drift: list[Item] | None = None,
) -> list[c.Change]:
    """All differences of a table that exists; empty when there is nothing to do. ``drift`` as of ``diff_doctype``."""
    if wanted == actual:
        return []
    found: list[c.Change] = []
    if wanted.columns != actual.columns:
        found.extend(_columns(wanted, actual, owned, capabilities))
    renamed = [change for change in found if isinstance(change, c.ColumnRenamed)]
    if renamed:
        columns = [change.column.name for change in renamed]
        columns += [name.lower() for name in columns if capabilities.folds_columns]
        called = [pair for pair in other_names(wanted, actual) if stands_on(pair[1], columns)]
        if capabilities.rename_constraints:
            found[found.index(renamed[-1])] = replace(renamed[-1], constraints=_names(called))
        else:
            found.extend(anew(wanted.name, called))
    if wanted.primary_key != actual.primary_key:
        found.append(c.PrimaryKeyChanged(wanted.name, actual.primary_key, wanted.primary_key))
    surplus: list[Item] = []
    changes = constraint_changes(wanted, actual, owned, capabilities, surplus)
    found.extend(_without_superseded(changes, wanted, actual))
    if drift is not None and surplus:
        superseded = superseded_columns(wanted, actual)
        drift.extend(item for item in surplus if not (superseded and stands_on(item, superseded)))
    found.extend(_options(wanted, actual, capabilities))
    if capabilities.comments:
        if wanted.comment != actual.comment:
            found.append(c.CommentChanged(wanted.name, None, actual.comment, wanted.comment))
        found.extend(_constraint_comments(wanted, actual))
    return found


def _constraint_comments(wanted: Table, actual: Table) -> Iterator[c.Change]:
    """Comments of constraints that both sides have; a new constraint brings its own along."""

    def commented(table: Table) -> dict[str, str | None]:
        key = () if table.primary_key is None else (table.primary_key,)
        items = (*key, *table.uniques, *table.checks, *table.foreign_keys)
        return {item.name: item.comment for item in items if item.name is not None}

    before = commented(actual)
    for name, comment in commented(wanted).items():
        if name in before and before[name] != comment:
            yield c.CommentChanged(wanted.name, None, before[name], comment, name)


def _options(wanted: Table, actual: Table, capabilities: Capabilities) -> Iterator[c.TableOptionsChanged]:
    """The options that differ. Where a server has more than models name, the rest is left as somebody set it."""
    had, wants = dict(actual.options), dict(wanted.options)
    for column in wanted.columns:
        before = actual.column(column.name) or actual.column(column.renamed_from or "")
        if before is not None and before.options != column.options:
            had |= {f"{column.name}.{name}": value for name, value in before.options}
            wants |= {f"{column.name}.{name}": value for name, value in column.options}
    names = wants.keys() if capabilities.options_as_named else wants.keys() | had.keys()
    differing = [name for name in sorted(names) if had.get(name) != wants.get(name)]
    if differing:
        old, new = (tuple((name, one[name]) for name in differing if name in one) for one in (had, wants))
        yield c.TableOptionsChanged(wanted.name, old, new)


def _columns(wanted: Table, actual: Table, owned: OwnedTable | None, capabilities: Capabilities) -> Iterator[c.Change]:
    existing = {column.name: column for column in actual.columns}
    surplus = dict(existing)
    for column in wanted.columns:
        before = surplus.pop(column.name, None)
        if before is None:
            old = column.renamed_from
            if old is not None and old in surplus and wanted.column(old) is None:
                renamed = surplus.pop(old)
                yield c.ColumnRenamed(wanted.name, renamed, column)
            else:
                if capabilities.folds_columns:
                    refuse_column(wanted.name, column.name, existing)
                yield c.ColumnAdded(wanted.name, column)
        elif before != column:
            yield from _column(wanted, before, column, capabilities)
    superseded = superseded_columns(wanted, actual) if surplus else {}
    for column in surplus.values():
        if column.inherited:
            continue
        ours = owned is not None and column.name in owned.columns
        yield c.ColumnRemoved(wanted.name, column, ours, superseded.get(column.name))


def _without_superseded(found: Iterator[c.Change], wanted: Table, actual: Table) -> Iterator[c.Change]:
    """What stands on a column that is on its way out goes with that column, and is no surplus of its own."""
    superseded: dict[str, str] | None = None
    for change in found:
        gone: Index | Unique | Check | ForeignKey
        match change:
            case c.IndexRemoved(index=gone) | c.UniqueRemoved(unique=gone):
                pass
            case c.CheckRemoved(check=gone) | c.ForeignKeyRemoved(foreign_key=gone):
                pass
            case _:
                yield change
                continue
        if superseded is None:
            superseded = superseded_columns(wanted, actual)
        if not stands_on(gone, superseded):
            yield change


def _column(wanted: Table, before: Column, after: Column, capabilities: Capabilities) -> Iterator[c.Change]:
    table = wanted.name
    if before.type != after.type:
        yield c.ColumnTypeChanged(table, before, after)
    if before.nullable != after.nullable:
        yield c.ColumnNullabilityChanged(table, before, after)
    if not _same_generation(before.generated, after.generated, wanted):
        yield c.ColumnGenerationChanged(table, before, after)
    elif before.default != after.default and not after.foreign_default and not _is_kept_fill(before, after):
        yield c.ColumnDefaultChanged(table, before, _with_fill_kept(after))
    if capabilities.comments and before.comment != after.comment:
        yield c.CommentChanged(table, after.name, before.comment, after.comment)


def _same_generation(before: Generated | None, after: Generated | None, wanted: Table) -> bool:
    if before is None or after is None or before == after:
        return before == after
    names = (column.name for column in wanted.columns)
    return replace(before, expression=after.expression) == after and same_expression(
        before.expression, after.expression, names
    )


def _is_kept_fill(before: Column, after: Column) -> bool:
    """An application's default that an earlier sync left in the database so that old code can still insert."""
    return after.default is None and after.fill is not None and before.default == after.fill


def _with_fill_kept(after: Column) -> Column:
    """A default in the application that changed: what an earlier sync left for old code follows, never vanishes."""
    if after.default is not None or after.fill is None or after.nullable:
        return after
    return replace(after, default=after.fill)


def _enum_changes(table: TableName, wanted: EnumType, actual: EnumType | None) -> Iterator[c.Change]:
    if actual is None:
        yield c.EnumAdded(table, wanted)
        return
    if wanted.values == actual.values:
        return
    kept = tuple(value for value in wanted.values if value in set(actual.values))
    if kept != actual.values:
        yield c.EnumValuesIncompatible(table, actual, wanted)
        return
    present = set(actual.values)
    previous: str | None = None
    for value in wanted.values:
        if value not in present:
            first = actual.values[0] if previous is None and actual.values else None
            yield c.EnumValueAdded(table, wanted.name, value, previous, first, actual.values)
        previous = value
