"""Cut off in the very middle of a concurrent index build, which another session's old snapshot holds up.

A client that is killed leaves its server process at work: PostgreSQL notices only when it has something to say. A
server process that is ended leaves an index that is not valid. Either way the next run ends with a valid one.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from scripts.waiting import wait_until
from tests._postgres import PostgresServer
from tests.killed.project import write_project
from tests.killed.scenarios import SCENARIOS
from tests.killed.sites import Copy, Forker, Look, OnPostgres, execute, look
from tests.support.profile import NIGHTLY

WAITS = "SELECT pid FROM pg_stat_progress_create_index WHERE phase = 'waiting for old snapshots' AND datname = %s"


@dataclass(frozen=True)
class Released:
    """A database before a release, by the track on which it stops."""

    site: OnPostgres
    bases: dict[str, Copy]
    project: Path
    expected: Look
    fork: Forker


@pytest.fixture(scope="module")
def released(postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Released]:
    folder = tmp_path_factory.mktemp("during")
    before, project = write_project(folder / "before", released=False), write_project(folder / "after", released=True)
    site, fork = OnPostgres(postgres_server, "asyncpg"), Forker()
    bases: dict[str, Copy] = {"run": site.empty(), "sync": site.empty()}
    for base in bases.values():
        assert fork("all", base, before, here=True)["code"] is None
        execute(base, *SCENARIOS["release"].rows)
    # A revision builds an index too, and comes before sync.
    assert fork("run", bases["sync"], project, here=True)["code"] is None
    with site.copy(bases["run"]) as copy:
        assert fork("all", copy, project, here=True)["code"] is None
        expected = look(copy)
    yield Released(site, bases, project, expected, fork)
    fork.close()
    site.close()


@contextmanager
def old_snapshot(copy: Copy) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """A session that began before everything that is built here."""
    with psycopg.connect(copy.dsn) as other:
        other.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        other.execute("SELECT 1")
        yield other


def builder(copy: Copy, server: PostgresServer) -> int:
    """The server process that waits in its build, once it does."""
    with psycopg.connect(server.url(driver=None), autocommit=True) as watching:
        name = copy.dsn.rpartition("/")[2]
        row = wait_until(lambda: watching.execute(WAITS, (name,)).fetchone(), what=f"a build in {name} that waits")
        assert row is not None
        return int(str(row[0]))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("track", "end"),
    [
        ("run", "client, then server"),
        ("run", "server"),
        ("sync", "client"),
        ("sync", "server"),
        *([("run", "client"), ("sync", "client, then server")] if NIGHTLY else []),
    ],
)
def test_cut_off_in_the_middle_of_a_build(
    released: Released, postgres_server: PostgresServer, track: str, end: str
) -> None:
    fork, project = released.fork, released.project
    with released.site.copy(released.bases[track]) as copy:
        with old_snapshot(copy) as other:
            client = fork.start("all", copy, project)
            server = builder(copy, postgres_server)
            if end == "server":
                other.execute("SELECT pg_terminate_backend(%s, 20000)", (server,))
                told = fork.wait()
                assert told["code"] is not None, told
            else:
                os.kill(client, signal.SIGKILL)
                assert fork.wait()["exit"] == -signal.SIGKILL
            invalid = [fact for fact in look(copy).facts if fact[0] == "index" and fact[-1] is False]
            assert len(invalid) == 1, "the build was over"
            if end == "client, then server":
                # The next run is there already and waits for the build, which then comes to nothing.
                fork.start("all", copy, project)
                time.sleep(1.5)
                other.execute("SELECT pg_terminate_backend(%s, 20000)", (server,))
            elif end == "client":
                fork.start("all", copy, project)
        if end == "server":
            fork.start("all", copy, project)
        again = fork.wait()
        if again["code"] in {"M210", "M211"}:
            # The process that was left at work was in the way for too long, and is named; it has ended since.
            again = fork("all", copy, project)
        assert again["code"] is None, again
        assert again["withheld"] == []
        now = look(copy)
        assert not [fact for fact in now.facts if fact[0] in {"index", "constraint"} and fact[-1] is False]
        assert now.traits == released.expected.traits
        assert now.users == released.expected.users
        assert now.column("__schema_versions__") == released.expected.column("__schema_versions__")
