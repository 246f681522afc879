"""Reads pg_catalog into schema values with a constant number of statements."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.postgresql import rows
from framework_m_migrations.adapters.sql.dialects.postgresql.queries import Queries, queries, text
from framework_m_migrations.adapters.sql.dialects.postgresql.table_options import found_options
from framework_m_migrations.adapters.sql.dialects.postgresql.writing import qualified
from framework_m_migrations.domain.schema import Catalog, Column, EnumType, Index, Table, TableName

_PLACE = text("SELECT CAST(pg_catalog.to_regclass(:tab) AS oid)::bigint", tab=sa.Text())
_ATTEMPTS = 3
"""Readings of a catalog that others change meanwhile."""


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
        for _ in range(_ATTEMPTS - 1):
            try:
                return self._read(tables)
            except KeyError:
                # Each statement sees a moment of its own. Somebody dropped a column between two of them.
                continue
        return self._read(tables)

    def _read(self, tables: Collection[TableName] | None) -> Catalog:
        others = set(self.also) if tables is None else self.also | {t.schema for t in tables if t.schema is not None}
        found = self._rows(self._queries.tables, main=self.schema, others=sorted(others))
        wanted = None if tables is None else set(tables)
        chosen: dict[int, tuple[TableName, str | None, str | None]] = {}
        parted: list[int] = []
        names: set[TableName] = set()
        for oid, schema, is_main, name, kind, is_partition, comment, options in found:
            table = TableName(name, None if is_main else schema)
            if is_main and name in self.ignored:
                continue
            if not is_partition and kind != "f":
                names.add(table)
            if wanted is None or table in wanted:
                chosen[oid] = (table, comment or None, options)
                parted += [oid] if kind == "p" else []
        read, enums = self._tables(chosen, sorted(others))
        if parted:
            part_rows = self._rows(self._queries.partitions, tables=parted, main=self.schema)
            parts = rows.partitions(part_rows, {oid: chosen[oid][0] for oid in parted})
            read = [
                replace(table, partitioned=True, partitions=parts[table.name]) if table.name in parts else table
                for table in read
            ]
        return Catalog({table.name: table for table in read}, frozenset(names), enums)

    def column(self, table: TableName, name: str) -> Column | None:
        """One column of a table as it is; None where there is no such table or column. Three statements."""
        oid = self.connection.execute(_PLACE, {"tab": qualified(table, self.schema)}).scalar_one()
        found = [] if oid is None else self._rows(self._queries.columns, tables=[oid], beside=[])
        own = [row for row in found if row[2] == name]
        if not own:
            return None
        types = rows.Types(self._types({own[0][3:6]}, ()))
        columns, _ = rows.columns(own, types)
        return columns[own[0][0]][0]

    def read_temporary(self, names: Sequence[str]) -> dict[str, Table]:
        """The session's temporary tables of these names, by name."""
        found = self._rows(self._queries.temporary, main=self.schema, names=list(names))
        chosen: dict[int, tuple[TableName, str | None, str | None]] = {
            oid: (TableName(name), comment or None, None) for oid, _, _, name, _, _, comment, _ in found
        }
        tables, _ = self._tables(chosen, [])
        return {table.name.name: table for table in tables}

    @property
    def _queries(self) -> Queries:
        return queries(tuple(self.connection.dialect.server_version_info or ())[:1])

    def _rows(self, statement: sa.TextClause, **parameters: object) -> Sequence[Any]:
        return self.connection.execute(statement, parameters).all()

    def _tables(
        self, chosen: dict[int, tuple[TableName, str | None, str | None]], others: Sequence[str]
    ) -> tuple[list[Table], dict[TableName, EnumType]]:
        asked, statements = list(chosen), self._queries
        constraint_rows = self._rows(statements.constraints, tables=asked, main=self.schema) if asked else ()
        index_rows = self._rows(statements.indexes, tables=asked) if asked else ()
        constraints: defaultdict[int, list[Any]] = defaultdict(list)
        for row in _without_clones(constraint_rows):
            constraints[row[0]].append(row)
        constrained = {row[16] for row in constraint_rows if row[2] in {"p", "u"}}
        # Columns that foreign keys name are told by number, so those of tables that were not asked for are read too.
        beside = sorted({row[14] for row in constraint_rows if row[2] == "f"} - chosen.keys())
        column_rows = self._rows(statements.columns, tables=asked, beside=beside) if asked else ()
        types = rows.Types(self._types({row[3:6] for row in column_rows}, others))
        columns, numbers = rows.columns(column_rows, types)
        indexes, backing = _indexes(index_rows, numbers, constrained)
        read = []
        for oid, (name, comment, options) in chosen.items():
            found = constraints.get(oid)
            parts = rows.constraints(found, numbers, backing) if found else rows.Constraints()
            read.append(
                Table(
                    name=name,
                    columns=tuple(columns.get(oid, ())),
                    primary_key=parts.primary_key,
                    indexes=tuple(indexes[oid]),
                    uniques=parts.uniques,
                    checks=parts.checks,
                    foreign_keys=parts.foreign_keys,
                    comment=comment,
                    options=found_options(json.loads(options)) if options else (),
                )
            )
        return read, types.enums

    def _types(self, used: Collection[tuple[int, int, int]], others: Sequence[str]) -> Sequence[Any]:
        """Rows of the types that columns have, given by type, modifier and collation, and of every enumeration."""
        oids, modifiers, collations = [list(items) for items in zip(*used, strict=True)] if used else ([], [], [])
        return self._rows(
            self._queries.types,
            used=oids,
            modifiers=[str(modifier) for modifier in modifiers],
            collations=collations,
            main=self.schema,
            others=list(others),
        )


def _without_clones(found: Sequence[Any]) -> Iterable[Any]:
    """Rows of constraints without the copies that a foreign key has at its own table for partitions of its target."""
    if not any(row[21] for row in found):
        return found
    tables = {row[20]: row[0] for row in found}
    return [row for row in found if tables.get(row[21]) != row[0]]


def _indexes(
    found: Iterable[Any], numbers: Mapping[int, rows.Names], constrained: Collection[int]
) -> tuple[defaultdict[int, list[Index]], dict[int, Index]]:
    """Indexes by table, and by their own oid those that a constraint stands on."""
    indexes: defaultdict[int, list[Index]] = defaultdict(list)
    backing: dict[int, Index] = {}
    for row in found:
        index = rows.index(row, numbers.get(row[0], {}))
        if row[7] or row[2] in constrained:
            backing[row[2]] = index
        else:
            indexes[row[0]].append(index)
    for items in indexes.values():
        items.sort(key=_name)
    return indexes, backing


_name = attrgetter("name")
