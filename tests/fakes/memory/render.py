"""Operations as statements that a person can read. A memory database runs operations, not these."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.schema import Check, Column, ForeignKey, Index, TableName, Unique


def quoted(name: str) -> str:
    """A name in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str | None) -> str:
    """A text as a constant, NULL for none."""
    return "NULL" if text is None else "'" + text.replace("'", "''") + "'"


def rendered(operation: o.Operation) -> tuple[str, ...]:
    """The statements of any operation."""
    match operation:
        case o.DropTable() | o.DropColumn() | o.DropIndex() | o.DropConstraint() | o.DropNotNull():
            return render_destructive(operation)
        case o.RenameTable(before=before, table=table):
            return (f"ALTER TABLE {_name(before)} RENAME TO {quoted(table.name)}",)
        case o.RenameColumn(table=table, before=old, column=column):
            return (f"ALTER TABLE {_name(table)} RENAME COLUMN {quoted(old.name)} TO {quoted(column.name)}",)
        case o.SetGenerated(table=table, column=column):
            return (f"ALTER TABLE {_name(table)} ALTER COLUMN {_column(column)}",)
        case o.Backfill(table=table, column=column, value=value):
            own = quoted(column.name)
            update = f"UPDATE {_name(table)} SET {own} = {value} WHERE {own} IS NULL"
            return () if value is None else (update,)
        case o.SetTableOptions(table=table, options=options):
            said = ", ".join(f"{name} = {literal(value)}" for name, value in options)
            return (f"ALTER TABLE {_name(table)} SET ({said})",)
        case o.SetLabels(enum=labels):
            return (f"ALTER TYPE {_name(labels.name)} SET ({', '.join(literal(value) for value in labels.values)})",)
        case o.DropEnum(enum=enum):
            return (f"DROP TYPE {_name(enum)}",)
        case o.AlterObject(object=wanted) | o.DropObject(object=wanted):
            return (f"{'DROP' if isinstance(operation, o.DropObject) else 'ALTER'} {wanted.kind} {_name(wanted.name)}",)
        case _:
            return render_additive(operation)


def render_additive(operation: o.AdditiveOperation) -> tuple[str, ...]:
    """The statements of an additive operation."""
    match operation:
        case o.CreateEnum(enum=enum):
            return (f"CREATE TYPE {_name(enum.name)} AS ENUM ({', '.join(literal(value) for value in enum.values)})",)
        case o.CreateObject(object=wanted):
            return (f"CREATE {wanted.kind.upper()} {_name(wanted.name)}",)
        case o.AddEnumValue(enum=name, value=value, after=after, before=before):
            place = f" AFTER {literal(after)}" if after is not None else ""
            if after is None and before is not None:
                place = f" BEFORE {literal(before)}"
            return (f"ALTER TYPE {_name(name)} ADD VALUE IF NOT EXISTS {literal(value)}{place}",)
        case o.CreateTable():
            return tuple(_create_table(operation))
        case o.CreateIndex(table=name, index=index, online=online):
            return (_index(name, index, online=online),)
        case o.AttachIndex(index=own, parent=parent):
            return (f"ALTER INDEX {_name(parent)} ATTACH PARTITION {quoted(own)}",)
        case o.RebuildIndex(index=index):
            return (f"REINDEX INDEX {quoted(index.name)}",)
        case o.FillColumn(table=name, column=filled):
            own = quoted(filled.name)
            return (f"UPDATE {_name(name)} SET {own} = {filled.default} WHERE {own} IS NULL",)
        case o.SetComment(table=name, column=None, comment=comment):
            return (f"COMMENT ON TABLE {_name(name)} IS {literal(comment)}",)
        case o.SetComment(table=name, column=str(column), comment=comment):
            return (f"COMMENT ON COLUMN {_name(name)}.{quoted(column)} IS {literal(comment)}",)
        case _:
            return (f"ALTER TABLE {_name(operation.table)} {_alteration(operation)}",)


def render_destructive(operation: o.DestructiveOperation) -> tuple[str, ...]:
    """The statements of a destructive operation."""
    table = _name(operation.table)
    match operation:
        case o.DropTable():
            return (f"DROP TABLE {table}",)
        case o.DropColumn(column=column):
            return (f"ALTER TABLE {table} DROP COLUMN {quoted(column)}",)
        case o.DropIndex(index=index):
            return (f"DROP INDEX {quoted(index)}",)
        case o.DropConstraint(constraint=constraint):
            return (f"ALTER TABLE {table} DROP CONSTRAINT {quoted(constraint)}",)
        case o.DropNotNull(column=column):
            return (f"ALTER TABLE {table} ALTER COLUMN {quoted(column.name)} DROP NOT NULL",)
        case _ as unreachable:
            assert_never(unreachable)


def _name(name: TableName) -> str:
    return quoted(name.name) if name.schema is None else f"{quoted(name.schema)}.{quoted(name.name)}"


def _columns(names: tuple[str, ...]) -> str:
    return "(" + ", ".join(quoted(name) for name in names) + ")"


def _create_table(operation: o.CreateTable) -> Iterator[str]:
    table = operation.definition
    parts = [_column(column) for column in table.columns]
    if table.primary_key is not None:
        parts.append(f"PRIMARY KEY {_columns(table.primary_key.columns)}")
    constraints: tuple[Unique | Check | ForeignKey, ...] = (*table.uniques, *table.checks, *operation.foreign_keys)
    parts += [_constraint(item) for item in constraints]
    yield f"CREATE TABLE {_name(table.name)} ({', '.join(parts)})"
    for index in table.indexes:
        yield _index(table.name, index)
    if table.comment is not None:
        yield f"COMMENT ON TABLE {_name(table.name)} IS {literal(table.comment)}"
    for column in table.columns:
        if column.comment is not None:
            yield f"COMMENT ON COLUMN {_name(table.name)}.{quoted(column.name)} IS {literal(column.comment)}"


def _column(column: Column) -> str:
    parts = [quoted(column.name), column.type.spelling]
    default = column.default if column.default is not None or column.nullable else column.fill
    if default is not None:
        parts.append(f"DEFAULT {default}")
    if column.generated is not None:
        expression = f" AS ({column.generated.expression})" if column.generated.expression is not None else ""
        parts.append(f"GENERATED {column.generated.kind.upper()}{expression}")
    if not column.nullable:
        parts.append("NOT NULL")
    return " ".join(parts)


def _constraint(constraint: Unique | Check | ForeignKey) -> str:
    named = "" if constraint.name is None else f"CONSTRAINT {quoted(constraint.name)} "
    match constraint:
        case Unique(columns=columns):
            return f"{named}UNIQUE {_columns(columns)}"
        case Check(expression=expression):
            return f"{named}CHECK ({expression})"
        case ForeignKey(columns=columns, target=target, target_columns=target_columns):
            text = f"{named}FOREIGN KEY {_columns(columns)} REFERENCES {_name(target)} {_columns(target_columns)}"
            for event, action in (("DELETE", constraint.on_delete), ("UPDATE", constraint.on_update)):
                text += f" ON {event} {action}" if action is not None else ""
            return text


def _index(table: TableName, index: Index, *, online: bool = False) -> str:
    keys = ", ".join(
        f"{quoted(key.column) if key.column is not None else f'({key.expression})'} {key.modifiers}".rstrip()
        for key in index.keys
    )
    text = f"CREATE {'UNIQUE ' if index.unique else ''}INDEX {'CONCURRENTLY ' if online else ''}{quoted(index.name)}"
    text += f" ON {_name(table)} ({keys})"
    text += f" INCLUDE {_columns(index.include)}" if index.include else ""
    return text + (f" WHERE {index.where}" if index.where is not None else "")


def _alteration(
    operation: o.AddColumn
    | o.AddUnique
    | o.AddCheck
    | o.AddForeignKey
    | o.ValidateConstraint
    | o.AlterType
    | o.SetNotNull
    | o.ValidateNotNull
    | o.SetDefault
    | o.SetComment,
) -> str:
    match operation:
        case o.AddColumn(column=column):
            return f"ADD COLUMN {_column(column)}"
        case o.AddUnique(unique=unique, via_index=None):
            return f"ADD {_constraint(unique)}"
        case o.AddUnique(unique=unique, via_index=str(index)):
            return f"ADD CONSTRAINT {quoted(unique.name or index)} UNIQUE USING INDEX {quoted(index)}"
        case o.AddCheck(check=check, validate=validate):
            return f"ADD {_constraint(check)}{'' if validate else ' NOT VALID'}"
        case o.AddForeignKey(foreign_key=key, validate=validate):
            return f"ADD {_constraint(key)}{'' if validate else ' NOT VALID'}"
        case o.ValidateConstraint(constraint=constraint):
            return f"VALIDATE CONSTRAINT {quoted(constraint.name or '')}"
        case o.AlterType(column=column):
            return f"ALTER COLUMN {quoted(column.name)} TYPE {column.type.spelling}"
        case o.SetNotNull(column=column) | o.ValidateNotNull(column=column):
            return f"ALTER COLUMN {quoted(column.name)} SET NOT NULL"
        case o.SetDefault(column=column):
            return f"ALTER COLUMN {quoted(column.name)} SET DEFAULT {column.default or 'NULL'}"
        case _:
            raise AssertionError(operation)
