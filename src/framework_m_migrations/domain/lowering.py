"""From changes to operations, and from operations to those that take them back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.capabilities import Capabilities
from framework_m_migrations.domain.filling import BATCH
from framework_m_migrations.domain.naming import Place, known_as
from framework_m_migrations.domain.schema import (
    Check,
    Column,
    EnumType,
    ForeignKey,
    Index,
    IndexKey,
    SchemaObject,
    Table,
    TableName,
    Unique,
)
from framework_m_migrations.domain.steps import index_operations

_ADOPTABLE = frozenset({"deferrable", "initially", "nulls_not_distinct"})
"""Options of a unique constraint that it can have over an index that was built before it."""


def stageable(column: Column, capabilities: Capabilities) -> bool:
    """Whether a new column can get its default first, and the rows that exist their values later, in batches."""
    has_own = column.volatile_default and column.default is not None and column.generated is None
    return capabilities.staged_defaults and has_own


@dataclass(frozen=True, slots=True)
class Lowering:
    """The rules for one table.

    Args:
        capabilities: of the database.
        online: the table is to be changed without holding anybody up: it exists and is not known to be empty.
        inline: foreign keys of a new table that its CREATE TABLE may carry.
        key: what the rows of the table can be gone through by, in batches; empty for nothing.
        there: the table as it is, None for one that does not exist or whose partitions are not known.
        rows: the table exists and is not known to be empty.
        revision: a revision brings the change about, in one transaction and after a person has looked at it.
    """

    capabilities: Capabilities
    online: bool = False
    inline: tuple[ForeignKey, ...] = ()
    key: tuple[Column, ...] = ()
    there: Table | None = None
    rows: bool = False
    revision: bool = False

    def operations(self, change: c.Change) -> tuple[o.Operation, ...]:
        """The operations of a change in their order; empty where no operation can bring it about."""
        match change:
            case c.TableAdded(definition=table):
                later = [key for key in table.foreign_keys if key not in self.inline]
                added = [o.AddForeignKey(table.name, key) for key in later]
                return (o.CreateTable(table, self.inline), *added)
            case c.EnumAdded() | c.EnumValueAdded() | c.EnumValuesIncompatible() | c.ObjectAdded() | c.ObjectChanged():
                return _beside(change)
            case c.ColumnAdded() | c.ColumnUnfilled():
                return self._new_column(change)
            case c.CommentChanged() | c.TableOptionsChanged():
                return _said_of_table(change)
            case (
                c.ColumnTypeChanged()
                | c.ColumnNullabilityChanged()
                | c.ColumnDefaultChanged()
                | c.ColumnGenerationChanged()
            ):
                return self._column(change)
            case c.IndexAdded() | c.IndexInvalid():
                return self._index(change)
            case c.UniqueAdded(table=name, unique=unique, via_index=via_index):
                return self._unique(name, unique, via_index)
            case c.CheckAdded() | c.ForeignKeyAdded() | c.ConstraintNotValidated():
                return self._constraint(change)
            case c.TableRemoved(table=name):
                return (o.DropTable(name),)
            case c.ColumnRemoved(table=name, column=column):
                return (o.DropColumn(name, column.name),)
            case (
                c.IndexRemoved()
                | c.UniqueRemoved()
                | c.CheckRemoved()
                | c.ForeignKeyRemoved()
                | c.IndexChanged()
                | c.UniqueChanged()
                | c.CheckChanged()
                | c.ForeignKeyChanged()
            ):
                return _dropped(change, unnamed=self.revision)
            case c.TableRenamed(table=name, before=former, constraints=constraints):
                return (o.RenameTable(former, name, constraints),)
            case c.ColumnRenamed(table=name, before=old, column=column, constraints=constraints):
                renamed = o.RenameColumn(name, old, column, constraints)
                return (renamed, *differing(name, replace(old, name=column.name), column))
            case c.PrimaryKeyChanged():
                return ()
            case _ as unreachable:
                assert_never(unreachable)

    def _index(self, change: c.IndexAdded | c.IndexInvalid) -> tuple[o.Operation, ...]:
        name, index = change.table, change.index
        online = self.online and self.capabilities.online_index
        invalid = isinstance(change, c.IndexInvalid)
        if self.there is not None and self.there.partitioned and (online or invalid):
            return tuple(index_operations(self.there, index, self.capabilities.identifier_limit))
        return (o.RebuildIndex(name, index),) if invalid else (o.CreateIndex(name, index, online=online),)

    def _new_column(self, change: c.ColumnAdded | c.ColumnUnfilled) -> tuple[o.Operation, ...]:
        table, column = change.table, change.column
        if self.revision and isinstance(change, c.ColumnAdded) and is_required(column):
            added = o.AddColumn(table, replace(column, nullable=True))
            return (added, o.Backfill(table, column, column.fill), o.SetNotNull(table, column))
        if self.revision and isinstance(change, c.ColumnUnfilled):
            filled = o.Backfill(table, column, column.default)
            return (filled,) if column.nullable else (filled, o.SetNotNull(table, column))
        if isinstance(change, c.ColumnUnfilled):
            written, not_null = change.written, not change.before.nullable
        elif self.online and self.key and stageable(column, self.capabilities):
            written, not_null = False, False
        else:
            rewrites = self.rows and self.capabilities.staged_defaults and column.volatile_default
            return (o.AddColumn(table, column, rewrites=rewrites),)
        operations: list[o.Operation] = []
        if isinstance(change, c.ColumnAdded):
            operations.append(o.AddColumn(table, replace(column, nullable=True), staged=True))
        if not written and not not_null:
            operations.append(o.FillColumn(table, column, self.key, BATCH))
        if not column.nullable:
            # Between the first pass and NOT NULL somebody may have written NULL; the second pass finds it.
            operations += [] if not_null else [o.SetNotNull(table, column, validate=False)]
            operations += [o.FillColumn(table, column, self.key, BATCH, late=True), o.ValidateNotNull(table, column)]
        return tuple(operations)

    def _column(
        self,
        change: c.ColumnTypeChanged | c.ColumnNullabilityChanged | c.ColumnDefaultChanged | c.ColumnGenerationChanged,
    ) -> tuple[o.Operation, ...]:
        match change:
            case c.ColumnTypeChanged(table=name, before=before, column=column, views=views):
                return under_views(views, o.AlterType(name, before, column))
            case c.ColumnNullabilityChanged(table=name, column=column) if column.nullable:
                return (o.DropNotNull(name, column),)
            case c.ColumnNullabilityChanged(table=name, column=column):
                value = column.fill if column.fill is not None else column.default
                fill = (o.Backfill(name, column, value),) if self.revision else ()
                return (*fill, o.SetNotNull(name, column))
            case c.ColumnDefaultChanged(table=name, before=before, column=column):
                return (o.SetDefault(name, before, column),)
            case c.ColumnGenerationChanged(table=name, before=before, column=column):
                return (o.SetGenerated(name, before, column),)

    def _unique(self, table: TableName, unique: Unique, via_index: str | None) -> tuple[o.Operation, ...]:
        alone = not {name for name, _ in unique.options} <= _ADOPTABLE
        if via_index is not None or not (self.online and self.capabilities.online_index) or alone:
            return (o.AddUnique(table, unique, via_index),)
        name = unique.name or self.capabilities.naming.choose(unique, Place(table, ()))
        options = tuple(option for option in unique.options if option[0] == "nulls_not_distinct")
        index = Index(name, tuple(IndexKey(column) for column in unique.columns), unique=True, options=options)
        return (o.CreateIndex(table, index, online=True), o.AddUnique(table, unique, name))

    def _constraint(
        self, change: c.CheckAdded | c.ForeignKeyAdded | c.ConstraintNotValidated
    ) -> tuple[o.Operation, ...]:
        staged = self.online and self.capabilities.deferred_validation
        match change:
            case c.ConstraintNotValidated(table=table, constraint=constraint):
                return (o.ValidateConstraint(table, constraint),)
            case c.CheckAdded(table=table, check=check):
                if staged and check.valid and check.name is not None and not check.exclusion:
                    return (o.AddCheck(table, check, validate=False), o.ValidateConstraint(table, check))
                return (o.AddCheck(table, check, validate=check.valid),)
            case c.ForeignKeyAdded(table=table, foreign_key=key):
                if staged and key.valid and key.name is not None:
                    return (o.AddForeignKey(table, key, validate=False), o.ValidateConstraint(table, key))
                return (o.AddForeignKey(table, key, validate=key.valid),)


def under_views(views: Sequence[SchemaObject], *operations: o.Operation) -> tuple[o.Operation, ...]:
    """Operations that the database refuses while views are over the column: these are dropped and created again."""
    dropped = [o.DropObject(view) for view in reversed(views)]
    return (*dropped, *operations, *(o.CreateObject(view) for view in views))


def differing(table: TableName, before: Column, column: Column) -> tuple[o.Operation, ...]:
    """What else a renamed column changes, under its new name: a comparison reports the rename alone."""
    found: list[o.Operation] = []
    if before.type != column.type:
        if before.default not in {None, column.default}:
            # It may have no meaning in the new type.
            bare = replace(before, default=None, default_sql=None)
            found.append(o.SetDefault(table, before, bare))
            before = bare
        found.append(o.AlterType(table, before, column))
    if before.generated != column.generated:
        return (*found, o.SetGenerated(table, before, column))
    if before.default != column.default:
        found.append(o.SetDefault(table, before, column))
    if before.nullable and not column.nullable:
        value = column.fill if column.fill is not None else column.default
        found += [o.Backfill(table, column, value), o.SetNotNull(table, column)]
    elif column.nullable and not before.nullable:
        found.append(o.DropNotNull(table, column))
    if before.comment != column.comment:
        found.append(o.SetComment(table, column.name, column.comment))
    return tuple(found)


def _said_of_table(change: c.CommentChanged | c.TableOptionsChanged) -> tuple[o.Operation, ...]:
    match change:
        case c.CommentChanged(table=name, column=column, comment=comment):
            return (o.SetComment(name, column, comment, change.constraint),)
        case c.TableOptionsChanged(table=name, before=before, options=options):
            return () if change.partitions else (o.SetTableOptions(name, before, options),)


def _beside(
    change: c.EnumAdded | c.EnumValueAdded | c.EnumValuesIncompatible | c.ObjectAdded | c.ObjectChanged,
) -> tuple[o.Operation, ...]:
    match change:
        case c.ObjectAdded(object=wanted):
            return (o.CreateObject(wanted),)
        case c.ObjectChanged(object=wanted) if wanted.definition is not None:
            return (o.CreateObject(wanted),)
        case c.ObjectChanged(before=former, object=wanted):
            changeable = dict(former.options).get("type") == dict(wanted.options).get("type")
            return (o.AlterObject(former, wanted),) if changeable else ()
        case c.EnumAdded(enum=enum):
            return (o.CreateEnum(enum),)
        case c.EnumValueAdded(enum=name, value=value, after=after, before=before):
            return (o.AddEnumValue(name, value, after, before),)
        case c.EnumValuesIncompatible(before=old, after=new):
            return (o.SetLabels(old, new),)


def _dropped(
    change: c.IndexRemoved
    | c.UniqueRemoved
    | c.CheckRemoved
    | c.ForeignKeyRemoved
    | c.IndexChanged
    | c.UniqueChanged
    | c.CheckChanged
    | c.ForeignKeyChanged,
    *,
    unnamed: bool,
) -> tuple[o.Operation, ...]:
    """The drop of what is surplus; for a changed definition the drop and the new one.

    ``unnamed`` drops a constraint without a name too, which only a revision can find.
    """
    table = change.table
    match change:
        case c.IndexRemoved(index=index):
            return (o.DropIndex(table, index.name),)
        case c.IndexChanged(before=before, index=after):
            return (o.DropIndex(table, before.name), o.CreateIndex(table, after))
        case c.UniqueRemoved(unique=unique):
            return _drop_constraint(table, unique, "unique", unnamed=unnamed)
        case c.UniqueChanged(before=old_unique, unique=new_unique):
            # Where the table is rebuilt for the drop, a constraint comes in its place, and no index, whose name
            # another table's may have.
            new = replace(new_unique, native=None) if unnamed else new_unique
            return (*_drop_constraint(table, old_unique, "unique", unnamed=unnamed), o.AddUnique(table, new))
        case c.CheckRemoved(check=check):
            return _drop_constraint(table, check, "check", unnamed=unnamed)
        case c.CheckChanged(before=old_check, check=new_check):
            return (*_drop_constraint(table, old_check, "check", unnamed=unnamed), _add(table, new_check))
        case c.ForeignKeyRemoved(foreign_key=key):
            return _drop_constraint(table, key, "foreign_key", unnamed=unnamed)
        case c.ForeignKeyChanged(before=old_key, foreign_key=new_key):
            return (*_drop_constraint(table, old_key, "foreign_key", unnamed=unnamed), _add(table, new_key))


def _add(table: TableName, constraint: Check | ForeignKey) -> o.Operation:
    if isinstance(constraint, Check):
        return o.AddCheck(table, constraint, validate=constraint.valid)
    return o.AddForeignKey(table, constraint, validate=constraint.valid)


def _drop_constraint(
    table: TableName, constraint: Unique | Check | ForeignKey, kind: str, *, unnamed: bool
) -> tuple[o.Operation, ...]:
    if constraint.name is None and not unnamed:
        return ()
    return (o.DropConstraint(table, known_as(constraint) or "", kind, constraint),)


def is_required(column: Column) -> bool:
    """Whether rows that exist need a value for a new column that nothing gives them."""
    return not column.nullable and column.default is None and column.generated is None


def creation_order(
    tables: Sequence[Table], existing: frozenset[TableName], *, apart_from_existing: bool
) -> list[tuple[Table, tuple[ForeignKey, ...]]]:
    """New tables, each after those it references, with the foreign keys that its CREATE TABLE may carry.

    In a circle the key that closes it is left out, and added when all tables stand.

    Args:
        tables: the tables to be created, in order of declaration, which decides among equals.
        existing: tables that stand already.
        apart_from_existing: keep foreign keys to existing tables out of CREATE TABLE, so that the lock on the busy
            table is short and has a step of its own.
    """
    by_name = {table.name: table for table in tables}
    made: list[TableName] = []
    seen: set[TableName] = set()
    for start in by_name:
        stack: list[tuple[TableName, bool]] = [(start, False)]
        while stack:
            name, expanded = stack.pop()
            if expanded:
                made.append(name)
            elif name not in seen:
                seen.add(name)
                stack.append((name, True))
                table = by_name[name]
                targets = dict.fromkeys((*table.parents, *(key.target for key in table.foreign_keys)))
                stack.extend((target, False) for target in reversed(targets) if target in by_name)
    result: list[tuple[Table, tuple[ForeignKey, ...]]] = []
    standing = set(() if apart_from_existing else existing)
    for name in made:
        standing.add(name)
        result.append((by_name[name], tuple(key for key in by_name[name].foreign_keys if key.target in standing)))
    return result


# What takes a change back: the downgrade of a revision, from the same operations as its upgrade.


def reversal(change: c.Change, former: Table | None = None) -> tuple[o.Operation, ...]:
    """The operations that take a change back, in their order; empty where nothing can.

    A column comes back without its values, and nullable where only they would satisfy NOT NULL.

    Args:
        change: as the revision brings it about.
        former: the table as it is before the revision, for one that the revision drops.
    """
    table = change.table
    match change:
        case c.EnumAdded() | c.EnumValueAdded() | c.EnumValuesIncompatible() | c.ObjectAdded() | c.ObjectChanged():
            return _beside_back(change)
        case c.TableAdded():
            return (o.DropTable(table),)
        case c.TableRemoved():
            return () if former is None else (o.CreateTable(former, former.foreign_keys),)
        case c.TableRenamed(before=before, constraints=constraints):
            return (o.RenameTable(table, before, _swapped(constraints)),)
        case (
            c.ColumnAdded()
            | c.ColumnRemoved()
            | c.ColumnRenamed()
            | c.ColumnTypeChanged()
            | c.ColumnNullabilityChanged()
            | c.ColumnDefaultChanged()
            | c.ColumnGenerationChanged()
            | c.CommentChanged()
            | c.TableOptionsChanged()
        ):
            return _column(change)
        case c.IndexAdded(index=index):
            return (o.DropIndex(table, index.name),)
        case c.IndexRemoved(index=index):
            return (o.CreateIndex(table, index),)
        case c.IndexChanged(before=old, index=new):
            return (o.DropIndex(table, new.name), o.CreateIndex(table, old))
        case c.UniqueAdded(unique=unique, via_index=str(index_name)):
            index = Index(index_name, tuple(IndexKey(column) for column in unique.columns), unique=True)
            return (_drop(table, unique), o.CreateIndex(table, index))
        case c.UniqueAdded(unique=added) | c.CheckAdded(check=added) | c.ForeignKeyAdded(foreign_key=added):
            return (_drop(table, added),)
        case c.UniqueRemoved(unique=gone) | c.CheckRemoved(check=gone) | c.ForeignKeyRemoved(foreign_key=gone):
            return (_add_back(table, gone),)
        case c.UniqueChanged(before=was, unique=now) | c.CheckChanged(before=was, check=now):
            return (_drop(table, now), _add_back(table, was))
        case c.ForeignKeyChanged(before=was, foreign_key=now):
            return (_drop(table, now), _add_back(table, was))
        case c.PrimaryKeyChanged() | c.ColumnUnfilled() | c.IndexInvalid() | c.ConstraintNotValidated():
            return ()
        case _ as unreachable:
            assert_never(unreachable)


def _beside_back(
    change: c.EnumAdded | c.EnumValueAdded | c.EnumValuesIncompatible | c.ObjectAdded | c.ObjectChanged,
) -> tuple[o.Operation, ...]:
    match change:
        case c.EnumValueAdded(enum=name, value=value, former=former):
            return (o.SetLabels(EnumType(name, (*former, value)), EnumType(name, former)),)
        case c.EnumValuesIncompatible(before=old, after=new):
            return (o.SetLabels(new, old),)
        case c.EnumAdded(enum=enum):
            return (o.DropEnum(enum.name),)
        case c.ObjectAdded(object=wanted):
            return (o.DropObject(wanted),)
        case c.ObjectChanged(object=wanted) if wanted.definition is not None:
            return (o.DropObject(wanted),)
        case c.ObjectChanged(before=former, object=wanted):
            return (o.AlterObject(wanted, former),)


def _column(
    change: c.ColumnAdded
    | c.ColumnRemoved
    | c.ColumnRenamed
    | c.ColumnTypeChanged
    | c.ColumnNullabilityChanged
    | c.ColumnDefaultChanged
    | c.ColumnGenerationChanged
    | c.CommentChanged
    | c.TableOptionsChanged,
) -> tuple[o.Operation, ...]:
    table = change.table
    match change:
        case c.ColumnAdded(column=column):
            return (o.DropColumn(table, column.name),)
        case c.ColumnRemoved(column=column):
            return (o.AddColumn(table, replace(column, nullable=True) if is_required(column) else column),)
        case c.ColumnRenamed(before=before, column=column, constraints=constraints):
            moved = replace(before, name=column.name)
            back = (o.RenameColumn(table, moved, before, _swapped(constraints)),)
            # NULLs that the revision allowed are for a person to fill; what it filled stays filled.
            changed = differing(table, column, moved)
            return (*(one for one in changed if not isinstance(one, o.Backfill)), *back)
        case c.ColumnTypeChanged(before=before, column=column, views=views):
            return under_views(views, o.AlterType(table, column, before))
        case c.ColumnNullabilityChanged(before=before):
            return (o.DropNotNull(table, before) if before.nullable else o.SetNotNull(table, before),)
        case c.ColumnDefaultChanged(before=before, column=column):
            return (o.SetDefault(table, column, before),)
        case c.ColumnGenerationChanged(before=before, column=column):
            return (o.SetGenerated(table, column, before),)
        case c.CommentChanged(column=name, before=comment):
            return (o.SetComment(table, name, comment, change.constraint),)
        case c.TableOptionsChanged(before=had, options=options):
            return (o.SetTableOptions(table, options, had),)


def _swapped(names: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    return tuple((new, old) for old, new in names)


def _add_back(table: TableName, constraint: Unique | Check | ForeignKey) -> o.Operation:
    match constraint:
        case Unique():
            return o.AddUnique(table, constraint)
        case Check():
            return o.AddCheck(table, constraint, validate=constraint.valid)
        case ForeignKey():
            return o.AddForeignKey(table, constraint, validate=constraint.valid)


def _drop(table: TableName, constraint: Unique | Check | ForeignKey) -> o.DropConstraint:
    kinds = {Unique: "unique", Check: "check", ForeignKey: "foreign_key"}
    return o.DropConstraint(table, known_as(constraint) or "", kinds[type(constraint)], constraint)
