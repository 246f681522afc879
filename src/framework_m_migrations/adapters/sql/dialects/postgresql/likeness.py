"""What a schema holds as one short text, equal for schemas that hold the same: see ports.tenants.Tenants.alike."""

# ruff: noqa: S608 - constants

from __future__ import annotations

from framework_m_migrations.adapters.sql.dialects.postgresql.catalog import TEXTS, text


def _own(sql: str) -> str:
    """An expression for SQL that the server prints, with the schema's own name taken out of it.

    Constants keep it, for there it is no name, but for those of a type like regclass.
    """
    constants = f"pg_catalog.regexp_replace({sql}, $r$'$r$ || s.own || $r$([^']*)'::reg$r$, chr(1) || '\\1::reg', 'g')"
    names = """$r$('(?:[^']|'')*')|(?<![\\w$".])$r$ || s.own"""
    return f"pg_catalog.regexp_replace({constants}, {names}, '\\1' || chr(1), 'g')"


_TABLE = "JOIN c ON c.oid = x.{} JOIN s ON s.oid = c.relnamespace"
_DEFAULT = "pg_catalog.pg_get_expr(f.adbin, CASE WHEN x.attgenerated = '' THEN 0 ELSE f.adrelid END)"
_VIEW = "CASE WHEN c.relkind IN ('v', 'm') THEN pg_catalog.pg_get_viewdef(c.oid) END"
_BODY = "CASE WHEN x.prokind <> 'a' THEN pg_catalog.pg_get_functiondef(x.oid) END"

# Each part: what tells the rows apart and what they say, and where they are. The order of columns is no difference.
_PARTS = (
    (
        f"""c.relname, c.relkind, c.relpersistence, c.reloptions, c.relrowsecurity, c.relforcerowsecurity,
        c.relispartition, c.reltablespace, c.relam, c.relacl::text, c.relreplident, c.reloftype,
        (SELECT t.reloptions FROM pg_catalog.pg_class t WHERE t.oid = c.reltoastrelid),
        {_own("pg_catalog.pg_get_expr(c.relpartbound, c.oid)")},
        CASE WHEN c.relkind = 'p' THEN pg_catalog.pg_get_partkeydef(c.oid) END, {_own(_VIEW)},
        pg_catalog.obj_description(c.oid, 'pg_class')""",
        "c JOIN s ON s.oid = c.relnamespace",
    ),
    (
        f"""c.relname, x.attname, {_own("pg_catalog.format_type(x.atttypid, x.atttypmod)")}, x.attnotnull,
        x.attidentity, x.attgenerated, x.attcollation::regcollation::text, x.attislocal, {_own(_DEFAULT)},
        pg_catalog.col_description(c.oid, x.attnum), x.attstorage, x.attoptions, x.attstattarget,
        pg_catalog.to_jsonb(x) ->> 'attcompression'""",
        f"""pg_catalog.pg_attribute x {_TABLE.format("attrelid")}
        LEFT JOIN pg_catalog.pg_attrdef f ON f.adrelid = x.attrelid AND f.adnum = x.attnum
        WHERE x.attnum > 0 AND NOT x.attisdropped AND c.relkind <> 'S'""",
    ),
    (
        f"""c.relname, x.conname, x.contype, x.convalidated, {_own("pg_catalog.pg_get_constraintdef(x.oid)")},
        pg_catalog.obj_description(x.oid, 'pg_constraint')""",
        f"pg_catalog.pg_constraint x {_TABLE.format('conrelid')}",
    ),
    (
        f"""c.relname, {_own("pg_catalog.pg_get_indexdef(x.indexrelid)")}, x.indisvalid, x.indisready, x.indisprimary,
        x.indisclustered, (SELECT i.reltablespace FROM pg_catalog.pg_class i WHERE i.oid = x.indexrelid),
        pg_catalog.obj_description(x.indexrelid, 'pg_class')""",
        f"pg_catalog.pg_index x {_TABLE.format('indrelid')} WHERE x.indislive",
    ),
    (
        f"c.relname, x.tgenabled, {_own('pg_catalog.pg_get_triggerdef(x.oid)')}",
        f"pg_catalog.pg_trigger x {_TABLE.format('tgrelid')} WHERE NOT x.tgisinternal",
    ),
    (
        "c.relname, x.tgenabled, k.conname",
        f"""pg_catalog.pg_trigger x {_TABLE.format("tgrelid")} JOIN pg_catalog.pg_constraint k ON k.oid = x.tgconstraint
        WHERE x.tgisinternal AND x.tgenabled <> 'O'""",
    ),
    ("c.relname, x.stxname", f"pg_catalog.pg_statistic_ext x {_TABLE.format('stxrelid')}"),
    ("c.relname, x.prpubid", f"pg_catalog.pg_publication_rel x {_TABLE.format('prrelid')}"),
    (
        f"c.relname, x.ev_enabled, {_own('pg_catalog.pg_get_ruledef(x.oid)')}",
        f"pg_catalog.pg_rewrite x {_TABLE.format('ev_class')}",
    ),
    (
        f"""c.relname, x.polname, x.polcmd, x.polpermissive, x.polroles::text,
        {_own("pg_catalog.pg_get_expr(x.polqual, x.polrelid)")},
        {_own("pg_catalog.pg_get_expr(x.polwithcheck, x.polrelid)")}""",
        f"pg_catalog.pg_policy x {_TABLE.format('polrelid')}",
    ),
    (
        f"""c.relname, x.seqtypid::regtype::text, x.seqstart, x.seqincrement, x.seqmax, x.seqmin, x.seqcache,
        x.seqcycle,
        (SELECT pg_catalog.array_agg(pg_catalog.concat_ws(' ', o.deptype, {_own("o.refobjid::regclass::text")},
                                                          o.refobjsubid))
         FROM pg_catalog.pg_depend o WHERE o.classid = 'pg_catalog.pg_class'::regclass AND o.objid = c.oid
           AND o.refclassid = o.classid AND o.deptype IN ('a', 'i'))""",
        f"pg_catalog.pg_sequence x {_TABLE.format('seqrelid')}",
    ),
    (
        f"c.relname, x.inhseqno, {_own('x.inhparent::regclass::text')}",
        f"pg_catalog.pg_inherits x {_TABLE.format('inhrelid')}",
    ),
    (
        f"""x.typname, x.typtype, {_own("pg_catalog.format_type(x.typbasetype, x.typtypmod)")}, x.typnotnull,
        {_own("x.typdefault")}, pg_catalog.obj_description(x.oid, 'pg_type'),
        (SELECT pg_catalog.array_agg(e.enumlabel ORDER BY e.enumsortorder)
         FROM pg_catalog.pg_enum e WHERE e.enumtypid = x.oid),
        (SELECT pg_catalog.array_agg(k.conname || {_own("pg_catalog.pg_get_constraintdef(k.oid)")} ORDER BY k.conname)
         FROM pg_catalog.pg_constraint k WHERE k.contypid = x.oid)""",
        "pg_catalog.pg_type x JOIN s ON s.oid = x.typnamespace WHERE x.typtype IN ('e', 'd', 'r')",
    ),
    (
        f"x.proname, pg_catalog.pg_get_function_identity_arguments(x.oid), {_own(_BODY)}",
        "pg_catalog.pg_proc x JOIN s ON s.oid = x.pronamespace",
    ),
)
_LINES = " UNION ALL ".join(
    f"SELECT s.oid AS nsp, pg_catalog.jsonb_build_array({number}, {what})::text AS line FROM {where}"
    for number, (what, where) in enumerate(_PARTS)
)
LIKENESS = text(
    f"""
WITH s AS MATERIALIZED (
  SELECT n.oid, n.nspname,
         pg_catalog.regexp_replace(pg_catalog.quote_ident(n.nspname) || '.', '(\\W)', '\\\\\\1', 'g') AS own
  FROM pg_catalog.pg_namespace n WHERE n.nspname = ANY(:names)
), c AS MATERIALIZED (
  SELECT k.* FROM pg_catalog.pg_class k JOIN s ON s.oid = k.relnamespace
  WHERE k.relkind NOT IN ('i', 'I') AND k.relpersistence <> 't' AND NOT k.relname = ANY(:ignored)
)
SELECT s.nspname::text, pg_catalog.md5(pg_catalog.string_agg(l.line, ',' ORDER BY l.line COLLATE "C"))
FROM s LEFT JOIN ({_LINES}) l ON l.nsp = s.oid GROUP BY 1
""",
    names=TEXTS,
    ignored=TEXTS,
)
"""Rows: schema, and the MD5 of all that a comparison looks at in it; null of a schema without anything."""
