"""Views and materialized views as PostgreSQL prints them."""

# ruff: noqa: S608 - names are quoted, values are parameters

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.postgresql.queries import MAIN, TEXTS, text
from framework_m_migrations.adapters.sql.dialects.postgresql.settings import is_inside_autocommit_block, taken_back
from framework_m_migrations.adapters.sql.dialects.postgresql.tokens import escaped_literal
from framework_m_migrations.adapters.sql.dialects.postgresql.writing import execute
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
