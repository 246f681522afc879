"""Views as PostgreSQL prints them, and what tables have that no model declares."""

# ruff: noqa: S608 - a constant
# ruff: noqa: S608 - names are quoted, values are parameters

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.postgresql.catalog import MAIN, TEXTS, text
from framework_m_migrations.adapters.sql.dialects.postgresql.text import escaped_literal, execute
from framework_m_migrations.adapters.sql.dialects.postgresql.transactions import is_inside_autocommit_block, taken_back
from framework_m_migrations.adapters.sql.views import View, ViewIndex
from framework_m_migrations.domain.schema import TableName

_VIEWS = f"""
SELECT n.nspname::text, n.nspname = {MAIN}, c.relname::text, c.relkind = 'm', pg_catalog.pg_get_viewdef(c.oid),
  (SELECT pg_catalog.json_agg(
       pg_catalog.json_build_array(a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod)) ORDER BY a.attnum)
   FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)::text,
  (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(k.relname, x.indisunique, pg_catalog.pg_get_indexdef(k.oid)))
   FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class k ON k.oid = x.indexrelid WHERE x.indrelid = c.oid)::text
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('v', 'm') AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend e
    WHERE e.classid = 'pg_catalog.pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')"""
_STANDING = text(
    f"{_VIEWS} AND (:every OR c.relname = ANY(:names)) AND (n.nspname = ANY(:others) OR n.nspname = {MAIN})",
    main=sa.Text(),
    names=TEXTS,
    others=TEXTS,
    every=sa.Boolean(),
)
_TRIED = text(
    f"{_VIEWS} AND n.oid = pg_catalog.pg_my_temp_schema() AND c.relname = ANY(:names)", main=sa.Text(), names=TEXTS
)
_KEYS = re.compile(r"\((.*?)\)(?: |$)")


class PostgresViews:
    """Implements ViewCatalog.

    Args:
        connection: to read through.
        schema: the session's, None for the connection's own.
    """

    replaces = True
    keeps_columns = True

    def __init__(self, connection: sa.Connection, *, schema: str | None) -> None:
        self._connection = connection
        self._schema = schema

    def standing(self, names: Collection[TableName] | None) -> Mapping[TableName, View]:
        """See the protocol; one statement."""
        given = {
            "main": self._schema,
            "every": names is None,
            "names": sorted({name.name for name in names or ()}),
            "others": sorted({name.schema for name in names or () if name.schema is not None}),
        }
        rows = self._connection.execute(_STANDING, given)
        return {TableName(row[2], None if row[1] else row[0]): _view(*row[3:]) for row in rows}

    def tried(self, wanted: Mapping[TableName, View], standing: Mapping[TableName, View]) -> Mapping[TableName, View]:
        """See the protocol: made as temporary views, in a transaction that is rolled back."""
        del standing
        if is_inside_autocommit_block(self._connection):
            return {}
        named = {f"m_migrate_v{number}": name for number, name in enumerate(wanted)}
        tries = [
            f"BEGIN EXECUTE {escaped_literal(f'CREATE TEMP VIEW {place} AS {wanted[name].query}')}; "
            "EXCEPTION WHEN OTHERS THEN NULL; END;"
            for place, name in named.items()
        ]
        body, tag = "\n".join(tries), "$m_migrate$"
        while tag in body:
            tag = f"{tag[:-1]}_$"
        try:
            with taken_back(self._connection):
                execute(self._connection, f"DO {tag} BEGIN\n{body}\nEND {tag}")
                rows = self._connection.execute(_TRIED, {"main": None, "names": list(named)}).all()
        except sa.exc.DBAPIError:
            if self._connection.invalidated:
                raise
            return {}
        found = {named[row[2]]: _view(*row[3:]) for row in rows}
        return {name: view._replace(materialized=wanted[name].materialized) for name, view in found.items()}


def _view(materialized: bool, query: str, columns: str | None, indexes: str | None) -> View:
    named = tuple((name, type_) for name, type_ in json.loads(columns or "[]"))
    return View(query, named, materialized, tuple(_index(*one) for one in json.loads(indexes or "[]")))


def _index(name: str, unique: bool, create: str) -> ViewIndex:
    found = _KEYS.search(create)
    return ViewIndex(name, tuple(found[1].split(", ")) if found else (), unique, create)


# What tables have and no model declares: triggers, rules, policies, row level security.


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


def attached(
    connection: sa.Connection, tables: Collection[TableName], *, schema: str | None
) -> Iterator[tuple[TableName, str]]:
    """See BaseInspector.

    Args:
        connection: to read through.
        tables: asked about.
        schema: the session's, None for the connection's own.
    """
    if not tables:
        return
    given = {
        "main": schema,
        "names": sorted({table.name for table in tables}),
        "others": sorted({table.schema for table in tables if table.schema is not None}),
    }
    for place, is_main, name, what in connection.execute(_SURPLUS, given):
        table = TableName(name, None if is_main else place)
        if table in tables and not what.startswith(_OWN):
            yield table, what
