"""How large tables are, by the server's own account."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.postgresql.failures import sqlstate
from framework_m_migrations.adapters.sql.dialects.postgresql.queries import TEXTS, text
from framework_m_migrations.adapters.sql.dialects.postgresql.settings import is_inside_autocommit_block, taken_back
from framework_m_migrations.domain.schema import TableName
from framework_m_migrations.domain.sizes import Size

TIMEOUT = 5.0
"""Seconds that it may take: a table that somebody keeps locked against everybody is not worth waiting for."""

# Rows as the server's own planner takes them: as many on each page as the last ANALYZE or VACUUM found. Where none has
# been there, those that the counters have seen. That they saw none means nothing, unless the file is empty.
_SIZES = text(
    """
WITH RECURSIVE tree AS (
    SELECT w.number, c.oid, c.relkind
    FROM ROWS FROM (pg_catalog.unnest(:schemas), pg_catalog.unnest(:tables)) WITH ORDINALITY AS w (schema, tab, number)
    JOIN pg_catalog.pg_namespace AS n
      ON n.nspname = COALESCE(NULLIF(w.schema, ''), NULLIF(:main, ''), pg_catalog.current_schema()::text)
    JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = w.tab::name
    UNION ALL
    SELECT t.number, c.oid, c.relkind
    FROM tree AS t JOIN pg_catalog.pg_inherits AS i ON i.inhparent = t.oid AND t.relkind = 'p'
    JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid
)
SELECT t.number, pg_catalog.sum(COALESCE(
           CASE WHEN pg_catalog.pg_relation_size(t.oid) = 0 THEN 0
                WHEN c.reltuples > 0 AND c.relpages > 0 THEN pg_catalog.round((c.reltuples::float8 / c.relpages
                    * (pg_catalog.pg_relation_size(t.oid) / current_setting('block_size')::int))::numeric)
           END,
           NULLIF(pg_catalog.pg_stat_get_live_tuples(t.oid), 0)
       ))::bigint, pg_catalog.sum(pg_catalog.pg_total_relation_size(t.oid))::bigint
FROM tree AS t JOIN pg_catalog.pg_class AS c ON c.oid = t.oid
WHERE t.relkind = 'r'
GROUP BY t.number
""",
    main=sa.Text(),
    schemas=TEXTS,
    tables=TEXTS,
)


def sizes(connection: sa.Connection, tables: Collection[TableName], *, schema: str | None) -> Mapping[TableName, Size]:
    """The sizes of the tables that exist; none where somebody keeps one of them locked against everybody.

    Args:
        connection: whose own transaction, if there is one, is left as it was.
        tables: to look at.
        schema: of those that name none; None for the connection's own.
    """
    names = list(tables)
    if not names:
        return {}
    given = {
        "main": schema or "",
        "schemas": [name.schema or "" for name in names],
        "tables": [name.name for name in names],
    }
    try:
        with taken_back(connection, timeout=None if is_inside_autocommit_block(connection) else TIMEOUT):
            rows = connection.execute(_SIZES, given).all()
    except sa.exc.DBAPIError as error:
        if sqlstate(error) not in {"57014", "55P03"}:
            raise
        return {}
    return {names[number - 1]: Size(count, taken) for number, count, taken in rows}
