"""The memory adapter, as the contract suite wants it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import PurePath

from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.capabilities import Capabilities
from framework_m_migrations.domain.effects import Hook, HookPhase, UseCase
from framework_m_migrations.domain.ownership import LedgerForm
from framework_m_migrations.domain.revisions import Revision
from framework_m_migrations.domain.schema import (
    Column,
    ColumnType,
    DocTypeSchema,
    Index,
    IndexKey,
    PrimaryKey,
    Table,
    TableName,
)
from framework_m_migrations.ports.app_discovery import App
from framework_m_migrations.ports.persistence import Persistence
from framework_m_migrations.ports.session import Session
from framework_m_migrations.testing import KINDS, Meddling, as_use_case
from tests.fakes.memory import (
    AsyncMemoryRunner,
    MemoryConnection,
    MemoryDatabase,
    MemoryDiscovery,
    MemoryHooks,
    MemoryPersistence,
    MemoryRevision,
    MemoryRevisions,
    MemoryRunner,
    MemorySession,
    MemorySource,
    MemoryStore,
    MemoryWorld,
    memory_type,
)

INTEGER, TEXT = memory_type("integer"), memory_type("text")
APPS = ("alpha", "beta")


def simple(name: str, *columns: Column) -> Table:
    return Table(TableName(name), (Column("id", INTEGER, nullable=False), *columns), PrimaryKey(("id",)))


class MemoryRevisionFiles:
    apps = APPS

    def __init__(self, revisions: MemoryRevisions) -> None:
        self.revisions = revisions

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
        def change(operation: o.Operation) -> Callable[[MemoryConnection], None]:
            def apply(connection: MemoryConnection) -> None:
                if creates is not None:
                    connection.apply(operation)
                if fails:
                    raise ValueError("on purpose")

            return apply

        first = all(item.revision.app != app for item in self.revisions.revisions)
        labels = (app,) if first else ()
        upgrade = change(o.CreateTable(simple(creates or ""), ()))
        downgrade = change(o.DropTable(TableName(creates or "")))
        made = Revision(revision, app, tuple(down), tuple(depends_on), labels)
        self.revisions.revisions.append(MemoryRevision(made, upgrade, downgrade))

    def remove(self, revision: str, app: str) -> None:
        self.revisions.revisions.remove(self.revisions.find(revision))

    def add_broken(self, app: str) -> None:
        self.revisions.broken.append(f"{app}/broken.py")

    def text(self, path: PurePath) -> str | None:
        return None


class MemoryHarness:
    types: Mapping[str, ColumnType] = {kind: memory_type(kind) for kind in KINDS}
    secrets = ("secret",)

    def __init__(self, capabilities: Capabilities | None = None) -> None:
        self.database = MemoryDatabase(capabilities) if capabilities is not None else MemoryDatabase()
        self.other_schema = "tenant" if self.database.capabilities.schemas else None
        apps = tuple(App(name, name, new_version_folder=PurePath(name)) for name in APPS)
        self.world = MemoryWorld(apps=apps)
        self.revisions = MemoryRevisionFiles(self.world.revisions)

    def run[T](self, work: Callable[[Session], T], *, drops: bool = False) -> T:
        return MemoryRunner(self.database, replace(self.world, allow_drop=drops)).run(as_use_case(work))

    @contextmanager
    def second(self) -> Iterator[Session]:
        connection = self.database.connect()
        yield MemorySession(connection, self.world)
        connection.close()

    def quote(self, name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    def literal(self, text: str) -> str:
        return "'" + text.replace("'", "''") + "'"

    def die_holding_lock(self) -> bool:
        connection = self.database.connect()
        assert MemorySession(connection, self.world).lock.try_acquire()
        connection.close()
        return True

    def insert(self, table: TableName, rows: Sequence[Mapping[str, object]]) -> None:
        self.database.insert(table, rows)

    def rows(self, table: TableName) -> list[dict[str, object]]:
        return self.database.rows(table)

    def meddle(self, meddling: Meddling, table: str) -> None:
        name = TableName(table)
        operations: dict[Meddling, o.Operation] = {
            Meddling.CREATE_TABLE: o.CreateTable(simple(table, Column("note", TEXT)), ()),
            Meddling.ADD_COLUMN: o.AddColumn(name, Column("extra", INTEGER)),
            Meddling.DROP_COLUMN: o.DropColumn(name, "extra"),
            Meddling.CREATE_INDEX: o.CreateIndex(name, Index(f"ix_{table}_note", (IndexKey("note"),))),
            Meddling.DROP_INDEX: o.DropIndex(name, f"ix_{table}_note"),
            Meddling.DROP_TABLE: o.DropTable(name),
        }
        self.database.apply(operations[meddling])

    def recording(self, session: Session) -> AbstractContextManager[list[str]] | None:
        return None

    def legacy_ledger(self, checksums: Mapping[str, str]) -> None:
        ledger = self.database.state.ledger
        form = LedgerForm.LEGACY if ledger.form is LedgerForm.ABSENT else ledger.form
        changed = replace(ledger, form=form, checksums={**ledger.checksums, **checksums})
        self.database.state.ledger = changed

    def corrupt_ledger(self) -> bool:
        return False

    def legacy_checksums(self) -> dict[str, str]:
        return dict(self.database.state.ledger.checksums)


def doctype(name: str, *columns: str) -> DocTypeSchema:
    return DocTypeSchema(name, (simple(f"tab_{name.lower()}", *(Column(column, TEXT) for column in columns)),))


class MemorySources:
    TASK, NOTE, USER = doctype("Task", "title"), doctype("Note", "body"), doctype("User", "email")

    def plain(self) -> MemorySource:
        return MemorySource([self.TASK, self.NOTE, self.USER])

    def reordered(self) -> MemorySource:
        return MemorySource([self.USER, self.TASK, self.NOTE])

    def changed(self) -> MemorySource:
        return MemorySource([self.TASK, doctype("Note", "body", "extra"), self.USER])

    def contradictory(self) -> MemorySource:
        return MemorySource([self.TASK, replace(self.TASK, name="Twin")])

    def broken(self) -> None:
        return None


class MemoryApps:
    def installed(self, layouts: Mapping[str, Sequence[str]]) -> MemoryDiscovery:
        order = ("migrations/versions", "migrations", "alembic/versions")
        apps = []
        for name, folders in layouts.items():
            found = next((PurePath(name, layout) for layout in order if layout in folders), None)
            apps.append(App(name, name, found, PurePath(name, order[0])))
        return MemoryDiscovery(apps)

    def missing(self) -> MemoryDiscovery:
        return MemoryDiscovery(missing=["nowhere"])

    def broken(self) -> MemoryDiscovery:
        return MemoryDiscovery(broken=["shop"])


class MemoryDeclaredHooks:
    def __init__(self) -> None:
        self.called: list[str] = []

    def declared(self, hooks: Mapping[str, Sequence[str]]) -> MemoryHooks:
        def function(app: str, name: str) -> Callable[[], None]:
            return lambda: self.called.append(f"{app}.{name}")

        return MemoryHooks(
            Hook(app, HookPhase(name), function(app, name)) for app, names in hooks.items() for name in names
        )

    def broken(self) -> MemoryHooks:
        return MemoryHooks(broken=["shop"])

    def calls(self) -> list[str]:
        return self.called


class MemoryStores:
    NOTE = TableName("note")

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.databases: dict[int, MemoryDatabase] = {}

    def open(self) -> MemoryPersistence:
        database = MemoryDatabase()
        holder = MemoryPersistence(self.store, database)
        self.databases[id(holder)] = database
        return holder

    def write(self, holder: Persistence, text: str) -> None:
        database = self.databases[id(holder)]
        if self.NOTE in database.state.tables:
            database.apply(o.DropTable(self.NOTE))
        database.create(simple("note", Column("text", TEXT)))
        database.insert(self.NOTE, [{"id": 1, "text": text}])

    def read(self, holder: Persistence) -> str | None:
        database = self.databases[id(holder)]
        return str(database.rows(self.NOTE)[0]["text"]) if self.NOTE in database.state.tables else None

    def break_store(self, *, broken: bool) -> None:
        self.store.failing = broken


class MemoryRunnerHarness:
    """Both runners: ``run`` is the synchronous one."""

    def __init__(self, *, wait: bool) -> None:
        self.database = MemoryDatabase()
        self.wait = wait

    def run[T](self, use_case: Callable[[Session], UseCase[T]]) -> T:
        return MemoryRunner(self.database).run(use_case)

    async def run_async[T](self, use_case: Callable[[Session], UseCase[T]]) -> T:
        return await self._run(self.database, use_case)

    async def run_borrowed[T](self, use_case: Callable[[Session], UseCase[T]]) -> tuple[T, bool]:
        connection = self.database.connect()
        answer = await self._run(connection, use_case)
        usable = connection.is_open
        connection.close()
        return answer, usable

    async def run_unreachable[T](self, use_case: Callable[[Session], UseCase[T]]) -> T:
        self.database.reachable = False
        return await self._run(self.database, use_case)

    async def _run[T](self, source: MemoryDatabase | MemoryConnection, use_case: Callable[[Session], UseCase[T]]) -> T:
        if self.wait:
            return await AsyncMemoryRunner(source).run(use_case)
        return MemoryRunner(source).run(use_case)
