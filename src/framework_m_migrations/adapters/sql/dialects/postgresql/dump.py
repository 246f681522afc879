"""What PostgreSQL says of its objects (format_type, pg_get_constraintdef and their kind), and scratch databases.

Each object is read as the statement that creates it: the dump compares these statements, the copy runs them.
"""

# ruff: noqa: S608 - the queries are put together from constants of this module

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.postgresql.text import escaped_literal, quote
from framework_m_migrations.domain.defined import Definition, Dump
from framework_m_migrations.domain.schema import TableName

_IN_SCHEMAS = "n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'"
_NOT_OF_EXTENSION = (
    "NOT EXISTS (SELECT 1 FROM pg_depend e WHERE e.classid = '{0}'::regclass AND e.objid = {1}.oid AND e.deptype = 'e')"
)
_QUALIFIED = "quote_ident(n.nspname) || '.' || quote_ident({0})"
_SHOWN = "CASE WHEN n.nspname = current_schema() THEN '' ELSE n.nspname || '.' END || {0}"
_SEQUENCE = (
    "' INCREMENT BY ' || s.seqincrement || ' MINVALUE ' || s.seqmin || ' MAXVALUE ' || s.seqmax || ' START WITH ' "
    "|| s.seqstart || ' CACHE ' || s.seqcache || CASE WHEN s.seqcycle THEN ' CYCLE' ELSE '' END"
)
_TABLE_KINDS = "('r', 'p')"

_EXTENSIONS = """
SELECT e.extname::text, 'CREATE EXTENSION IF NOT EXISTS ' || quote_ident(e.extname) || ' SCHEMA '
       || quote_ident(n.nspname)
FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname <> 'plpgsql' ORDER BY e.oid"""
_SCHEMAS = f"""
SELECT n.nspname::text, 'CREATE SCHEMA IF NOT EXISTS ' || quote_ident(n.nspname) FROM pg_namespace n
WHERE {_IN_SCHEMAS} AND {_NOT_OF_EXTENSION.format("pg_namespace", "n")} ORDER BY n.nspname"""
_TYPES = f"""
SELECT {_SHOWN.format("t.typname")}, CASE t.typtype
  WHEN 'e' THEN 'CREATE TYPE ' || {_QUALIFIED.format("t.typname")} || ' AS ENUM (' || COALESCE(
    (SELECT string_agg(quote_literal(l.enumlabel), ', ' ORDER BY l.enumsortorder)
     FROM pg_enum l WHERE l.enumtypid = t.oid), '') || ')'
  WHEN 'd' THEN 'CREATE DOMAIN ' || {_QUALIFIED.format("t.typname")} || ' AS '
    || format_type(t.typbasetype, t.typtypmod) || COALESCE(' DEFAULT ' || t.typdefault, '')
    || CASE WHEN t.typnotnull THEN ' NOT NULL' ELSE '' END || COALESCE(
    (SELECT string_agg(' CONSTRAINT ' || quote_ident(k.conname) || ' ' || pg_get_constraintdef(k.oid), ''
                       ORDER BY k.conname) FROM pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c'), '')
  WHEN 'c' THEN 'CREATE TYPE ' || {_QUALIFIED.format("t.typname")} || ' AS (' || COALESCE(
    (SELECT string_agg(quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod), ', ' ORDER BY a.attnum)
     FROM pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped), '') || ')'
  ELSE 'CREATE TYPE ' || {_QUALIFIED.format("t.typname")} END
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_class c ON c.oid = t.typrelid
WHERE {_IN_SCHEMAS} AND (t.typtype IN ('e', 'd', 'r') OR (t.typtype = 'c' AND c.relkind = 'c'))
  AND {_NOT_OF_EXTENSION.format("pg_type", "t")} ORDER BY t.oid"""
_SEQUENCES = f"""
SELECT {_SHOWN.format("c.relname")}, 'CREATE SEQUENCE ' || {_QUALIFIED.format("c.relname")} || ' AS '
       || format_type(s.seqtypid, NULL) || {_SEQUENCE}
FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE {_IN_SCHEMAS} AND {_NOT_OF_EXTENSION.format("pg_class", "c")} AND NOT EXISTS (
  SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'i')
ORDER BY c.oid"""
_OWNERS = f"""
SELECT {_SHOWN.format("c.relname")}, 'ALTER SEQUENCE ' || {_QUALIFIED.format("c.relname")} || ' OWNED BY '
       || quote_ident(tn.nspname) || '.' || quote_ident(t.relname) || '.' || quote_ident(a.attname)
FROM pg_depend d JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'S' JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_class t ON t.oid = d.refobjid JOIN pg_namespace tn ON tn.oid = t.relnamespace
JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype = 'a' AND {_IN_SCHEMAS}
ORDER BY c.oid"""
_FUNCTIONS = f"""
SELECT {_SHOWN.format("p.proname")} || '(' || pg_get_function_identity_arguments(p.oid) || ')',
       pg_get_functiondef(p.oid)
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE {_IN_SCHEMAS} AND p.prokind IN ('f', 'p') AND {_NOT_OF_EXTENSION.format("pg_proc", "p")} ORDER BY p.oid"""
_TABLES = f"""
SELECT c.oid::bigint, {_SHOWN.format("c.relname")}, {_QUALIFIED.format("c.relname")}, c.relpersistence::text,
       CASE WHEN c.relispartition THEN (
         SELECT quote_ident(pn.nspname) || '.' || quote_ident(p.relname) FROM pg_inherits h
         JOIN pg_class p ON p.oid = h.inhparent JOIN pg_namespace pn ON pn.oid = p.relnamespace
         WHERE h.inhrelid = c.oid) END,
       pg_get_expr(c.relpartbound, c.oid), CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END,
       array_to_string(c.reloptions, ', '), obj_description(c.oid, 'pg_class')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN {_TABLE_KINDS} AND {_IN_SCHEMAS} AND {_NOT_OF_EXTENSION.format("pg_class", "c")} ORDER BY c.oid"""
_COLUMNS = f"""
SELECT a.attrelid::bigint, a.attname::text, quote_ident(a.attname), format_type(a.atttypid, a.atttypmod)
  || COALESCE((SELECT ' COLLATE ' || quote_ident(ln.nspname) || '.' || quote_ident(l.collname) FROM pg_collation l
               JOIN pg_namespace ln ON ln.oid = l.collnamespace JOIN pg_type t ON t.oid = a.atttypid
               WHERE l.oid = a.attcollation AND l.oid <> t.typcollation), '')
  || CASE WHEN a.attgenerated <> '' THEN ' GENERATED ALWAYS AS (' || pg_get_expr(d.adbin, d.adrelid) || ')'
                 || CASE a.attgenerated WHEN 's' THEN ' STORED' ELSE ' VIRTUAL' END
          WHEN a.attidentity <> '' THEN ' GENERATED ' || CASE a.attidentity WHEN 'a' THEN 'ALWAYS' ELSE 'BY DEFAULT' END
                 || ' AS IDENTITY' || COALESCE((SELECT ' (' || {_SEQUENCE} || ')' FROM pg_depend o
                    JOIN pg_sequence s ON s.seqrelid = o.objid
                    WHERE o.refobjid = a.attrelid AND o.refobjsubid = a.attnum AND o.deptype = 'i'
                      AND o.classid = 'pg_class'::regclass), '')
          ELSE COALESCE(' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), '') END
  || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END, col_description(a.attrelid, a.attnum)
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE c.relkind IN {_TABLE_KINDS} AND {_IN_SCHEMAS} AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum"""
_CONSTRAINTS = f"""
SELECT k.conrelid::bigint, quote_ident(k.conname), pg_get_constraintdef(k.oid), obj_description(k.oid, 'pg_constraint')
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN {_TABLE_KINDS} AND {_IN_SCHEMAS} AND k.contype IN ('p', 'u', 'c', 'x', 'f') AND k.conparentid = 0
  AND k.conislocal AND {_NOT_OF_EXTENSION.format("pg_class", "c")}
ORDER BY k.contype = 'f', k.contype <> 'p', k.oid"""
_INDEXES = f"""
SELECT {_SHOWN.format("c.relname")},
       CASE c.relkind WHEN 'I' THEN regexp_replace(pg_get_indexdef(i.indexrelid), ' ON ONLY ', ' ON ')
                      ELSE pg_get_indexdef(i.indexrelid) END
       || CASE WHEN i.indisvalid THEN '' ELSE ' -- invalid' END,
       {_QUALIFIED.format("c.relname")}, obj_description(c.oid, 'pg_class')
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_class t ON t.oid = i.indrelid
WHERE {_IN_SCHEMAS} AND t.relkind IN ('r', 'p', 'm') AND {_NOT_OF_EXTENSION.format("pg_class", "t")}
  AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
  AND NOT EXISTS (SELECT 1 FROM pg_inherits h WHERE h.inhrelid = i.indexrelid)
ORDER BY i.indexrelid"""
_VIEWS = f"""
SELECT {_SHOWN.format("c.relname")}, 'CREATE ' || CASE c.relkind WHEN 'm' THEN 'MATERIALIZED VIEW ' ELSE 'VIEW ' END
       || {_QUALIFIED.format("c.relname")} || ' AS ' || pg_get_viewdef(c.oid)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('v', 'm') AND {_IN_SCHEMAS} AND {_NOT_OF_EXTENSION.format("pg_class", "c")} ORDER BY c.oid"""
_TRIGGERS = f"""
SELECT {_SHOWN.format("c.relname")} || ' ' || g.tgname, pg_get_triggerdef(g.oid)
FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE NOT g.tgisinternal AND g.tgparentid = 0 AND {_IN_SCHEMAS} ORDER BY g.oid"""
_ENCODING = """
SELECT pg_encoding_to_char(d.encoding), quote_literal(d.datcollate), quote_literal(d.datctype)
FROM pg_database d WHERE d.datname = current_database()"""
_DROPPED = f"""
SELECT 'DROP ' || CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
       ELSE 'TABLE' END || ' IF EXISTS ' || {_QUALIFIED.format("c.relname")} || ' CASCADE'
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S') AND {_IN_SCHEMAS} AND {_NOT_OF_EXTENSION.format("pg_class", "c")}
  AND NOT EXISTS (SELECT 1 FROM pg_depend i
                  WHERE i.classid = 'pg_class'::regclass AND i.objid = c.oid AND c.relkind = 'S' AND i.deptype = 'i')
UNION ALL
SELECT 'DROP ROUTINE IF EXISTS ' || p.oid::regprocedure || ' CASCADE'
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE {_IN_SCHEMAS} AND {_NOT_OF_EXTENSION.format("pg_proc", "p")}
UNION ALL
SELECT 'DROP ' || CASE t.typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END || ' IF EXISTS '
       || {_QUALIFIED.format("t.typname")} || ' CASCADE'
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_class c ON c.oid = t.typrelid
WHERE {_IN_SCHEMAS} AND (t.typtype IN ('e', 'd', 'r') OR (t.typtype = 'c' AND c.relkind = 'c'))
  AND {_NOT_OF_EXTENSION.format("pg_type", "t")}
UNION ALL
SELECT 'DROP SCHEMA IF EXISTS ' || quote_ident(n.nspname) || ' CASCADE' FROM pg_namespace n
WHERE {_IN_SCHEMAS} AND n.nspname <> 'public' AND {_NOT_OF_EXTENSION.format("pg_namespace", "n")}"""


@dataclass(frozen=True, slots=True)
class _Object:
    """A statement that creates something, and where the dump has it: in an entry, as a column of it or beside them."""

    entry: str
    sql: str
    column: tuple[str, str] | None = None
    text: str | None = None


class PostgresqlRehearsal:
    """Implements dialects.base.Rehearsal."""

    title = "PostgreSQL"

    def url(self, folder: Path) -> None:
        """See Rehearsal."""
        del folder

    def product(self, connection: sa.Connection) -> str:
        """See Rehearsal."""
        version: tuple[int, ...] = tuple(getattr(connection.dialect, "server_version_info", None) or ())
        return f"PostgreSQL {'.'.join(str(part) for part in version[:2])}"

    def make(self, connection: sa.Connection, name: str) -> None:
        """See Rehearsal. The template is the one to which nobody connects."""
        encoding, collate, ctype = _rows(connection, _ENCODING)[0]
        _run(
            connection,
            f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LC_COLLATE {collate} LC_CTYPE {ctype}",
        )

    def drop(self, connection: sa.Connection, name: str) -> None:
        """See Rehearsal."""
        _run(connection, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def clear(self, connection: sa.Connection) -> None:
        """See Rehearsal."""
        for (sql,) in _rows(connection, _DROPPED):
            _run(connection, str(sql))

    def schema(self, connection: sa.Connection, name: str) -> None:
        """See Rehearsal."""
        _run(connection, f"CREATE SCHEMA IF NOT EXISTS {quote(name)}")

    def copy(self, source: sa.Connection, target: sa.Connection) -> tuple[str, ...]:
        """See Rehearsal. What refers to something that comes later is tried again after it."""
        _run(target, "SET check_function_bodies = off")
        _run(target, "SET synchronous_commit = off")
        waiting = list(_objects(source))
        while True:
            failed = [(one, reason) for one in waiting if (reason := _refusal(target, one.sql)) is not None]
            if not failed or len(failed) == len(waiting):
                return tuple(f"{one.entry}: {reason}" for one, reason in failed)
            waiting = [one for one, _ in failed]

    def dump(self, connection: sa.Connection) -> Dump:
        """See Rehearsal."""
        columns: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
        rest: defaultdict[str, list[str]] = defaultdict(list)
        for one in _objects(connection, single=True):
            if one.column is not None:
                columns[one.entry].append(one.column)
            else:
                rest[one.entry].append(one.text or one.sql)
        return {
            entry: Definition(tuple(columns[entry]), tuple(sorted(rest[entry])))
            for entry in dict.fromkeys((*columns, *rest))
        }

    def rows(self, connection: sa.Connection, table: TableName) -> list[dict[str, object]]:
        """See Rehearsal. As JSON, in which the server writes every type without losing a digit."""
        name = ".".join(quote(part) for part in (table.schema, table.name) if part is not None)
        rows = _run(connection, f"SELECT to_jsonb(t)::text FROM {name} t").scalars()
        return [json.loads(row, parse_float=str) for row in rows]


def _run(connection: sa.Connection, sql: str) -> sa.CursorResult[Any]:
    """As it is: with parameters, be it none, a percent sign would be the driver's own."""
    return connection.exec_driver_sql(sql, execution_options={"no_parameters": True})


def _rows(connection: sa.Connection, sql: str) -> Sequence[Any]:
    return _run(connection, sql).all()


def _refusal(connection: sa.Connection, sql: str) -> str | None:
    try:
        _run(connection, sql)
    except sa.exc.DBAPIError as error:
        return " ".join(str(error.orig).split())
    return None


def _objects(connection: sa.Connection, *, single: bool = False) -> Iterator[_Object]:
    """Every object in an order in which most can be created.

    Args:
        connection: to read through.
        single: give the columns of a table one by one, for the dump.
    """
    for kind, query in (
        ("extension", _EXTENSIONS),
        ("schema", _SCHEMAS),
        ("type", _TYPES),
        ("sequence", _SEQUENCES),
        ("function", _FUNCTIONS),
    ):
        for name, sql in _rows(connection, query):
            yield _Object(f"{kind} {name}", sql)
    yield from _tables(connection, single=single)
    for name, sql in _rows(connection, _OWNERS):
        yield _Object(f"sequence {name}", sql)
    for name, sql, qualified, comment in _rows(connection, _INDEXES):
        yield _Object(f"index {name}", sql)
        yield from _comment(f"index {name}", f"INDEX {qualified}", comment)
    for name, sql in _rows(connection, _VIEWS):
        yield _Object(f"view {name}", sql)
    for name, sql in _rows(connection, _TRIGGERS):
        yield _Object(f"trigger {name}", sql)


def _tables(connection: sa.Connection, *, single: bool) -> Iterator[_Object]:
    columns: defaultdict[int, list[Any]] = defaultdict(list)
    for row in _rows(connection, _COLUMNS):
        columns[row[0]].append(row)
    constraints = _rows(connection, _CONSTRAINTS)
    named: dict[int, tuple[str, str]] = {}
    for oid, shown, qualified, persistence, parent, bound, key, options, comment in _rows(connection, _TABLES):
        entry = f"table {shown}"
        named[oid] = entry, qualified
        body = ", ".join(f"{row[2]} {row[3]}" for row in columns[oid])
        head = "CREATE UNLOGGED TABLE" if persistence == "u" else "CREATE TABLE"
        after = f" PARTITION BY {key}" if key else ""
        after += f" WITH ({options})" if options else ""
        inner = f" PARTITION OF {parent} {bound}" if parent else f" ({body})"
        if single:
            yield _Object(entry, "", text=f"{head}{f' PARTITION OF {parent} {bound}' if parent else ''}{after}")
            for row in columns[oid]:
                yield _Object(entry, "", column=(row[1], row[3]))
        else:
            yield _Object(entry, f"{head} {qualified}{inner}{after}")
        yield from _comment(entry, f"TABLE {qualified}", comment)
        for row in columns[oid]:
            yield from _comment(entry, f"COLUMN {qualified}.{row[2]}", row[4])
    for oid, name, definition, comment in constraints:
        if oid in named:
            entry, qualified = named[oid]
            text = f"CONSTRAINT {name} {definition}"
            yield _Object(entry, f"ALTER TABLE {qualified} ADD {text}", text=text)
            yield from _comment(entry, f"CONSTRAINT {name} ON {qualified}", comment)


def _comment(entry: str, subject: str, comment: str | None) -> Iterator[_Object]:
    if comment is not None:
        yield _Object(entry, f"COMMENT ON {subject} IS {escaped_literal(comment)}")
