"""What a SQL dialect must supply so that the shared SQL adapters can serve it.

Comparison, planning, the ledger and the versioned track are written once; a dialect contributes its spelling, its
catalog reader, its locks and transactions, and the few statements that it writes in its own way.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.base_spelling import Spelling
from framework_m_migrations.adapters.sql.guard import Lexical
from framework_m_migrations.adapters.sql.trial import Trial
from framework_m_migrations.adapters.sql.watching import Waits
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.capabilities import Capabilities
from framework_m_migrations.domain.defined import Dump
from framework_m_migrations.domain.errors import ConfigurationError, MigrationError
from framework_m_migrations.domain.operations import FillColumn, Operation
from framework_m_migrations.domain.options import Limits
from framework_m_migrations.domain.plan import DefinitionEdit, LockLevel
from framework_m_migrations.domain.schema import TableName
from framework_m_migrations.ports.inspector import Inspector
from framework_m_migrations.ports.lock import MigrationLock
from framework_m_migrations.ports.tenants import Tenants

CLOSED = "closed"
"""Said of a table that the role must not write."""

type Statement = sa.schema.ExecutableDDLElement | sa.Executable | str
"""Something to execute: a DDL element, another executable, or literal SQL that is sent to the driver as it is."""


type Play = Callable[[sa.Connection], Sequence[tuple[str, ...]]]
"""Carries operations out in the database of a connection; the statements of each."""


class Rehearsal(Protocol):
    """Scratch databases, and what a database says of its objects; instances hold nothing.

    Attributes:
        title: the name of the database for people.
    """

    title: str

    def url(self, folder: Path) -> sa.URL | None:
        """The URL of a new database in a folder; None for a server, where ``make`` creates one."""
        ...

    def product(self, connection: sa.Connection) -> str:
        """Product and version of the database, "SQLite 3.45"."""
        ...

    def make(self, connection: sa.Connection, name: str) -> None:
        """Create an empty database beside the connection's, with its encoding; sent in autocommit.

        Raises:
            sqlalchemy.exc.DBAPIError: the server refuses.
        """
        ...

    def drop(self, connection: sa.Connection, name: str) -> None:
        """Drop what ``make`` made; sent in autocommit."""
        ...

    def clear(self, connection: sa.Connection) -> None:
        """Drop every object that ``copy`` or a revision created; sent in autocommit."""
        ...

    def copy(self, source: sa.Connection, target: sa.Connection) -> tuple[str, ...]:
        """Create every object of the source's database, without rows, in the empty one of the target, in autocommit.

        Returns:
            The objects that could not be created, each with the reason.
        """
        ...

    def schema(self, connection: sa.Connection, name: str) -> None:
        """Make sure that the database has a schema of this name."""
        ...

    def dump(self, connection: sa.Connection) -> Dump:
        """Every object in the database's own words; the engine's own tables and Alembic's are left to the caller."""
        ...

    def rows(self, connection: sa.Connection, table: TableName) -> list[dict[str, object]]:
        """The rows of a table, by column."""
        ...


class Mark(Protocol):
    """Set in a transaction; says whether it was committed past SQLAlchemy, through the driver itself."""

    def __call__(self, refused: sa.exc.DBAPIError | None, *, within: bool) -> bool:
        """Asked twice when the transaction is given up: just before the rollback (``within``) and after it.

        ``refused`` is the last error of the database.
        """
        ...


class RevisionGuard(Protocol):
    """Precautions around one revision, for a database that needs some."""

    def watch(self) -> AbstractContextManager[None]:
        """The scope of the whole revision, its transaction within."""
        ...

    def check(self) -> None:
        """Called inside the transaction before each commit; what it raises rolls it back."""
        ...


class SqlDialect(Protocol):
    """The services of one dialect. Instances hold no connection and no state."""

    @property
    def name(self) -> str:
        """SQLAlchemy's name of the dialect."""
        ...

    @property
    def login(self) -> str:
        """An expression for the role or account that is connected; ``''`` where there is none."""
        ...

    @property
    def own_tables(self) -> Mapping[str, str]:
        """Keyword arguments of ``sa.Table`` with which the engine's own tables are created."""
        ...

    @property
    def tenant_schemas(self) -> bool:
        """Whether a tenant is a schema of its own: see ``tenants``."""
        ...

    @property
    def key_length(self) -> int | None:
        """Characters that each part of a primary key of two may have; None where a text may be of any length."""
        ...

    def unwritable(self, name: str, schema: str | None) -> sa.Select[Any] | None:
        """A query for a row (name, CLOSED) if the role must not write this table; None where a write tells."""
        ...

    @property
    def trial(self) -> Trial | None:
        """How definitions are tried out, None for not at all."""
        ...

    def relations(self, names: Collection[str], schema: str | None, *, visible: bool = False) -> sa.Select[Any] | None:
        """A query for what has one of the names of tables in a schema: rows of (name, kind), "table" for a table.

        None where the catalog is not known: SQLAlchemy's reflection finds tables and views then.

        Args:
            names: as the engine spells them; so are those of the rows.
            schema: to look in, None for the connection's default.
            visible: without a schema, look wherever statements that name none find a relation.
        """
        ...

    def capabilities(self, dialect: sa.Dialect) -> Capabilities:
        """What the connected database can do (``dialect`` has its server version), without a query."""
        ...

    def lexical(self, dialect: sa.Dialect) -> Lexical | None:
        """How its SQL is cut into words; None where that is not known, and the guard refuses what it cannot judge."""
        ...

    def spelling(self, dialect: sa.Dialect) -> Spelling:
        """The canonical spelling."""
        ...

    def inspector(
        self,
        connection: sa.Connection,
        *,
        schema: str | None,
        ignored: frozenset[str],
        also: frozenset[str] = frozenset(),
    ) -> Inspector:
        """The catalog reader.

        Args:
            connection: to read through.
            schema: the session's, None for the connection's default.
            ignored: the engine's own tables in that schema, which never show up in answers.
            also: further schemas that a look at everything takes in.
        """
        ...

    def lock(self, connection: sa.Connection, *, schema: str | None, kind: str = "auto") -> MigrationLock:
        """The migration lock, on a connection or file of its own. Opens nothing before the first ``try_acquire``.

        ``kind`` is MigrationSettings.lock, for a database that has several.
        """
        ...

    def tenants(self, connection: sa.Connection, *, ignored: frozenset[str]) -> Tenants | None:
        """The schemas of tenants, ``ignored`` being tables of the engine's own; None where tenants are no schemas."""
        ...

    def transaction(self, connection: sa.Connection, limits: Limits) -> AbstractContextManager[None]:
        """A write transaction that takes DDL along, whatever mode the driver's connection is in.

        When the caller's connection is in a transaction already, a savepoint within it. Commits at the end, else
        rolls back; session settings are as before afterwards. A LockTimeout that leaves it names the holder of the
        lock, where the system tells. Where the server has no limit for a statement, ``limits.statement`` means nothing.
        """
        ...

    def reading(self, connection: sa.Connection) -> AbstractContextManager[None]:
        """A scope for reads that need no transaction; one that is open stays. Settings are as before afterwards."""
        ...

    def autocommit(self, connection: sa.Connection) -> AbstractContextManager[None]:
        """A scope without a transaction and without timeouts; settings are as before afterwards."""
        ...

    def mark(self, connection: sa.Connection) -> Mark:
        """Mark the transaction that the connection is in, which must not be a savepoint of a caller's."""
        ...

    def merged(self, operations: Sequence[Operation]) -> Sequence[Any]:
        """The operations of one step, where some are quicker together with these in one operation of the dialect's own.

        ``statements`` takes what this returns. The others give the operations as they are.
        """
        ...

    def rehearsed(
        self, operations: Sequence[Any], connection: sa.Connection, *, schema: str | None
    ) -> AbstractContextManager[sa.Connection | None]:
        """A copy of the definitions, in which operations can be carried out to see what the next one is written as.

        Args:
            operations: what ``merged`` returned.
            connection: of which the copy is made; nothing is changed.
            schema: the session's.

        Returns:
            None where each statement is written the same whatever was done before.
        """
        ...

    def edits(
        self, operations: Sequence[Any], connection: sa.Connection, play: Play, *, schema: str | None
    ) -> tuple[DefinitionEdit, ...]:
        """The definitions that operations change as text.

        Args:
            operations: what ``merged`` returned.
            connection: where they would be changed; nothing is.
            play: carries the operations out in the database of a connection and returns the statements of each.
            schema: the session's.
        """
        ...

    def statements(
        self, operation: Operation, connection: sa.Connection, *, schema: str | None
    ) -> tuple[Statement, ...] | None:
        """The statements of an operation that this dialect writes in its own way, None to use the shared form."""
        ...

    def scripted(self, operation: Operation, dialect: sa.Dialect) -> tuple[str, ...]:
        """The statements of an operation that Alembic has no word for, as a revision says them; asks nothing."""
        ...

    def batch_options(self, before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, Any] | None:
        """Options of a table as ``table_kwargs`` of a batch that copies it; None where statements change them.

        Args:
            before: options that differ, as they are; those of a column are called ``column.option``.
            after: the same as they shall be.
        """
        ...

    def online_revisions(self) -> Any | None:
        """The module that writes both halves of an online revision: see postgresql/online/halves.py. None for none."""
        ...

    def batch(self, operation: FillColumn, after: str | None, *, schema: str | None) -> tuple[str, ...]:
        """The statements of one batch; see Executor.fill. Empty where the whole column is filled at once.

        The last one gives a row: rows seen, rows changed, the last key as a text.
        """
        ...

    def lock_levels(self, operation: Operation) -> tuple[tuple[TableName, LockLevel], ...]:
        """Locks that an operation takes on tables that exist before it."""
        ...

    def lock_level(self, level: LockLevel) -> LockLevel:
        """The database's own lock for a statement that takes this one on PostgreSQL."""
        ...

    def revision_impl(self) -> type[Any] | None:
        """A mixin that stands before Alembic's ``impl`` of the dialect while a revision runs; None for Alembic's alone.

        Its methods have the signatures of ``alembic.ddl.impl.DefaultImpl`` and send what the dialect's writer says.
        A method ``batch_alter_table(operations, table_name, schema, **options)``, where it has one, takes the place of
        Alembic's, which copies tables by reflection. Imported when it is asked for: sync needs no Alembic.
        """
        ...

    def revision_guard(self, connection: sa.Connection) -> RevisionGuard | None:
        """Precautions around a revision on this connection; None for none."""
        ...

    def revision_scope(self, connection: sa.Connection) -> AbstractContextManager[None]:
        """The scope in which the functions of a revision run, within its transaction."""
        ...

    def rehearsal(self) -> Rehearsal | None:
        """What it takes to try a revision out on a scratch database; None where that is not possible."""
        ...

    def waits(self) -> Waits | None:
        """What the server says of waits for locks; None where the dialect's own scopes report a wait at each try."""
        ...

    def translate(self, error: sa.exc.DBAPIError) -> MigrationError | None:
        """The error of our tree that a driver's error means, None where it is nothing in particular."""
        ...


class BaseDialect[S: Spelling, I: Inspector]:
    """What most databases have in common; a dialect overrides where its database differs.

    A subclass gives ``name``, ``capabilities``, ``spelling_class`` and ``inspector_class``, and should give
    ``lexical`` and ``translate``.

    Attributes:
        name: SQLAlchemy's name of the dialect.
        own_tables, key_length, tenant_schemas, trial: see SqlDialect.
        spelling_class: of the canonical spelling, called with SQLAlchemy's dialect.
        inspector_class: of the catalog reader, called as ``inspector`` is.
        login: an expression for the role or account that is connected.
    """

    name: str
    login: str = "''"
    spelling_class: type[S]
    inspector_class: type[I]
    own_tables: Mapping[str, str] = MappingProxyType({})
    key_length: int | None = None
    tenant_schemas: bool = False
    trial: Trial | None = None

    def unwritable(self, name: str, schema: str | None) -> sa.Select[Any] | None:
        """See SqlDialect: not known before."""
        del name, schema
        return None

    def relations(self, names: Collection[str], schema: str | None, *, visible: bool = False) -> sa.Select[Any] | None:
        """See SqlDialect: not known."""
        del names, schema, visible
        return None

    def capabilities(self, dialect: sa.Dialect) -> Capabilities:
        """See SqlDialect."""
        return Capabilities(self.name, server_version(dialect))

    def lexical(self, dialect: sa.Dialect) -> Lexical | None:
        """See SqlDialect: not known."""
        del dialect
        return None

    def spelling(self, dialect: sa.Dialect) -> S:
        """See SqlDialect."""
        make: Callable[..., S] = self.spelling_class
        return make(dialect)

    def inspector(
        self,
        connection: sa.Connection,
        *,
        schema: str | None,
        ignored: frozenset[str],
        also: frozenset[str] = frozenset(),
    ) -> I:
        """See SqlDialect."""
        make: Callable[..., I] = self.inspector_class
        return make(connection, schema=schema, ignored=ignored, also=also)

    def tenants(self, connection: sa.Connection, *, ignored: frozenset[str]) -> Tenants | None:
        """See SqlDialect: none."""
        del connection, ignored
        return None

    def lock(self, connection: sa.Connection, *, schema: str | None, kind: str = "auto") -> MigrationLock:
        """See SqlDialect: a lock on a file beside the database's own."""
        del kind
        from framework_m_migrations.adapters.sql.file_lock import FileLock

        return FileLock(lambda: self.database_file(connection, schema))

    def database_file(self, connection: sa.Connection, schema: str | None) -> Path | None:
        """The file that a connection works on; None for a database in memory.

        Raises:
            NotImplementedError: it is on a server: such a dialect has a ``lock`` of its own.
        """
        del schema
        url = connection.engine.url
        if url.host is not None:
            raise NotImplementedError(f"The dialect {self.name} has no migration lock: override `lock`.")
        return None if not url.database or url.database.startswith(":") else Path(url.database)

    def transaction(self, connection: sa.Connection, limits: Limits) -> AbstractContextManager[None]:
        """See SqlDialect: SQLAlchemy's own; without savepoints one that is open is joined."""
        del limits
        return _begun(connection, savepoints=self.capabilities(connection.dialect).savepoints)

    def reading(self, connection: sa.Connection) -> AbstractContextManager[None]:
        """See SqlDialect."""
        del connection
        return nullcontext()

    def autocommit(self, connection: sa.Connection) -> AbstractContextManager[None]:
        """See SqlDialect: what was sent is committed at the end."""
        return _committed(connection)

    def mark(self, connection: sa.Connection) -> Mark:
        """See SqlDialect: a commit through the driver is not noticed."""
        del connection
        return _unmarked

    def merged(self, operations: Sequence[Operation]) -> Sequence[Any]:
        """See SqlDialect: each by itself."""
        return operations

    def rehearsed(
        self, operations: Sequence[Any], connection: sa.Connection, *, schema: str | None
    ) -> AbstractContextManager[sa.Connection | None]:
        """See SqlDialect: none is needed."""
        del operations, connection, schema
        return nullcontext()

    def edits(
        self, operations: Sequence[Any], connection: sa.Connection, play: Play, *, schema: str | None
    ) -> tuple[DefinitionEdit, ...]:
        """See SqlDialect: there is a statement for everything."""
        del operations, connection, play, schema
        return ()

    def statements(
        self, operation: Operation, connection: sa.Connection, *, schema: str | None
    ) -> tuple[Statement, ...] | None:
        """See SqlDialect: the shared form."""
        del operation, connection, schema
        return None

    def shared(self, operation: Operation, connection: sa.Connection, *, schema: str | None) -> tuple[str, ...]:
        """The shared form of an operation, for a dialect that changes some words of it."""
        from framework_m_migrations.adapters.sql.ddl import DdlWriter

        return DdlWriter(connection, self, schema=schema).shared(operation)

    def scripted(self, operation: Operation, dialect: sa.Dialect) -> tuple[str, ...]:
        """See SqlDialect: the shared form."""
        from framework_m_migrations.adapters.sql.ddl import SharedForms
        from framework_m_migrations.adapters.sql.sqltext import SqlText

        text = SqlText(dialect, self.spelling(dialect).identifier, schema=None)
        return SharedForms(text, comments=self.capabilities(dialect).comments).statements(operation)

    def batch_options(self, before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, Any] | None:
        """See SqlDialect: by statements."""
        del before, after
        return None

    def online_revisions(self) -> Any | None:
        """See SqlDialect: none."""
        return None

    def batch(self, operation: FillColumn, after: str | None, *, schema: str | None) -> tuple[str, ...]:
        """See SqlDialect: the whole column at once."""
        del operation, after, schema
        return ()

    def lock_levels(self, operation: Operation) -> tuple[tuple[TableName, LockLevel], ...]:
        """See SqlDialect: an exclusive lock on what changes, and one against writers on a new key's target."""
        return tuple((table, self.lock_level(level)) for table, level in lock_levels(operation))

    def lock_level(self, level: LockLevel) -> LockLevel:
        """See SqlDialect: called as on PostgreSQL."""
        return level

    def revision_impl(self) -> type[Any] | None:
        """See SqlDialect: the shared writer's tables and columns, and Alembic's generic DDL."""
        from framework_m_migrations.adapters.sql.revisions.generic import GenericRevisions

        return type("Revisions", (GenericRevisions,), {"sql_dialect": self})

    def revision_guard(self, connection: sa.Connection) -> RevisionGuard | None:
        """See SqlDialect."""
        del connection
        return None

    def revision_scope(self, connection: sa.Connection) -> AbstractContextManager[None]:
        """See SqlDialect."""
        del connection
        return nullcontext()

    def rehearsal(self) -> Rehearsal | None:
        """See SqlDialect."""
        return None

    def waits(self) -> Waits | None:
        """See SqlDialect."""
        return None

    def translate(self, error: sa.exc.DBAPIError) -> MigrationError | None:
        """See SqlDialect."""
        del error
        return None


@contextmanager
def _begun(connection: sa.Connection, *, savepoints: bool) -> Iterator[None]:
    if not connection.in_transaction():
        with connection.begin():
            yield
    elif savepoints:
        with connection.begin_nested():
            yield
    else:
        yield


def refuse_transaction(connection: sa.Connection) -> None:
    """Raise ConfigurationError where a connection is in a transaction, as no statement could stand for itself there."""
    if connection.in_transaction():
        raise ConfigurationError(
            "A statement must run outside any transaction, but the connection handed in is in one.",
            next_step="Commit before the call, or hand in an engine.",
        )


@contextmanager
def _committed(connection: sa.Connection) -> Iterator[None]:
    refuse_transaction(connection)
    yield
    if connection.in_transaction():
        connection.commit()


def server_version(dialect: sa.Dialect) -> tuple[int, ...]:
    """The version of the server that SQLAlchemy learned when it connected; () before that."""
    return tuple(getattr(dialect, "server_version_info", None) or ())


def lock_levels(operation: Operation) -> tuple[tuple[TableName, LockLevel], ...]:
    """The locks of a database in which ALTER TABLE keeps everybody else from the table."""
    if isinstance(operation, o.BesideOperation):
        return ()
    match operation:
        case o.CreateTable(table=table, foreign_keys=keys):
            targets = dict.fromkeys(key.target for key in keys if key.target != table)
            return tuple((target, LockLevel.SHARE_ROW_EXCLUSIVE) for target in targets)
        case o.AddForeignKey(table=table, foreign_key=key):
            own = (table, LockLevel.ACCESS_EXCLUSIVE)
            return (own,) if key.target == table else (own, (key.target, LockLevel.SHARE_ROW_EXCLUSIVE))
        case o.RenameTable(before=table):
            return ((table, LockLevel.ACCESS_EXCLUSIVE),)
        case _:
            return ((operation.table, LockLevel.ACCESS_EXCLUSIVE),)


def _unmarked(refused: sa.exc.DBAPIError | None, *, within: bool) -> bool:
    del refused, within
    return False
