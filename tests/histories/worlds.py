"""The three databases that live through the same history, behind one face."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

import sqlalchemy as sa

from framework_m_migrations import MigrationManager, MigrationSettings
from framework_m_migrations.domain.effects import UseCase
from framework_m_migrations.domain.errors import DatabaseError
from framework_m_migrations.domain.options import SyncOptions
from framework_m_migrations.domain.results import PlanResult, SyncResult
from framework_m_migrations.domain.schema import Column, PrimaryKey, Table, TableName
from framework_m_migrations.ports.session import Session
from framework_m_migrations.services.use_cases import sync as syncing
from tests.fakes.memory import MemoryDatabase, MemoryRunner, MemorySource, MemoryWorld, memory_type
from tests.histories.declarations import doctypes_of, metadata_of
from tests.histories.model import Schema
from tests.histories.traits import Traits, traits_of_memory, traits_of_sql

BY_HAND = "by hand"
"""The table, and the columns, that the engine did not make, and so must never drop."""

type Rows = dict[str, dict[object, Mapping[str, object]]]
"""Table, then the value of ``id``, then column to value, as the driver gives it."""


class World(Protocol):
    """One database and how the engine is let loose on it."""

    name: str

    def sync(self, schema: Schema, *, allow_drop: bool = False) -> SyncResult: ...
    def plan(self, schema: Schema, *, force: bool = False) -> PlanResult: ...
    def rows(self) -> Rows: ...
    def insert(self, table: str, row: Mapping[str, object]) -> bool:
        """Insert a row of texts, NULLs and the id; False where the database refuses it."""
        ...

    def remove(self, table: str, number: int) -> None: ...
    def by_hand(self, schema: Schema) -> None:
        """Make a table, a column and an index with hands of a stranger, with rows; once for each table."""
        ...

    def traits(self) -> Traits: ...
    def ideal(self, schema: Schema) -> Traits:
        """What a database that is built from scratch looks like."""
        ...


class Memory:
    """The memory adapter."""

    name = "memory"

    def __init__(self) -> None:
        self.database = MemoryDatabase()
        self._world = MemoryWorld()

    def _run[T](self, schema: Schema, work: Callable[..., UseCase[T]], options: SyncOptions, *, drops: bool) -> T:
        self._world.source = MemorySource(doctypes_of(schema))
        self._world.allow_drop = drops

        def use_case(session: Session) -> UseCase[T]:
            return work(session, options)

        return MemoryRunner(self.database, self._world).run(use_case)

    def sync(self, schema: Schema, *, allow_drop: bool = False) -> SyncResult:
        return self._run(schema, syncing.sync, SyncOptions(allow_drop=allow_drop), drops=allow_drop)

    def plan(self, schema: Schema, *, force: bool = False) -> PlanResult:
        return self._run(schema, syncing.plan, SyncOptions(force=force), drops=True)

    def rows(self) -> Rows:
        tables = {name.name: self.database.rows(name) for name in self.database.state.tables}
        return {name: {row["id"]: row for row in rows} for name, rows in tables.items()}

    def insert(self, table: str, row: Mapping[str, object]) -> bool:
        try:
            self.database.insert(table, [row])
        except DatabaseError:
            return False
        return True

    def remove(self, table: str, number: int) -> None:
        state, name = self.database.state, TableName(table)
        state.rows[name] = tuple(row for row in state.rows[name] if row["id"] != number)

    def by_hand(self, schema: Schema) -> None:
        state = self.database.state
        kind = memory_type("integer")
        names = [name for name in state.tables if schema.table(name.name) is not None]
        for name in names:
            table = state.tables[name]
            if table.column(BY_HAND) is None:
                state.tables[name] = replace(table, columns=(*table.columns, Column(BY_HAND, kind)))
                state.rows[name] = tuple({**row, BY_HAND: 7} for row in state.rows.get(name, ()))
        other = TableName(BY_HAND)
        if other not in state.tables:
            key = Column("id", kind, nullable=False)
            state.tables[other] = Table(other, (key, Column("x", kind)), PrimaryKey(("id",)))
            state.rows[other] = ({"id": 1, "x": 7},)

    def traits(self) -> Traits:
        return _known(traits_of_memory(self.database))

    def ideal(self, schema: Schema) -> Traits:
        other = Memory()
        other.sync(schema)
        return other.traits()


class Sql:
    """A database behind SQLAlchemy.

    Args:
        name: for messages.
        engine: the database of the history.
        scratch: another, empty one, in which ideals are built and rolled back.
    """

    def __init__(self, name: str, engine: sa.Engine, scratch: sa.Engine) -> None:
        self.name = name
        self._engine = engine
        self._scratch = scratch
        self._stored = name == "postgresql"

    def _manager(self, schema: Schema) -> MigrationManager:
        return MigrationManager(
            MigrationSettings(metadata=(metadata_of(schema, stored=self._stored),), allow_empty=True),
            engine=self._engine,
        )

    def sync(self, schema: Schema, *, allow_drop: bool = False) -> SyncResult:
        return self._manager(schema).sync(allow_drop=allow_drop)

    def plan(self, schema: Schema, *, force: bool = False) -> PlanResult:
        return self._manager(schema).plan(force=force)

    def _execute(self, connection: sa.Connection, statement: str) -> sa.CursorResult[Any]:
        return connection.exec_driver_sql(statement, execution_options={"no_parameters": True})

    def rows(self) -> Rows:
        found: Rows = {}
        with self._engine.connect() as connection:
            for name in sa.inspect(connection).get_table_names():
                if not name.startswith("__schema_"):
                    result = self._execute(connection, f"SELECT * FROM {_quoted(name)}")
                    found[name] = {row["id"]: dict(row) for row in result.mappings()}
        return found

    def insert(self, table: str, row: Mapping[str, object]) -> bool:
        columns = ", ".join(map(_quoted, row))
        values = ", ".join("NULL" if value is None else f"'{value}'" for value in row.values())
        try:
            with self._engine.begin() as connection:
                if connection.dialect.name == "sqlite":
                    self._execute(connection, "PRAGMA foreign_keys = ON")
                self._execute(connection, f"INSERT INTO {_quoted(table)} ({columns}) VALUES ({values})")
        except sa.exc.DBAPIError:
            return False
        return True

    def remove(self, table: str, number: int) -> None:
        with self._engine.begin() as connection:
            self._execute(connection, f"DELETE FROM {_quoted(table)} WHERE id = {number}")

    def by_hand(self, schema: Schema) -> None:
        with self._engine.begin() as connection:
            found = sa.inspect(connection).get_multi_columns()
            columns = {table: {one["name"] for one in described} for (_, table), described in found.items()}
            for table in columns.keys() & {one.name for one in schema.tables}:
                if BY_HAND not in columns[table]:
                    name = _quoted(table)
                    self._execute(connection, f"ALTER TABLE {name} ADD COLUMN {_quoted(BY_HAND)} INTEGER")
                    self._execute(connection, f"UPDATE {name} SET {_quoted(BY_HAND)} = 7")
            if BY_HAND not in columns:
                self._execute(connection, f"CREATE TABLE {_quoted(BY_HAND)} (id INTEGER PRIMARY KEY, x INTEGER)")
                self._execute(connection, f"INSERT INTO {_quoted(BY_HAND)} VALUES (1, 7)")

    def traits(self) -> Traits:
        with self._engine.connect() as connection:
            return _known(traits_of_sql(connection))

    def ideal(self, schema: Schema) -> Traits:
        with self._scratch.connect() as connection:
            if connection.dialect.name == "sqlite":
                # The driver begins no transaction for DDL by itself.
                self._execute(connection, "BEGIN")
            metadata_of(schema, stored=self._stored, quoted=True).create_all(connection, checkfirst=False)
            traits = traits_of_sql(connection)
            connection.rollback()
        return traits


def _known(traits: Traits) -> Traits:
    """The facts without those of what is nobody's business."""
    return {key: value for key, value in traits.items() if BY_HAND not in key}


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
