"""What takes a change back: the downgrade of a revision, from the same operations as its upgrade."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.lowering import differing, is_required, under_views
from framework_m_migrations.domain.naming import known_as
from framework_m_migrations.domain.schema import Check, EnumType, ForeignKey, Index, IndexKey, Table, TableName, Unique


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
            return _beside(change)
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
            return (_add(table, gone),)
        case c.UniqueChanged(before=was, unique=now) | c.CheckChanged(before=was, check=now):
            return (_drop(table, now), _add(table, was))
        case c.ForeignKeyChanged(before=was, foreign_key=now):
            return (_drop(table, now), _add(table, was))
        case c.PrimaryKeyChanged() | c.ColumnUnfilled() | c.IndexInvalid() | c.ConstraintNotValidated():
            return ()
        case _ as unreachable:
            assert_never(unreachable)


def _beside(
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


def _add(table: TableName, constraint: Unique | Check | ForeignKey) -> o.Operation:
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
