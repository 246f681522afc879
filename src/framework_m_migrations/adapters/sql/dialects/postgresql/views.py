"""Views as PostgreSQL prints them, and what tables have that no model declares."""

# ruff: noqa: S608 - a constant
# ruff: noqa: S608 - names are quoted, values are parameters

from __future__ import annotations

import functools
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.postgresql.catalog import MAIN, TEXTS, text
from framework_m_migrations.adapters.sql.dialects.postgresql.text import escaped_literal, execute
from framework_m_migrations.adapters.sql.dialects.postgresql.transactions import is_inside_autocommit_block, taken_back
from framework_m_migrations.adapters.sql.views import View, ViewIndex
from framework_m_migrations.domain.describe import surplus_options
from framework_m_migrations.domain.schema import Table, TableName

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


# What tables have and no model declares: triggers, rules, policies, options.


_SEQUENCE = """pg_catalog.concat_ws(', ',
  CASE WHEN q.seqtypid <> a.atttypid THEN 'AS ' || q.seqtypid::regtype END,
  CASE WHEN q.seqstart <> 1 THEN 'START ' || q.seqstart END,
  CASE WHEN q.seqincrement <> 1 THEN 'INCREMENT ' || q.seqincrement END,
  CASE WHEN q.seqmin <> 1 THEN 'MINVALUE ' || q.seqmin END,
  CASE WHEN q.seqmax <> CASE q.seqtypid::int WHEN 21 THEN 32767 WHEN 23 THEN 2147483647 ELSE 9223372036854775807 END
       THEN 'MAXVALUE ' || q.seqmax END,
  CASE WHEN q.seqcycle THEN 'CYCLE' END, CASE WHEN q.seqcache <> 1 THEN 'CACHE ' || q.seqcache END)"""
"""How the sequence of a serial column differs from what CREATE TABLE makes."""
_COLUMN = "JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
_COMPRESSION = f"""
UNION ALL {{row}} 'option compression of column ' || a.attname || ' = ' ||
  CASE a.attcompression WHEN 'p' THEN 'pglz' ELSE 'lz4' END FROM chosen c {_COLUMN} WHERE a.attcompression <> ''"""
_SURPLUS = f"""
WITH chosen AS (
  SELECT c.*, n.nspname::text AS place, n.nspname = {MAIN} AS is_main, c.relname::text AS name
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p') AND c.relname = ANY(:names) AND (n.nspname = ANY(:others) OR n.nspname = {MAIN})
), keys AS (
  SELECT k.conrelid, k.conname, i.reloptions, i.reltablespace
  FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class i ON i.oid = k.conindid WHERE k.contype IN ('p', 'u', 'x')
), indexes AS (
  SELECT x.indrelid, x.indisclustered, i.oid, i.relname
  FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
)
{{row}} 'trigger ' || t.tgname FROM chosen c JOIN pg_catalog.pg_trigger t ON t.tgrelid = c.oid
  WHERE NOT t.tgisinternal AND t.tgparentid = 0
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = 'pg_catalog.pg_trigger'::regclass
                    AND e.objid = t.oid AND e.deptype = 'e')
UNION {{row}} CASE t.tgenabled WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'replica' ELSE 'always' END || ' trigger '
  || CASE WHEN t.tgisinternal THEN 'of ' || k.conname ELSE t.tgname END
  FROM chosen c JOIN pg_catalog.pg_trigger t ON t.tgrelid = c.oid AND t.tgenabled <> 'O' AND t.tgparentid = 0
  LEFT JOIN pg_catalog.pg_constraint k ON k.oid = t.tgconstraint
UNION ALL {{row}} 'rule ' || r.rulename FROM chosen c JOIN pg_catalog.pg_rewrite r ON r.ev_class = c.oid
UNION ALL {{row}} 'policy ' || p.polname FROM chosen c JOIN pg_catalog.pg_policy p ON p.polrelid = c.oid
UNION ALL {{row}} 'row level security' FROM chosen c WHERE c.relrowsecurity
UNION ALL {{row}} 'row level security for the owner' FROM chosen c WHERE c.relforcerowsecurity
UNION ALL {{row}} 'publication ' || p.pubname FROM chosen c
  JOIN pg_catalog.pg_publication_rel r ON r.prrelid = c.oid JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid
UNION ALL {{row}} 'statistics ' || s.stxname FROM chosen c JOIN pg_catalog.pg_statistic_ext s ON s.stxrelid = c.oid
UNION ALL {{row}} 'NOT NULL ' || k.conname || ', which is not validated' FROM chosen c
  JOIN pg_catalog.pg_constraint k ON k.conrelid = c.oid AND k.contype = 'n' AND NOT k.convalidated
UNION ALL {{row}} 'option replica identity = ' || CASE c.relreplident WHEN 'f' THEN 'full' WHEN 'n' THEN 'nothing'
  ELSE 'index' END FROM chosen c WHERE c.relreplident <> 'd'
UNION ALL {{row}} 'option type = ' || c.reloftype::regtype FROM chosen c WHERE c.reloftype <> 0
UNION ALL {{row}} 'option storage of column ' || a.attname || ' = ' || CASE a.attstorage WHEN 'p' THEN 'plain'
  WHEN 'e' THEN 'external' WHEN 'm' THEN 'main' ELSE 'extended' END
  FROM chosen c {_COLUMN} JOIN pg_catalog.pg_type t ON t.oid = a.atttypid WHERE a.attstorage <> t.typstorage
UNION ALL {{row}} 'option statistics of column ' || a.attname || ' = ' || a.attstattarget
  FROM chosen c {_COLUMN} WHERE a.attstattarget >= 0
UNION ALL {{row}} 'option ' || pg_catalog.array_to_string(a.attoptions, ', ') || ' of column ' || a.attname
  FROM chosen c {_COLUMN} WHERE a.attoptions IS NOT NULL
UNION ALL {{row}} 'option sequence of column ' || a.attname || ' = ' || {_SEQUENCE} FROM chosen c {_COLUMN}
  JOIN pg_catalog.pg_depend o ON o.refobjid = c.oid AND o.refobjsubid = a.attnum AND o.deptype = 'a'
   AND o.classid = 'pg_catalog.pg_class'::regclass AND o.refclassid = 'pg_catalog.pg_class'::regclass
  JOIN pg_catalog.pg_sequence q ON q.seqrelid = o.objid WHERE a.atttypid IN (20, 21, 23) AND {_SEQUENCE} <> ''
UNION ALL {{row}} 'option ' || pg_catalog.array_to_string(k.reloptions, ', ') || ' of ' || k.conname
  FROM chosen c JOIN keys k ON k.conrelid = c.oid AND k.reloptions IS NOT NULL
UNION ALL {{row}} 'option tablespace of ' || k.conname || ' = ' || s.spcname
  FROM chosen c JOIN keys k ON k.conrelid = c.oid JOIN pg_catalog.pg_tablespace s ON s.oid = k.reltablespace
  WHERE s.spcname <> pg_catalog.current_setting('default_tablespace')
UNION ALL SELECT NULL, true, 'tablespace', pg_catalog.current_setting('default_tablespace')
UNION ALL SELECT NULL, true, 'using', pg_catalog.current_setting('default_table_access_method')
UNION ALL {{row}} 'option cluster on = ' || i.relname FROM chosen c
  JOIN indexes i ON i.indrelid = c.oid AND i.indisclustered
UNION ALL {{row}} 'comment of index ' || i.relname FROM chosen c JOIN indexes i ON i.indrelid = c.oid
  JOIN pg_catalog.pg_description d ON d.objoid = i.oid AND d.classoid = 'pg_catalog.pg_class'::regclass
   AND d.objsubid = 0"""


@functools.cache
def _surplus_statement(*, compression: bool) -> sa.TextClause:
    sql = _SURPLUS + (_COMPRESSION if compression else "")
    ordered = sql.format(row="SELECT c.place, c.is_main, c.name,") + "\nORDER BY 1, 3, 4"
    return text(ordered, main=sa.Text(), names=TEXTS, others=TEXTS)


_OWN = "trigger zz_m_migrate_"
"""Of online changes that wait for their contract step."""


def attached(
    connection: sa.Connection, pairs: Sequence[tuple[Table, Table]], *, schema: str | None
) -> Iterator[tuple[TableName, str]]:
    """See BaseInspector.

    Args:
        connection: to read through.
        pairs: tables as they are wanted and as they are.
        schema: the session's, None for the connection's own.
    """
    names = {wanted.name for wanted, _ in pairs}
    given = {
        "main": schema,
        "names": sorted({table.name for table in names}),
        "others": sorted({table.schema for table in names if table.schema is not None}),
    }
    statement = _surplus_statement(compression=(connection.dialect.server_version_info or ()) >= (14,))
    usual: list[tuple[str, str]] = []
    for place, is_main, name, what in connection.execute(statement, given):
        table = TableName(name, None if is_main else place)
        if place is None:
            usual.append((name, what))
        elif table in names and _OWN not in what:
            yield table, what
    for wanted, actual in pairs:
        yield from ((wanted.name, what) for what in surplus_options(wanted, actual, usual))
