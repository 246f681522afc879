"""Indexes and constraints: added, removed, changed. All of them have names afterwards."""

from __future__ import annotations

from alembic.operations import ops

from framework_m_migrations.adapters.sql.versions import naming
from framework_m_migrations.adapters.sql.versions.objects import Objects
from framework_m_migrations.adapters.sql.versions.pieces import Batch, Directive, Script, Source
from framework_m_migrations.adapters.sql.versions.python_source import escape_binds, string_literal
from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain.schema import Check, ForeignKey, Index, TableName, Unique

type Constraint = Unique | Check | ForeignKey
type ConstraintChange = (
    c.IndexAdded
    | c.IndexInvalid
    | c.IndexChanged
    | c.IndexRemoved
    | c.UniqueAdded
    | c.UniqueChanged
    | c.UniqueRemoved
    | c.CheckAdded
    | c.CheckChanged
    | c.CheckRemoved
    | c.ForeignKeyAdded
    | c.ForeignKeyChanged
    | c.ForeignKeyRemoved
    | c.ConstraintNotValidated
)

_GUARD = 'if op.get_context().dialect.name == "postgresql":\n'
_LOCKS = (
    "Locks: creating an index on a large table holds up its writers; consider postgresql_concurrently=True in an "
    "autocommit_block()."
)
_SCAN = "Locks: a new constraint reads the whole table, and fails where rows break it."
_ON_DELETE = "ON DELETE: is what happens to the rows of {} right when a row of {} goes?"


def write(script: Script, objects: Objects, change: ConstraintChange) -> None:
    """Add to ``script`` what the change takes."""
    table = change.table
    match change:
        case c.IndexAdded(index=index):
            script.note(_LOCKS)
            create_index(script, objects, table, index)
        case c.IndexRemoved(index=index):
            script.add(_drop_index(table, index), _create_index(objects, table, index))
        case c.IndexChanged(before=old, index=new):
            script.note(_LOCKS)
            script.add(
                (_drop_index(table, old), _create_index(objects, table, new)),
                (_drop_index(table, new), _create_index(objects, table, old)),
            )
        case c.UniqueAdded(unique=unique, via_index=via_index):
            if via_index is not None:
                _adopt_index(script, objects, table, unique, via_index)
                return
            script.note(_SCAN)
            _add(script, objects, table, unique)
        case c.CheckAdded(check=check):
            script.note(_SCAN)
            _add(script, objects, table, check)
        case c.ForeignKeyAdded(foreign_key=key):
            script.note(_SCAN)
            add_foreign_key(script, objects, table, key)
        case c.UniqueRemoved(unique=gone) | c.CheckRemoved(check=gone) | c.ForeignKeyRemoved(foreign_key=gone):
            unnamed = gone.name is None
            script.add(
                Batch(table.name, table.schema, (_drop(table, gone),), unnamed=unnamed),
                Batch(table.name, table.schema, (_create(objects, table, gone),)),
            )
        case c.UniqueChanged() | c.CheckChanged() | c.ForeignKeyChanged():
            _replace(script, objects, change)
        case c.ConstraintNotValidated(constraint=constraint):
            _on_postgresql(script, objects, table, f"VALIDATE CONSTRAINT {objects.quote(constraint.name or '')}")
        case c.IndexInvalid(index=index):
            sql = f"REINDEX INDEX CONCURRENTLY {objects.table_sql(TableName(index.name, table.schema))}"
            call = f"op.execute({string_literal(sql)})"
            script.add(
                Source(f"{_GUARD}    with op.get_context().autocommit_block():\n        {call}"),
                (),
            )


def create_index(script: Script, objects: Objects, table: TableName, index: Index) -> None:
    """An index on a table that exists by then."""
    script.add(_create_index(objects, table, index), _drop_index(table, index))


def add_foreign_key(script: Script, objects: Objects, table: TableName, key: ForeignKey) -> None:
    """A foreign key between tables that exist by then."""
    if key.on_delete is not None:
        script.note(_ON_DELETE.format(table, key.target))
    _add(script, objects, table, key)


def _add(script: Script, objects: Objects, table: TableName, constraint: Constraint) -> None:
    script.add(
        Batch(table.name, table.schema, (_create(objects, table, constraint),)),
        Batch(table.name, table.schema, (_drop(table, constraint),)),
    )


def _replace(script: Script, objects: Objects, change: c.UniqueChanged | c.CheckChanged | c.ForeignKeyChanged) -> None:
    table = change.table
    new: Constraint
    match change:
        case c.UniqueChanged(unique=new) | c.CheckChanged(check=new):
            pass
        case c.ForeignKeyChanged(foreign_key=new):
            script.note(_ON_DELETE.format(table, new.target))
    old = change.before
    unnamed = old.name is None
    script.note(_SCAN)
    script.add(
        Batch(table.name, table.schema, (_drop(table, old), _create(objects, table, new)), unnamed=unnamed),
        Batch(table.name, table.schema, (_drop(table, new), _create(objects, table, old))),
    )


def _adopt_index(script: Script, objects: Objects, table: TableName, unique: Unique, index: str) -> None:
    """Turn a unique index that exists into the constraint, which takes no time; PostgreSQL alone can."""
    name = objects.unique(table, unique).name
    quoted = objects.quote(str(name))
    up = f"ALTER TABLE {objects.table_sql(table)} ADD CONSTRAINT {quoted} UNIQUE USING INDEX {objects.quote(index)}"
    schema = f", schema={string_literal(table.schema)}" if table.schema else ""
    constraint, owner, former = (string_literal(text) for text in (str(name), table.name, index))
    down = (
        f"op.drop_constraint({constraint}, {owner}, type_='unique'{schema})",
        f"op.create_index({former}, {owner}, {list(unique.columns)!r}, unique=True{schema})",
    )
    script.add(
        Source(f"{_GUARD}    op.execute({string_literal(escape_binds(up))})"),
        Source(_GUARD + "\n".join(f"    {line}" for line in down)),
    )


def _on_postgresql(script: Script, objects: Objects, table: TableName, action: str) -> None:
    sql = f"ALTER TABLE {objects.table_sql(table)} {action}"
    script.add(Source(f'if op.get_context().dialect.name == "postgresql":\n    op.execute({string_literal(sql)})'), ())


def _create_index(objects: Objects, table: TableName, index: Index) -> Directive:
    return Directive(ops.CreateIndexOp.from_index(objects.index(table, index)))


def _drop_index(table: TableName, index: Index) -> Directive:
    return Directive(ops.DropIndexOp(index.name, table.name, schema=table.schema))


def _create(objects: Objects, table: TableName, constraint: Constraint) -> ops.MigrateOperation:
    match constraint:
        case Unique():
            made = objects.unique(table, constraint)
            return ops.CreateUniqueConstraintOp(
                str(made.name),
                table.name,
                list(constraint.columns),
                schema=table.schema,
                deferrable=made.deferrable,
                initially=made.initially,
                **made.dialect_kwargs,
            )
        case Check():
            check = objects.check(table, constraint)
            return ops.CreateCheckConstraintOp(str(check.name), table.name, check.sqltext, schema=table.schema)
        case ForeignKey():
            key = objects.foreign_key(table, constraint)
            return ops.CreateForeignKeyOp(
                str(key.name),
                table.name,
                constraint.target.name,
                list(constraint.columns),
                list(constraint.target_columns),
                source_schema=table.schema,
                referent_schema=constraint.target.schema,
                ondelete=key.ondelete,
                onupdate=key.onupdate,
                deferrable=key.deferrable,
                initially=key.initially,
                match=key.match,
            )


def _drop(table: TableName, constraint: Constraint) -> ops.DropConstraintOp:
    if isinstance(constraint, Unique):
        name, kind = naming.unique_name(table.name, constraint.columns), "unique"
    elif isinstance(constraint, Check):
        name, kind = naming.check_name(table.name, constraint.expression), "check"
    else:
        name, kind = naming.foreign_key_name(table.name, constraint.columns, constraint.target.name), "foreignkey"
    return ops.DropConstraintOp(constraint.name or name, table.name, type_=kind, schema=table.schema)
