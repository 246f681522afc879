"""Wanted tables and objects in the server's own words: they are tried and read back."""

# ruff: noqa: S608 - names are quoted, values are parameters

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.postgresql.catalog import MAIN, TEXTS, CatalogReader, text
from framework_m_migrations.adapters.sql.dialects.postgresql.expressions import canonical_expression
from framework_m_migrations.adapters.sql.dialects.postgresql.spelling import canonical_default
from framework_m_migrations.adapters.sql.dialects.postgresql.text import (
    canonical_collation,
    computed_sql,
    escaped_literal,
    execute,
    index_sql,
    parse_type,
    type_sql,
    written,
)
from framework_m_migrations.adapters.sql.dialects.postgresql.transactions import is_inside_autocommit_block, taken_back
from framework_m_migrations.adapters.sql.objects import domain_clauses, sequence_options
from framework_m_migrations.domain.schema import Check, Column, ColumnType, Index, SchemaObject, Table, TableName

_AT_ONCE = 200
"""Tables in one transaction: each locks itself, its TOAST table and its indexes."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A table to be tried: its columns, and of their defaults and computed expressions those in ``columns``.

    ``checks`` and ``indexes`` are the ones to be tried.
    """

    table: Table
    columns: tuple[Column, ...]
    checks: tuple[Check, ...]
    indexes: tuple[Index, ...]

    @property
    def is_empty(self) -> bool:
        """Nothing of the table is to be tried."""
        return not (self.columns or self.checks or self.indexes)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server made of a trial, by the place of each check and the name of each index."""

    columns: dict[str, Column]
    checks: dict[int, Check]
    indexes: dict[str, Index]


def answers(reader: CatalogReader, trials: Sequence[Trial]) -> list[Answer]:
    """The answers in order, in a constant number of statements for each 200 tables."""
    found = [Answer({}, {}, {})] * len(trials)
    rest = [place for place, trial in enumerate(trials) if not trial.is_empty]
    while rest:
        chunk = _distinct(trials, rest)
        rest = [place for place in rest if place not in chunk.values()]
        read = _tried(reader, [trials[place] for place in chunk.values()])
        for name, place in chunk.items():
            if name in read:
                found[place] = _answer(trials[place], read[name])
    return found


def _distinct(trials: Sequence[Trial], places: Sequence[int]) -> dict[str, int]:
    """As many as fit in one transaction; two tables of one name, from two schemas, do not."""
    chosen: dict[str, int] = {}
    for place in places:
        if len(chosen) < _AT_ONCE:
            chosen.setdefault(trials[place].table.name.name, place)
    return chosen


def _tried(reader: CatalogReader, trials: Sequence[Trial]) -> dict[str, Table]:
    connection = reader.connection
    body = "\n".join(_script(number, trial, reader.schema) for number, trial in enumerate(trials))
    tag = "$m_migrate$"
    while tag in body:
        tag = f"{tag[:-1]}_$"
    try:
        with taken_back(connection):
            execute(connection, f"DO {tag} BEGIN\n{body}\nEND {tag}")
            return reader.read_temporary([trial.table.name.name for trial in trials])
    except sa.exc.DBAPIError:
        if connection.invalidated:
            raise
        return {}


def _script(number: int, trial: Trial, schema: str | None) -> str:
    """PL/pgSQL that makes the table at once, and piece by piece where that is refused."""
    name = written(trial.table.name.name)
    extras = list(_extras(number, trial, f"pg_temp.{name}"))
    columns = ", ".join(_column(column, trial, schema) for column in trial.table.columns)
    whole = [f"CREATE TEMPORARY TABLE {name} ({columns})", *extras]
    alone = [f"CREATE TEMPORARY TABLE {name} ()", *_column_by_column(trial, f"pg_temp.{name}", schema), *extras]
    tries = "\n".join(f"BEGIN {_executed(piece)} EXCEPTION WHEN OTHERS THEN NULL; END;" for piece in alone)
    return f"BEGIN {' '.join(_executed(piece) for piece in whole)} EXCEPTION WHEN OTHERS THEN\n{tries}\nEND;"


def _executed(sql: str) -> str:
    return f"EXECUTE {escaped_literal(sql)};"


def _column(column: Column, trial: Trial, schema: str | None) -> str:
    parts = [written(column.name), type_sql(column.type, schema)]
    if column in trial.columns:
        if _is_computed(column) and column.generated is not None:
            parts.append(computed_sql(column.generated))
        elif (default := _default(column)) is not None:
            parts.append(f"DEFAULT {default}")
    return " ".join(parts)


def _default(column: Column) -> str | None:
    """What stands as default: the wanted one, or a fill that an earlier sync may have left, to be told by its words."""
    return column.fill if column.default is None and column.generated is None else column.default


def _is_computed(column: Column) -> bool:
    return column.generated is not None and column.generated.kind == "computed"


def _column_by_column(trial: Trial, table: str, schema: str | None) -> Iterator[str]:
    # Computed columns come last, for they stand on others.
    for column in sorted(trial.table.columns, key=_is_computed):
        if _is_computed(column):
            yield f"ALTER TABLE {table} ADD COLUMN {_column(column, trial, schema)}"
            continue
        yield f"ALTER TABLE {table} ADD COLUMN {written(column.name)} {type_sql(column.type, schema)}"
        if column in trial.columns and (default := _default(column)) is not None:
            yield f"ALTER TABLE {table} ALTER COLUMN {written(column.name)} SET DEFAULT {default}"


def _extras(number: int, trial: Trial, table: str) -> Iterator[str]:
    for place, check in enumerate(trial.checks):
        clause = check.expression if check.exclusion else f"CHECK ({check.expression})"
        yield f"ALTER TABLE {table} ADD CONSTRAINT m_migrate_c{place} {clause}"
    for place, index in enumerate(trial.indexes):
        yield index_sql(index, table, name=f"m_migrate_i{number}_{place}")


def _answer(trial: Trial, read: Table) -> Answer:
    asked = {column.name for column in trial.columns}
    checks = {check.name: check for check in read.checks}
    indexes = {index.name.rpartition("_")[2]: index for index in read.indexes}
    return Answer(
        {column.name: column for column in read.columns if column.name in asked},
        {place: checks[f"m_migrate_c{place}"] for place in range(len(trial.checks)) if f"m_migrate_c{place}" in checks},
        {index.name: indexes[str(place)] for place, index in enumerate(trial.indexes) if str(place) in indexes},
    )


# Sequences, domains and schemas as they are, and wanted domains in the server's own words.


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
    tries = [f"BEGIN {_domain_tried(name, one)} EXCEPTION WHEN OTHERS THEN NULL; END;" for name, one in named.items()]
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


def _domain_tried(name: str, domain: SchemaObject) -> str:
    return f"CREATE DOMAIN pg_temp.{name} AS {domain_clauses(dict(domain.options), written)};"


# Wanted tables in the server's own words.
#
# Only what looks different is asked about. What the server prints of an expression is not yet its last word:
# read again (by pg_dump, or when the type of a column changes) it may be printed otherwise. So what differs
# still is compared once more, in the print of each side's print.


type Pairs = Sequence[tuple[Table, Table]]


@dataclass(frozen=True, slots=True)
class _Printed:
    """A table in the server's print, and what became of the expression of each check."""

    table: Table
    expressions: Mapping[str, str]


def normalise(reader: CatalogReader, pairs: Pairs) -> list[Table]:
    """See Inspector.normalise. Takes a constant number of statements for each 200 tables."""
    if is_inside_autocommit_block(reader.connection):
        return [wanted for wanted, _ in pairs]
    first = [printed.table for printed in _asked(reader, pairs)]
    doubtful = [place for place, (_, actual) in enumerate(pairs) if not _trial(first[place], actual).is_empty]
    if doubtful:
        again: Pairs = [(first[place], pairs[place][1]) for place in doubtful]
        for place, settled in zip(doubtful, _settled(reader, again), strict=True):
            first[place] = settled
    return first


def _asked(reader: CatalogReader, pairs: Pairs) -> list[_Printed]:
    trials = [_trial(wanted, actual) for wanted, actual in pairs]
    found = answers(reader, trials)
    return [_table_respelt(trial, answer) for trial, answer in zip(trials, found, strict=True)]


def _settled(reader: CatalogReader, pairs: Pairs) -> list[Table]:
    """The wanted tables, with the actual spelling wherever the prints of both prints are the same."""
    again = _asked(reader, pairs)
    # The actual expressions over the wanted types: what they will be once the types are changed.
    reverse = [(_with_types(actual, wanted), wanted) for wanted, actual in pairs]
    actual_again = _asked(reader, reverse)
    return [
        _closest(wanted, actual, wanted_print, actual_print)
        for (wanted, actual), wanted_print, actual_print in zip(pairs, again, actual_again, strict=True)
    ]


def _with_types(table: Table, other: Table) -> Table:
    types = {column.name: column.type for column in other.columns}
    columns = tuple(replace(column, type=types.get(column.name, column.type)) for column in table.columns)
    return replace(table, columns=columns)


def _trial(wanted: Table, actual: Table) -> Trial:
    before = {column.name: column for column in actual.columns}
    expressions = {check.expression for check in actual.checks}
    indexes = {index.name: index for index in actual.indexes}
    return Trial(
        wanted,
        tuple(c for c in wanted.columns if c.name in before and _differs(c, before[c.name])),
        tuple(check for check in wanted.checks if check.expression not in expressions),
        tuple(i for i in wanted.indexes if i.name in indexes and i != replace(indexes[i.name], valid=i.valid)),
    )


def _differs(wanted: Column, actual: Column) -> bool:
    return wanted.type != actual.type or wanted.default != actual.default or wanted.generated != actual.generated


def _table_respelt(trial: Trial, answer: Answer) -> _Printed:
    table = trial.table
    expressions = {trial.checks[place].expression: check.expression for place, check in answer.checks.items()}
    printed = replace(
        table,
        columns=tuple(_column_respelt(column, answer.columns.get(column.name)) for column in table.columns),
        checks=_checks(table.checks, expressions),
        indexes=tuple(
            replace(answer.indexes.get(index.name, index), name=index.name, native=index.native)
            for index in table.indexes
        ),
    )
    return _Printed(printed, expressions)


def _checks(checks: Sequence[Check], expressions: Mapping[str, str]) -> tuple[Check, ...]:
    respelt = (replace(check, expression=expressions.get(check.expression, check.expression)) for check in checks)
    return tuple(sorted(respelt, key=lambda check: (check.name or "", check.expression)))


def _column_respelt(wanted: Column, answer: Column | None) -> Column:
    if answer is None:
        return wanted
    generated, default, fill = wanted.generated, wanted.default, wanted.fill
    if answer.generated is not None and generated is not None and answer.generated.kind == generated.kind == "computed":
        generated = answer.generated
    if default is not None and answer.default is not None:
        default = answer.default
    elif fill is not None and answer.default is not None:
        fill = answer.default
    type_ = replace(answer.type, native=wanted.type.native)
    return replace(wanted, type=type_, default=default, fill=fill, generated=generated)


def _closest(wanted: Table, actual: Table, wanted_print: _Printed, actual_print: _Printed) -> Table:
    """``wanted`` with the parts of ``actual`` that are the same in any of their prints."""
    columns = {column.name: (column, actual_print.table.column(column.name)) for column in actual.columns}
    forms = {actual_print.expressions.get(c.expression, c.expression): c.expression for c in actual.checks}
    forms |= {check.expression: check.expression for check in actual.checks}
    expressions: dict[str, str] = {}
    for check in wanted.checks:
        mine = (check.expression, wanted_print.expressions.get(check.expression, check.expression))
        expressions[check.expression] = next((forms[form] for form in mine if form in forms), check.expression)
    return replace(
        wanted,
        columns=tuple(
            _closest_column(column, wanted_print.table.column(column.name), *columns.get(column.name, (None, None)))
            for column in wanted.columns
        ),
        checks=_checks(wanted.checks, expressions),
        indexes=tuple(
            _closest_index(index, actual, wanted_print.table, actual_print.table) for index in wanted.indexes
        ),
    )


def _closest_column(wanted: Column, again: Column | None, actual: Column | None, actual_again: Column | None) -> Column:
    if again is None or actual is None or actual_again is None:
        return wanted
    if {wanted.default, again.default} & {actual.default, actual_again.default} and wanted.generated is None:
        wanted = replace(wanted, default=actual.default)
    elif wanted.default is None and {wanted.fill, again.fill} & {actual.default, actual_again.default} - {None}:
        wanted = replace(wanted, fill=actual.default)
    if {wanted.generated, again.generated} & {actual.generated, actual_again.generated} - {None}:
        wanted = replace(wanted, generated=actual.generated)
    return wanted


def _closest_index(index: Index, actual: Table, wanted_print: Table, actual_print: Table) -> Index:
    def named(table: Table) -> list[Index]:
        return [replace(item, valid=True) for item in table.indexes if item.name == index.name]

    forms = [replace(index, valid=True), *named(wanted_print)]
    theirs = [*named(actual), *named(actual_print)]
    if any(form in theirs for form in forms):
        return replace(theirs[0], native=index.native)
    return index
