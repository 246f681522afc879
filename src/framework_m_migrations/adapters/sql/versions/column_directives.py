"""Columns: added, removed, renamed, altered."""

from __future__ import annotations

from typing import Any

from alembic.operations import ops

from framework_m_migrations.adapters.sql.versions.objects import Objects, is_literal
from framework_m_migrations.adapters.sql.versions.pieces import Batch, Directive, Script, Source
from framework_m_migrations.adapters.sql.versions.python_source import escape_binds, string_literal
from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain.schema import Column, TableName

type ColumnChange = (
    c.ColumnAdded
    | c.ColumnRemoved
    | c.ColumnRenamed
    | c.ColumnTypeChanged
    | c.ColumnNullabilityChanged
    | c.ColumnDefaultChanged
    | c.CommentChanged
)


def write(script: Script, objects: Objects, change: ColumnChange, rule: str) -> None:
    """Add to ``script`` what the change takes.

    Args:
        script: the revision so far.
        objects: builds SQLAlchemy's.
        change: one change.
        rule: of its judgement; ``type-incompatible`` needs a conversion.
    """
    match change:
        case c.ColumnAdded(table=table, column=column):
            _add(script, objects, table, column)
        case c.ColumnRemoved(table=table, column=column, owned=owned):
            if owned:
                _remove(script, objects, table, column)
        case c.ColumnRenamed(table=table, before=before, column=column):
            script.note("Renames: code that still uses the old name fails as soon as this has run.")
            script.add(_rename(table, before.name, column.name), _rename(table, column.name, before.name))
        case c.ColumnTypeChanged(table=table, before=before, column=column):
            _change_type(script, objects, change, convert=rule == "type-incompatible")
        case c.ColumnNullabilityChanged(table=table, column=column):
            _change_null(script, objects, table, column)
        case c.ColumnDefaultChanged(table=table, before=before, column=column):
            script.add(
                _alter(objects, table, column, server_default=objects.server_default(column)),
                _alter(objects, table, column, server_default=objects.server_default(before)),
            )
        case c.CommentChanged():
            _comment(script, change)


def _add(script: Script, objects: Objects, table: TableName, column: Column) -> None:
    drop = Directive(ops.DropColumnOp(table.name, column.name, schema=table.schema))
    required = not column.nullable and column.default is None and column.generated is None
    if required:
        made = objects.column(table, column, nullable=True)
        script.add(Directive(ops.AddColumnOp(table.name, made, schema=table.schema)), drop)
        script.add(_backfill(script, objects, table, column), ())
        # Taking it back drops the column at once: NOT NULL need not be lifted first.
        script.add(_alter(objects, table, column, nullable=False), ())
        return
    made = objects.column(table, column)
    default = objects.default(column)
    if default is not None and column.volatile_default:
        script.note(f"Locks: the default of {table}.{column.name} is evaluated for each row, which rewrites the table.")
    add = ops.AddColumnOp(table.name, made, schema=table.schema)
    if (default is None or is_literal(default)) and column.generated is None:
        script.add(Directive(add), drop)
    else:
        # SQLite adds such a column only by rebuilding the table.
        script.add(Batch(table.name, table.schema, (add,)), drop)


def _remove(script: Script, objects: Objects, table: TableName, column: Column) -> None:
    script.note(f"Data: {table}.{column.name} is dropped with its values; downgrade brings back the column only.")
    drop = ops.DropColumnOp(table.name, column.name, schema=table.schema)
    made = objects.column(table, column)
    if not column.nullable and column.default is None and column.generated is None:
        made.nullable = True
        script.note(f"NOT NULL: downgrade leaves {table}.{column.name} nullable, because its values are gone.")
    add = ops.AddColumnOp(table.name, made, schema=table.schema)
    default = objects.default(column)
    plain = (default is None or is_literal(default)) and column.generated is None
    script.add(
        Batch(table.name, table.schema, (drop,)),
        Directive(add) if plain else Batch(table.name, table.schema, (add,)),
    )


def _rename(table: TableName, before: str, after: str) -> Source:
    schema = f", schema={string_literal(table.schema)}" if table.schema else ""
    names = ", ".join(string_literal(name) for name in (table.name, before))
    return Source(f"op.alter_column({names}, new_column_name={string_literal(after)}{schema})")


def _backfill(script: Script, objects: Objects, table: TableName, column: Column) -> Source:
    """Give rows a value before NOT NULL; where none is known, a statement for the author to complete."""
    value = column.fill or (objects.default(column) if column.default is not None else None)
    name = objects.quote(column.name)
    update = f"UPDATE {objects.table_sql(table)} SET {name} = {{}} WHERE {name} IS NULL"  # noqa: S608 - text of a file to be read
    if value is None:
        script.note(f"Data migration: rows need a value for {table}.{column.name} before NOT NULL.")
        example = f"op.execute({string_literal(update.format('...'))})"
        return Source(
            comments=(
                f"REVIEW: give the rows that exist a value for {column.name} here, or NOT NULL is refused:",
                example,
            )
        )
    script.note(f"Data migration: rows get {value} for {table}.{column.name}; is that right for all of them?")
    return Source(
        f"op.execute({string_literal(escape_binds(update.format(value)))})",
        comments=(f"REVIEW: backfill of {column.name} for the rows that exist.",),
    )


def _change_null(script: Script, objects: Objects, table: TableName, column: Column) -> None:
    strict = _alter(objects, table, column, nullable=False)
    loose = _alter(objects, table, column, nullable=True)
    if column.nullable:
        script.note(f"NOT NULL: downgrade is refused while rows hold NULL in {table}.{column.name}.")
        script.add(loose, strict)
        return
    script.note(f"Locks: NOT NULL on {table}.{column.name} reads the whole table while nobody may use it.")
    script.add(_backfill(script, objects, table, column), ())
    script.add(strict, loose)


def _change_type(script: Script, objects: Objects, change: c.ColumnTypeChanged, *, convert: bool) -> None:
    table, before, after = change.table, change.before, change.column
    script.note(f"Locks: {table}.{after.name} from {before.type} to {after.type} may rewrite the table.")
    up = _alter(objects, table, before, type_=objects.type(table, after))
    down = _alter(objects, table, after, type_=objects.type(table, before))
    if not convert:
        script.add(up, down)
        return
    script.note(
        f"Data migration: decide how {before.type} becomes {after.type} in {table}.{after.name}; the plain cast that "
        "is written may fail or lose digits."
    )
    up.using[after.name] = objects.cast(after.name, objects.type(table, after))
    down.using[after.name] = objects.cast(after.name, objects.type(table, before))
    if before.default is None:
        script.add(up, down)
        return
    # A default of the old type cannot be cast along with the values.
    off_up = _alter(objects, table, before, server_default=None)
    on_up = _alter(objects, table, after, server_default=objects.server_default(after))
    off_down = _alter(objects, table, after, server_default=None)
    on_down = _alter(objects, table, before, server_default=objects.server_default(before))
    script.add((off_up, up, on_up), (off_down, down, on_down))


def _alter(objects: Objects, table: TableName, column: Column, **changes: Any) -> Batch:
    operation = ops.AlterColumnOp(
        table.name,
        column.name,
        schema=table.schema,
        existing_type=objects.type(table, column),
        existing_nullable=None if "nullable" in changes else column.nullable,
        modify_nullable=changes.get("nullable"),
        modify_type=changes.get("type_"),
        modify_server_default=changes.get("server_default", False),
        modify_comment=changes.get("comment", False),
        existing_comment=changes.get("existing_comment"),
    )
    return Batch(table.name, table.schema, (operation,))


def _comment(script: Script, change: c.CommentChanged) -> None:
    table, before, after = change.table, change.before, change.comment
    if change.column is None:
        up, down = _table_comment(table, before, after), _table_comment(table, after, before)
        script.add(Directive(up), Directive(down))
        return
    schema = f", schema={string_literal(table.schema)}" if table.schema else ""

    def source(comment: str | None, existing: str | None) -> Source:
        # Only databases with comments get here; they need no rebuild for one.
        names = ", ".join(string_literal(name) for name in (table.name, change.column or ""))
        return Source(f"op.alter_column({names}, comment={comment!r}, existing_comment={existing!r}{schema})")

    script.add(source(after, before), source(before, after))


def _table_comment(table: TableName, before: str | None, after: str | None) -> ops.MigrateOperation:
    if after is None:
        return ops.DropTableCommentOp(table.name, schema=table.schema, existing_comment=before)
    return ops.CreateTableCommentOp(table.name, after, schema=table.schema, existing_comment=before)
