"""An index on a partitioned table without blocking writers (CREATE INDEX, "Notes" of PostgreSQL's manual).

CONCURRENTLY is refused there: the parent gets an index of its own that is invalid until each partition has one that is
attached to it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.postgresql.identifiers import NAME_LIMIT, written
from framework_m_migrations.adapters.sql.dialects.postgresql.settings import taken_back
from framework_m_migrations.adapters.sql.dialects.postgresql.tokens import string_literal
from framework_m_migrations.adapters.sql.dialects.postgresql.writing import execute, index_sql, qualified
from framework_m_migrations.domain.partitions import part_name
from framework_m_migrations.domain.schema import Index, TableName

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
