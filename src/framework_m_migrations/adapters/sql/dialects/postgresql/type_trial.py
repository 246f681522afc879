"""What a change of type does where no rule knows: it is tried on an empty table, which is taken away again."""

from __future__ import annotations

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.postgresql.settings import is_inside_autocommit_block, taken_back
from framework_m_migrations.adapters.sql.dialects.postgresql.writing import execute, type_sql
from framework_m_migrations.domain.schema import ColumnType
from framework_m_migrations.domain.type_change import TypeChange

_TABLE = "pg_temp.m_migrate_trial"
_FILES = "SELECT pg_catalog.pg_relation_filenode(c.oid)::text FROM pg_catalog.pg_class c WHERE c.oid = '{}'::regclass"


def try_type_change(
    connection: sa.Connection, before: ColumnType, after: ColumnType, *, schema: str | None
) -> TypeChange:
    """The class of a change.

    A change that the server makes without a rewrite of table or index widens: it looks at no value, so that every
    value must fit. One that it makes by a rewrite may refuse values, and counts as narrowing.
    """
    if is_inside_autocommit_block(connection):
        return TypeChange.INCOMPATIBLE
    old, new = type_sql(before, schema), type_sql(after, schema)
    try:
        with taken_back(connection):
            execute(connection, f"CREATE TEMPORARY TABLE m_migrate_trial (c {old})")
            indexed = _index(connection)
            files = _files(connection, indexed=indexed)
            execute(connection, f"ALTER TABLE {_TABLE} ALTER COLUMN c TYPE {new}")
            kept = files == _files(connection, indexed=indexed)
    except sa.exc.DBAPIError:
        if connection.invalidated:
            raise
        return TypeChange.INCOMPATIBLE
    if kept:
        return TypeChange.WIDENING
    return TypeChange.NARROWING


def _index(connection: sa.Connection) -> bool:
    """Index the column, where its type has an order."""
    nested = connection.begin_nested()
    try:
        execute(connection, f"CREATE INDEX m_migrate_trial_index ON {_TABLE} (c)")
    except sa.exc.DBAPIError:
        nested.rollback()
        return False
    nested.commit()
    return True


def _files(connection: sa.Connection, *, indexed: bool) -> list[object]:
    names = [_TABLE, "pg_temp.m_migrate_trial_index"] if indexed else [_TABLE]
    return [execute(connection, _FILES.format(name)).scalar_one() for name in names]
