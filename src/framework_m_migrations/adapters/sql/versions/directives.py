"""From changes to what a revision does, in the order of work, each with its exact reverse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

import sqlalchemy as sa
from alembic.operations import ops

from framework_m_migrations.adapters.sql.versions import column_directives, constraint_directives, enum_directives
from framework_m_migrations.adapters.sql.versions.objects import Objects
from framework_m_migrations.adapters.sql.versions.pieces import Directive, Script, Source
from framework_m_migrations.adapters.sql.versions.python_source import string_literal
from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain.lowering import creation_order
from framework_m_migrations.domain.plan import PlannedChange
from framework_m_migrations.domain.schema import ForeignKey, Table, TableName


def directives(changes: Sequence[PlannedChange], connection: sa.Connection) -> Script:
    """What a revision for these changes does.

    Tables come after those they refer to, foreign keys that close a circle after all tables; a table or column that
    is not ours is never dropped.

    Args:
        changes: of one app.
        connection: gives the dialect, and the types of columns that nothing else tells.

    Raises:
        InvalidMetadata: a type or an expression cannot be written down.
    """
    script = Script()
    objects = Objects(connection)
    ordered = sorted(changes, key=lambda planned: phase_of(planned.change))
    added = [planned.change.definition for planned in ordered if isinstance(planned.change, c.TableAdded)]
    tables_done = False
    for planned in ordered:
        if isinstance(planned.change, c.TableAdded):
            if not tables_done:
                _create_tables(script, objects, added)
                tables_done = True
            continue
        _write(script, objects, planned)
    return script


_PHASES: tuple[tuple[type, ...], ...] = (
    (c.EnumAdded, c.EnumValueAdded),
    (c.TableRenamed,),
    (c.ColumnRenamed,),
    (c.IndexRemoved,),
    (c.ForeignKeyRemoved,),
    (c.UniqueRemoved, c.CheckRemoved),
    (c.TableAdded,),
    (c.ColumnTypeChanged,),
    (c.ColumnAdded,),
    (c.ColumnDefaultChanged, c.ColumnNullabilityChanged, c.ColumnGenerationChanged),
    (c.PrimaryKeyChanged,),
    (c.IndexChanged, c.IndexAdded, c.IndexInvalid),
    (c.UniqueChanged, c.UniqueAdded),
    (c.CheckChanged, c.CheckAdded),
    (c.ForeignKeyChanged, c.ForeignKeyAdded, c.ConstraintNotValidated),
    (c.CommentChanged,),
    (c.ColumnRemoved,),
    (c.TableRemoved,),
    (c.EnumValuesIncompatible,),
)
_PHASE_OF = {kind: phase for phase, kinds in enumerate(_PHASES) for kind in kinds}


def phase_of(change: c.Change) -> int:
    """Where a change stands in the order of work."""
    return _PHASE_OF[type(change)]


def _create_tables(script: Script, objects: Objects, tables: Sequence[Table]) -> None:
    inline = creation_order(tables, frozenset(), apart_from_existing=False)
    created = {table.name for table in tables}
    later: list[tuple[TableName, ForeignKey]] = []
    for table, keys in inline:
        outside = tuple(key for key in table.foreign_keys if key.target not in created)
        if outside:
            script.note("Locks: a foreign key to an existing table locks that table against writes while it is added.")
        made = objects.table(table, (*keys, *(key for key in outside if key not in keys)))
        create = ops.CreateTableOp.from_table(made)
        script.add(Directive(create), Directive(ops.DropTableOp(table.name.name, schema=table.name.schema)))
        for index in table.indexes:
            constraint_directives.create_index(script, objects, table.name, index)
        later.extend((table.name, key) for key in table.foreign_keys if key not in keys and key not in outside)
    for name, key in later:
        constraint_directives.add_foreign_key(script, objects, name, key)


def _write(script: Script, objects: Objects, planned: PlannedChange) -> None:
    change = planned.change
    match change:
        case c.TableAdded():
            pass
        case c.EnumAdded() | c.EnumValueAdded() | c.EnumValuesIncompatible():
            enum_directives.write(script, objects, change)
        case c.TableRenamed(table=table, before=before):
            script.note("Renames: code that still uses the old name fails as soon as this has run.")
            script.add(_rename(before, table), _rename(table, before))
        case c.TableRemoved(table=table, owned=owned):
            if owned:
                _drop_table(script, objects, table)
        case (
            c.ColumnAdded()
            | c.ColumnRemoved()
            | c.ColumnRenamed()
            | c.ColumnTypeChanged()
            | c.ColumnNullabilityChanged()
            | c.ColumnDefaultChanged()
            | c.CommentChanged()
        ):
            column_directives.write(script, objects, change, planned.judgement.rule)
        case c.ColumnUnfilled(table=table, column=column):
            _by_hand(script, f"rows of {table} still wait for values in {column.name}")
        case c.ColumnGenerationChanged(table=table, column=column):
            _by_hand(script, f"how the database fills {table}.{column.name} changes")
        case c.PrimaryKeyChanged(table=table):
            _by_hand(script, f"the primary key of {table} changes")
        case (
            c.IndexAdded()
            | c.IndexInvalid()
            | c.IndexChanged()
            | c.IndexRemoved()
            | c.UniqueAdded()
            | c.UniqueChanged()
            | c.UniqueRemoved()
            | c.CheckAdded()
            | c.CheckChanged()
            | c.CheckRemoved()
            | c.ForeignKeyAdded()
            | c.ForeignKeyChanged()
            | c.ForeignKeyRemoved()
            | c.ConstraintNotValidated()
        ):
            constraint_directives.write(script, objects, change)
        case _ as unreachable:
            assert_never(unreachable)


def _rename(before: TableName, after: TableName) -> Source:
    schema = f", schema={string_literal(before.schema)}" if before.schema else ""
    return Source(f"op.rename_table({string_literal(before.name)}, {string_literal(after.name)}{schema})")


def _by_hand(script: Script, what: str) -> None:
    """A change that no generated code could bring about safely: the file says so, where nobody overlooks it."""
    script.note(f"Not written: {what}; add it by hand.")
    script.add(Source(comments=(f"REVIEW: {what}; write it by hand.",)), ())


def _drop_table(script: Script, objects: Objects, name: TableName) -> None:
    script.note(f"Data: {name} is dropped with its rows; downgrade brings back the table, not the rows.")
    existing = objects.reflected(name)
    down: list[Directive] = []
    if existing is not None:
        indexes = sorted(existing.indexes, key=lambda index: str(index.name))
        existing.indexes.clear()
        down = [Directive(ops.CreateTableOp.from_table(existing))]
        down += [Directive(ops.CreateIndexOp.from_index(index)) for index in indexes]
    script.add(Directive(ops.DropTableOp(name.name, schema=name.schema)), tuple(down))
