"""The inspector of PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.asking import PROBE_TIMEOUT
from framework_m_migrations.adapters.sql.defined_compare import DefinedObjects
from framework_m_migrations.adapters.sql.dialects.postgresql import needed_rights as rights
from framework_m_migrations.adapters.sql.dialects.postgresql import questions as probes
from framework_m_migrations.adapters.sql.dialects.postgresql.catalog import CatalogReader
from framework_m_migrations.adapters.sql.dialects.postgresql.dependents import dependents
from framework_m_migrations.adapters.sql.dialects.postgresql.normalise import normalise
from framework_m_migrations.adapters.sql.dialects.postgresql.objects import objects
from framework_m_migrations.adapters.sql.dialects.postgresql.obstacles import obstacles
from framework_m_migrations.adapters.sql.dialects.postgresql.privileges import missing_privileges
from framework_m_migrations.adapters.sql.dialects.postgresql.settings import taken_back
from framework_m_migrations.adapters.sql.dialects.postgresql.sizes import sizes
from framework_m_migrations.adapters.sql.dialects.postgresql.surplus import surplus
from framework_m_migrations.adapters.sql.dialects.postgresql.token import catalog_token
from framework_m_migrations.adapters.sql.dialects.postgresql.type_rules import type_change
from framework_m_migrations.adapters.sql.dialects.postgresql.type_trial import try_type_change
from framework_m_migrations.adapters.sql.dialects.postgresql.views import PostgresViews
from framework_m_migrations.adapters.sql.ledger_tables import ENGINE_TABLES
from framework_m_migrations.domain.changes import Change
from framework_m_migrations.domain.facts import Facts, Question
from framework_m_migrations.domain.obstacles import Obstacle
from framework_m_migrations.domain.privileges import Needs
from framework_m_migrations.domain.schema import Catalog, Column, SchemaObject, Table, TableName
from framework_m_migrations.domain.sizes import Size
from framework_m_migrations.domain.type_change import TypeChange


class PostgresqlInspector:
    """Implements ports.inspector.Inspector over pg_catalog.

    Args:
        connection: to the database; a transaction of the caller's is left as it was.
        schema: the session's schema, None for the connection's own (``current_schema()``).
        ignored: tables of that schema that never show up: the engine's own.
        also: further schemas that are looked at by ``catalog_token`` and by ``read()`` of everything.
        probe_timeout: seconds that a statement about rows may take.
    """

    def __init__(
        self,
        connection: sa.Connection,
        *,
        schema: str | None = None,
        ignored: frozenset[str] = frozenset(),
        also: frozenset[str] = frozenset(),
        probe_timeout: float = PROBE_TIMEOUT,
    ) -> None:
        self._connection = connection
        self._schema = schema
        self._ignored = ignored
        self._also = also
        self._probe_timeout = probe_timeout
        self._reader = CatalogReader(connection, schema, ignored, also)

    def catalog_token(self) -> str | None:
        """See the port. Writes to rows, TRUNCATE, GRANT, ANALYZE and VACUUM leave it as it is."""
        return catalog_token(self._connection, schema=self._schema, also=self._also, ignored=self._ignored)

    def read(self, tables: Collection[TableName] | None = None) -> Catalog:
        """See the port: five statements."""
        return self._reader.read(tables)

    def normalise(self, pairs: Sequence[tuple[Table, Table]]) -> list[Table]:
        """See the port: temporary tables, in a transaction that is rolled back."""
        return normalise(self._reader, pairs)

    def type_change(self, table: TableName, before: Column, after: Column) -> TypeChange:
        """See the port: by rule, else by a trial on an empty temporary table, whatever ``table`` is."""
        del table
        known = type_change(before.type, after.type)
        if known is not None:
            return known
        return try_type_change(self._connection, before.type, after.type, schema=self._schema)

    def ask(self, questions: Collection[Question]) -> Facts:
        """See the port. A question that takes longer than the time limit is left out."""
        return probes.ask(self._connection, questions, schema=self._schema, timeout=self._probe_timeout)

    def obstacles(self, changes: Sequence[Change]) -> Mapping[Change, Obstacle]:
        """See the port: indexes share the names of a schema with tables, views and sequences; one statement."""
        return obstacles(self._connection, changes, schema=self._schema)

    def dependents(self, drops: Sequence[Change]) -> Mapping[Change, Obstacle]:
        """See the port: as pg_depend has it, in one statement. Of functions whose body is a text it knows nothing."""
        return dependents(self._connection, drops, schema=self._schema)

    def objects(self, wanted: Sequence[SchemaObject]) -> Sequence[tuple[SchemaObject, SchemaObject | None]]:
        """See the port: one statement a kind, and a trial of the domains and views that look different."""
        return self._defined.compared(wanted, lambda rest: objects(self._connection, rest, schema=self._schema))

    @property
    def _defined(self) -> DefinedObjects:
        views = PostgresViews(self._connection, schema=self._schema)
        return DefinedObjects(self._connection, views, trial=(partial(taken_back, self._connection), "pg_temp"))

    def surplus(
        self, tables: Collection[TableName], objects: Collection[SchemaObject] = ()
    ) -> Mapping[TableName, tuple[str, ...]]:
        """See the port: triggers, rules, policies and row level security, in one statement."""
        return {**surplus(self._connection, tables, schema=self._schema), **self._defined.surplus(objects)}

    def sizes(self, tables: Collection[TableName]) -> Mapping[TableName, Size]:
        """See the port: the server's counters and the lengths of files."""
        return sizes(self._connection, tables, schema=self._schema)

    def missing_privileges(self, needed: Needs | None = None) -> tuple[str, ...]:
        """See the port."""
        if needed is None:
            return missing_privileges(self._connection, schema=self._schema, also=self._also)
        if needed.unknown:
            return rights.missing_for_revisions(
                self._connection, schema=self._schema, also=self._also, version_tables=self._ignored - ENGINE_TABLES
            )
        return rights.missing_for(self._connection, needed, schema=self._schema)
