"""The statements that PostgreSQL has its own words for: the online forms, types, and what is safest said from values.

Names are always qualified with the session's schema where it has one, and quoted as ``quote_ident`` would.
"""

from __future__ import annotations

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.postgresql.altering import alter_type
from framework_m_migrations.adapters.sql.dialects.postgresql.filling import settled
from framework_m_migrations.adapters.sql.dialects.postgresql.generating import set_generated
from framework_m_migrations.adapters.sql.dialects.postgresql.identifiers import written
from framework_m_migrations.adapters.sql.dialects.postgresql.labels import set_labels
from framework_m_migrations.adapters.sql.dialects.postgresql.partitions import partitioned_index
from framework_m_migrations.adapters.sql.dialects.postgresql.table_options import set_options
from framework_m_migrations.adapters.sql.dialects.postgresql.tokens import string_literal
from framework_m_migrations.adapters.sql.dialects.postgresql.writing import (
    column_list,
    index_sql,
    qualified,
)
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.errors import InvalidMetadata
from framework_m_migrations.domain.schema import Check, ForeignKey, TableName, Unique


def statements(
    operation: o.Operation, connection: sa.Connection | None, *, schema: str | None
) -> tuple[str, ...] | None:
    """See SqlDialect.statements; None for what the shared form says as well.

    Without a connection they are written for a script: nothing is asked of the database.
    """
    match operation:
        case o.AddEnumValue():
            return (_enum_value(operation, schema),)
        case o.CreateIndex() | o.AttachIndex() | o.RebuildIndex():
            return _index(operation, connection, schema)
        case o.AddUnique(table=table, unique=unique, via_index=str(via_index)):
            added = f"{_alter(table, schema)} ADD {_adopted(unique, via_index)}"
            return (added, *_constraint_comment(table, unique, schema))
        case o.AddCheck(table=table, check=check, validate=validate) if check.native is None:
            # A wanted check is written as its author wrote it (the shared form): what the server makes of its own
            # spelling is spelt in yet another way, `c IN (...)` for one.
            clause = check.expression if check.exclusion else f"CHECK ({check.expression})"
            clause += " NO INHERIT" if check.options else ""
            added = f"{_alter(table, schema)} ADD {_constraint(check.name)}{clause}{_validity(validate)}"
            return (added, *_constraint_comment(table, check, schema))
        case o.AddForeignKey(table=table, foreign_key=key, validate=validate):
            added = f"{_alter(table, schema)} ADD {_foreign_key(key, schema)}{_validity(validate)}"
            return (added, *_constraint_comment(table, key, schema))
        case o.ValidateConstraint(table=table, constraint=constraint):
            if constraint.name is None:
                raise InvalidMetadata(f"A constraint of table {table} has no name, and cannot be validated by it.")
            return (f"{_alter(table, schema)} VALIDATE CONSTRAINT {written(constraint.name)}",)
        case o.AlterType():
            return alter_type(operation, connection, schema)
        case o.SetGenerated():
            return set_generated(operation, connection, schema)
        case o.FillColumn() | o.SetNotNull() | o.ValidateNotNull():
            return (settled(operation, connection, schema),)
        case o.SetDefault(table=table, column=column):
            # To take a default away is to set it to NULL: the additive path has no word for the other way.
            default = column.default_text or "NULL"
            return (f"{_alter(table, schema)} ALTER COLUMN {written(column.name)} SET DEFAULT {default}",)
        case o.SetLabels():
            return tuple(set_labels(operation, connection, schema))
        case o.SetTableOptions():
            return tuple(set_options(operation, schema))
        case o.SetComment():
            return (_comment(operation, schema),)
        case _:
            return None


def _alter(table: TableName, schema: str | None) -> str:
    return f"ALTER TABLE {qualified(table, schema)}"


def _constraint(name: str | None) -> str:
    return "" if name is None else f"CONSTRAINT {written(name)} "


def _validity(validate: bool) -> str:
    return "" if validate else " NOT VALID"


def _enum_value(operation: o.AddEnumValue, schema: str | None) -> str:
    sql = f"ALTER TYPE {qualified(operation.enum, schema)} ADD VALUE IF NOT EXISTS {string_literal(operation.value)}"
    if operation.after is not None:
        return f"{sql} AFTER {string_literal(operation.after)}"
    return sql if operation.before is None else f"{sql} BEFORE {string_literal(operation.before)}"


def _index(
    operation: o.CreateIndex | o.AttachIndex | o.RebuildIndex, connection: sa.Connection | None, schema: str | None
) -> tuple[str, ...]:
    table = operation.table
    match operation:
        case o.CreateIndex(online=True):
            return _online_index(operation, connection, schema)
        case o.CreateIndex(index=index, only=only):
            target = f"{'ONLY ' if only else ''}{qualified(table, schema)}"
            return (index_sql(index, target, name=written(index.name)),)
        case o.AttachIndex(index=own, parent=parent):
            part = qualified(TableName(own, table.schema), schema)
            return (f"ALTER INDEX {qualified(parent, schema)} ATTACH PARTITION {part}",)
        case o.RebuildIndex(index=index):
            return (f"REINDEX INDEX CONCURRENTLY {qualified(TableName(index.name, table.schema), schema)}",)


def _online_index(operation: o.CreateIndex, connection: sa.Connection | None, schema: str | None) -> tuple[str, ...]:
    if connection is not None:
        parted = partitioned_index(operation.table, operation.index, connection, schema)
        if parted:
            return parted
    table, index = qualified(operation.table, schema), operation.index
    return (index_sql(index, table, name=written(index.name), words="CONCURRENTLY "),)


def _adopted(unique: Unique, index: str) -> str:
    sql = f"{_constraint(unique.name or index)}UNIQUE USING INDEX {written(index)}"
    return f"{sql}{_deferral(unique.options)}"


def _deferral(options: tuple[tuple[str, str], ...]) -> str:
    given = dict(options)
    sql = " DEFERRABLE" if given.get("deferrable") == "true" else ""
    return f"{sql} INITIALLY DEFERRED" if given.get("initially") == "DEFERRED" else sql


def _foreign_key(key: ForeignKey, schema: str | None) -> str:
    sql = (
        f"{_constraint(key.name)}FOREIGN KEY {column_list(key.columns)} "
        f"REFERENCES {qualified(key.target, schema)} {column_list(key.target_columns)}"
    )
    match = dict(key.options).get("match")
    if match is not None:
        sql += f" MATCH {match}"
    if key.on_delete is not None:
        sql += f" ON DELETE {key.on_delete}"
    if key.on_update is not None:
        sql += f" ON UPDATE {key.on_update}"
    return sql + _deferral(key.options)


def _comment(operation: o.SetComment, schema: str | None) -> str:
    name, comment = qualified(operation.table, schema), operation.comment
    subject = f"TABLE {name}" if operation.column is None else f"COLUMN {name}.{written(operation.column)}"
    if operation.constraint is not None:
        subject = f"CONSTRAINT {written(operation.constraint)} ON {name}"
    return f"COMMENT ON {subject} IS {'NULL' if comment is None else string_literal(comment)}"


def _constraint_comment(table: TableName, item: Unique | Check | ForeignKey, schema: str | None) -> tuple[str, ...]:
    if item.comment is None or item.name is None:
        return ()
    return (_comment(o.SetComment(table, None, item.comment, item.name), schema),)
