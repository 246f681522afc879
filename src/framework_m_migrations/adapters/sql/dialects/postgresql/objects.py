"""Sequences, domains and schemas as they are, and wanted domains in the server's own words."""

# ruff: noqa: S608 - names are quoted, values are parameters

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.postgresql.expressions import canonical_expression
from framework_m_migrations.adapters.sql.dialects.postgresql.identifiers import written
from framework_m_migrations.adapters.sql.dialects.postgresql.queries import MAIN, TEXTS, text
from framework_m_migrations.adapters.sql.dialects.postgresql.settings import is_inside_autocommit_block, taken_back
from framework_m_migrations.adapters.sql.dialects.postgresql.spelling import canonical_default
from framework_m_migrations.adapters.sql.dialects.postgresql.typenames import canonical_collation, parse_type
from framework_m_migrations.adapters.sql.dialects.postgresql.writing import execute
from framework_m_migrations.adapters.sql.object_options import domain_clauses, sequence_options
from framework_m_migrations.domain.schema import ColumnType, SchemaObject, TableName

_DOMAIN = """
SELECT 'domain', n.nspname::text, n.nspname = {main}, t.typname::text, pg_catalog.json_build_object(
    'type', pg_catalog.format_type(t.typbasetype, t.typtypmod),
    'collation', CASE WHEN t.typcollation <> b.typcollation THEN pg_catalog.quote_ident(l.collname) END,
    'default', t.typdefault, 'not_null', t.typnotnull,
    'checks', (SELECT pg_catalog.json_object_agg(k.conname, pg_catalog.pg_get_expr(k.conbin, 0))
               FROM pg_catalog.pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c'))::text
FROM pg_catalog.pg_type t
JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
JOIN pg_catalog.pg_type b ON b.oid = t.typbasetype
LEFT JOIN pg_catalog.pg_collation l ON l.oid = t.typcollation
WHERE t.typtype = 'd' AND t.typname = ANY(:names) AND {place}"""

_OBJECTS = text(
    f"""
SELECT 'schema', n.nspname::text, false, n.nspname::text, NULL
FROM pg_catalog.pg_namespace n WHERE n.nspname = ANY(:names)
UNION ALL
SELECT 'sequence', n.nspname::text, n.nspname = {MAIN}, c.relname::text, pg_catalog.json_build_object(
    'as', pg_catalog.format_type(s.seqtypid, NULL), 'start', s.seqstart, 'increment', s.seqincrement,
    'minimum', s.seqmin, 'maximum', s.seqmax, 'cycle', s.seqcycle, 'cache', s.seqcache)::text
FROM pg_catalog.pg_sequence s
JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = ANY(:names) AND (n.nspname = ANY(:others) OR n.nspname = {MAIN})
UNION ALL
{_DOMAIN.format(main=MAIN, place=f"(n.nspname = ANY(:others) OR n.nspname = {MAIN})")}""",
    main=sa.Text(),
    names=TEXTS,
    others=TEXTS,
)
_TRIED = text(_DOMAIN.format(main="''", place="n.oid = pg_catalog.pg_my_temp_schema()"), names=TEXTS)


def objects(
    connection: sa.Connection, wanted: Sequence[SchemaObject], *, schema: str | None
) -> Sequence[tuple[SchemaObject, SchemaObject | None]]:
    """See Inspector.objects.

    Args:
        connection: to read through.
        wanted: the objects.
        schema: the session's, None for the connection's own.
    """
    if not wanted:
        return []
    given = {
        "main": schema,
        "names": sorted({one.name.name for one in wanted}),
        "others": sorted({one.name.schema for one in wanted if one.name.schema is not None}),
    }
    found = {
        (kind, TableName(name, None if is_main or kind == "schema" else place)): _options(kind, says)
        for kind, place, is_main, name, says in connection.execute(_OBJECTS, given)
    }
    pairs = [(one, found.get((one.kind, one.name))) for one in wanted]
    different = [one for one, options in pairs if one.kind == "domain" and options not in {None, one.options}]
    respelt = _respelt(connection, different)
    return [
        (respelt.get(one, one), None if options is None else replace(one, options=options, native=None))
        for one, options in pairs
    ]


def _options(kind: str, says: str | None) -> tuple[tuple[str, str], ...]:
    given: dict[str, Any] = json.loads(says) if says else {}
    match kind:
        case "sequence":
            base = given.pop("as")
            return (*(() if base == "bigint" else (("as", base),)), *sequence_options(base, **given))
        case "domain":
            return tuple(sorted(_domain(given)))
        case _:
            return ()


def _domain(given: dict[str, Any]) -> Iterator[tuple[str, str]]:
    parsed = parse_type(given["type"])
    collation = f" COLLATE {canonical_collation(given['collation'])}" if given["collation"] else ""
    yield "type", parsed.spelling + collation
    if given["default"] is not None:
        default = canonical_default(given["default"], ColumnType(parsed.spelling, parsed.base, parsed.length))
        if default is not None:
            yield "default", default
    if given["not_null"]:
        yield "not_null", "true"
    for name, check in (given["checks"] or {}).items():
        yield f"check.{name}", canonical_expression(check)


def _respelt(connection: sa.Connection, wanted: Sequence[SchemaObject]) -> dict[SchemaObject, SchemaObject]:
    """Domains as the server prints them: made as temporary ones, in a transaction that is rolled back."""
    if not wanted or is_inside_autocommit_block(connection):
        return {}
    named = {f"m_migrate_d{number}": one for number, one in enumerate(wanted)}
    tries = [f"BEGIN {_tried(name, one)} EXCEPTION WHEN OTHERS THEN NULL; END;" for name, one in named.items()]
    body, tag = "\n".join(tries), "$m_migrate$"
    while tag in body:
        tag = f"{tag[:-1]}_$"
    try:
        with taken_back(connection):
            execute(connection, f"DO {tag} BEGIN\n{body}\nEND {tag}")
            rows = connection.execute(_TRIED, {"names": list(named)}).all()
    except sa.exc.DBAPIError:
        if connection.invalidated:
            raise
        return {}
    return {named[name]: replace(named[name], options=_options(kind, says)) for kind, _, _, name, says in rows}


def _tried(name: str, domain: SchemaObject) -> str:
    return f"CREATE DOMAIN pg_temp.{name} AS {domain_clauses(dict(domain.options), written)};"
