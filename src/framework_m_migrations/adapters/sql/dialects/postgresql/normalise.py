"""Wanted tables in the server's own words: it is given them as temporary tables, read back, and takes them away.

Only what looks different is given. What the server refuses (a type or function that does not exist yet, a server that
cannot be written) stays as it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.postgresql.catalog import CatalogReader
from framework_m_migrations.adapters.sql.dialects.postgresql.identifiers import written
from framework_m_migrations.adapters.sql.dialects.postgresql.settings import (
    is_inside_autocommit_block,
    taken_back,
)
from framework_m_migrations.adapters.sql.dialects.postgresql.writing import computed_sql, execute, index_sql, type_sql
from framework_m_migrations.domain.schema import Check, Column, Index, Table

_AT_ONCE = 200
"""Tables in one transaction: each locks itself, its TOAST table and its indexes."""


@dataclass(frozen=True, slots=True)
class _Suspect:
    """What of one wanted table differs from the actual one, with the names it gets in the trial."""

    place: int
    wanted: Table
    columns: tuple[Column, ...]
    checks: tuple[Check, ...]
    indexes: tuple[Index, ...]

    @property
    def worth_asking(self) -> bool:
        return bool(self.columns or self.checks or self.indexes)


def normalise(reader: CatalogReader, pairs: Sequence[tuple[Table, Table]]) -> list[Table]:
    """See Inspector.normalise. Takes a constant number of statements for each 200 tables."""
    suspects = [_suspect(place, wanted, actual) for place, (wanted, actual) in enumerate(pairs)]
    result = [wanted for wanted, _ in pairs]
    asked = [suspect for suspect in suspects if suspect.worth_asking]
    if is_inside_autocommit_block(reader.connection):
        return result
    while asked:
        chunk = _distinct(asked)
        asked = [suspect for suspect in asked if suspect not in chunk]
        for suspect, answer in zip(chunk, _answers(reader, chunk), strict=True):
            if answer is not None:
                result[suspect.place] = _respelt(suspect, answer)
    return result


def _distinct(suspects: Sequence[_Suspect]) -> list[_Suspect]:
    """As many as fit in one transaction; two tables of one name, from two schemas, do not."""
    chosen: dict[str, _Suspect] = {}
    for suspect in suspects:
        if len(chosen) < _AT_ONCE:
            chosen.setdefault(suspect.wanted.name.name, suspect)
    return list(chosen.values())


def _suspect(place: int, wanted: Table, actual: Table) -> _Suspect:
    before = {column.name: column for column in actual.columns}
    expressions = {check.expression for check in actual.checks}
    indexes = {index.name: index for index in actual.indexes}
    return _Suspect(
        place,
        wanted,
        tuple(c for c in wanted.columns if c.name in before and _differs(c, before[c.name])),
        tuple(check for check in wanted.checks if check.expression not in expressions),
        tuple(i for i in wanted.indexes if i.name in indexes and i != replace(indexes[i.name], valid=i.valid)),
    )


def _differs(wanted: Column, actual: Column) -> bool:
    return wanted.type != actual.type or wanted.default != actual.default or wanted.generated != actual.generated


def _answers(reader: CatalogReader, suspects: Sequence[_Suspect]) -> list[Table | None]:
    connection = reader.connection
    body = "\n".join(_trial(number, suspect, reader.schema) for number, suspect in enumerate(suspects))
    tag = "$m_migrate$"
    while tag in body:
        tag = f"{tag[:-1]}_$"
    try:
        with taken_back(connection):
            execute(connection, f"DO {tag} BEGIN\n{body}\nEND {tag}")
            read = reader.read_temporary([suspect.wanted.name.name for suspect in suspects])
    except sa.exc.DBAPIError:
        if connection.invalidated:
            raise
        return [None] * len(suspects)
    return [read.get(suspect.wanted.name.name) for suspect in suspects]


def _trial(number: int, suspect: _Suspect, schema: str | None) -> str:
    """PL/pgSQL that makes the table at once, and piece by piece where that is refused."""
    pieces = list(_pieces(number, suspect, schema))
    table = f"pg_temp.{written(suspect.wanted.name.name)}"
    columns = ", ".join(_column(column, suspect, schema) for column in suspect.wanted.columns)
    whole = [f"CREATE TEMPORARY TABLE {written(suspect.wanted.name.name)} ({columns})"]
    columnwise = (f"ALTER TABLE {table} ADD COLUMN", f"ALTER TABLE {table} ALTER COLUMN")
    whole += [piece for piece in pieces if not piece.startswith(columnwise)]
    alone = [f"CREATE TEMPORARY TABLE {written(suspect.wanted.name.name)} ()", *pieces]
    tries = "\n".join(f"BEGIN {_executed(piece)} EXCEPTION WHEN OTHERS THEN NULL; END;" for piece in alone)
    return f"BEGIN {' '.join(_executed(piece) for piece in whole)} EXCEPTION WHEN OTHERS THEN\n{tries}\nEND;"


def _executed(sql: str) -> str:
    return f"EXECUTE {_literal(sql)};"


def _literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f"E'{escaped}'"


def _column(column: Column, suspect: _Suspect, schema: str | None) -> str:
    parts = [written(column.name), type_sql(column.type, schema)]
    if column in suspect.columns:
        if column.generated is not None and column.generated.kind == "computed":
            parts.append(computed_sql(column.generated))
        elif (default := _default(column)) is not None:
            parts.append(f"DEFAULT {default}")
    return " ".join(parts)


def _default(column: Column) -> str | None:
    """What stands as default: the wanted one, or a fill that an earlier sync may have left, to be told by its words."""
    return column.fill if column.default is None and column.generated is None else column.default


def _pieces(number: int, suspect: _Suspect, schema: str | None) -> Iterator[str]:
    name = written(suspect.wanted.name.name)
    table = f"pg_temp.{name}"
    computed = []
    for column in suspect.wanted.columns:
        if column.generated is not None and column.generated.kind == "computed":
            computed.append(column)
            continue
        yield f"ALTER TABLE {table} ADD COLUMN {written(column.name)} {type_sql(column.type, schema)}"
        if column in suspect.columns and (default := _default(column)) is not None:
            yield f"ALTER TABLE {table} ALTER COLUMN {written(column.name)} SET DEFAULT {default}"
    for column in computed:
        yield f"ALTER TABLE {table} ADD COLUMN {_column(column, suspect, schema)}"
    for place, check in enumerate(suspect.checks):
        yield f"ALTER TABLE {table} ADD CONSTRAINT m_migrate_c{place} CHECK ({check.expression})"
    for place, index in enumerate(suspect.indexes):
        yield index_sql(index, table, name=_index_name(number, place))


def _index_name(number: int, place: int) -> str:
    return f"m_migrate_i{number}_{place}"


def _respelt(suspect: _Suspect, answer: Table) -> Table:
    wanted = suspect.wanted
    columns = {column.name: column for column in answer.columns}
    asked = {column.name for column in suspect.columns}
    checks = {check.name: check for check in answer.checks}
    indexes = {index.name.rpartition("_")[2]: index for index in answer.indexes}
    new_checks = {
        check: checks[f"m_migrate_c{place}"].expression
        for place, check in enumerate(suspect.checks)
        if f"m_migrate_c{place}" in checks
    }
    new_indexes = {
        index.name: indexes[str(place)] for place, index in enumerate(suspect.indexes) if str(place) in indexes
    }
    return replace(
        wanted,
        columns=tuple(
            _column_respelt(column, columns[column.name]) if column.name in asked and column.name in columns else column
            for column in wanted.columns
        ),
        checks=tuple(
            sorted(
                (replace(check, expression=new_checks.get(check, check.expression)) for check in wanted.checks),
                key=lambda check: (check.name or "", check.expression),
            )
        ),
        indexes=tuple(
            replace(new_indexes.get(index.name, index), name=index.name, native=index.native)
            for index in wanted.indexes
        ),
    )


def _column_respelt(wanted: Column, answer: Column) -> Column:
    generated = wanted.generated
    if answer.generated is not None and generated is not None and answer.generated.kind == generated.kind == "computed":
        generated = answer.generated
    default, fill = wanted.default, wanted.fill
    if answer.default is not None and default is not None:
        default = answer.default
    elif answer.default is not None and fill is not None:
        fill = answer.default
    type_ = replace(answer.type, native=wanted.type.native)
    return replace(wanted, type=type_, default=default, fill=fill, generated=generated)
