"""A server that is shut down in the middle of a command, and a standby: the right code, and nothing lost."""

from __future__ import annotations

import contextlib
import re
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pymysql
import pytest

from framework_m_migrations.domain.errors import ConnectionFailed, DatabaseReadOnly, MigrationError
from scripts.mariadb_setup import ensure
from scripts.waiting import LIMIT, PROGRAM_LIMIT, join, wait_until
from tests import _mariadb_keeper, _postgres_keeper
from tests._mariadb import MariadbServer
from tests._postgres import PostgresServer
from tests.support.faults import manager, site

__all__ = ["site"]

REVISION = """
from alembic import op
revision, down_revision, branch_labels = "f1", None, ("faulty_shop",)
def upgrade():
    {before}
    op.execute("CREATE TABLE made (id int)")
    op.execute("INSERT INTO made VALUES (1)")
def downgrade(): op.execute("DROP TABLE made")
"""
SLEEPING = """
CREATE FUNCTION sleep() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
    IF EXISTS (SELECT 1 FROM pg_event_trigger_ddl_commands() WHERE object_identity IN ('public.t', 'public.made')) THEN
        PERFORM pg_sleep(600);
    END IF;
END $$;
CREATE EVENT TRIGGER sleeps ON ddl_command_end EXECUTE FUNCTION sleep()
"""
OF_THE_DRIVER = re.compile(
    r"cannot (perform|call|use)|another operation|greenlet|__asyncpg|InterfaceError|Traceback|Packet sequence"
)


class Postgres(_postgres_keeper.Keeper):
    """A server of the test's own, which may be stopped, started and copied."""

    port = 0

    def again(self) -> PostgresServer:
        """Start it with the data that it has, on another port."""
        self.port = _postgres_keeper.free_port()
        log = self.folder / "log"
        assert self._serve(self._binaries(), self.port, log), log.read_text(encoding="utf-8")
        return PostgresServer("127.0.0.1", self.port, _postgres_keeper.USER, self.password, str(self.home))

    def end(self, how: signal.Signals) -> None:
        assert self.server is not None
        self.server.send_signal(how)
        self.server.wait(LIMIT)

    def copied(self, folder: Path) -> Postgres:
        """A standby that streams from this server, made with the server's own tool."""
        folder.mkdir()
        standby = Postgres(folder, self.owner)
        source = f"host=127.0.0.1 port={self.port} user={_postgres_keeper.USER} password={self.password}"
        tool = str(self._binaries() / "pg_basebackup")
        made = standby._popen([tool, "-D", str(standby.data), "-d", source, "-R", "-c", "fast"], folder / "log")
        assert made.wait(PROGRAM_LIMIT) == 0, (folder / "log").read_text(encoding="utf-8")
        standby.password = self.password
        return standby


class Mariadb(_mariadb_keeper.Keeper):
    """A server of the test's own, which may be stopped and started."""

    def again(self) -> MariadbServer:
        port = _postgres_keeper.free_port()
        assert self._serve(ensure(), port), (self.folder / "log").read_text(encoding="utf-8")
        return MariadbServer("127.0.0.1", port, "root", self.password)

    def end(self, how: signal.Signals) -> None:
        assert self.server is not None
        self.server.send_signal(how)
        self.server.wait(LIMIT)


@contextlib.contextmanager
def kept[K: (Postgres, Mariadb)](keeper: K) -> Iterator[K]:
    try:
        yield keeper
    finally:
        keeper.stop_server()
        shutil.rmtree(keeper.home, ignore_errors=True)


def broken(act: Callable[[], object], busy: Callable[[], object], end: Callable[[], None]) -> MigrationError:
    """What ``act`` raises when the server ends while it is ``busy``."""

    def watch() -> None:
        wait_until(busy, what="the statement that the server is to be shut down in")
        end()

    watcher = threading.Thread(target=watch)
    watcher.start()
    with pytest.raises(MigrationError) as failure:
        act()
    join(watcher, what="the end of the server")
    assert type(failure.value) is ConnectionFailed, failure.value
    assert not OF_THE_DRIVER.search(str(failure.value)), failure.value
    assert failure.value.next_step.endswith("run the same command again.")
    return failure.value


@pytest.mark.postgres
@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
def test_postgresql(site: Path, tmp_path: Path, driver: str) -> None:
    file = site / "faulty_shop/migrations/versions/f1.py"
    file.write_text(REVISION.format(before="pass"))
    with kept(Postgres(tmp_path, psutil.Process())) as keeper:
        keeper.start()
        keeper.end(signal.SIGINT)
        server = keeper.again()

        def tables() -> set[str]:
            with server.admin() as connection:
                rows = connection.execute("SELECT relname::text FROM pg_class WHERE relname IN ('t', 'made')")
                return {str(row[0]) for row in rows}

        def interrupted(command: str, event: str, how: signal.Signals) -> MigrationError:
            nonlocal server
            with server.admin() as connection:
                busy = f"SELECT 1 FROM pg_stat_activity WHERE wait_event = '{event}'"
                error = broken(
                    getattr(manager(site, server.url(driver=driver)), command),
                    lambda: connection.execute(busy).fetchone(),
                    lambda: keeper.end(how),
                )
            server = keeper.again()
            return error

        with server.admin() as connection:
            connection.execute(SLEEPING)
        for how in (signal.SIGINT, signal.SIGQUIT):  # fast, immediate
            interrupted("sync", "PgSleep", how)
            error = interrupted("run", "PgSleep", how)
            assert error.details["rolled_back"] is True
            assert tables() == set()
        with server.admin() as connection:
            connection.execute("DROP EVENT TRIGGER sleeps")
            connection.execute("ALTER SYSTEM SET synchronous_standby_names = 'absent'")
            connection.execute("SELECT pg_reload_conf()")
        assert manager(site, server.url(driver=driver)).sync().steps == 1

        # The server commits, and the answer to the COMMIT never comes.
        file.write_text(REVISION.format(before='op.execute("SET LOCAL synchronous_commit = on")'))
        error = interrupted("run", "SyncRep", signal.SIGINT)
        assert error.details["rolled_back"] is None
        assert "may have done so; `m-migrate status`" in error.what
        assert tables() == {"t", "made"}
        assert manager(site, server.url(driver=driver)).run().revisions == ()
        assert manager(site, server.url(driver=driver)).sync().up_to_date

        (site / "faulty_shop/migrations/versions/f2.py").write_text(
            "revision, down_revision = 'f2', 'f1'\ndef upgrade(): pass\ndef downgrade(): pass\n"
        )
        with kept(keeper.copied(tmp_path / "standby")) as standby:
            there = standby.again().url(driver=driver)
            assert manager(site, there).status().matching == 1
            assert manager(site, there).plan().changes == ()
            assert manager(site, there).verify().findings[-1].kind == "pending-revision"
            assert manager(site, there).sync().up_to_date
            for command in ("sync", "run"):
                with pytest.raises(DatabaseReadOnly, match="primary"):
                    getattr(manager(site, there, column="added"), command)()


@pytest.mark.mariadb
@pytest.mark.parametrize("driver", ["asyncmy", "pymysql"])
def test_mariadb(site: Path, tmp_path: Path, driver: str) -> None:
    file = site / "faulty_shop/migrations/versions/f1.py"
    file.write_text(REVISION.format(before='op.execute("SELECT SLEEP(600) FROM t")'))
    with kept(Mariadb(tmp_path, psutil.Process(), ())) as keeper:
        keeper.start()
        keeper.end(signal.SIGTERM)
        server = keeper.again()
        server.execute("CREATE DATABASE one", "CREATE TABLE one.t (id int PRIMARY KEY)", "INSERT INTO one.t VALUES (1)")

        def interrupted(command: str, state: str, how: signal.Signals) -> MigrationError:
            nonlocal server
            busy = f"SELECT ID FROM information_schema.PROCESSLIST WHERE STATE = '{state}'"
            error = broken(
                getattr(manager(site, server.url("one", driver), column="added"), command),
                lambda: server.execute(busy),
                lambda: keeper.end(how),
            )
            server = keeper.again()
            return error

        for how in (signal.SIGTERM, signal.SIGKILL):
            error = interrupted("run", "User sleep", how)
            assert error.details["rolled_back"] is True
            with contextlib.closing(reader(server)):
                interrupted("sync", "Waiting for table metadata lock", how)
        file.write_text(REVISION.format(before="pass"))
        assert manager(site, server.url("one", driver)).run().revisions == ("f1",)
        assert manager(site, server.url("one", driver), column="added").sync().steps == 1
        assert server.execute("SELECT id, added FROM one.t") == [(1, None)]
        assert server.execute("SELECT id FROM one.made") == [(1,)]


def reader(server: MariadbServer) -> pymysql.Connection[pymysql.cursors.Cursor]:
    """A session that has read the table in a transaction, and thereby keeps changes of it waiting."""
    connection = pymysql.connect(
        host=server.host, port=server.port, user=server.user, password=server.password, ssl_disabled=True
    )
    connection.begin()
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM one.t")
    return connection
