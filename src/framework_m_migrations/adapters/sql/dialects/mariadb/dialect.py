"""MariaDB; implements base.SqlDialect."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.base import BaseDialect, Mark, Rehearsal, Statement, server_version
from framework_m_migrations.adapters.sql.dialects.mariadb import transactions
from framework_m_migrations.adapters.sql.dialects.mariadb.conflicts import relations
from framework_m_migrations.adapters.sql.dialects.mariadb.ddl import NAMING, Rehearsing, Writer, is_changed_again
from framework_m_migrations.adapters.sql.dialects.mariadb.errors import is_wrong, translate
from framework_m_migrations.adapters.sql.dialects.mariadb.expressions import spelt
from framework_m_migrations.adapters.sql.dialects.mariadb.inspector import MariadbInspector
from framework_m_migrations.adapters.sql.dialects.mariadb.locks import MariadbWaits, NamedLock, holders_named
from framework_m_migrations.adapters.sql.dialects.mariadb.spelling import NAME_LIMIT, MariadbSpelling
from framework_m_migrations.adapters.sql.dialects.mariadb.types import key_fits
from framework_m_migrations.adapters.sql.guard import Lexical
from framework_m_migrations.adapters.sql.sqltext import SqlText
from framework_m_migrations.adapters.sql.trial import Trial
from framework_m_migrations.adapters.sql.watching import Waits
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.capabilities import Capabilities
from framework_m_migrations.domain.errors import InvalidMetadata, MigrationError, UnsupportedDatabase
from framework_m_migrations.domain.options import Limits
from framework_m_migrations.domain.plan import LockLevel
from framework_m_migrations.domain.schema import Table, TableName

OLDEST = (10, 6)
"""The first version in which each DDL statement is done wholly or not at all."""
_DESTRUCTIVE = o.DropTable | o.DropColumn | o.DropIndex | o.DropConstraint | o.DropNotNull


class MariadbDialect(BaseDialect[MariadbSpelling, MariadbInspector]):
    """The services of MariaDB, from 10.6 on, where each DDL statement is atomic, for any driver that SQLAlchemy has."""

    name = "mariadb"
    login = "SESSION_USER()"
    spelling_class = MariadbSpelling
    inspector_class = MariadbInspector
    # Names are equal when their characters are, whatever the database's own collation says.
    own_tables = MappingProxyType(
        {"mariadb_engine": "InnoDB", "mariadb_charset": "utf8mb4", "mariadb_collate": "utf8mb4_nopad_bin"}
    )
    key_length = 255

    def relations(self, names: Collection[str], schema: str | None, *, visible: bool = False) -> sa.Select[Any] | None:
        """See SqlDialect."""
        del visible
        return relations(names, schema)

    def lexical(self, dialect: sa.Dialect) -> Lexical:
        """See SqlDialect. Texts have either quote."""
        escapes = "'\"" if getattr(dialect, "_backslash_escapes", False) else ""
        return Lexical("'\"`", backslash=escapes, executed=True)

    def capabilities(self, dialect: sa.Dialect) -> Capabilities:
        """What MariaDB can do.

        Each DDL statement commits, what came before it included, so that every operation is one statement and a step
        of its own. A unique constraint is an index; indexes are over columns alone, and over all rows.
        """
        version = server_version(dialect)
        if version and version[:2] < OLDEST:
            raise UnsupportedDatabase(
                f"MariaDB {'.'.join(map(str, version))} is too old: there a DDL statement that is interrupted may be "
                "done in part.",
                next_step="Use MariaDB 10.6 or later.",
            )
        return Capabilities(
            dialect=self.name,
            async_driver="mariadb+asyncmy",
            server_version=version,
            transactional_ddl=False,
            identifier_limit=NAME_LIMIT,
            schemas=True,
            comments=True,
            unique_is_index=True,
            expression_indexes=False,
            partial_indexes=False,
            options_as_named=True,
            # Tables are folded by some servers only (lower_case_table_names), and then in what is declared already.
            folds_columns=True,
            naming=NAMING,
            spell=spelt,
            keys_to_any_index=True,
            # InnoDB checks at once whatever is said, and prints one word for both.
            restrict=False,
            ignored_actions=frozenset({"SET DEFAULT"}),
            key_fits=key_fits,
            auto_increment=True,
            defines=frozenset({"view", "function", "procedure", "trigger", "rows"}),
        )

    trial = Trial(transactions.attempts, "CREATE TEMPORARY TABLE {name} LIKE {table}", together=False, wrong=is_wrong)

    def lock(self, connection: sa.Connection, *, schema: str | None, kind: str = "auto") -> NamedLock:
        """GET_LOCK on the session's own connection."""
        del kind
        return NamedLock(connection, schema=schema)

    @contextmanager
    def transaction(self, connection: sa.Connection, limits: Limits) -> Iterator[None]:
        """A transaction that the first DDL statement ends; see scopes.py. A statement there changes one table."""
        with holders_named(connection), transactions.transaction(connection, limits):
            yield

    def autocommit(self, connection: sa.Connection) -> AbstractContextManager[None]:
        """No transaction."""
        return transactions.autocommit(connection)

    def mark(self, connection: sa.Connection) -> Mark:
        """A savepoint, which ends with its transaction."""
        return transactions.mark(connection)

    def statements(
        self, operation: o.Operation, connection: sa.Connection, *, schema: str | None
    ) -> tuple[Statement, ...] | None:
        """What MariaDB writes in its own way; None for the shared form."""
        text = SqlText(connection.dialect, MariadbSpelling(connection.dialect).identifier, schema=schema)
        writer = Writer(connection, text, schema=schema)
        match operation:
            case o.DropColumn(table=name, column=column):
                table = self._table(connection, name, schema)
                if table.columns and table.column(column) is None:
                    raise InvalidMetadata(f"Table {name} has no column {column}.")
                return writer.drop_column(table, column)
            case o.SetTableOptions(table=name):
                return writer.set_options(self._table(connection, name, schema), operation)
            case o.DropConstraint(table=name, constraint=key, kind="foreign_key"):
                return writer.drop_foreign_key(self._table(connection, name, schema), key)
            case o.DropIndex(table=name, index=index) | o.DropConstraint(table=name, constraint=index, kind="unique"):
                return writer.drop_index(self._table(connection, name, schema), index)
            case _:
                pass
        if isinstance(operation, _DESTRUCTIVE):
            return writer.destructive(operation)
        return writer.revision(operation) if isinstance(operation, o.RevisionOperation) else writer.additive(operation)

    def rehearsed(
        self, operations: Sequence[Any], connection: sa.Connection, *, schema: str | None
    ) -> AbstractContextManager[sa.Connection | None]:
        """See SqlDialect: a change of a column says again what the one before made of it."""
        del schema
        rehearsing: Any = Rehearsing(connection)
        return nullcontext(rehearsing if is_changed_again(operations) else None)

    def _table(self, connection: sa.Connection, name: TableName, schema: str | None) -> Table:
        """The table as it is. One that a revision renames first has nothing known about it when a plan shows it."""
        found = self.inspector(connection, schema=schema, ignored=frozenset()).read([name]).tables.get(name)
        return found if found is not None else Table(name, ())

    def lock_levels(self, operation: o.Operation) -> tuple[tuple[TableName, LockLevel], ...]:
        """As of any database, but that a new table's foreign keys lock nothing."""
        return () if isinstance(operation, o.CreateTable) else super().lock_levels(operation)

    def lock_level(self, level: LockLevel) -> LockLevel:
        """A metadata lock: writers go on beside each other, and a foreign key's target waits for them alone."""
        return {
            LockLevel.NONE: LockLevel.NONE,
            LockLevel.ROW_EXCLUSIVE: LockLevel.MDL_SHARED_WRITE,
            LockLevel.SHARE_ROW_EXCLUSIVE: LockLevel.MDL_SHARED_NO_WRITE,
        }.get(level, LockLevel.MDL_EXCLUSIVE)

    def revision_impl(self) -> type[Any] | None:
        """Alembic's operations through the writer, from what SHOW CREATE TABLE says."""
        from framework_m_migrations.adapters.sql.dialects.mariadb.revisions import MariadbRevisions

        return MariadbRevisions

    def rehearsal(self) -> Rehearsal | None:
        """See SqlDialect."""
        from framework_m_migrations.adapters.sql.dialects.mariadb.dump import MariadbRehearsal

        return MariadbRehearsal()

    def waits(self) -> Waits | None:
        """See SqlDialect."""
        return MariadbWaits()

    def translate(self, error: sa.exc.DBAPIError) -> MigrationError | None:
        """The meaning of a driver's error."""
        return translate(error)
