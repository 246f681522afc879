"""What tables have and no model declares: triggers, rules, policies, row level security."""

# ruff: noqa: S608 - a constant

from __future__ import annotations

from collections.abc import Collection, Mapping

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.postgresql.queries import MAIN, TEXTS, text
from framework_m_migrations.domain.schema import TableName

_SURPLUS = text(
    f"""
WITH chosen AS (
    SELECT c.oid, n.nspname::text AS place, n.nspname = {MAIN} AS is_main, c.relname::text AS name, c.relrowsecurity
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND c.relname = ANY(:names) AND (n.nspname = ANY(:others) OR n.nspname = {MAIN})
)
SELECT c.place, c.is_main, c.name, 'trigger ' || t.tgname FROM chosen c
JOIN pg_catalog.pg_trigger t ON t.tgrelid = c.oid
WHERE NOT t.tgisinternal AND t.tgparentid = 0
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = 'pg_catalog.pg_trigger'::regclass
                  AND e.objid = t.oid AND e.deptype = 'e')
UNION ALL
SELECT c.place, c.is_main, c.name, 'rule ' || r.rulename FROM chosen c
JOIN pg_catalog.pg_rewrite r ON r.ev_class = c.oid
UNION ALL
SELECT c.place, c.is_main, c.name, 'policy ' || p.polname FROM chosen c
JOIN pg_catalog.pg_policy p ON p.polrelid = c.oid
UNION ALL
SELECT c.place, c.is_main, c.name, 'row level security' FROM chosen c WHERE c.relrowsecurity
ORDER BY 1, 3, 4
""",
    main=sa.Text(),
    names=TEXTS,
    others=TEXTS,
)
_OWN = "trigger zz_m_migrate_"
"""Of online changes that wait for their contract step."""


def surplus(
    connection: sa.Connection, tables: Collection[TableName], *, schema: str | None
) -> Mapping[TableName, tuple[str, ...]]:
    """See Inspector.surplus.

    Args:
        connection: to read through.
        tables: asked about.
        schema: the session's, None for the connection's own.
    """
    if not tables:
        return {}
    given = {
        "main": schema,
        "names": sorted({table.name for table in tables}),
        "others": sorted({table.schema for table in tables if table.schema is not None}),
    }
    found: dict[TableName, tuple[str, ...]] = {}
    for place, is_main, name, what in connection.execute(_SURPLUS, given):
        table = TableName(name, None if is_main else place)
        if table in tables and not what.startswith(_OWN):
            found[table] = (*found.get(table, ()), what)
    return found
