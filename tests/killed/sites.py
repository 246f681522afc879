"""Databases that can be copied in a moment, and looked at without the engine."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import sqlalchemy as sa
from psycopg import sql

from scripts.waiting import LIMIT, PROGRAM_LIMIT, next_line
from tests._postgres import PostgresDatabase, PostgresServer
from tests.histories.traits import Traits, traits_of_sql
from tests.killed.facts import Facts, facts_of

ROOT = Path(__file__).parents[2]


class Copy(Protocol):
    """One database."""

    @property
    def url(self) -> str: ...
    @property
    def plain_url(self) -> str: ...
    @property
    def dsn(self) -> str: ...


@dataclass(frozen=True)
class File:
    """A SQLite file."""

    path: Path

    @property
    def url(self) -> str:
        return f"sqlite:///{self.path}"

    @property
    def plain_url(self) -> str:
        return self.url

    @property
    def dsn(self) -> str:
        return ""


@dataclass(frozen=True)
class OnServer:
    """A database of the server, reached through a driver."""

    database: PostgresDatabase
    driver: str

    @property
    def url(self) -> str:
        return self.database.server.url(self.database.name, self.driver)

    @property
    def plain_url(self) -> str:
        return self.database.sync_url

    @property
    def dsn(self) -> str:
        return self.database.dsn


class Site(Protocol):
    """Where copies of one database are made."""

    def empty(self) -> Copy: ...
    @contextmanager
    def copy(self, of: Copy) -> Iterator[Copy]: ...


class Files:
    """SQLite files in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def empty(self) -> File:
        return File(self._folder / "base.db")

    @contextmanager
    def copy(self, of: Copy) -> Iterator[File]:
        assert isinstance(of, File)
        path = self._folder / "copy.db"
        for left in self._folder.glob("copy.db*"):
            left.unlink()
        shutil.copyfile(of.path, path)
        yield File(path)


class OnPostgres:
    """Databases of a server, copied as templates."""

    def __init__(self, server: PostgresServer, driver: str) -> None:
        self._server, self._driver = server, driver
        self._made: list[str] = []

    def empty(self) -> OnServer:
        database = self._server.create_database()
        self._made.append(database.name)
        return OnServer(database, self._driver)

    @contextmanager
    def copy(self, of: Copy) -> Iterator[OnServer]:
        assert isinstance(of, OnServer)
        name = f"{of.database.name}_copy"
        with contextlib.closing(self._server.admin()) as admin:
            copy, template = sql.Identifier(name), sql.Identifier(of.database.name)
            admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(copy, template))
        try:
            yield OnServer(PostgresDatabase(self._server, name), self._driver)
        finally:
            self._server.drop_database(name)

    def close(self) -> None:
        for name in self._made:
            self._server.drop_database(name)


class Forker:
    """The program of ``inside.py``.

    Args:
        launcher: a command that runs it, whose own command comes behind it.
    """

    def __init__(self, launcher: Sequence[str] = ()) -> None:
        self._process = subprocess.Popen(
            [*launcher, sys.executable, "-m", "tests.killed.inside"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, command: str, copy: Copy, project: Path, **options: Any) -> dict[str, Any]:
        """Run a command to its end, whatever that is; its answer, with ``exit``, negative after a signal.

        Args:
            command: ``all``, ``run``, ``create``, ``online``, ``drops``, ``fleet``, or ``look``.
            copy: the database.
            project: the folder with the app.
            options: ``stop``, the number of the statement after which it ends; ``way``, how: ``kill`` or ``terminate``;
                ``here`` to run it in the process that is forked for others.
        """
        self.start(command, copy, project, **options)
        return self.wait()

    def start(
        self, command: str, copy: Copy, project: Path, *, stop: int = 0, way: str = "kill", here: bool = False
    ) -> int:
        """Begin a command; the id of its process."""
        assert self._process.stdin is not None
        job = {"command": command, "url": copy.url, "dsn": copy.dsn, "project": str(project)}
        self._process.stdin.write(json.dumps({**job, "stop": stop, "way": way, "here": here}) + "\n")
        self._process.stdin.flush()
        return int(self._read()["pid"])

    def wait(self) -> dict[str, Any]:
        """The answer of the command that was begun."""
        answer = self._read()
        assert answer.get("code") != "traceback", answer["what"]
        return answer

    def _read(self) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(next_line(self._process, what="the answer of a command", limit=PROGRAM_LIMIT))
        return said

    @property
    def pid(self) -> int:
        """The process that is forked."""
        return self._process.pid

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(LIMIT)
        self._process.stdout.close()


@dataclass(frozen=True)
class Look:
    """A database as it is: its catalogue, its rows by table, and what the ledger's tables say."""

    traits: Traits
    rows: dict[str, list[tuple[object, ...]]]
    facts: Facts

    @property
    def users(self) -> dict[str, list[tuple[object, ...]]]:
        """The rows that are not the engine's own."""
        return {name: rows for name, rows in self.rows.items() if not name.startswith("__schema_")}

    def column(self, table: str, place: int = 0) -> set[str]:
        return {str(row[place]) for row in self.rows.get(table, ())}


def look(copy: Copy) -> Look:
    """Read everything, by SQLAlchemy's reflection and plain statements."""
    engine = sa.create_engine(copy.plain_url, poolclass=sa.pool.NullPool)
    with engine.connect() as connection:
        names = sa.inspect(connection).get_table_names()
        rows = {
            name: sorted((tuple(row) for row in connection.exec_driver_sql(f'SELECT * FROM "{name}"')), key=repr)
            for name in names
        }
        return Look(traits_of_sql(connection), rows, facts_of(connection))


def execute(copy: Copy, *statements: str) -> None:
    """Run statements as a user of the database."""
    engine = sa.create_engine(copy.plain_url, poolclass=sa.pool.NullPool)
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
