"""The migration lock between engines, threads and processes."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from framework_m_migrations.domain.errors import DatabaseError, DatabaseReadOnly
from framework_m_migrations.domain.options import Limits
from scripts.waiting import LIMIT, PROGRAM_LIMIT, next_line
from tests.sqlite._helpers import DIALECT, connected, plain

HOLD = """
    import sys, time
    import sqlalchemy as sa
    from framework_m_migrations.adapters.sql.dialects.sqlite import SqliteDialect
    connection = sa.create_engine(sys.argv[1]).connect()
    lock = SqliteDialect().lock(connection, schema=None)
    print(lock.try_acquire(), flush=True)
    time.sleep(600)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "app.db"
    plain(path, "CREATE TABLE t (a)")
    return path


def hold(path: Path) -> subprocess.Popen[str]:
    """Another process that holds the lock when this returns."""
    command = [sys.executable, "-c", textwrap.dedent(HOLD), f"sqlite:///{path}"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert next_line(process, what="the other process to hold the lock").strip() == "True"
    return process


def test_one_of_two_engines_has_it(path: Path) -> None:
    with connected(path) as one, connected(path) as two:
        first, second = DIALECT.lock(one, schema=None), DIALECT.lock(two, schema=None)
        assert first.holder() is None
        assert first.try_acquire()
        assert first.try_acquire()
        assert not second.try_acquire()
        for lock in (first, second):
            holder = lock.holder()
            assert holder is not None
            assert f"process {os.getpid()} on " in holder
        second.release()
        assert not second.try_acquire()
        first.release()
        assert second.holder() is None
        assert second.try_acquire()
        assert not first.try_acquire()
        second.release()
        second.release()


def test_transactions_and_writers_do_not_matter_to_it(path: Path) -> None:
    with connected(path) as one, connected(path) as two:
        first, second = DIALECT.lock(one, schema=None), DIALECT.lock(two, schema=None)
        assert first.try_acquire()
        with DIALECT.transaction(one, Limits(1)):
            one.exec_driver_sql("INSERT INTO t VALUES (1)")
            assert not second.try_acquire()
        one.rollback()
        plain(path, "INSERT INTO t VALUES (2)")
        assert not second.try_acquire()
        first.release()


def test_a_path_with_another_name_is_the_same_database(path: Path) -> None:
    link = path.with_name("link.db")
    link.symlink_to(path)
    with connected(path) as one, connected(link) as two:
        first, second = DIALECT.lock(one, schema=None), DIALECT.lock(two, schema=None)
        assert first.try_acquire()
        assert not second.try_acquire()
        first.release()


def test_another_process_holds_it_until_it_is_killed(path: Path) -> None:
    process = hold(path)
    try:
        with connected(path) as connection:
            lock = DIALECT.lock(connection, schema=None)
            assert not lock.try_acquire()
            holder = lock.holder()
            assert holder is not None
            assert f"process {process.pid} on " in holder
            process.send_signal(signal.SIGKILL)
            process.wait(LIMIT)
            assert lock.holder() is None
            assert lock.try_acquire()
            lock.release()
    finally:
        process.kill()
        process.communicate(timeout=LIMIT)


@pytest.mark.slow
def test_many_processes_never_hold_it_together(path: Path) -> None:
    program = textwrap.dedent("""
        import sys, time
        import sqlalchemy as sa
        from pathlib import Path
        from framework_m_migrations.adapters.sql.dialects.sqlite import SqliteDialect
        connection = sa.create_engine(sys.argv[1]).connect()
        log = Path(sys.argv[2])
        lock = SqliteDialect().lock(connection, schema=None)
        done = 0
        while done < 15:
            if lock.try_acquire():
                log.open("x").close()
                time.sleep(0.001)
                log.unlink()
                lock.release()
                done += 1
            time.sleep(0.001)
    """)
    marker = path.with_name("held")
    command = [sys.executable, "-c", program, f"sqlite:///{path}", str(marker)]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    errors = [process.communicate(timeout=PROGRAM_LIMIT)[1] for process in processes]
    assert errors == ["", "", ""]
    assert [process.returncode for process in processes] == [0, 0, 0]


def test_memory_is_always_free() -> None:
    with connected() as one, connected() as two:
        first, second = DIALECT.lock(one, schema=None), DIALECT.lock(two, schema=None)
        assert first.try_acquire()
        assert second.try_acquire()
        assert first.holder() is None
        first.release()
        second.release()


def test_from_within_aiosqlite(path: Path) -> None:
    async def main() -> list[bool]:
        engine = create_async_engine(f"sqlite+aiosqlite:///{path}")
        found: list[bool] = []
        async with engine.connect() as one, engine.connect() as two:
            first = await one.run_sync(lambda connection: DIALECT.lock(connection, schema=None))
            second = await two.run_sync(lambda connection: DIALECT.lock(connection, schema=None))
            found.append(await one.run_sync(lambda _: first.try_acquire()))
            found.append(await two.run_sync(lambda _: second.try_acquire()))
            await one.run_sync(lambda _: first.release())
            found.append(await two.run_sync(lambda _: second.try_acquire()))
            await two.run_sync(lambda _: second.release())
        await engine.dispose()
        return found

    assert asyncio.run(main()) == [True, False, True]


def test_a_place_where_no_file_can_be_made_is_told(path: Path) -> None:
    path.with_name("app.db-migrate-lock").mkdir()
    with connected(path) as connection:
        lock = DIALECT.lock(connection, schema=None)
        with pytest.raises(DatabaseReadOnly, match="lock file"):
            lock.try_acquire()


def test_the_file_is_the_databases_own_kind_and_goes_with_the_lock(path: Path) -> None:
    path.chmod(0o660)
    sidecar = path.with_name("app.db-migrate-lock")
    with connected(path) as connection:
        lock = DIALECT.lock(connection, schema=None)
        assert lock.try_acquire()
        assert (sidecar.stat().st_mode & 0o777, sidecar.stat().st_gid) == (0o660, path.stat().st_gid)
        lock.release()
    assert list(path.parent.iterdir()) == [path], "nothing stays beside the database"


@pytest.mark.parametrize("content", [b"no database at all" * 300, b"", None])
def test_a_damaged_or_left_file_is_used_or_replaced(
    path: Path, content: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    sidecar = path.with_name("app.db-migrate-lock")
    if content is None:
        plain(sidecar, "CREATE TABLE holder (process INTEGER, host TEXT, since TEXT)")
    else:
        sidecar.write_bytes(content)
    with connected(path) as one, connected(path) as two:
        lock, other = DIALECT.lock(one, schema=None), DIALECT.lock(two, schema=None)
        assert lock.holder() is None
        assert lock.try_acquire()
        assert not other.try_acquire()
        lock.release()
    assert (str(sidecar) in caplog.text) is bool(content), "a damaged one is named"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("target", ["elsewhere", "app.db"])
def test_a_link_of_its_name_is_refused(path: Path, target: str) -> None:
    path.with_name("app.db-migrate-lock").symlink_to(path.with_name(target))
    before = path.read_bytes()
    with connected(path) as connection, pytest.raises(DatabaseError, match="symbolic link"):
        DIALECT.lock(connection, schema=None).try_acquire()
    assert (path.read_bytes(), path.with_name("elsewhere").exists()) == (before, False)


def test_nothing_is_opened_before_the_first_try(path: Path) -> None:
    with connected(path) as connection:
        DIALECT.lock(connection, schema=None)
        assert isinstance(connection, sa.Connection)
    assert [file.name for file in path.parent.iterdir()] == ["app.db"]
