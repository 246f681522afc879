"""All that PostgreSQL's catalogue says of every schema of a database, table by table, and the rows in them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

_OWN = "NOT IN ('pg_catalog', 'information_schema', 'pg_toast')"
_QUERIES = {
    "column": f"""SELECT n.nspname, c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
        pg_get_expr(d.adbin, d.adrelid) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE c.relkind IN ('r', 'v', 'p') AND a.attnum > 0 AND NOT a.attisdropped AND n.nspname {_OWN}""",
    "index": f"""SELECT n.nspname, t.relname, pg_get_indexdef(x.indexrelid), x.indisvalid FROM pg_index x
        JOIN pg_class t ON t.oid = x.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace WHERE n.nspname {_OWN}""",
    "constraint": f"""SELECT n.nspname, t.relname, c.conname, pg_get_constraintdef(c.oid), c.convalidated
        FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid JOIN pg_namespace n ON n.oid = c.connamespace
        WHERE c.contype <> 'n' AND n.nspname {_OWN}""",
    "trigger": f"""SELECT n.nspname, t.relname, g.tgname FROM pg_trigger g JOIN pg_class t ON t.oid = g.tgrelid
        JOIN pg_namespace n ON n.oid = t.relnamespace WHERE NOT g.tgisinternal AND n.nspname {_OWN}""",
    "function": f"""SELECT n.nspname, '', p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE n.nspname {_OWN}""",
    "enum": f"""SELECT n.nspname, '', t.typname, array_agg(e.enumlabel ORDER BY e.enumsortorder)::text
        FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid JOIN pg_namespace n ON n.oid = t.typnamespace
        WHERE n.nspname {_OWN} GROUP BY 1, 2, 3""",
}
type Facts = set[tuple[Any, ...]]


def facts_of(connection: sa.Connection) -> Facts:
    """(kind, schema, table, ...) for every object; rows as ("row", schema, table, values); the engine's tables too."""
    if connection.dialect.name != "postgresql":
        return set()
    found: Facts = set()
    for kind, query in _QUERIES.items():
        found |= {(kind, *row) for row in connection.exec_driver_sql(query)}
    for schema, table in {(fact[1], fact[2]) for fact in found if fact[0] == "column"}:
        rows = connection.exec_driver_sql(f'SELECT * FROM "{schema}"."{table}"')
        found |= {
            ("row", schema, table, *sorted((name, repr(value)) for name, value in row._mapping.items())) for row in rows
        }
    return found


def of_users(facts: Facts) -> Facts:
    """What is not the engine's own."""
    return {fact for fact in facts if not str(fact[2]).startswith("__schema_")}


def checksums(facts: Facts) -> Facts:
    """The rows of the ledgers that say of a table that it matches."""
    return {fact for fact in facts if fact[0] == "row" and fact[2] == "__schema_versions__"}


def untrue(now: Facts, expected: Facts) -> list[object]:
    """Tables that a ledger says to be as they will be at the end, and which are not. The rows are not looked at."""
    wrong: list[object] = []
    for fact in checksums(now) & checksums(expected):
        name = dict(fact[3:])["doctype_name"].strip("'")
        shapes = [
            {one for one in facts if one[0] != "row" and one[1] == fact[1] and one[2] == name}
            for facts in (now, expected)
        ]
        if shapes[0] != shapes[1]:
            wrong.append((fact[1], name, shapes[0] ^ shapes[1]))
    return wrong
