"""Harnesses for databases that SQLAlchemy reaches: what most adapter authors need, to be inherited from.

Sessions come from the same wiring that users get. What a dialect says in its own way (how names are quoted, how
somebody meddles by hand) is a method to override. SQLite's and PostgreSQL's words are the default.
"""

from __future__ import annotations

import importlib
import itertools
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path, PurePath
from typing import Any, ClassVar, cast

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.sqltext import SqlText
from framework_m_migrations.container.factories import sql_dialect
from framework_m_migrations.container.settings import MigrationSettings
from framework_m_migrations.container.wiring import Assembly
from framework_m_migrations.domain.effects import UseCase
from framework_m_migrations.domain.errors import InvalidMetadata
from framework_m_migrations.domain.schema import ColumnType, TableName
from framework_m_migrations.embedding.sync import MigrationManager
from framework_m_migrations.ports.session import Session
from framework_m_migrations.testing import Meddling, as_use_case

TYPES: dict[str, sa.types.TypeEngine[Any]] = {
    "integer": sa.Integer(),
    "bigint": sa.BigInteger(),
    "string(50)": sa.String(50),
    "string(100)": sa.String(100),
    "text": sa.Text(),
    "boolean": sa.Boolean(),
    "json": sa.JSON(),
    "decimal(10,2)": sa.Numeric(10, 2),
    "decimal(12,2)": sa.Numeric(12, 2),
    "datetime": sa.DateTime(),
}
MEDDLING = {
    Meddling.CREATE_TABLE: "CREATE TABLE {0} (id INTEGER NOT NULL PRIMARY KEY, note VARCHAR(50))",
    Meddling.ADD_COLUMN: "ALTER TABLE {0} ADD extra INTEGER",
    Meddling.DROP_COLUMN: "ALTER TABLE {0} DROP extra",
    Meddling.CREATE_INDEX: "CREATE INDEX {1} ON {0} (note)",
    Meddling.DROP_INDEX: "DROP INDEX {1}",
    Meddling.DROP_TABLE: "DROP TABLE {0}",
}
HOLD_LOCK = """
import sys, time
import sqlalchemy as sa
from framework_m_migrations.container.wiring import Assembly
from framework_m_migrations.container.settings import MigrationSettings
url = sys.argv[1]
assembly = Assembly(MigrationSettings(url, metadata=(sa.MetaData(),), allow_empty=True), None, None, {})
session = assembly.session(sa.create_engine(url).connect(), drops=False)
assert session.lock.try_acquire()
print("held", flush=True)
time.sleep(600)
"""
REVISION = """
import sqlalchemy as sa
from alembic import op
revision = {revision!r}
down_revision = {down!r}
branch_labels = {labels!r}
depends_on = {depends_on!r}
def upgrade():
    {upgrade}
    {fail}
def downgrade():
    {downgrade}
    {fail}
"""
HOLDER_LIMIT = 240.0
"""Seconds for another process to hold the lock."""
_numbers = itertools.count(1)


class AppFiles:
    """Two apps of the test's own, with revisions in real files. Implements testing.RevisionFiles.

    Args:
        root: an empty folder, which the caller has put on sys.path.
    """

    def __init__(self, root: Path) -> None:
        number = next(_numbers)
        self.root = root
        self.apps = (f"alpha_{number}", f"beta_{number}")
        self._begun: set[str] = set()
        for app in self.apps:
            (root / app).mkdir()
            (root / app / "__init__.py").touch()
        importlib.invalidate_caches()

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
        """See RevisionFiles."""
        text = REVISION.format(
            revision=revision,
            down=tuple(down) or None,
            depends_on=tuple(depends_on) or None,
            labels=None if app in self._begun else (app,),
            upgrade=f'op.create_table({creates!r}, sa.Column("id", sa.Integer, primary_key=True))' if creates else "",
            downgrade=f"op.drop_table({creates!r})" if creates else "",
            fail='raise ValueError("on purpose")' if fails else "pass",
        )
        self._begun.add(app)
        self._file(app, f"{revision}.py").write_text(text, encoding="utf-8")

    def remove(self, revision: str, app: str) -> None:
        """See RevisionFiles."""
        self._file(app, f"{revision}.py").unlink()

    def add_broken(self, app: str) -> None:
        """See RevisionFiles."""
        self._file(app, "broken.py").write_text("this is no Python\n", encoding="utf-8")

    def text(self, path: PurePath) -> str | None:
        """See RevisionFiles."""
        return Path(path).read_text(encoding="utf-8")

    def _file(self, app: str, name: str) -> Path:
        folder = self.root / app / "migrations" / "versions"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / name


class SqlHarness:
    """One empty database, reached by a driver through ``url``, and synchronously. Implements testing.Harness.

    Args:
        url: for the driver under test.
        sync_url: for a synchronous driver of the same database: what the tests do beside the adapter.
        folder: an empty folder of the test's own; ``folder / "apps"`` must be on sys.path.
        schema: the name of a schema to be created beside the default one, None where the database has none.

    Attributes:
        volatile: a default that gives each row a number of its own, None where the database has none.
    """

    volatile: ClassVar[str | None] = "random()"

    def __init__(self, url: str, sync_url: str, folder: Path, *, schema: str | None = None) -> None:
        apps = folder / "apps"
        apps.mkdir()
        self.revisions = AppFiles(apps)
        self.sync_url = sync_url
        self.engine = sa.create_engine(sync_url, poolclass=sa.NullPool)
        self._apps = apps
        settings = MigrationSettings(
            url, apps=self.revisions.apps, metadata=(sa.MetaData(),), allow_empty=True, path=apps
        )
        self.assembly = Assembly(settings, None, None, {})
        password = sa.make_url(url).password
        self.secrets = (str(password),) if password else ()
        self.other_schema = schema
        if schema is not None:
            self.execute(f"CREATE SCHEMA {schema}")

    @property
    def types(self) -> Mapping[str, ColumnType]:
        """See Harness."""
        # What a dialect can spell may depend on the server's version, which it learns when it connects.
        with self.engine.connect():
            services = sql_dialect(self.engine.dialect.name)
        assert services is not None
        spelling, found = services.spelling(self.engine.dialect), {}
        for kind, type_ in TYPES.items():
            # A type that the database does not have is stored as a text by whoever wants it.
            try:
                found[kind] = spelling.column_type(type_)
            except InvalidMetadata:
                found[kind] = found["text"]
        return found

    def manager(self, *models: sa.MetaData) -> MigrationManager:
        """The facade that users get, for these models and the apps of ``revisions``."""
        settings = MigrationSettings(
            self.sync_url, apps=self.revisions.apps, metadata=models, allow_empty=True, path=self._apps
        )
        return MigrationManager(settings)

    def run[T](self, work: Callable[[Session], T], *, drops: bool = False) -> T:
        """See Harness."""
        return self.assembly.run(as_use_case(work), drops=drops)

    @contextmanager
    def second(self) -> Iterator[Session]:
        """See Harness."""
        with self.engine.connect() as connection:
            session = self.assembly.session(connection, drops=False)
            try:
                yield session
            finally:
                session.close()

    def quote(self, name: str) -> str:
        """See Harness."""
        return SqlText(self.engine.dialect, str, schema=None).quote(name)

    def literal(self, text: str) -> str:
        """See Harness."""
        return "'" + text.replace("'", "''") + "'"

    def die_holding_lock(self) -> bool:
        """See Harness."""
        if sys.platform == "emscripten":
            return False
        command = [sys.executable, "-c", HOLD_LOCK, self.sync_url]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            late = threading.Timer(HOLDER_LIMIT, process.kill)
            late.start()
            said = process.stdout.readline()
            late.cancel()
            process.send_signal(signal.SIGKILL)
        assert said == "held\n", f"Waited {HOLDER_LIMIT:g} s at most for a process to hold the lock. It said: {said!r}"
        return True

    def insert(self, table: TableName, rows: Sequence[Mapping[str, object]]) -> None:
        """See Harness."""
        with self.engine.begin() as connection:
            for row in rows:
                target = sa.table(table.name, *(sa.column(name) for name in row), schema=table.schema)
                connection.execute(sa.insert(target).values(**row))

    def rows(self, table: TableName) -> list[dict[str, object]]:
        """See Harness."""
        target = sa.table(table.name, schema=table.schema)
        with self.engine.connect() as connection:
            found = connection.execute(sa.select(sa.text("*")).select_from(target))
            return [dict(row) for row in found.mappings()]

    def meddle(self, meddling: Meddling, table: str) -> None:
        """See Harness."""
        self.execute(MEDDLING[meddling].format(self.quote(table), self.quote(f"ix_{table}_note")))

    def recording(self, session: Session) -> AbstractContextManager[list[str]]:
        """See Harness."""
        return recorded(cast("Any", session)._connection)  # noqa: SLF001 - the wiring's own session

    def legacy_ledger(self, checksums: Mapping[str, str]) -> None:
        """See Harness."""
        columns = (
            sa.Column("doctype_name", sa.String(255), primary_key=True),
            sa.Column("checksum", sa.String(64), nullable=False),
        )
        sa.Table("__schema_versions__", sa.MetaData(), *columns).create(self.engine, checkfirst=True)
        for name, checksum in checksums.items():
            self.insert(TableName("__schema_versions__"), [{"doctype_name": name, "checksum": checksum}])

    def corrupt_ledger(self) -> bool:
        """See Harness."""
        key = sa.Column("id", sa.Integer, primary_key=True, autoincrement=False)
        sa.Table("__schema_versions__", sa.MetaData(), key).create(self.engine)
        return True

    def legacy_checksums(self) -> dict[str, str]:
        """See Harness."""
        rows = self.rows(TableName("__schema_versions__"))
        return {str(row["doctype_name"]): str(row["checksum"]) for row in rows}

    def execute(self, statement: str) -> None:
        """Send a statement as another client does."""
        with self.engine.begin() as connection:
            connection.exec_driver_sql(statement)


@contextmanager
def recorded(connection: sa.Connection) -> Iterator[list[str]]:
    """The statements that are sent on a connection within the block."""
    sent: list[str] = []

    def note(_: sa.Connection, __: object, statement: str, *rest: object) -> None:  # noqa: ARG001 - SQLAlchemy's
        sent.append(statement)

    sa.event.listen(connection, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        sa.event.remove(connection, "before_cursor_execute", note)


class SqlRunnerHarness:
    """The runner that users get for a URL, synchronous or not. Implements testing.RunnerHarness.

    Args:
        url: of an empty database.
        unreachable: a URL of the same kind that leads nowhere, with a password in it.
    """

    def __init__(self, url: str, unreachable: str) -> None:
        self.url, self.unreachable = url, unreachable

    def run[T](self, use_case: Callable[[Session], UseCase[T]]) -> T:
        """See RunnerHarness."""
        return self._assembly(self.url).runner().run(use_case)

    async def run_async[T](self, use_case: Callable[[Session], UseCase[T]]) -> T:
        """See RunnerHarness."""
        return await self._run(self._assembly(self.url), use_case)

    async def run_borrowed[T](self, use_case: Callable[[Session], UseCase[T]]) -> tuple[T, bool]:
        """See RunnerHarness."""
        if not self._is_async():
            engine = sa.create_engine(self.url, poolclass=sa.NullPool)
            with engine.connect() as connection:
                answer = self._assembly(self.url, connection).runner().run(use_case)
                return answer, connection.scalar(sa.select(1)) == 1
        from sqlalchemy.ext.asyncio import create_async_engine

        async_engine = create_async_engine(self.url, poolclass=sa.NullPool)
        async with async_engine.connect() as held:
            answer = await self._assembly(self.url, held).async_runner().run(use_case)
            return answer, await held.scalar(sa.select(1)) == 1

    async def run_unreachable[T](self, use_case: Callable[[Session], UseCase[T]]) -> T:
        """See RunnerHarness."""
        return await self._run(self._assembly(self.unreachable), use_case)

    async def _run[T](self, assembly: Assembly, use_case: Callable[[Session], UseCase[T]]) -> T:
        return await assembly.async_runner().run(use_case) if self._is_async() else assembly.runner().run(use_case)

    def _is_async(self) -> bool:
        return sa.make_url(self.url).get_dialect().is_async

    @staticmethod
    def _assembly(url: str, database: object = None) -> Assembly:
        return Assembly(MigrationSettings(url, metadata=(sa.MetaData(),), allow_empty=True), database, None, {})
