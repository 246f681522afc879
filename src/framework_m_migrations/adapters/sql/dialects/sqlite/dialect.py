"""SQLite; implements base.SqlDialect."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.base import (
    BaseDialect,
    Mark,
    Play,
    Rehearsal,
    RevisionGuard,
    Statement,
)
from framework_m_migrations.adapters.sql.dialects.sqlite import transactions
from framework_m_migrations.adapters.sql.dialects.sqlite.conflicts import relations
from framework_m_migrations.adapters.sql.dialects.sqlite.ddl import locked_tables, statements
from framework_m_migrations.adapters.sql.dialects.sqlite.driver import server_version
from framework_m_migrations.adapters.sql.dialects.sqlite.edits import TableEdit, merged
from framework_m_migrations.adapters.sql.dialects.sqlite.errors import is_wrong, translate
from framework_m_migrations.adapters.sql.dialects.sqlite.inspector import MAIN, SqliteInspector
from framework_m_migrations.adapters.sql.dialects.sqlite.locks import lock_beside
from framework_m_migrations.adapters.sql.dialects.sqlite.spelling import SqliteSpelling, table_kwargs
from framework_m_migrations.adapters.sql.guard import Lexical
from framework_m_migrations.adapters.sql.trial import Trial
from framework_m_migrations.domain.capabilities import Capabilities
from framework_m_migrations.domain.errors import MigrationError
from framework_m_migrations.domain.naming import Naming, standard_name
from framework_m_migrations.domain.operations import Operation
from framework_m_migrations.domain.options import Limits
from framework_m_migrations.domain.plan import DefinitionEdit, LockLevel
from framework_m_migrations.domain.schema import TableName, Unique


class SqliteDialect(BaseDialect[SqliteSpelling, SqliteInspector]):
    """The services of SQLite, from 3.35 on, for any driver that SQLAlchemy has for it."""

    name = "sqlite"
    spelling_class = SqliteSpelling
    inspector_class = SqliteInspector

    def relations(self, names: Collection[str], schema: str | None, *, visible: bool = False) -> sa.Select[Any] | None:
        """See SqlDialect."""
        del visible
        return relations(names, schema)

    def lexical(self, dialect: sa.Dialect) -> Lexical:
        """See SqlDialect."""
        del dialect
        return Lexical("'\"`", brackets=True)

    def database_file(self, connection: sa.Connection, schema: str | None) -> Path | None:
        """See BaseDialect: of the attached database that is the session's."""
        return lock_beside(connection, schema)

    def capabilities(self, dialect: sa.Dialect) -> Capabilities:
        """What SQLite can do.

        Constraints and columns of existing tables change by an edit of the stored definition (ddl.py). One
        transaction holds any number of changes, for there is only one writer. A volatile default cannot be given to
        rows that exist.
        """
        return Capabilities(
            dialect=self.name,
            async_driver="sqlite+aiosqlite",
            server_version=server_version(dialect),
            step_weight=sys.maxsize,
            forward_references=True,
            alter_constraints=True,
            alter_column=True,
            add_volatile_default=False,
            unique_is_index=True,
            typed_values=False,
            drop_unique=False,
            folds_tables=True,
            folds_columns=True,
            defines=frozenset({"view", "rows"}),
            naming=Naming(standard_name, written=(Unique,)),
        )

    trial = Trial(
        transactions.attempts,
        "CREATE TEMPORARY TABLE {name} AS SELECT * FROM {table} WHERE 0",
        together=True,
        wrong=is_wrong,
    )

    def transaction(self, connection: sa.Connection, limits: Limits) -> AbstractContextManager[None]:
        """BEGIN IMMEDIATE or a savepoint; see transactions.py. There is one writer: its lock has the limit."""
        return transactions.transaction(connection, limits)

    def autocommit(self, connection: sa.Connection) -> AbstractContextManager[None]:
        """No transaction."""
        return transactions.autocommit(connection)

    def mark(self, connection: sa.Connection) -> Mark:
        """A number in the connection's own temporary database, which the transaction takes along."""
        return transactions.mark(connection)

    def merged(self, operations: Sequence[Operation]) -> Sequence[Operation | TableEdit]:
        """The edits of one table's text that follow each other, together."""
        return merged(operations)

    def rehearsed(
        self, operations: Sequence[Any], connection: sa.Connection, *, schema: str | None
    ) -> AbstractContextManager[sa.Connection | None]:
        """See SqlDialect: an edit is written for the text that it finds."""
        from framework_m_migrations.adapters.sql.dialects.sqlite.dump import rehearsed

        return rehearsed(operations, connection) if schema in {None, MAIN} else nullcontext()

    def edits(
        self, operations: Sequence[Any], connection: sa.Connection, play: Play, *, schema: str | None
    ) -> tuple[DefinitionEdit, ...]:
        """See SqlDialect: SQLite keeps definitions as text, and ALTER TABLE changes few parts of them."""
        from framework_m_migrations.adapters.sql.dialects.sqlite.dump import edits

        return edits(operations, connection, play) if schema in {None, MAIN} else ()

    def statements(
        self, operation: Operation, connection: sa.Connection, *, schema: str | None
    ) -> tuple[Statement, ...] | None:
        """What SQLite writes in its own way; None for what the shared executor writes."""
        return statements(operation, connection, schema=schema or MAIN)

    def batch_options(self, before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, Any]:
        """See SqlDialect."""
        return table_kwargs(before, after)

    def lock_levels(self, operation: Operation) -> tuple[tuple[TableName, LockLevel], ...]:
        """The one writer's lock: others may read."""
        return tuple((table, LockLevel.ONE_WRITER) for table in locked_tables(operation))

    def lock_level(self, level: LockLevel) -> LockLevel:
        """One writer at a time, whatever it does."""
        del level
        return LockLevel.ONE_WRITER

    def revision_impl(self) -> type[Any] | None:
        """Edits of the stored definition, where Alembic's own copies what it can reflect."""
        from framework_m_migrations.adapters.sql.dialects.sqlite.revisions import SqliteRevisions

        return SqliteRevisions

    def revision_guard(self, connection: sa.Connection) -> RevisionGuard:
        """Foreign keys are off while a revision runs, and checked before it commits."""
        from framework_m_migrations.adapters.sql.dialects.sqlite.foreign_keys import SqliteGuard

        return SqliteGuard(connection)

    def rehearsal(self) -> Rehearsal | None:
        """See SqlDialect."""
        from framework_m_migrations.adapters.sql.dialects.sqlite.dump import SqliteRehearsal

        return SqliteRehearsal()

    def translate(self, error: sa.exc.DBAPIError) -> MigrationError | None:
        """The meaning of a driver's error."""
        return translate(error)
