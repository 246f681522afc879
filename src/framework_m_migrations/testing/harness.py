"""What an adapter author hands to the contract suite.

A harness stands for one empty database of the adapter's kind. Its sessions are the adapter's own, run by its own
runner, so that the tests are plain synchronous functions whatever the driver: an async adapter awaits inside ``run``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from enum import StrEnum
from pathlib import PurePath
from typing import Protocol

from framework_m_migrations.domain.effects import UseCase
from framework_m_migrations.domain.schema import ColumnType, TableName
from framework_m_migrations.ports.app_discovery import AppDiscovery
from framework_m_migrations.ports.hooks import HookRegistry
from framework_m_migrations.ports.persistence import Persistence
from framework_m_migrations.ports.schema_source import SchemaSource
from framework_m_migrations.ports.session import Session

KINDS = (
    "integer",
    "bigint",
    "string(50)",
    "string(100)",
    "text",
    "boolean",
    "json",
    "decimal(10,2)",
    "decimal(12,2)",
    "datetime",
)
"""The kinds of column that contract tests use; Harness.types spells them."""


class Meddling(StrEnum):
    """What somebody else does to the database, with SQL of their own."""

    CREATE_TABLE = "create_table"
    """A table with ``id`` (integer, primary key) and ``note`` (text, nullable)."""
    ADD_COLUMN = "add_column"
    """A nullable integer ``extra`` on such a table."""
    DROP_COLUMN = "drop_column"
    """``extra`` again."""
    CREATE_INDEX = "create_index"
    """``ix_<table>_note`` over ``note``."""
    DROP_INDEX = "drop_index"
    """That index again."""
    DROP_TABLE = "drop_table"
    """The table."""


class RevisionFiles(Protocol):
    """Writes revisions as an app's author would."""

    @property
    def apps(self) -> tuple[str, str]:
        """Two apps with a place for revisions, and none there yet."""
        ...

    def add(
        self,
        revision: str,
        app: str,
        *,
        down: Sequence[str] = (),
        depends_on: Sequence[str] = (),
        creates: str | None = None,
        fails: bool = False,
    ) -> None:
        """A revision whose upgrade creates the table ``creates`` and whose downgrade drops it.

        The table has ``id`` (integer, primary key) alone. With ``fails`` both directions raise at their end. The first
        revision of an app has the app's name as branch label.
        """
        ...

    def remove(self, revision: str, app: str) -> None:
        """Take a revision away again, as when an app is uninstalled."""
        ...

    def add_broken(self, app: str) -> None:
        """A file that cannot be loaded."""
        ...

    def text(self, path: PurePath) -> str | None:
        """What stands in a revision file, None where revisions are no files."""
        ...


class Harness(Protocol):
    """One empty database, and what tests need of its surroundings."""

    @property
    def types(self) -> Mapping[str, ColumnType]:
        """A type of the dialect for each of KINDS."""
        ...

    @property
    def other_schema(self) -> str | None:
        """An empty schema beside the default one, None where the database has none."""
        ...

    def quote(self, name: str) -> str:
        """A name as it is written in SQL: quoted, whatever characters it has."""
        ...

    def literal(self, text: str) -> str:
        """A text as a literal in SQL: not all databases take a backslash for one."""
        ...

    @property
    def secrets(self) -> tuple[str, ...]:
        """Texts that no answer may contain, such as the password."""
        ...

    @property
    def revisions(self) -> RevisionFiles:
        """The apps' revisions, shared by all sessions."""
        ...

    def run[T](self, work: Callable[[Session], T], *, drops: bool = False) -> T:
        """Open a session, call ``work`` with it, close the session, return the answer.

        Args:
            work: a synchronous function.
            drops: the user asked for drops: the session has a pruner.
        """
        ...

    def second(self) -> AbstractContextManager[Session]:
        """Another, independent session, to be used from within ``work``; closed at the end.

        An adapter of an async driver opens it with a synchronous driver of the same database.
        """
        ...

    def die_holding_lock(self) -> bool:
        """Let another session take the migration lock and die without giving it back, by a kill if there is a process.

        Returns:
            True when the lock was had and the session is dead; False where nothing can be killed here.
        """
        ...

    def insert(self, table: TableName, rows: Sequence[Mapping[str, object]]) -> None:
        """Insert and commit rows on a connection of its own, as an application would."""
        ...

    def rows(self, table: TableName) -> list[dict[str, object]]:
        """The committed rows of a table in any order, read on a connection of its own."""
        ...

    def meddle(self, meddling: Meddling, table: str) -> None:
        """Do and commit something out of band, on a connection of its own."""
        ...

    def recording(self, session: Session) -> AbstractContextManager[list[str]] | None:
        """Collect the statements that a session sends; None where there are no statements."""
        ...

    def legacy_ledger(self, checksums: Mapping[str, str]) -> None:
        """Make Framework M's two-column ledger with these entries, or write them where it exists, as it would."""
        ...

    def corrupt_ledger(self) -> bool:
        """Put tables in the ledger's place that have another form; False where that cannot be."""
        ...

    def legacy_checksums(self) -> dict[str, str]:
        """Read the ledger as Framework M would."""
        ...


class SourceHarness(Protocol):
    """Definitions for a schema source. Every method returns a new source."""

    def plain(self) -> SchemaSource:
        """At least three DocTypes."""
        ...

    def reordered(self) -> SchemaSource:
        """The same, declared in another order."""
        ...

    def changed(self) -> SchemaSource:
        """The same, but for one column of one DocType."""
        ...

    def contradictory(self) -> SchemaSource:
        """Two DocTypes that claim the same table. Making it may raise InvalidMetadata already."""
        ...

    def broken(self) -> SchemaSource | None:
        """A module that declares DocTypes cannot be imported; None where no modules are involved."""
        ...


class DiscoveryHarness(Protocol):
    """Apps as somebody installed them."""

    def installed(self, layouts: Mapping[str, Sequence[str]]) -> AppDiscovery:
        """Apps in this order, each with these folders (``migrations/versions``...) in its package."""
        ...

    def missing(self) -> AppDiscovery:
        """An app was named that does not exist."""
        ...

    def broken(self) -> AppDiscovery:
        """An app's package is there, and cannot be used: it raises when it is imported, or has no folder."""
        ...


class HooksHarness(Protocol):
    """Hooks as apps declare them."""

    def declared(self, hooks: Mapping[str, Sequence[str]]) -> HookRegistry:
        """Apps in this order, each with functions of these names (``before_sync``, ``after_sync``)."""
        ...

    def broken(self) -> HookRegistry:
        """An app's hook module raises when it is imported."""
        ...

    def calls(self) -> list[str]:
        """``app.name`` of every hook of ``declared`` that was called so far."""
        ...


class StoreHarness(Protocol):
    """A store, and databases in front of it."""

    def open(self) -> Persistence:
        """A holder with a file system of its own, as another tab would be."""
        ...

    def write(self, holder: Persistence, text: str) -> None:
        """Put a text into the holder's file system."""
        ...

    def read(self, holder: Persistence) -> str | None:
        """The text in the holder's file system, None when there is none."""
        ...

    def break_store(self, *, broken: bool) -> None:
        """Make loads and flushes fail, or work again."""
        ...


class RunnerHarness(Protocol):
    """A runner, sync or async, over an empty database."""

    def run[T](self, use_case: Callable[[Session], UseCase[T]]) -> T:
        """Run a use case on a connection that the runner opens. For an async runner: use ``run_async``."""
        ...

    async def run_async[T](self, use_case: Callable[[Session], UseCase[T]]) -> T:
        """As ``run``, awaiting the runner; a synchronous harness calls ``run``."""
        ...

    async def run_borrowed[T](self, use_case: Callable[[Session], UseCase[T]]) -> tuple[T, bool]:
        """Run on a connection that the caller holds; tells also whether it was usable afterwards. Closes it then."""
        ...

    async def run_unreachable[T](self, use_case: Callable[[Session], UseCase[T]]) -> T:
        """Run on a database that cannot be reached."""
        ...


def as_use_case[T](work: Callable[[Session], T]) -> Callable[[Session], UseCase[T]]:
    """A use case that does ``work`` and asks its runner for nothing."""

    def use_case(session: Session) -> UseCase[T]:
        yield from ()
        return work(session)

    return use_case
