"""A second opinion on what differs between a wanted MetaData and the database, by other means than the engine's."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

import sqlalchemy as sa

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain.plan import PlannedChange
from tests.corpus.databases import Database, Schema, wanted_column

type Difference = tuple[str, str, str]
"""Kind, table, and column or index."""


def differences(metadata: sa.MetaData, database: Database, schema: Schema) -> set[Difference]:
    """All differences of tables, columns and indexes that a look at the catalog shows."""
    return _comparable(_differences(metadata, schema, database.indexes()))


def _differences(metadata: sa.MetaData, schema: Schema, indexes: set[str]) -> Iterator[Difference]:
    for name in schema.keys() - metadata.tables.keys():
        yield "TableRemoved", name, ""
    for table in metadata.tables.values():
        actual = schema.get(table.name)
        if actual is None:
            yield "TableAdded", table.name, ""
            continue
        for name in actual.keys() - table.columns.keys():
            yield "ColumnRemoved", table.name, name
        for column in table.columns:
            found, wanted = actual.get(column.name), wanted_column(column)
            if found is None:
                yield "ColumnAdded", table.name, column.name
                continue
            if found[:2] != wanted[:2]:
                yield "ColumnTypeChanged", table.name, column.name
            if found.nullable != wanted.nullable:
                yield "ColumnNullabilityChanged", table.name, column.name
            if _default(found.default) != _default(wanted.default):
                yield "ColumnDefaultChanged", table.name, column.name
        for index in table.indexes:
            if index.name not in indexes:
                yield "IndexAdded", table.name, str(index.name)


def _default(text: str | None) -> object:
    """A default's value, whether the catalog quotes it, casts it, or does neither."""
    if text is None or re.fullmatch(r"NULL(?:::[\w ]+)?", text):
        return None
    match = re.fullmatch(r"'((?:[^']|'')*)'(?:::[\w ]+)?", text)
    value = text if match is None else match[1].replace("''", "'")
    try:
        return float(value)
    except ValueError:
        return value


def reported(changes: Iterable[PlannedChange]) -> set[Difference]:
    """The changes of a plan, as far as they are of the kinds that ``differences`` knows."""
    return _comparable(found for planned in changes if (found := _difference(planned.change)) is not None)


def _comparable(found: Iterable[Difference]) -> set[Difference]:
    """Without defaults of columns whose type differs too: whether '0' as text is 0 as a number is a matter of taste."""
    every = set(found)
    retyped = {(table, column) for kind, table, column in every if kind == "ColumnTypeChanged"}
    return {item for item in every if item[0] != "ColumnDefaultChanged" or item[1:] not in retyped}


def _difference(change: c.Change) -> Difference | None:
    kind, table = type(change).__name__, change.table.name
    match change:
        case c.TableAdded() | c.TableRemoved():
            return kind, table, ""
        case (
            c.ColumnAdded(column=column)
            | c.ColumnRemoved(column=column)
            | c.ColumnTypeChanged(column=column)
            | c.ColumnNullabilityChanged(column=column)
            | c.ColumnDefaultChanged(column=column)
        ):
            return kind, table, column.name
        case c.IndexAdded(index=index):
            return kind, table, index.name
        case _:
            return None


def counted(changes: Iterable[PlannedChange]) -> dict[str, int]:
    """Changes by kind, risk and rule, in a stable order."""
    found = Counter(f"{type(p.change).__name__} {p.judgement.risk.name} {p.judgement.rule}" for p in changes)
    return dict(sorted(found.items()))
