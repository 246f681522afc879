"""A disk that is really full: a clear error, nothing half done, and with room again the next run gets there.

The whole server, or the SQLite file with the process that writes it, has a small file system of its own
(tests/support/small_disk.py). A ballast leaves it no room, then a little, then more, and each time the release of a
project is tried, so that one part of it after another meets the end of the disk.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests._postgres import shared_server, stop_server
from tests.killed.project import write_project
from tests.killed.sites import Copy, File, Forker, Look, OnPostgres, execute, look
from tests.support.profile import NIGHTLY
from tests.support.small_disk import leave, seen_by

NAMES = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)"
ROWS = (
    f"INSERT INTO customer (id, name, kind) {NAMES} SELECT i, 'name ' || i, 'trade' FROM n",
    f"INSERT INTO invoice (id, customer_id, total) {NAMES} SELECT i, i, i FROM n",
)
ROOM = (0, 16, 64, 128, 256, 400, 600, 800, 1100, 1500, 2000, 2600, 3300)
"""Kilobytes that are left, one try after another."""


@dataclass(frozen=True)
class Cramped:
    """A database on a small disk, before a release, and what the release makes of it where there is room.

    Attributes:
        folder: where the disk is.
        owner: a process that sees it.
        fork: runs commands.
        database: the database.
        project: the release.
        expected: what becomes of it.
        secret: what must not be told.
    """

    folder: Path
    owner: int
    fork: Forker
    database: Copy
    project: Path
    expected: Look
    secret: str

    def leave(self, kilobytes: int) -> None:
        """Let that much be free on the disk."""
        leave(seen_by(self.owner, self.folder), kilobytes * 1024)

    def look(self) -> Look:
        """The database as it is. SQLite follows the link into another file system by itself, so a copy is looked at."""
        if not isinstance(self.database, File):
            return look(self.database)
        copy = self.project / "looked-at.db"
        shutil.copyfile(seen_by(self.owner, self.folder) / self.database.path.name, copy)
        return look(File(copy))


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where the small file system goes: every user can reach it."""
    made = Path(tempfile.mkdtemp(prefix="fmm-small-"))
    made.chmod(0o777)
    yield made
    shutil.rmtree(made)


@pytest.fixture(params=["sqlite", *(("psycopg",) if NIGHTLY else ()), "asyncpg"])
def cramped(request: pytest.FixtureRequest, folder: Path, tmp_path: Path) -> Iterator[Cramped]:
    driver, session = request.param, tmp_path / "session"
    before = write_project(tmp_path / "before", released=False)
    project = write_project(tmp_path / "after", released=True)
    size = 4 if driver == "sqlite" else 160
    launcher = [sys.executable, "-m", "tests.support.small_disk", str(folder), str(size)]
    fork = Forker(launcher if driver == "sqlite" else ())
    try:
        whole: Copy
        database: Copy
        if driver == "sqlite":
            whole, database, owner, secret = (
                File(tmp_path / "whole.db"),
                File(tmp_path / "app.db"),
                fork.pid,
                "no password",
            )
        else:
            server = shared_server(session, os.getpid(), launcher=launcher, environ={"TMPDIR": str(folder)})
            site = OnPostgres(server, driver)
            whole, database = site.empty(), site.empty()
            owner, secret = int((session / "keeper.pid").read_text(encoding="ascii")), server.password
        for copy in (whole, database):
            assert fork("all", copy, before, here=True)["code"] is None
            execute(copy, *ROWS)
        assert fork("all", whole, project, here=True)["code"] is None
        if isinstance(database, File):
            shutil.copyfile(database.path, seen_by(owner, folder) / "app.db")
            database = File(folder / "app.db")
        yield Cramped(folder, owner, fork, database, project, look(whole), secret)
    finally:
        fork.close()
        if session.exists():
            stop_server(session)


@pytest.mark.slow
@pytest.mark.full_disk
def test_a_release_on_a_disk_that_is_full(cramped: Cramped) -> None:
    before, met = cramped.look(), 0
    for room in ROOM:
        cramped.leave(room)
        told = cramped.fork("all", cramped.database, cramped.project)
        assert told["exit"] == 0, told
        assert cramped.secret not in json.dumps({**told, "seen": []})
        now = cramped.look()
        if told["code"] is None:
            break
        met += 1
        assert told["code"] == "M204", told
        assert "space" in told["next_step"]
        assert re.search("full|No space|refused to write", told["what"])
        assert len(now.rows["customer"]) == len(now.rows["invoice"]) == 3000
        version = max(int(name.removeprefix("yard")) for name in now.column("alembic_version"))
        # The last revision has its work outside any transaction; each other one is there with its row, or not at all.
        assert {f"made{number}" for number in range(1, min(version, 7) + 1)} == {
            name for name in now.rows if name.startswith("made")
        }
        if version == 2:
            assert now.traits == before.traits
            assert now.users == before.users
    assert met >= 3, "the disk was never full"
    cramped.leave(1 << 20)
    assert cramped.fork("all", cramped.database, cramped.project)["withheld"] == []
    after = cramped.look()
    assert after.traits == cramped.expected.traits
    assert after.users == cramped.expected.users
    assert not [key for key in after.traits if key[0] in {"invalid index", "pending constraint"}]
    assert cramped.fork("look", cramped.database, cramped.project)["empty"]
