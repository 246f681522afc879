"""Tables tried on the server and read back: temporary tables, in a transaction that is rolled back.

What the server refuses (a type or function that does not exist yet, a server that cannot be written) is missing from
the answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.postgresql.catalog import CatalogReader
from framework_m_migrations.adapters.sql.dialects.postgresql.identifiers import written
from framework_m_migrations.adapters.sql.dialects.postgresql.settings import taken_back
from framework_m_migrations.adapters.sql.dialects.postgresql.tokens import escaped_literal
from framework_m_migrations.adapters.sql.dialects.postgresql.writing import computed_sql, execute, index_sql, type_sql
from framework_m_migrations.domain.schema import Check, Column, Index, Table

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
