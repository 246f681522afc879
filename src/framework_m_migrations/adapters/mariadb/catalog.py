"""Reads information_schema into values of the domain."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from framework_m_migrations.adapters.mariadb import queries
from framework_m_migrations.adapters.mariadb.rows import RawCheck, RawColumn, RawTable, build_table
from framework_m_migrations.domain.schema import Catalog, TableName


@dataclass(frozen=True, slots=True)
class _Names:
    """How the server names schemas and tables, and how the session does.

    ``folds``: the server keeps names of tables in lower case, or compares them so (lower_case_table_names 1 or 2); the
    wanted schema has them in lower case then.
    """

    schema: str
    folds: bool

    def folded(self, name: str) -> str:
        """A name as names are compared."""
        return name.lower() if self.folds else name

    def of(self, schema: str, name: str) -> TableName:
        """The session's name of a table."""
        own = self.folded(schema) == self.folded(self.schema)
        return TableName(self.folded(name), None if own else self.folded(schema))


class CatalogReader:
    """Reads tables over one connection.

    Args:
        connection: to the database.
        schema: the session's (a database, in MariaDB's words), None for the connection's own.
        ignored: tables of that schema that never show up.
        also: further schemas that ``read`` of everything takes in.
    """

    def __init__(
        self, connection: sa.Connection, schema: str | None, ignored: frozenset[str], also: frozenset[str]
    ) -> None:
        self._connection = connection
        self._schema = schema
        self._ignored = ignored
        self._also = also

    def read(self, tables: Collection[TableName] | None) -> Catalog:
        """See Inspector.read: five statements, one where no table is asked for."""
        beside = self._also if tables is None else {name.schema for name in tables if name.schema is not None}
        schemas = {self._schema, *beside}
        *rows, last = self._rows(queries.tables(schemas))
        names = _Names(str(self._schema or last[6]), int(last[7]) != 0)
        ignored = {names.folded(name) for name in self._ignored}
        raw: dict[tuple[str, str], RawTable] = {}
        for schema, name, collation, comment, engine, created, *_ in rows:
            known = names.of(schema, name)
            if known.schema is not None or known.name not in ignored:
                raw[schema, name] = RawTable(known, collation, comment or None, engine, created)
        found = frozenset(table.name for table in raw.values())
        wanted = {key for key, table in raw.items() if tables is None or table.name in tables}
        if not wanted:
            return Catalog({}, found)
        self._fill(raw, names, schemas, None if tables is None else {name for _, name in wanted})
        return Catalog({raw[key].name: build_table(raw[key]) for key in raw if key in wanted}, found)

    def _fill(
        self,
        raw: dict[tuple[str, str], RawTable],
        names: _Names,
        schemas: Collection[str | None],
        named: Collection[str] | None,
    ) -> None:
        columns, indexes, keys, checks = (self._rows(query) for query in queries.details(schemas, named))
        # Views have columns too, and another session may have made a table since the first statement.
        other = RawTable(TableName(""), None, None, None)
        for row in columns:
            raw.get((row[0], row[1]), other).columns.append(RawColumn(*row[2:]))
        for row in indexes:
            raw.get((row[0], row[1]), other).add_key(*row[2:])
        for row in keys:
            raw.get((row[0], row[1]), other).add_reference(row[2], row[3], names.of(row[4], row[5]), *row[6:])
        for row in checks:
            raw.get((row[0], row[1]), other).checks.append(RawCheck(*row[2:]))

    def _rows(self, query: sa.Executable) -> list[Any]:
        return [tuple(_text(value) for value in row) for row in self._connection.execute(query)]


def _text(value: Any) -> Any:
    """Some drivers give long texts of the server's own tables as bytes."""
    return value.decode("utf-8") if isinstance(value, (bytes, bytearray)) else value
