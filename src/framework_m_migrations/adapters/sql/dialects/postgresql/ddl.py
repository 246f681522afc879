"""The statements of operations that PostgreSQL has its own words for, and the locks that they take."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, assert_never

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.ddl import SharedForms
from framework_m_migrations.adapters.sql.dialects.postgresql.columns import (
    alter_type,
    set_generated,
    set_labels,
    settled,
)
from framework_m_migrations.adapters.sql.dialects.postgresql.options import set_options
from framework_m_migrations.adapters.sql.dialects.postgresql.text import (
    NAME_LIMIT,
    column_list,
    execute,
    index_sql,
    qualified,
    string_literal,
    written,
)
from framework_m_migrations.adapters.sql.dialects.postgresql.transactions import taken_back
from framework_m_migrations.adapters.sql.sqltext import SqlText
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.errors import InvalidMetadata
from framework_m_migrations.domain.plan import LockLevel
from framework_m_migrations.domain.schema import Check, ForeignKey, Index, TableName, Unique
from framework_m_migrations.domain.steps import part_name

type Levels = tuple[tuple[TableName, LockLevel], ...]


def lock_levels(operation: o.Operation) -> Levels:
    """See SqlDialect.lock_levels."""
    if isinstance(operation, o.BesideOperation):
        on = operation.object.on if isinstance(operation, o.CreateObject) else None
        return () if on is None else ((on, LockLevel.SHARE_ROW_EXCLUSIVE),)
    match operation:
        case o.CreateTable(foreign_keys=keys):
            targets = dict.fromkeys(key.target for key in keys if key.target != operation.table)
            return tuple((target, LockLevel.SHARE_ROW_EXCLUSIVE) for target in targets)
        case o.AddForeignKey(table=table, foreign_key=key):
            return _both(table, key.target, LockLevel.SHARE_ROW_EXCLUSIVE)
        case o.CreateIndex(table=table, online=online):
            return ((table, LockLevel.SHARE_UPDATE_EXCLUSIVE if online else LockLevel.SHARE),)
        case o.AttachIndex(table=table):
            return ((table, LockLevel.ACCESS_SHARE),)
        case o.FillColumn(table=table) | o.Backfill(table=table):
            return ((table, LockLevel.ROW_EXCLUSIVE),)
        case o.RebuildIndex(table=table) | o.SetComment(table=table) | o.ValidateNotNull(table=table):
            return ((table, LockLevel.SHARE_UPDATE_EXCLUSIVE),)
        case o.ValidateConstraint(table=table, constraint=constraint):
            own = (table, LockLevel.SHARE_UPDATE_EXCLUSIVE)
            if isinstance(constraint, ForeignKey) and constraint.target != table:
                return (own, (constraint.target, LockLevel.ROW_SHARE))
            return (own,)
        case (
            o.AddColumn(table=table)
            | o.AddUnique(table=table)
            | o.AddCheck(table=table)
            | o.AlterType(table=table)
            | o.SetNotNull(table=table)
            | o.SetDefault(table=table)
            | o.DropTable(table=table)
            | o.DropColumn(table=table)
            | o.DropIndex(table=table)
            | o.DropConstraint(table=table)
            | o.DropNotNull(table=table)
            | o.RenameTable(before=table)
            | o.RenameColumn(table=table)
            | o.SetGenerated(table=table)
            | o.SetTableOptions(table=table)
        ):
            return ((table, LockLevel.ACCESS_EXCLUSIVE),)
        case _ as unreachable:
            assert_never(unreachable)


def _both(table: TableName, target: TableName, level: LockLevel) -> Levels:
    return ((table, level),) if table == target else ((table, level), (target, level))


# An index on a partitioned table without blocking writers (CREATE INDEX, "Notes" of PostgreSQL's manual).
#
# CONCURRENTLY is refused there: the parent gets an index of its own that is invalid until each partition has
# one that is attached to it.


# to_regclass answers NULL for a table that does not exist yet: what is only shown may be about such a one.
_TREE = """
SELECT n.nspname::text, c.relname::text, c.relkind::text, p.nspname::text, t_parent.relname::text
FROM pg_catalog.pg_partition_tree(pg_catalog.to_regclass({table})) t
JOIN pg_catalog.pg_class c ON c.oid = t.relid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_class t_parent ON t_parent.oid = t.parentrelid AND t.level > 0
LEFT JOIN pg_catalog.pg_namespace p ON p.oid = t_parent.relnamespace
ORDER BY t.level, c.oid
"""


def partitioned_index(
    table: TableName, index: Index, connection: sa.Connection, schema: str | None
) -> tuple[str, ...] | None:
    """The statements for a partitioned table, None for any other."""
    in_transaction = connection.in_transaction()
    sql = _TREE.format(table=string_literal(qualified(table, schema)))
    if in_transaction:
        rows = _rows(connection, sql)
    else:
        with taken_back(connection):
            rows = _rows(connection, sql)
    if not rows or rows[0][2] != "p":
        return None
    made: dict[tuple[str, str], str] = {}
    sql_of: list[str] = []
    for own_schema, name, kind, parent_schema, parent in rows:
        root = parent is None
        own = index.name if root else partition_index_name(index.name, name)
        made[own_schema, name] = own
        target = f"{written(own_schema)}.{written(name)}"
        if kind == "p":
            sql_of.append(index_sql(replace(index, name=own), f"ONLY {target}", name=written(own)))
        elif kind == "r":
            sql_of.append(index_sql(index, target, name=written(own), words="CONCURRENTLY "))
        else:
            continue  # a foreign table has no index
        if not root:
            above = f"{written(parent_schema)}.{written(made[parent_schema, parent])}"
            sql_of.append(f"ALTER INDEX {above} ATTACH PARTITION {written(own_schema)}.{written(own)}")
    return tuple(sql_of)


def _rows(connection: sa.Connection, sql: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in execute(connection, sql)]


def partition_index_name(index: str, partition: str) -> str:
    """A partition's own index: readable, distinct where names had to be cut."""
    return part_name(index, partition, NAME_LIMIT)


# The statements that PostgreSQL has its own words for: the online forms, types, and what is safest said from
# values.
#
# Names are always qualified with the session's schema where it has one, and quoted as ``quote_ident`` would.


class PostgresqlWriter:
    """Writes operations as revisions need them: without a schema of the session's, and with or without a connection.

    Args:
        dialect: as whose names are quoted.
        connection: may be asked how a table is defined; None for a script.
        idempotent: the statements may be sent again, where they were cut off.
    """

    def __init__(self, dialect: sa.Dialect, connection: sa.Connection | None = None, *, idempotent: bool) -> None:
        self._connection = connection
        self._forms = SharedForms(SqlText(dialect, str, schema=None), comments=True, idempotent=idempotent)

    def statements(self, operation: o.Operation) -> tuple[str, ...]:
        """The statements of an operation, in order."""
        if isinstance(operation, o.DropIndex) and operation.online:
            [plain] = self._forms.statements(operation)
            return (plain.replace("DROP INDEX ", "DROP INDEX CONCURRENTLY ", 1),)
        own = statements(operation, self._connection, schema=None)
        return self._forms.statements(operation) if own is None else own


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
