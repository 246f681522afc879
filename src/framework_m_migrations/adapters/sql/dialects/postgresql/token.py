"""One short text that changes with every DDL statement."""

# ruff: noqa: S608 - names are quoted, values are parameters or quoted literals

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.postgresql.queries import IN_SCHEMAS, MAIN, TEXTS, text

# Rows of pg_class are told by name and options, not by xmin: TRUNCATE, GRANT and VACUUM FULL rewrite them, and
# ANALYZE changes them in place. In all others a changed row is a new row with the xmin of who changed it.
PARTS = (
    ("pg_attribute", "JOIN c ON c.oid = x.attrelid AND c.relkind IN ('r', 'p', 'f', 'c') WHERE x.attnum > 0"),
    ("pg_index", "JOIN c ON c.oid = x.indrelid"),
    ("pg_constraint", "JOIN c ON c.oid = x.conrelid"),
    ("pg_attrdef", "JOIN c ON c.oid = x.adrelid"),
    ("pg_description", "JOIN c ON c.oid = x.objoid AND x.classoid = 'pg_catalog.pg_class'::regclass"),
    ("pg_sequence", "JOIN c ON c.oid = x.seqrelid"),
    ("pg_rewrite", "JOIN c ON c.oid = x.ev_class"),
    ("pg_trigger", "JOIN c ON c.oid = x.tgrelid WHERE NOT x.tgisinternal"),
    ("pg_proc", "JOIN s ON s.oid = x.pronamespace"),
    ("pg_type", "JOIN s ON s.oid = x.typnamespace WHERE x.typtype IN ('e', 'd')"),
    ("pg_enum", "JOIN pg_catalog.pg_type y ON y.oid = x.enumtypid JOIN s ON s.oid = y.typnamespace"),
)


def _part(table: str, rest: str) -> str:
    return f"(SELECT count(*) || '.' || COALESCE(sum(x.xmin::text::bigint), 0) FROM pg_catalog.{table} x {rest})"


# The name and the options of a relation, as one number.
MARK = """pg_catalog.hashnameextended({0}.relname, {0}.oid::bigint)::numeric
         + CASE WHEN {0}.reloptions IS NULL THEN 0 ELSE pg_catalog.hashtext({0}.reloptions::text) END"""
RELATIONS = f"""{MARK.format("k")} + pg_catalog.ascii(k.relkind::text) + k.relispartition::int AS mark
  FROM pg_catalog.pg_class k JOIN s ON s.oid = k.relnamespace
  WHERE k.relkind NOT IN ('i', 'I') AND k.relpersistence <> 't' AND NOT k.relname = ANY(:ignored)"""
"""The relations of the schemas in ``s``, as the end of a query. tenants.py makes the same tokens for many schemas."""
_TOKEN = text(
    f"""
WITH s AS MATERIALIZED (SELECT n.oid FROM pg_catalog.pg_namespace n WHERE {IN_SCHEMAS}),
c AS MATERIALIZED (
  SELECT k.oid, k.relkind, {RELATIONS}
)
SELECT pg_catalog.concat_ws('-', {MAIN}, (SELECT count(*) || '.' || COALESCE(sum(mark), 0) FROM c),
  (SELECT count(*) || '.' || COALESCE(sum({MARK.format("k")}), 0)
   FROM pg_catalog.pg_index x JOIN c ON c.oid = x.indrelid JOIN pg_catalog.pg_class k ON k.oid = x.indexrelid),
  {", ".join(_part(table, rest) for table, rest in PARTS)})
""",
    main=sa.Text(),
    others=TEXTS,
    ignored=TEXTS,
)


def catalog_token(
    connection: sa.Connection, *, schema: str | None, also: Collection[str], ignored: Collection[str]
) -> str | None:
    """The token of the session's schema and those looked at beside it; tables named in ``ignored`` do not count."""
    parameters = {"main": schema, "others": sorted(also), "ignored": sorted(ignored)}
    value = connection.execute(_TOKEN, parameters).scalar_one()
    return None if value is None else str(value)
