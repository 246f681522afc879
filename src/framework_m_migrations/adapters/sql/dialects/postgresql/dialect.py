"""PostgreSQL; implements base.SqlDialect."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as sa_postgresql

from framework_m_migrations.adapters.sql.dialects.base import BaseDialect, Mark, Rehearsal, Statement, server_version
from framework_m_migrations.adapters.sql.dialects.postgresql import transactions
from framework_m_migrations.adapters.sql.dialects.postgresql.blockers import (
    PostgresqlWaits,
    blockers_named,
    lateness_as_waiting,
)
from framework_m_migrations.adapters.sql.dialects.postgresql.columns import batch
from framework_m_migrations.adapters.sql.dialects.postgresql.conflicts import relations
from framework_m_migrations.adapters.sql.dialects.postgresql.ddl import PostgresqlWriter, lock_levels, statements
from framework_m_migrations.adapters.sql.dialects.postgresql.errors import is_wrong, translate
from framework_m_migrations.adapters.sql.dialects.postgresql.inspector import PostgresqlInspector, PostgresqlTenants
from framework_m_migrations.adapters.sql.dialects.postgresql.locks import PostgresqlLock
from framework_m_migrations.adapters.sql.dialects.postgresql.privileges import unwritable
from framework_m_migrations.adapters.sql.dialects.postgresql.spelling import PostgresqlSpelling
from framework_m_migrations.adapters.sql.dialects.postgresql.text import NAME_LIMIT
from framework_m_migrations.adapters.sql.dialects.postgresql.types import key_fits
from framework_m_migrations.adapters.sql.guard import Lexical
from framework_m_migrations.adapters.sql.trial import Trial
from framework_m_migrations.adapters.sql.watching import Waits
from framework_m_migrations.domain.capabilities import Capabilities
from framework_m_migrations.domain.defined import DEFINED
from framework_m_migrations.domain.errors import MigrationError, UnsupportedDatabase
from framework_m_migrations.domain.operations import FillColumn, Operation
from framework_m_migrations.domain.options import Limits
from framework_m_migrations.domain.plan import LockLevel
from framework_m_migrations.domain.schema import TableName

OLDEST = (13,)
STEP_WEIGHT = 2000
"""Objects that one transaction may lock. A stock server has room for 6,400 in all its sessions together
(max_locks_per_transaction 64 for each of max_connections 100)."""

DISTINCT_DEFAULTS = frozenset({"gen_random_uuid()", "uuidv4()", "uuidv7()", "uuid_generate_v4()", "uuid_generate_v1()"})


class PostgresqlDialect(BaseDialect[PostgresqlSpelling, PostgresqlInspector]):
    """The services of PostgreSQL, from version 13 on, for any driver that SQLAlchemy has for it."""

    name = "postgresql"
    login = "SESSION_USER"
    spelling_class = PostgresqlSpelling
    inspector_class = PostgresqlInspector
    tenant_schemas = True

    def unwritable(self, name: str, schema: str | None) -> sa.Select[Any]:
        """See SqlDialect."""
        return unwritable(name, schema)

    def relations(self, names: Collection[str], schema: str | None, *, visible: bool = False) -> sa.Select[Any] | None:
        """See SqlDialect."""
        return relations(names, schema, visible=visible)

    def lexical(self, dialect: sa.Dialect) -> Lexical:
        """See SqlDialect. Backslashes escape in plain texts where standard_conforming_strings is off."""
        escapes = "'" if getattr(dialect, "_backslash_escapes", False) else ""
        return Lexical("'\"", backslash=escapes, dollars=True, nested=True, several=True)

    def capabilities(self, dialect: sa.Dialect) -> Capabilities:
        """What PostgreSQL can do.

        Raises:
            UnsupportedDatabase: the server lacks what the engine is built on.
        """
        version = server_version(dialect)
        if version and version < OLDEST:
            shown = ".".join(map(str, version))
            raise UnsupportedDatabase(
                f"This is PostgreSQL {shown}; the engine needs {OLDEST[0]} or later.",
                next_step="Upgrade the server: docs/online.md lists what is missing.",
                details={"server_version": shown},
            )
        return Capabilities(
            dialect=self.name,
            async_driver="postgresql+asyncpg",
            server_version=version,
            transactional_ddl=True,
            identifier_limit=NAME_LIMIT,
            step_weight=STEP_WEIGHT,
            forward_references=False,
            alter_constraints=True,
            alter_column=True,
            named_enums=True,
            schemas=True,
            comments=True,
            online_index=True,
            deferred_validation=True,
            unique_via_index=True,
            add_volatile_default=True,
            staged_defaults=True,
            unvalidated_not_null=version >= (18,),
            unvalidated_part_keys=version >= (18,),
            distinct_defaults=DISTINCT_DEFAULTS,
            typed_plans=True,
            column_statistics=True,
            views_hold_types=True,
            merges_constraints=True,
            defines=frozenset(DEFINED),
            rename_constraints=True,
            unique_is_index=False,
            table_locks=True,
            options_as_named=True,
            key_fits=key_fits,
        )

    def lock(self, connection: sa.Connection, *, schema: str | None, kind: str = "auto") -> PostgresqlLock:
        """See SqlDialect: by an advisory lock, or by a lease behind a proxy."""
        return PostgresqlLock(connection, schema=schema, kind=kind)

    def tenants(self, connection: sa.Connection, *, ignored: frozenset[str]) -> PostgresqlTenants:
        """See SqlDialect."""
        return PostgresqlTenants(connection, ignored=ignored)

    trial = Trial(transactions.attempts, "CREATE TEMPORARY TABLE {name} (LIKE {table})", together=True, wrong=is_wrong)

    @contextmanager
    def transaction(self, connection: sa.Connection, limits: Limits) -> Iterator[None]:
        """See SqlDialect."""
        together = limits.brief and (limits.statement or limits.lock) >= limits.lock
        chosen = replace(limits, statement=limits.lock) if together else limits
        late = lateness_as_waiting() if together else nullcontext()
        with blockers_named(connection), late, transactions.transaction(connection, chosen):
            yield

    def reading(self, connection: sa.Connection) -> AbstractContextManager[None]:
        """See SqlDialect: each read is a transaction of its own, which costs neither BEGIN nor ROLLBACK."""
        return transactions.reading(connection)

    def autocommit(self, connection: sa.Connection) -> AbstractContextManager[None]:
        """See SqlDialect."""
        return transactions.autocommit(connection)

    def mark(self, connection: sa.Connection) -> Mark:
        """See SqlDialect."""
        return transactions.mark(connection)

    def statements(
        self, operation: Operation, connection: sa.Connection, *, schema: str | None
    ) -> tuple[Statement, ...] | None:
        """See SqlDialect."""
        return statements(operation, connection, schema=schema)

    def scripted(self, operation: Operation, dialect: sa.Dialect) -> tuple[str, ...]:
        """See SqlDialect: whatever the server's version."""
        del dialect
        return PostgresqlWriter(sa_postgresql.dialect(), idempotent=False).statements(operation)  # type: ignore[no-untyped-call]

    def online_revisions(self) -> Any:
        """See SqlDialect."""
        from framework_m_migrations.adapters.sql.dialects.postgresql.online import halves

        return halves

    def batch(self, operation: FillColumn, after: str | None, *, schema: str | None) -> tuple[str, ...]:
        """See SqlDialect."""
        return batch(operation, after, schema=schema)

    def lock_levels(self, operation: Operation) -> tuple[tuple[TableName, LockLevel], ...]:
        """See SqlDialect."""
        return lock_levels(operation)

    def revision_impl(self) -> type[Any] | None:
        """See SqlDialect."""
        from framework_m_migrations.adapters.sql.dialects.postgresql.revisions import PostgresqlRevisions

        return PostgresqlRevisions

    def revision_scope(self, connection: sa.Connection) -> AbstractContextManager[None]:
        """An index that a killed revision left half built is built again."""
        from framework_m_migrations.adapters.sql.dialects.postgresql.online.half_built import half_built_again

        return half_built_again(connection)

    def rehearsal(self) -> Rehearsal | None:
        """See SqlDialect."""
        from framework_m_migrations.adapters.sql.dialects.postgresql.dump import PostgresqlRehearsal

        return PostgresqlRehearsal()

    def waits(self) -> Waits | None:
        """See SqlDialect."""
        return PostgresqlWaits()

    def translate(self, error: sa.exc.DBAPIError) -> MigrationError | None:
        """See SqlDialect."""
        return translate(error)
