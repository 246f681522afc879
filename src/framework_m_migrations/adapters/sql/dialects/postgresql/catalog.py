"""Reads pg_catalog into schema values with a constant number of statements."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.postgresql import rows
from framework_m_migrations.adapters.sql.dialects.postgresql.queries import Queries, queries
from framework_m_migrations.domain.schema import (
    Catalog,
    Column,
    EnumType,
    Index,
    Table,
    TableName,
)

_FIRST_USER_OID = 16384


@dataclass(frozen=True, slots=True)
class CatalogReader:
    """Reads over one connection.

    Args:
        connection: to the database; in which transaction it is does not matter.
        schema: the session's schema, None for the connection's own.
        ignored: tables of that schema that never show up.
        also: schemas that are looked at as well, whether or not a table of theirs is asked for.
    """

    connection: sa.Connection
    schema: str | None = None
    ignored: frozenset[str] = frozenset()
    also: frozenset[str] = frozenset()

    def read(self, tables: Collection[TableName] | None = None) -> Catalog:
        """See Inspector.read.

        Partitions and foreign tables are found by name, but are not in ``Catalog.names``: the first belong to their
        parent, the second to another server, and neither is a table that somebody forgot to declare.
        """
        others = set(self.also) if tables is None else self.also | {t.schema for t in tables if t.schema is not None}
        found = self._rows(self._queries.tables, main=self.schema, others=sorted(others))
        wanted = None if tables is None else set(tables)
        chosen: dict[int, tuple[TableName, str | None]] = {}
        names: set[TableName] = set()
        for oid, schema, is_main, name, kind, is_partition, comment in found:
            table = TableName(name, None if is_main else schema)
            if is_main and name in self.ignored:
                continue
            if not is_partition and kind != "f":
                names.add(table)
            if wanted is None or table in wanted:
                chosen[oid] = (table, comment or None)
        read, enums = self._tables(chosen, sorted(others))
        return Catalog({table.name: table for table in read}, frozenset(names), enums)

    def read_temporary(self, names: Sequence[str]) -> dict[str, Table]:
        """The session's temporary tables of these names, by name."""
        found = self._rows(self._queries.temporary, main=self.schema, names=list(names))
        chosen = {oid: (TableName(name), comment or None) for oid, _, _, name, _, _, comment in found}
        tables, _ = self._tables(chosen, [])
        return {table.name.name: table for table in tables}

    @property
    def _queries(self) -> Queries:
        return queries(tuple(self.connection.dialect.server_version_info or ())[:1])

    def _rows(self, statement: sa.TextClause, **parameters: object) -> Sequence[Any]:
        return self.connection.execute(statement, parameters).all()

    def _tables(
        self, chosen: dict[int, tuple[TableName, str | None]], others: Sequence[str]
    ) -> tuple[list[Table], dict[TableName, EnumType]]:
        asked, statements = list(chosen), self._queries
        column_rows = self._rows(statements.columns, tables=asked) if asked else ()
        index_rows = self._rows(statements.indexes, tables=asked) if asked else ()
        constraint_rows = self._rows(statements.constraints, tables=asked, main=self.schema) if asked else ()
        used = {row[3] for row in column_rows if row[3] >= _FIRST_USER_OID}
        type_rows = self._rows(statements.types, used=sorted(used), main=self.schema, others=list(others))
        types = rows.Types(type_rows)
        columns: defaultdict[int, list[Column]] = defaultdict(list)
        numbers: defaultdict[int, dict[int, tuple[str, int]]] = defaultdict(dict)
        for row in column_rows:
            columns[row[0]].append(rows.column(row, types))
            numbers[row[0]][row[1]] = (row[2], row[9])
        indexes, backing = _indexes(index_rows, numbers)
        constraints: defaultdict[int, list[Any]] = defaultdict(list)
        for row in constraint_rows:
            constraints[row[0]].append(row)
        read = []
        for oid, (name, comment) in chosen.items():
            parts = rows.constraints(constraints[oid], numbers[oid], backing)
            read.append(
                Table(
                    name=name,
                    columns=tuple(columns[oid]),
                    primary_key=parts.primary_key,
                    indexes=tuple(indexes[oid]),
                    uniques=parts.uniques,
                    checks=parts.checks,
                    foreign_keys=parts.foreign_keys,
                    comment=comment,
                )
            )
        return read, types.enums


def _indexes(
    found: Iterable[Any], numbers: dict[int, dict[int, tuple[str, int]]]
) -> tuple[defaultdict[int, list[Index]], dict[int, Index]]:
    """Indexes by table, and by their own oid those that a constraint stands on."""
    indexes: defaultdict[int, list[Index]] = defaultdict(list)
    backing: dict[int, Index] = {}
    for row in found:
        index = rows.index(row, numbers[row[0]])
        if row[7]:
            backing[row[2]] = index
        else:
            indexes[row[0]].append(index)
    for items in indexes.values():
        items.sort(key=lambda index: index.name)
    return indexes, backing
