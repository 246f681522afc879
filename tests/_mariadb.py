"""A real MariaDB for tests: one server a session, shared by its processes, one database a test.

``shared_server`` starts the server on first use or joins the one that another process of the session started;
``stop_server`` ends it. What runs the server, and ends it even when nobody asks, is `_mariadb_keeper.py`.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pymysql

from scripts.waiting import LIMIT, PROGRAM_LIMIT, turn, wait_until

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 2 * PROGRAM_LIMIT
_numbers = itertools.count(1)
_keepers: dict[Path, subprocess.Popen[bytes]] = {}


class MariadbUnavailable(RuntimeError):
    """The server that the suite promises to test against could not be started."""


@dataclass(frozen=True, slots=True)
class MariadbServer:
    """Where the server of this session listens."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)

    def url(self, database: str, driver: str = "asyncmy") -> str:
        """A SQLAlchemy URL over TCP. PyMySQL takes longer to read the machine's certificates than all the rest."""
        plain = "?ssl_disabled=1" if driver == "pymysql" else ""
        return f"mariadb+{driver}://{self.user}:{self.password}@{self.host}:{self.port}/{database}{plain}"

    def execute(self, *statements: str, database: str | None = None) -> list[tuple[Any, ...]]:
        """Run statements on a connection of their own, in autocommit; the rows of the last one."""
        place = {
            "host": self.host,
            "port": self.port,
            "user": self.user,
            "password": self.password,
            "ssl_disabled": True,
        }
        connection = pymysql.connect(**place, database=database, autocommit=True)
        with contextlib.closing(connection), connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall())

    def create_database(self) -> MariadbDatabase:
        """An empty database, named uniquely in this session."""
        name = f"test_{os.getpid()}_{next(_numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        return MariadbDatabase(self, name)

    def drop_database(self, name: str) -> None:
        """End whoever is still connected to it, and drop it."""
        busy = f"SELECT ID FROM information_schema.PROCESSLIST WHERE DB = '{name}'"
        for (number,) in self.execute(busy):
            with contextlib.suppress(pymysql.err.OperationalError):
                self.execute(f"KILL {number}")
        self.execute("SET lock_wait_timeout = 10", f"DROP DATABASE IF EXISTS {name}")


@dataclass(frozen=True, slots=True)
class MariadbDatabase:
    """One empty database of the server, and how to reach it."""

    server: MariadbServer
    name: str

    @property
    def url(self) -> str:
        """For SQLAlchemy with asyncmy."""
        return self.server.url(self.name)

    @property
    def sync_url(self) -> str:
        """For SQLAlchemy with PyMySQL."""
        return self.server.url(self.name, "pymysql")

    def execute(self, *statements: str) -> list[tuple[Any, ...]]:
        """As MariadbServer.execute, in this database."""
        return self.server.execute(*statements, database=self.name)


def shared_server(
    folder: Path,
    owner: int,
    options: Sequence[str] = (),
    *,
    launcher: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
) -> MariadbServer:
    """Start the server of this folder, or join it; it ends with the owner process at the latest.

    Args:
        folder: where its keeper writes.
        owner: process id.
        options: of the server.
        launcher: a command that runs the keeper, whose own command comes behind it.
        environ: of the keeper, beside that of this process.
    """
    with turn(
        folder.with_name(f"{folder.name}.lock"), what="another worker that starts MariaDB", limit=PATIENCE + LIMIT
    ):
        folder.mkdir(mode=0o700, exist_ok=True)
        ready, failure = folder / "server.json", folder / "failure.txt"
        if not ready.exists() and not failure.exists():
            command = [sys.executable, "-m", "tests._mariadb_keeper", str(folder), str(owner), *options]
            _start_keeper(folder, [*launcher, *command], environ or {})
        if failure.exists():
            raise MariadbUnavailable(f"MariaDB did not start.\n{failure.read_text(encoding='utf-8')}")
        return MariadbServer(**json.loads(ready.read_text(encoding="utf-8")))


def _start_keeper(folder: Path, command: list[str], environ: Mapping[str, str]) -> None:
    with (folder / "keeper.log").open("wb") as log:
        keeper = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **environ},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    (folder / "keeper.pid").write_text(str(keeper.pid), encoding="ascii")
    answers = [folder / "server.json", folder / "failure.txt"]
    said = folder / "keeper.log"
    wait_until(
        lambda: any(file.exists() for file in answers) or keeper.poll() is not None,
        what="the answer of the keeper of MariaDB",
        seen=lambda: said.read_text(encoding="utf-8", errors="replace"),
        limit=PATIENCE,
    )
    if not any(file.exists() for file in answers):
        text = said.read_text(encoding="utf-8", errors="replace")
        raise MariadbUnavailable(f"The keeper of MariaDB gave no answer.\n{text}")
    _keepers[folder] = keeper


def stop_server(folder: Path) -> None:
    """End the server of this folder if one was started, and wait until its last trace is gone."""
    pid_file = folder / "keeper.pid"
    if pid_file.exists() and not (folder / "failure.txt").exists():
        with contextlib.suppress(ProcessLookupError, FileNotFoundError):
            os.kill(int(pid_file.read_text(encoding="ascii")), signal.SIGTERM)
        wait_until(
            lambda: not folder.exists(),
            what=f"the end of MariaDB of {folder}",
            seen=lambda: sorted(file.name for file in folder.glob("*")),
            limit=PATIENCE,
        )
    keeper = _keepers.pop(folder, None)
    if keeper is not None:
        keeper.wait(LIMIT)
    shutil.rmtree(folder, ignore_errors=True)
    folder.with_name(f"{folder.name}.lock").unlink(missing_ok=True)


@contextlib.contextmanager
def running_mariadb() -> Iterator[MariadbServer]:
    """A server of one's own for the length of a block: for benchmarks and scripts."""
    folder = Path(tempfile.mkdtemp(prefix="fmm-session-"))
    try:
        yield shared_server(folder, os.getpid())
    finally:
        stop_server(folder)
