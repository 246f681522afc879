"""The statements of the catalog reader: each answers for any number of tables.

They read pg_catalog only and hold no lock on a user's table; while a check, or an index of more than columns, is
printed, the server takes ACCESS SHARE. ``:main`` is the session's schema, null for the connection's own
(``current_schema()``), which the server resolves itself; ``:others`` are further schemas.
"""

# ruff: noqa: S608 - names are quoted, values are parameters or quoted literals

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

TEXTS: sa.types.TypeEngine[Any] = pg.ARRAY(sa.Text())
# Of all arrays asyncpg knows only text[] and oid[] by itself. For another one it asks the catalog, with settings round
# it that stay with somebody else's session behind a proxy that pools transactions.
OIDS: sa.types.TypeEngine[Any] = pg.ARRAY(pg.OID())
MAIN = "COALESCE(CAST(:main AS text), current_schema()::text)"
IN_SCHEMAS = f"(n.nspname = ANY(:others) OR n.nspname = {MAIN})"
"""Over the alias ``n`` of pg_namespace."""


def text(sql: str, **types: sa.types.TypeEngine[Any]) -> sa.TextClause:
    """A statement with typed parameters, so that every driver casts them alike."""
    return sa.text(sql).bindparams(*(sa.bindparam(name, type_=type_) for name, type_ in types.items()))


@dataclass(frozen=True, slots=True)
class Queries:
    """The statements for one server version; see the functions of this module for their rows."""

    tables: sa.TextClause
    temporary: sa.TextClause
    columns: sa.TextClause
    indexes: sa.TextClause
    constraints: sa.TextClause
    types: sa.TextClause


@functools.cache
def queries(version: tuple[int, ...]) -> Queries:
    """The statements for a server version (major, minor)."""
    own = f"c.relpersistence <> 't' AND {IN_SCHEMAS}"
    return Queries(
        tables=text(_tables(own), main=sa.Text(), others=TEXTS),
        temporary=text(
            _tables("n.oid = pg_catalog.pg_my_temp_schema() AND c.relname = ANY(:names)"), main=sa.Text(), names=TEXTS
        ),
        columns=text(_COLUMNS, tables=OIDS),
        indexes=text(_INDEXES.format(nulls="i.indnullsnotdistinct" if version >= (15,) else "false"), tables=OIDS),
        constraints=text(_constraints(version), tables=OIDS, main=sa.Text()),
        types=text(_TYPES, used=OIDS, main=sa.Text(), others=TEXTS),
    )


def _tables(which: str) -> str:
    """Rows: oid, schema, in the main schema, name, kind, is a partition, comment."""
    return f"""
SELECT c.oid::bigint, n.nspname::text, n.nspname = {MAIN}, c.relname::text, c.relkind::text, c.relispartition,
       d.description
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_description d
  ON d.objoid = c.oid AND d.classoid = 'pg_catalog.pg_class'::regclass AND d.objsubid = 0
WHERE c.relkind IN ('r', 'p', 'f') AND {which}
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e
                  WHERE e.classid = 'pg_catalog.pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
ORDER BY c.oid"""


_GIVEN_TABLES = "pg_catalog.unnest(CAST(:tables AS oid[])) AS t(oid)"

# pg_get_expr opens the table it is given, and so waits while somebody has it locked against everything; a default names
# no column and needs none. The sequence is the one that the column owns: of an identity column, or of a serial one,
# whose default draws from it.
_COLUMNS = f"""
SELECT a.attrelid::bigint, a.attnum::int, a.attname::text, a.atttypid::bigint, a.atttypmod::int,
       pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity::text, a.attgenerated::text,
       a.attcollation::bigint,
       CASE WHEN a.attcollation NOT IN (0, 100) THEN
         (SELECT CASE WHEN pg_catalog.pg_collation_is_visible(l.oid) THEN ''
                      ELSE pg_catalog.quote_ident(x.nspname) || '.' END || pg_catalog.quote_ident(l.collname)
          FROM pg_catalog.pg_collation l JOIN pg_catalog.pg_namespace x ON x.oid = l.collnamespace
          JOIN pg_catalog.pg_type y ON y.oid = a.atttypid AND y.typcollation <> l.oid
          WHERE l.oid = a.attcollation) END,
       d.description,
       CASE WHEN a.atthasdef THEN
         pg_catalog.pg_get_expr(f.adbin, CASE WHEN a.attgenerated = '' THEN 0 ELSE f.adrelid END) END,
       CASE WHEN a.attidentity <> '' OR (a.atthasdef AND a.attgenerated = '') THEN
         (SELECT CASE WHEN a.attidentity = '' THEN '' ELSE pg_catalog.concat_ws(' ', v.seqstart, v.seqincrement,
                        v.seqmin, v.seqmax, v.seqcycle::int, v.seqcache) END
          FROM pg_catalog.pg_depend s JOIN pg_catalog.pg_sequence v ON v.seqrelid = s.objid
          WHERE s.classid = 'pg_catalog.pg_class'::regclass AND s.refclassid = 'pg_catalog.pg_class'::regclass
            AND s.refobjid = a.attrelid AND s.refobjsubid = a.attnum AND s.deptype IN ('a', 'i')
            AND (a.attidentity <> '' OR EXISTS (
              SELECT FROM pg_catalog.pg_depend u
              WHERE u.classid = 'pg_catalog.pg_attrdef'::regclass AND u.objid = f.oid AND u.refobjid = s.objid))
          LIMIT 1) END
FROM {_GIVEN_TABLES}
JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_catalog.pg_attrdef f ON a.atthasdef AND f.adrelid = a.attrelid AND f.adnum = a.attnum
LEFT JOIN pg_catalog.pg_description d
  ON d.objoid = a.attrelid AND d.classoid = 'pg_catalog.pg_class'::regclass AND d.objsubid = a.attnum
ORDER BY a.attrelid, a.attnum"""

# The definition is printed only where it is more than a list of columns: printing all takes as long as all the rest.
_INDEXES = f"""
SELECT i.indrelid::bigint, c.relname::text, i.indexrelid::bigint, i.indisunique, i.indisvalid AND i.indisready,
       i.indkey::text, i.indcollation::text,
       EXISTS (SELECT FROM pg_catalog.pg_constraint k
               WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x') AND k.conrelid = i.indrelid),
       CASE WHEN i.indexprs IS NOT NULL OR i.indpred IS NOT NULL OR c.reloptions IS NOT NULL OR c.reltablespace <> 0
              OR m.amname <> 'btree' OR i.indnkeyatts <> i.indnatts OR 0 <> ANY (i.indoption::int2[])
              OR NOT i.indclass::oid[] <@ (SELECT pg_catalog.array_agg(o.oid)
                                           FROM pg_catalog.pg_opclass o WHERE o.opcdefault)
              OR NOT i.indcollation::oid[] <@ ARRAY[0, 100]::oid[] OR {{nulls}}
       THEN pg_catalog.pg_get_indexdef(i.indexrelid) END
FROM {_GIVEN_TABLES}
JOIN pg_catalog.pg_index i ON i.indrelid = t.oid
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_am m ON m.oid = c.relam
WHERE i.indislive
ORDER BY i.indrelid, c.relname"""


def _constraints(version: tuple[int, ...]) -> str:
    """Rows of constraints.

    They hold table, name, kind, columns, validated, deferrable, deferred, match, on update, on delete, columns that
    ON DELETE sets, target schema, target in the main schema, target table, target columns, index, expression,
    enforced, over a period. Clones for partitions of the target, which live at the same table, are left out.
    """
    names = """(SELECT pg_catalog.array_agg(a.attname::text ORDER BY x.place)
        FROM pg_catalog.unnest({keys}) WITH ORDINALITY AS x(number, place)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = {table} AND a.attnum = x.number)"""
    target_columns = names.format(keys="k.confkey", table="k.confrelid")
    set_columns = names.format(keys="k.confdelsetcols", table="k.conrelid") if version >= (15,) else "NULL::text[]"
    enforced, period = ("k.conenforced", "k.conperiod") if version >= (18,) else ("true", "false")
    return f"""
SELECT k.conrelid::bigint, k.conname::text, k.contype::text, k.conkey::text[], k.convalidated, k.condeferrable,
       k.condeferred, k.confmatchtype::text, k.confupdtype::text, k.confdeltype::text,
       CASE WHEN k.contype = 'f' AND k.confdeltype IN ('n', 'd') THEN {set_columns} END,
       n.nspname::text, n.nspname = {MAIN}, r.relname::text, CASE WHEN k.contype = 'f' THEN {target_columns} END,
       k.conindid::bigint, CASE WHEN k.contype = 'c' THEN pg_catalog.pg_get_expr(k.conbin, k.conrelid) END,
       {enforced}, {period}
FROM {_GIVEN_TABLES}
JOIN pg_catalog.pg_constraint k ON k.conrelid = t.oid AND k.contype IN ('p', 'u', 'f', 'c')
LEFT JOIN pg_catalog.pg_class r ON r.oid = NULLIF(k.confrelid, 0)
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
WHERE k.conparentid = 0 OR NOT EXISTS (
  SELECT FROM pg_catalog.pg_constraint u WHERE u.oid = k.conparentid AND u.conrelid = k.conrelid)
ORDER BY k.conrelid, k.conname"""


# Every enumeration of the schemas looked at, and whatever columns are made of that is not built in.
_TYPES = f"""
SELECT t.oid::bigint, COALESCE(e.typname, t.typname)::text, n.nspname::text, n.nspname = {MAIN},
       pg_catalog.pg_type_is_visible(COALESCE(e.oid, t.oid)), COALESCE(e.typtype, t.typtype)::text, e.oid IS NOT NULL,
       pg_catalog.format_type(t.oid, NULL),
       CASE WHEN t.typtype = 'e' THEN
         (SELECT pg_catalog.array_agg(l.enumlabel::text ORDER BY l.enumsortorder)
          FROM pg_catalog.pg_enum l WHERE l.enumtypid = t.oid) END
FROM pg_catalog.pg_type t
LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND e.typarray = t.oid
JOIN pg_catalog.pg_namespace n ON n.oid = COALESCE(e.typnamespace, t.typnamespace)
WHERE t.oid = ANY(CAST(:used AS oid[])) OR (t.typtype = 'e' AND {IN_SCHEMAS})
ORDER BY t.oid"""
