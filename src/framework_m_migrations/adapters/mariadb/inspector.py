"""The inspector of MariaDB."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import sqlalchemy as sa

from framework_m_migrations.adapters.mariadb import questions as probes
from framework_m_migrations.adapters.mariadb.catalog import CatalogReader
from framework_m_migrations.adapters.mariadb.dependents import dependents
from framework_m_migrations.adapters.mariadb.normalise import normalise
from framework_m_migrations.adapters.mariadb.privileges import missing_privileges
from framework_m_migrations.adapters.mariadb.sizes import sizes
from framework_m_migrations.adapters.mariadb.token import catalog_token
from framework_m_migrations.adapters.mariadb.type_rules import type_change
from framework_m_migrations.adapters.mariadb.views import MariadbViews
from framework_m_migrations.adapters.sql.defined_compare import DefinedObjects
from framework_m_migrations.adapters.sql.object_options import sequence_options
from framework_m_migrations.domain.changes import Change
from framework_m_migrations.domain.facts import Facts, Question
from framework_m_migrations.domain.obstacles import Obstacle
from framework_m_migrations.domain.privileges import Needs
from framework_m_migrations.domain.schema import Catalog, Column, SchemaObject, Table, TableName
from framework_m_migrations.domain.sizes import Size
from framework_m_migrations.domain.type_change import TypeChange

_CACHE = 1000
"""Values that a sequence keeps ready where nothing is said."""
_SEQUENCE = sa.text(
    "SELECT 1 FROM information_schema.TABLES WHERE TABLE_TYPE = 'SEQUENCE' AND TABLE_NAME = :name "
    "AND TABLE_SCHEMA = COALESCE(:schema, DATABASE())"
)
_TRIGGERS = sa.text(
    "SELECT EVENT_OBJECT_SCHEMA, EVENT_OBJECT_SCHEMA = COALESCE(:main, DATABASE()), EVENT_OBJECT_TABLE, TRIGGER_NAME "
    "FROM information_schema.TRIGGERS ORDER BY TRIGGER_NAME"
)


def _without_width(type_: str) -> str:
    """A type of whole numbers without the width for display, which the server adds."""
    return re.sub(r"(?i)int\(\d+\)", "int", type_)


def sequence(connection: sa.Connection, wanted: SchemaObject, *, schema: str | None) -> SchemaObject | None:
    """A sequence as it is, None where it is not; of another object, that it is as wanted."""
    if wanted.kind != "sequence":
        return wanted
    given = {"name": wanted.name.name, "schema": wanted.name.schema or schema}
    if connection.execute(_SEQUENCE, given).first() is None:
        return None
    quote = connection.dialect.identifier_preparer.quote_identifier
    place = ".".join(quote(part) for part in (given["schema"], wanted.name.name) if part is not None)
    says = connection.execute(sa.text(f"SELECT * FROM {place}")).mappings().one()  # noqa: S608 - the name is quoted
    options = sequence_options(
        "bigint",
        start=says["start_value"],
        increment=says["increment"],
        minimum=says["minimum_value"],
        maximum=None if says["maximum_value"] == 2**63 - 2 else says["maximum_value"],
        cycle=bool(says["cycle_option"]),
        cache=1 if says["cache_size"] == _CACHE else says["cache_size"],
    )
    return replace(wanted, options=options, native=None)


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

    def objects(self, wanted: Sequence[SchemaObject]) -> Sequence[tuple[SchemaObject, SchemaObject | None]]:
        """See the port: sequences, of which each tells its options itself, and what a definition makes."""
        own = self._schema
        return self._defined.compared(
            wanted, lambda rest: [(one, sequence(self._connection, one, schema=own)) for one in rest]
        )

    @property
    def _defined(self) -> DefinedObjects:
        views = MariadbViews(self._connection, schema=self._schema)
        return DefinedObjects(self._connection, views, known_as="mysql", spelled=_without_width)

    def surplus(
        self, tables: Collection[TableName], objects: Collection[SchemaObject] = ()
    ) -> Mapping[TableName, tuple[str, ...]]:
        """See the port: triggers, in one statement."""
        found = dict(self._defined.surplus(objects))
        for schema, is_main, owner, name in self._connection.execute(_TRIGGERS, {"main": self._schema}):
            table = TableName(owner, None if is_main else schema)
            if table in tables:
                found[table] = (*found.get(table, ()), f"trigger {name}")
        return found

    def sizes(self, tables: Collection[TableName]) -> Mapping[TableName, Size]:
        """See the port: what InnoDB estimates."""
        return sizes(self._connection, tables, schema=self._schema)

    def missing_privileges(self, needed: Needs | None = None) -> tuple[str, ...]:
        """See the port."""
        return missing_privileges(self._connection, schema=self._schema, needed=needed)
