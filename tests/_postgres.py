"""A real Postgres for tests and benchmarks: one server a session, shared by its processes, one database a test.

`shared_server` starts the server on first use or joins the one that another process of the session started;
`stop_server` ends it. What runs the server, and ends it even when nobody asks, is `_postgres_keeper.py`.
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

import psycopg
from psycopg import sql

from scripts.waiting import LIMIT, PROGRAM_LIMIT, turn, wait_until

KEEPER = Path(__file__).with_name("_postgres_keeper.py")
PATIENCE = 2 * PROGRAM_LIMIT
_numbers = itertools.count(1)
_keepers: dict[Path, subprocess.Popen[bytes]] = {}


class PostgresUnavailable(RuntimeError):
    """The server that the suite promises to test against could not be started."""


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """Where the server of this session listens."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    socket_dir: str

    def url(self, database: str = "postgres", driver: str | None = "asyncpg") -> str:
        """A SQLAlchemy URL over TCP; without a driver, one for libpq."""
        scheme = f"postgresql+{driver}" if driver else "postgresql"
        return f"{scheme}://{self.user}:{self.password}@{self.host}:{self.port}/{database}"

    @property
    def major(self) -> int:
        """The first number of its version."""
        with contextlib.closing(self.admin()) as connection:
            return connection.info.server_version // 10000

    def admin(self) -> psycopg.Connection[tuple[object, ...]]:
        """A fresh connection to the maintenance database, in autocommit."""
        return psycopg.connect(self.url(driver=None), autocommit=True)

    def create_database(self, name: str | None = None) -> PostgresDatabase:
        """An empty database, named uniquely in this session unless a name is given."""
        name = name or f"test_{os.getpid()}_{next(_numbers)}"
        with contextlib.closing(self.admin()) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return PostgresDatabase(self, name)

    def drop_database(self, name: str) -> None:
        """Drop it, whoever is still connected; a database that is gone already is no error."""
        with contextlib.closing(self.admin()) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@dataclass(frozen=True, slots=True)
class PostgresDatabase:
    """One empty database of the server, and how to reach it."""

    server: PostgresServer
    name: str

    @property
    def url(self) -> str:
        """For SQLAlchemy with asyncpg."""
        return self.server.url(self.name)

    @property
    def sync_url(self) -> str:
        """For SQLAlchemy with psycopg."""
        return self.server.url(self.name, "psycopg")

    @property
    def dsn(self) -> str:
        """For asyncpg, psycopg and libpq tools themselves."""
        return self.server.url(self.name, None)


def shared_server(
    folder: Path, owner: int, *, launcher: Sequence[str] = (), environ: Mapping[str, str] | None = None
) -> PostgresServer:
    """Start the server of this folder, or join it; it ends with the owner process at the latest.

    Args:
        folder: where its keeper writes.
        owner: process id.
        launcher: a command that runs the keeper, whose own command comes behind it.
        environ: of the keeper, beside that of this process.
    """
    with turn(
        folder.parent / f"{folder.name}.lock",
        what="another worker that starts the embedded Postgres",
        limit=PATIENCE + LIMIT,
    ):
        folder.mkdir(mode=0o700, exist_ok=True)
        ready, failure = folder / "server.json", folder / "failure.txt"
        if not ready.exists() and not failure.exists():
            _start_keeper(folder, [*launcher, sys.executable, str(KEEPER), str(folder), str(owner)], environ or {})
        if failure.exists():
            raise PostgresUnavailable(f"The embedded Postgres did not start.\n{failure.read_text(encoding='utf-8')}")
        return PostgresServer(**json.loads(ready.read_text(encoding="utf-8")))


def _start_keeper(folder: Path, command: list[str], environ: Mapping[str, str]) -> None:
    with (folder / "keeper.log").open("wb") as log:
        keeper = subprocess.Popen(
            command,
            cwd=KEEPER.parent.parent,
            env={**os.environ, **environ},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _keepers[folder] = keeper
    (folder / "keeper.pid").write_text(str(keeper.pid), encoding="ascii")
    answers = [folder / "server.json", folder / "failure.txt"]
    said = folder / "keeper.log"
    wait_until(
        lambda: any(file.exists() for file in answers) or keeper.poll() is not None,
        what="the answer of the keeper of the embedded Postgres",
        seen=lambda: said.read_text(encoding="utf-8", errors="replace"),
        limit=PATIENCE,
    )
    if not any(file.exists() for file in answers):
        text = said.read_text(encoding="utf-8", errors="replace")
        raise PostgresUnavailable(f"The keeper of the embedded Postgres gave no answer.\n{text}")


def stop_server(folder: Path) -> None:
    """End the server of this folder if one was started, and wait until its last trace is gone."""
    pid_file = folder / "keeper.pid"
    if pid_file.exists() and not (folder / "failure.txt").exists():
        with contextlib.suppress(ProcessLookupError, FileNotFoundError):
            os.kill(int(pid_file.read_text(encoding="ascii")), signal.SIGTERM)
        wait_until(
            lambda: not folder.exists(),
            what=f"the end of the embedded Postgres of {folder}",
            seen=lambda: sorted(file.name for file in folder.glob("*")),
            limit=PATIENCE,
        )
    keeper = _keepers.pop(folder, None)
    if keeper is not None:
        keeper.wait(LIMIT)
    shutil.rmtree(folder, ignore_errors=True)
    (folder.parent / f"{folder.name}.lock").unlink(missing_ok=True)


@contextlib.contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """A server of one's own for the length of a block: for benchmarks and scripts."""
    folder = Path(tempfile.mkdtemp(prefix="fmm-session-"))
    try:
        yield shared_server(folder, os.getpid())
    finally:
        stop_server(folder)
