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
    partitions: sa.TextClause


@functools.cache
def queries(version: tuple[int, ...]) -> Queries:
    """The statements for a server version (major, minor)."""
    own = f"c.relpersistence <> 't' AND {IN_SCHEMAS}"
    return Queries(
        tables=text(_tables(own), main=sa.Text(), others=TEXTS),
        temporary=text(
            _tables("n.oid = pg_catalog.pg_my_temp_schema() AND c.relname = ANY(:names)"), main=sa.Text(), names=TEXTS
        ),
        columns=text(_COLUMNS, tables=OIDS, beside=OIDS),
        indexes=text(_INDEXES.format(nulls="i.indnullsnotdistinct" if version >= (15,) else "false"), tables=OIDS),
        constraints=text(_constraints(version), tables=OIDS, main=sa.Text()),
        types=text(_TYPES, used=OIDS, modifiers=TEXTS, collations=OIDS, main=sa.Text(), others=TEXTS),
        partitions=text(_PARTITIONS, tables=OIDS, main=sa.Text()),
    )


def _tables(which: str) -> str:
    """Rows: oid, schema, in the main schema, name, kind, is a partition, comment, options as JSON (2 is the heap)."""
    return f"""
SELECT c.oid::bigint, n.nspname::text, n.nspname = {MAIN}, c.relname::text, c.relkind::text, c.relispartition,
       d.description,
       CASE WHEN c.relpersistence = 'u' OR c.reloptions IS NOT NULL OR c.reltablespace <> 0 OR c.relkind = 'p'
              OR c.relam NOT IN (0, 2) OR (NOT c.relispartition AND h.names IS NOT NULL)
       THEN pg_catalog.json_build_object(
         'unlogged', c.relpersistence = 'u', 'with', c.reloptions, 'inherits', h.names,
         'tablespace', (SELECT s.spcname FROM pg_catalog.pg_tablespace s WHERE s.oid = c.reltablespace),
         'using', (SELECT m.amname FROM pg_catalog.pg_am m WHERE m.oid = c.relam),
         'partition_key', pg_catalog.pg_get_partkeydef(c.oid))::text END
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN (
  SELECT e.inhrelid, pg_catalog.array_agg(p.relname::text ORDER BY e.inhseqno) AS names
  FROM pg_catalog.pg_inherits e JOIN pg_catalog.pg_class p ON p.oid = e.inhparent AND p.relkind = 'r' GROUP BY 1
) h ON h.inhrelid = c.oid
LEFT JOIN pg_catalog.pg_description d
  ON d.objoid = c.oid AND d.classoid = 'pg_catalog.pg_class'::regclass AND d.objsubid = 0
WHERE c.relkind IN ('r', 'p', 'f') AND {which}
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e
                  WHERE e.classid = 'pg_catalog.pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
ORDER BY c.oid"""


_OWNER = "s.refclassid = 'pg_catalog.pg_class'::regclass AND s.refobjid = ANY(CAST(:tables AS oid[]))"

# pg_get_expr opens the table it is given, and so waits while somebody has it locked against everything; a default names
# no column and needs none. The sequence is the one that the column owns: of an identity column, or of a serial one,
# whose default draws from it. What few columns have is joined, not looked up for each: a lookup for each makes the
# planner expect so much work that it compiles the statement first (JIT), which takes longer than to run it. Of tables
# beside those asked for only the names of columns are needed.
_COLUMNS = f"""
SELECT a.attrelid::bigint, a.attnum::int, a.attname::text, a.atttypid::bigint, a.atttypmod::int,
       a.attcollation::bigint, a.attnotnull, a.attidentity::text, a.attgenerated::text, d.description,
       CASE WHEN f.oid IS NOT NULL THEN
         pg_catalog.pg_get_expr(f.adbin, CASE WHEN a.attgenerated = '' THEN 0 ELSE f.adrelid END) END,
       CASE WHEN a.attidentity <> '' THEN q.options
            WHEN a.attgenerated = '' AND f.oid = ANY(q.defaults) THEN '' END,
       NOT a.attislocal
FROM pg_catalog.pg_attribute a
LEFT JOIN pg_catalog.pg_attrdef f
  ON a.atthasdef AND f.adrelid = a.attrelid AND f.adnum = a.attnum AND f.adrelid = ANY(CAST(:tables AS oid[]))
LEFT JOIN pg_catalog.pg_description d
  ON d.objoid = a.attrelid AND d.classoid = 'pg_catalog.pg_class'::regclass AND d.objsubid = a.attnum
LEFT JOIN (
  SELECT s.refobjid, s.refobjsubid, pg_catalog.array_agg(u.objid) AS defaults,
         pg_catalog.max(pg_catalog.concat_ws(' ', v.seqstart, v.seqincrement, v.seqmin, v.seqmax, v.seqcycle::int,
                                             v.seqcache)) FILTER (WHERE s.deptype = 'i') AS options
  FROM pg_catalog.pg_sequence v
  JOIN pg_catalog.pg_depend s ON s.classid = 'pg_catalog.pg_class'::regclass AND s.objid = v.seqrelid
                             AND s.deptype IN ('a', 'i') AND {_OWNER}
  LEFT JOIN pg_catalog.pg_depend u ON u.refclassid = 'pg_catalog.pg_class'::regclass AND u.refobjid = v.seqrelid
                                  AND u.classid = 'pg_catalog.pg_attrdef'::regclass
  GROUP BY s.refobjid, s.refobjsubid
) q ON q.refobjid = a.attrelid AND q.refobjsubid = a.attnum
WHERE a.attrelid = ANY(CAST(:beside AS oid[]) || CAST(:tables AS oid[])) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum"""

# The definition is printed only where it is more than a list of columns: printing all takes as long as all the rest.
# 403 is the B-tree, on every server.
_INDEXES = """
SELECT i.indrelid::bigint, c.relname::text, i.indexrelid::bigint, i.indisunique, i.indisvalid AND i.indisready,
       i.indkey::text, i.indcollation::text, i.indisexclusion,
       CASE WHEN i.indexprs IS NOT NULL OR i.indpred IS NOT NULL OR c.reloptions IS NOT NULL OR c.reltablespace <> 0
              OR c.relam <> 403 OR i.indnkeyatts <> i.indnatts OR 0 <> ANY (i.indoption::int2[])
              OR NOT i.indclass::oid[] <@ (SELECT pg_catalog.array_agg(o.oid) FROM pg_catalog.pg_opclass o
                                           WHERE o.opcdefault AND o.opcmethod = 403)
              OR NOT i.indcollation::oid[] <@ ARRAY[0, 100]::oid[] OR {nulls}
       THEN COALESCE((SELECT 'TABLESPACE ' || pg_catalog.quote_ident(s.spcname) || ' '
                      FROM pg_catalog.pg_tablespace s WHERE s.oid = c.reltablespace), '')
            || pg_catalog.pg_get_indexdef(i.indexrelid) END
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = ANY(CAST(:tables AS oid[])) AND i.indislive"""


def _constraints(version: tuple[int, ...]) -> str:
    """Rows of constraints.

    They hold table, name, kind, columns, validated, deferrable, deferred, match, on update, on delete, columns that
    ON DELETE sets, target schema, target in the main schema, target table, its oid, target columns, index, expression,
    enforced, over a period, oid, oid of the constraint it was cloned from, not inherited, comment; columns by their
    numbers, as text. The expression of an exclusion constraint is its definition.
    """
    numbers = "pg_catalog.array_to_string(k.{}, ' ')".format
    set_columns = numbers("confdelsetcols") if version >= (15,) else "NULL::text"
    enforced, period = ("k.conenforced", "k.conperiod") if version >= (18,) else ("true", "false")
    return f"""
SELECT k.conrelid::bigint, k.conname::text, k.contype::text, {numbers("conkey")}, k.convalidated, k.condeferrable,
       k.condeferred, k.confmatchtype::text, k.confupdtype::text, k.confdeltype::text, {set_columns},
       n.nspname::text, n.nspname = {MAIN}, r.relname::text, k.confrelid::bigint, {numbers("confkey")},
       k.conindid::bigint, CASE k.contype WHEN 'c' THEN pg_catalog.pg_get_expr(k.conbin, k.conrelid)
                                         WHEN 'x' THEN pg_catalog.pg_get_constraintdef(k.oid) END,
       {enforced}, {period}, k.oid::bigint, k.conparentid::bigint, k.connoinherit, d.description
FROM pg_catalog.pg_constraint k
LEFT JOIN pg_catalog.pg_class r ON r.oid = NULLIF(k.confrelid, 0)
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
LEFT JOIN pg_catalog.pg_description d ON d.objoid = k.oid AND d.classoid = 'pg_catalog.pg_constraint'::regclass
WHERE k.conrelid = ANY(CAST(:tables AS oid[])) AND k.contype IN ('p', 'u', 'f', 'c', 'x')
  AND (k.conislocal OR k.contype <> 'c' OR EXISTS (
    SELECT FROM pg_catalog.pg_class o WHERE o.oid = k.conrelid AND o.relispartition))"""


# pg_partition_tree() would wait for locks. A foreign table among the partitions has no index.
_PARTITIONS = f"""
WITH RECURSIVE tree AS (
  SELECT c.oid AS root, c.oid, 0::oid AS parent, 0 AS level FROM pg_catalog.pg_class c
  WHERE c.oid = ANY(CAST(:tables AS oid[]))
  UNION ALL
  SELECT t.root, h.inhrelid, h.inhparent, t.level + 1 FROM tree t JOIN pg_catalog.pg_inherits h ON h.inhparent = t.oid
)
SELECT t.root::bigint, n.nspname::text, n.nspname = {MAIN}, c.relname::text, c.relkind = 'r',
       u.nspname::text, u.nspname = {MAIN}, p.relname::text, i.relname::text, x.indisvalid, a.relname::text
FROM tree t
JOIN pg_catalog.pg_class c ON c.oid = t.oid AND c.relkind IN ('r', 'p')
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_class p ON p.oid = t.parent
JOIN pg_catalog.pg_namespace u ON u.oid = p.relnamespace
LEFT JOIN pg_catalog.pg_index x ON x.indrelid = c.oid AND x.indislive
LEFT JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
LEFT JOIN pg_catalog.pg_inherits h ON h.inhrelid = i.oid
LEFT JOIN pg_catalog.pg_class a ON a.oid = h.inhparent
ORDER BY t.root, t.level, c.oid, i.relname"""


# Types as columns have them, each combination once, and every enumeration of the schemas looked at. A collation is
# named only where it is not that of the type itself.
_TYPES = f"""
SELECT g.oid::bigint, g.modifier, g.collid::bigint, pg_catalog.format_type(g.oid, g.modifier),
       CASE WHEN l.oid IS NOT NULL THEN
         CASE WHEN pg_catalog.pg_collation_is_visible(l.oid) THEN '' ELSE pg_catalog.quote_ident(x.nspname) || '.' END
         || pg_catalog.quote_ident(l.collname) END,
       COALESCE(e.typname, t.typname)::text, n.nspname::text, n.nspname = {MAIN},
       pg_catalog.pg_type_is_visible(COALESCE(e.oid, t.oid)), COALESCE(e.typtype, t.typtype)::text, e.oid IS NOT NULL,
       pg_catalog.format_type(t.oid, NULL),
       CASE WHEN t.typtype = 'e' THEN
         (SELECT pg_catalog.array_agg(m.enumlabel::text ORDER BY m.enumsortorder)
          FROM pg_catalog.pg_enum m WHERE m.enumtypid = t.oid) END
FROM (
  SELECT u.oid, u.modifier, u.collid
  FROM ROWS FROM (pg_catalog.unnest(CAST(:used AS oid[])),
                  pg_catalog.unnest(CAST(CAST(:modifiers AS text[]) AS int[])),
                  pg_catalog.unnest(CAST(:collations AS oid[]))) AS u(oid, modifier, collid)
  UNION
  SELECT t.oid, -1, 0::oid
  FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
  WHERE t.typtype = 'e' AND {IN_SCHEMAS}
) g
JOIN pg_catalog.pg_type t ON t.oid = g.oid
LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND e.typarray = t.oid
JOIN pg_catalog.pg_namespace n ON n.oid = COALESCE(e.typnamespace, t.typnamespace)
LEFT JOIN pg_catalog.pg_collation l
  ON g.collid NOT IN (0, 100) AND l.oid = g.collid AND l.oid <> t.typcollation
LEFT JOIN pg_catalog.pg_namespace x ON x.oid = l.collnamespace
ORDER BY g.oid"""
