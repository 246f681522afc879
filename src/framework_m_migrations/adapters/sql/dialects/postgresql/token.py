"""One short text that changes with every DDL statement."""

# ruff: noqa: S608 - names are quoted, values are parameters or quoted literals

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.postgresql.queries import IN_SCHEMAS, MAIN, TEXTS, text

# Rows of pg_class are told by name and options, not by xmin: TRUNCATE, GRANT and VACUUM FULL rewrite them, and
# ANALYZE changes them in place. In all others a changed row is a new row with the xmin of who changed it.
_PARTS = (
    ("pg_attribute", "JOIN c ON c.oid = x.attrelid AND c.relkind IN ('r', 'p', 'f', 'c') WHERE x.attnum > 0"),
    ("pg_index", "JOIN c ON c.oid = x.indrelid"),
    ("pg_constraint", "JOIN c ON c.oid = x.conrelid"),
    ("pg_attrdef", "JOIN c ON c.oid = x.adrelid"),
    ("pg_description", "JOIN c ON c.oid = x.objoid AND x.classoid = 'pg_catalog.pg_class'::regclass"),
    ("pg_sequence", "JOIN c ON c.oid = x.seqrelid"),
    ("pg_type", "JOIN s ON s.oid = x.typnamespace WHERE x.typtype IN ('e', 'd')"),
    ("pg_enum", "JOIN pg_catalog.pg_type y ON y.oid = x.enumtypid JOIN s ON s.oid = y.typnamespace"),
)


def _part(table: str, rest: str) -> str:
    return f"(SELECT count(*) || '.' || COALESCE(sum(x.xmin::text::bigint), 0) FROM pg_catalog.{table} x {rest})"


_TOKEN = text(
    f"""
WITH s AS MATERIALIZED (SELECT n.oid FROM pg_catalog.pg_namespace n WHERE {IN_SCHEMAS}),
c AS MATERIALIZED (
  SELECT k.oid, k.relkind,
         pg_catalog.hashtextextended(
           pg_catalog.concat_ws(' ', k.relname, k.relkind, k.relpersistence, k.relispartition, k.reloptions),
           k.oid::bigint) AS mark
  FROM pg_catalog.pg_class k JOIN s ON s.oid = k.relnamespace
  LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = k.oid
  LEFT JOIN pg_catalog.pg_class o ON o.oid = i.indrelid
  WHERE NOT COALESCE(o.relname, k.relname) = ANY(:ignored) AND k.relpersistence <> 't'
)
SELECT pg_catalog.concat_ws('-', {MAIN}, (SELECT count(*) || '.' || COALESCE(sum(mark), 0) FROM c),
  {", ".join(_part(table, rest) for table, rest in _PARTS)})
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
