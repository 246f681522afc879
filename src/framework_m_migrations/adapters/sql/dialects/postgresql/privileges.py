"""Which rights a piece of work needs, and which of them the role lacks."""

# ruff: noqa: S608 - names are quoted, values are parameters or quoted literals
# ruff: noqa: S608 - values are parameters

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.base import CLOSED
from framework_m_migrations.adapters.sql.dialects.postgresql.catalog import IN_SCHEMAS, MAIN, TEXTS, text
from framework_m_migrations.adapters.sql.dialects.postgresql.text import quote
from framework_m_migrations.adapters.sql.ledger import LEDGER_TABLES
from framework_m_migrations.domain.privileges import Needs
from framework_m_migrations.domain.schema import TableName

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


# Whether the role may do what is about to be done, asked in one statement.


_CREATE, _ALTER, _REFER, _EXTEND, _WRITE = "create", "alter", "refer", "extend", "write"

# An index needs CREATE on its schema as well as the table (indexcmds.c, DefineIndex); a foreign key needs REFERENCES on
# the columns that it points at (tablecmds.c, checkFkeyPermissions). A grant on some column may be on those.
_NEEDED = text(
    f"""
SELECT w.kind, n.nspname::text, w.name, current_user::text, pg_catalog.has_schema_privilege(n.oid, 'USAGE'),
       pg_catalog.has_schema_privilege(n.oid, 'CREATE'), pg_catalog.pg_get_userbyid(COALESCE(c.relowner, t.typowner)),
       CASE w.kind
         WHEN '{_ALTER}' THEN pg_catalog.pg_has_role(c.relowner, 'USAGE')
         WHEN '{_EXTEND}' THEN pg_catalog.pg_has_role(t.typowner, 'USAGE')
         WHEN '{_REFER}' THEN pg_catalog.has_any_column_privilege(c.oid, 'REFERENCES')
         WHEN '{_WRITE}' THEN pg_catalog.has_table_privilege(c.oid, 'SELECT')
           AND pg_catalog.has_table_privilege(c.oid, 'INSERT') AND pg_catalog.has_table_privilege(c.oid, 'UPDATE')
           AND pg_catalog.has_table_privilege(c.oid, 'DELETE')
       END
FROM ROWS FROM (pg_catalog.unnest(CAST(:kinds AS text[])), pg_catalog.unnest(CAST(:schemas AS text[])),
                pg_catalog.unnest(CAST(:names AS text[]))) AS w(kind, schema, name)
JOIN pg_catalog.pg_namespace n ON n.nspname = COALESCE(w.schema, {MAIN})
LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = w.name
  AND w.kind IN ('{_ALTER}', '{_REFER}', '{_WRITE}')
LEFT JOIN pg_catalog.pg_type t ON t.typnamespace = n.oid AND t.typname = w.name AND w.kind = '{_EXTEND}'
ORDER BY n.nspname, w.kind, w.name
""",
    main=sa.Text(),
    kinds=TEXTS,
    schemas=TEXTS,
    names=TEXTS,
)

_ANYTHING = text(
    f"""
SELECT n.nspname::text, current_user::text,
       pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE')
       OR EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE pg_catalog.pg_has_role(r.oid, 'MEMBER')
                  AND pg_catalog.has_schema_privilege(r.oid, n.oid, 'CREATE'))
       OR EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p')
                  AND pg_catalog.pg_has_role(c.relowner, 'MEMBER')),
       (SELECT pg_catalog.array_agg(c.relname::text) FROM pg_catalog.pg_class c
        WHERE c.relnamespace = n.oid AND c.relname = ANY(:versions) AND n.nspname = {MAIN}
          AND NOT (pg_catalog.has_table_privilege(c.oid, 'SELECT') AND pg_catalog.has_table_privilege(c.oid, 'INSERT')
                   AND pg_catalog.has_table_privilege(c.oid, 'UPDATE')
                   AND pg_catalog.has_table_privilege(c.oid, 'DELETE'))
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE pg_catalog.pg_has_role(r.oid, 'MEMBER')
                          AND pg_catalog.has_table_privilege(r.oid, c.oid, 'INSERT')))
FROM pg_catalog.pg_namespace n
WHERE {IN_SCHEMAS}
ORDER BY n.nspname
""",
    main=sa.Text(),
    others=TEXTS,
    versions=TEXTS,
)


def missing_for(connection: sa.Connection, needed: Needs, *, schema: str | None) -> tuple[str, ...]:
    """What the role lacks for ``needed`` and for writing the ledger, as sentences.

    What does not exist is passed over: the statement that needs it says so better.

    Args:
        connection: as the role.
        needed: what is about to be done.
        schema: the session's schema, None for the connection's own.
    """
    wanted: list[tuple[str, str | None, str]] = [
        *((_CREATE, name, "") for name in needed.creates_in),
        *_rows(_ALTER, needed.alters),
        *_rows(_REFER, needed.refers_to),
        *_rows(_EXTEND, needed.extends),
        *((_WRITE, None, name) for name in LEDGER_TABLES),
    ]
    kinds, schemas, names = (list(column) for column in zip(*wanted, strict=True))
    found = connection.execute(_NEEDED, {"main": schema, "kinds": kinds, "schemas": schemas, "names": names}).all()
    told: dict[str, None] = {}
    if not any(row[0] == _WRITE for row in found):
        where = "the search_path names no schema that exists" if schema is None else f"schema {schema} does not exist"
        told[f"There is nowhere to create tables: {where}."] = None
    for kind, space, name, role, usage, create, owner, allowed in found:
        makes = kind == _CREATE or (kind == _WRITE and owner is None)
        if not usage:
            told[_grant("USAGE", f"SCHEMA {quote(space)}", role)] = None
        if makes and not create:
            told[_grant("CREATE", f"SCHEMA {quote(space)}", role)] = None
        elif allowed is False:
            told[_lacking(kind, f"{quote(space)}.{quote(name)}", role, owner)] = None
    return tuple(told)


def missing_for_revisions(
    connection: sa.Connection, *, schema: str | None, also: Collection[str], version_tables: Collection[str]
) -> tuple[str, ...]:
    """What the role lacks where it could do no DDL whatever, or could not say what it did, as sentences.

    Rights that the role can have by SET ROLE count, because a revision may use it.
    """
    parameters = {"main": schema, "others": sorted(also), "versions": sorted(version_tables)}
    found = connection.execute(_ANYTHING, parameters).all()
    told: list[str] = []
    if found and not any(row[2] for row in found):
        space, role = found[0][0], found[0][1]
        told.append(
            f"Role {quote(role)} may neither create anything in schema {quote(space)} nor change a table in it: "
            f"GRANT CREATE ON SCHEMA {quote(space)} TO {quote(role)}, and make it the owner of the tables."
        )
    for space, role, _, unwritable in found:
        told.extend(_lacking(_WRITE, f"{quote(space)}.{quote(name)}", role, None) for name in unwritable or ())
    return tuple(told)


def unwritable(name: str, schema: str | None) -> sa.Select[Any]:
    """See SqlDialect."""
    place: Any = sa.func.current_schema() if schema is None else schema
    space = sa.table("pg_namespace", *map(sa.column, ("oid", "nspname")), schema="pg_catalog")
    relation = sa.table("pg_class", *map(sa.column, ("oid", "relname", "relnamespace")), schema="pg_catalog")
    rights = ("SELECT", "INSERT", "UPDATE", "DELETE")
    may: Any = [sa.func.pg_catalog.has_table_privilege(relation.c.oid, right) for right in rights]
    shut: sa.ColumnElement[str] = sa.literal_column(f"'{CLOSED}'")
    found: Any = sa.select(sa.cast(relation.c.relname, sa.Text), shut)
    query: sa.Select[Any] = found.join(space, space.c.oid == relation.c.relnamespace).where(
        relation.c.relname == name, space.c.nspname == place, sa.not_(sa.and_(*may))
    )
    return query


def _rows(kind: str, names: Collection[TableName]) -> list[tuple[str, str | None, str]]:
    return [(kind, name.schema, name.name) for name in names]


def _lacking(kind: str, name: str, role: str, owner: str | None) -> str:
    if kind == _REFER:
        return _grant("REFERENCES", f"TABLE {name}", role)
    if kind == _WRITE:
        return _grant("SELECT, INSERT, UPDATE, DELETE", f"TABLE {name}", role)
    what = "TYPE" if kind == _EXTEND else "TABLE"
    belongs = f"it belongs to {quote(owner)}" if owner else "it belongs to another role"
    return f"Role {quote(role)} cannot alter {name}: {belongs}; ALTER {what} {name} OWNER TO {quote(role)}."


def _grant(right: str, what: str, role: str) -> str:
    return f"Role {quote(role)} lacks {right} on {what}: GRANT {right} ON {what} TO {quote(role)}."
