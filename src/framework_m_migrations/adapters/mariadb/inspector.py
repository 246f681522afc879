"""The inspector of MariaDB."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import sqlalchemy as sa

from framework_m_migrations.adapters.mariadb import questions as probes
from framework_m_migrations.adapters.mariadb.catalog import CatalogReader
from framework_m_migrations.adapters.mariadb.dependents import dependents
from framework_m_migrations.adapters.mariadb.normalise import normalise
from framework_m_migrations.adapters.mariadb.privileges import missing_privileges
from framework_m_migrations.adapters.mariadb.sizes import sizes
from framework_m_migrations.adapters.mariadb.token import catalog_token
from framework_m_migrations.adapters.mariadb.type_rules import type_change
from framework_m_migrations.domain.changes import Change
from framework_m_migrations.domain.facts import Facts, Question
from framework_m_migrations.domain.obstacles import Obstacle
from framework_m_migrations.domain.privileges import Needs
from framework_m_migrations.domain.schema import Catalog, Column, Table, TableName
from framework_m_migrations.domain.sizes import Size
from framework_m_migrations.domain.type_change import TypeChange


class MariadbInspector:
    """Implements ports.inspector.Inspector over information_schema.

    Args:
        connection: to the database; a transaction of the caller's is left as it was.
        schema: the session's schema, None for the connection's own (``DATABASE()``).
        ignored: tables of that schema that never show up: the engine's own.
        also: further schemas that are looked at by ``catalog_token`` and by ``read()`` of everything.
    """

    def __init__(
        self, connection: sa.Connection, *, schema: str | None, ignored: frozenset[str], also: frozenset[str]
    ) -> None:
        self._connection = connection
        self._schema = schema
        self._ignored = ignored
        self._also = also

    def catalog_token(self) -> str | None:
        """See the port. Writes to rows leave it as it is, as do GRANT, ANALYZE and OPTIMIZE."""
        return catalog_token(self._connection, schema=self._schema, also=self._also, ignored=self._ignored)

    def read(self, tables: Collection[TableName] | None = None) -> Catalog:
        """See the port: five statements."""
        return CatalogReader(self._connection, self._schema, self._ignored, self._also).read(tables)

    def normalise(self, pairs: Sequence[tuple[Table, Table]]) -> list[Table]:
        """See the port: temporary tables, made and taken away again in the session itself."""
        return normalise(self._connection, pairs)

    def type_change(self, table: TableName, before: Column, after: Column) -> TypeChange:
        """See the port: by rule, whatever ``table`` is."""
        del table
        return type_change(before.type, after.type)

    def ask(self, questions: Collection[Question]) -> Facts:
        """See the port. A question that takes longer than the time limit is left out."""
        return probes.ask(self._connection, questions, schema=self._schema)

    def obstacles(self, changes: Sequence[Change]) -> Mapping[Change, Obstacle]:
        """See the port: a name of an index is its table's own here, and a new default writes no row."""
        del changes
        return {}

    def dependents(self, drops: Sequence[Change]) -> Mapping[Change, Obstacle]:
        """See the port: the catalog, and one statement for the texts of views and triggers."""
        if not drops:
            return {}
        everything = self.read(self.read([change.table for change in drops]).names)
        return dependents(self._connection, drops, everything, schema=self._schema)

    def sizes(self, tables: Collection[TableName]) -> Mapping[TableName, Size]:
        """See the port: what InnoDB estimates."""
        return sizes(self._connection, tables, schema=self._schema)

    def missing_privileges(self, needed: Needs | None = None) -> tuple[str, ...]:
        """See the port."""
        return missing_privileges(self._connection, schema=self._schema, needed=needed)
