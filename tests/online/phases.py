"""An app on a real Postgres whose models change while old and new code write."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from framework_m_migrations import MigrationManager
from framework_m_migrations.container.settings import MigrationSettings
from framework_m_migrations.domain.results import CreateResult
from scripts.waiting import PROGRAM_LIMIT, join
from tests.versions.support import Apps

APP = "shop"
type Define = Callable[[sa.MetaData], object]


def metadata(define: Define) -> sa.MetaData:
    made = sa.MetaData()
    define(made)
    return made


def check_format(file: Path) -> None:
    """The usual formatter and linter find nothing to do, in a project that has this package installed."""
    for command in (["format", "--isolated", "--check"], ["check", "--isolated", "--select", "E4,E7,E9,F,I"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, file.name],
            capture_output=True,
            text=True,
            check=False,
            cwd=file.parent,
            timeout=PROGRAM_LIMIT,
        )
        assert done.returncode == 0, done.stdout + done.stderr + file.read_text()


@dataclass
class Stage:
    """A database, and the releases of one app that follow each other on it."""

    url: str
    apps: Apps
    tmp_path: Path

    def __post_init__(self) -> None:
        self.apps.file(APP, "models.py", "")
        self.apps.file(APP, "migrations/versions/.keep", "")

    def release(self, define: Define, *more: str) -> MigrationManager:
        """The manager of a release, of more apps beside this one."""
        settings = MigrationSettings(
            database_url=self.url, apps=(APP, *more), metadata=(metadata(define),), path=self.tmp_path
        )
        return MigrationManager(settings)

    def start(self, define: Define, *statements: str) -> MigrationManager:
        """A database at work: a first revision, the tables of the first release, and rows in them."""
        self.apps.revision(APP, "0000first000", labels=(APP,))
        manager = self.release(define)
        manager.run()
        manager.sync()
        self.send(*statements)
        return manager

    def create(self, manager: MigrationManager, message: str = "online") -> CreateResult:
        made = manager.create(message, app=APP, online=True)
        for one in (made, made.contract):
            if one is not None and one.path:
                check_format(Path(one.path))
        return made

    def send(self, *statements: str) -> None:
        with sa.create_engine(self.url, poolclass=sa.NullPool).begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    @contextmanager
    def writing(self, *statements: str) -> Iterator[None]:
        """Old code at work in another session, as often as it gets to it; none of its writes may fail."""
        stop, failures = threading.Event(), list[BaseException]()

        def work() -> None:
            try:
                with sa.create_engine(self.url, poolclass=sa.NullPool).connect() as connection:
                    while not stop.is_set():
                        for statement in statements:
                            connection.exec_driver_sql(statement)
                            connection.commit()
                        stop.wait(0.002)
            except BaseException as error:  # noqa: BLE001 - told in the test's own thread
                failures.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            join(thread, what="the old code at work")
        assert failures == []

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        with sa.create_engine(self.url, poolclass=sa.NullPool).begin() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(statement)]

    def shape(self) -> list[tuple[Any, ...]]:
        """All that the catalog says of the tables, in no order of columns."""
        columns = self.rows(
            "SELECT c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod), a.attnotnull, "
            "pg_get_expr(d.adbin, d.adrelid) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
            "LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum "
            "WHERE c.relkind IN ('r', 'v') AND c.relnamespace = 'public'::regnamespace AND a.attnum > 0 "
            "AND NOT a.attisdropped AND c.relname NOT LIKE E'\\\\_\\\\_%%' AND c.relname <> 'alembic_version'"
        )
        indexes = self.rows(
            "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename NOT LIKE E'\\\\_\\\\_%%'"
        )
        constraints = self.rows(
            "SELECT conrelid::regclass::text, conname::text, pg_get_constraintdef(oid) FROM pg_constraint "
            "WHERE connamespace = 'public'::regnamespace AND contype <> 'n' "
            "AND conrelid::regclass::text NOT LIKE E'\\\\_\\\\_%%'"
        )
        triggers = self.rows("SELECT tgname::text FROM pg_trigger WHERE NOT tgisinternal")
        functions = self.rows("SELECT proname::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace")
        return sorted([*columns, *indexes, *constraints, *triggers, *functions], key=repr)
