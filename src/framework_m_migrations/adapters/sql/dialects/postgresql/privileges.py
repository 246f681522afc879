"""What the role may not do."""

# ruff: noqa: S608 - names are quoted, values are parameters or quoted literals

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.postgresql.identifiers import quote
from framework_m_migrations.adapters.sql.dialects.postgresql.queries import IN_SCHEMAS, TEXTS, text

_PRIVILEGES = text(
    f"""
SELECT n.nspname::text, current_user::text,
       pg_catalog.has_schema_privilege(n.oid, 'USAGE'), pg_catalog.has_schema_privilege(n.oid, 'CREATE'),
       (SELECT pg_catalog.array_agg(c.relname::text ORDER BY c.relname) FROM pg_catalog.pg_class c
        WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p') AND NOT pg_catalog.pg_has_role(c.relowner, 'USAGE')
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e
                          WHERE e.classid = 'pg_catalog.pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e'))
FROM pg_catalog.pg_namespace n
WHERE {IN_SCHEMAS}
ORDER BY n.nspname
""",
    main=sa.Text(),
    others=TEXTS,
)
_SHOWN = 5


def missing_privileges(connection: sa.Connection, *, schema: str | None, also: Collection[str]) -> tuple[str, ...]:
    """Rights that additive DDL needs and the role has not, as sentences; empty when it has them all."""
    rows = connection.execute(_PRIVILEGES, {"main": schema, "others": sorted(also)}).all()
    missing: list[str] = []
    for name, role, usage, create, foreign in rows:
        if not usage:
            missing.append(_lacks("USAGE", name, role))
        if not create:
            missing.append(_lacks("CREATE", name, role))
        if foreign:
            rest = f" and {len(foreign) - _SHOWN} more" if len(foreign) > _SHOWN else ""
            shown = ", ".join(foreign[:_SHOWN]) + rest
            missing.append(f"Role {role} does not own these tables of schema {name} and cannot alter them: {shown}.")
    if not rows:
        wanted = "the search_path names no schema that exists" if schema is None else f"schema {schema} does not exist"
        missing.append(f"There is nowhere to create tables: {wanted}.")
    return tuple(missing)


def _lacks(right: str, schema: str, role: str) -> str:
    grant = f"GRANT {right} ON SCHEMA {quote(schema)} TO {quote(role)}"
    return f"Role {role} lacks {right} on schema {schema}: {grant}."
