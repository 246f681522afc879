"""Issue 5, point 7: a revision that does not get a lock."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from framework_m_migrations import MigrationManager, MigrationSettings
from framework_m_migrations.domain.errors import LockTimeout
from framework_m_migrations.domain.events import Event, RevisionRetried, StatementRetried
from framework_m_migrations.domain.options import LockOptions
from scripts.waiting import LIMIT
from tests._postgres import PostgresDatabase
from tests.online.support import MEANWHILE, Revisions, held
from tests.versions.support import Apps, Bench

QUICK = LockOptions(lock_timeout=0.1, retries=2, backoff_first=0.01)
TABLE = "CREATE TABLE orders (id int PRIMARY KEY, note text)"
WORK = 'op.execute("CREATE TABLE before_it (n int)")\nop.execute("ALTER TABLE orders ADD n int")'
LOCKS = """
SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE a.application_name <> 'night job' AND a.pid <> pg_backend_pid() AND a.datname = current_database()
"""
WRITER = "INSERT INTO orders VALUES (1, 'secret')"


class Heard(list[Event]):
    """A sink that does something when a revision had to be tried again."""

    then: Callable[[], object] | None = None

    def emit(self, event: Event) -> None:
        self.append(event)
        if self.then is not None and isinstance(event, RevisionRetried):
            self.then()


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture(params=["asyncpg", "psycopg"])
def manager(
    request: pytest.FixtureRequest, postgres: Bench, emptied_database: PostgresDatabase, apps: Apps, heard: Heard
) -> MigrationManager:
    postgres.run(TABLE)
    apps.file("wms", "__init__.py", "")
    url = emptied_database.url if request.param == "asyncpg" else emptied_database.sync_url
    settings = MigrationSettings(
        database_url=url, apps=("wms",), metadata=(sa.MetaData(),), allow_empty=True, path=apps.root, locks=QUICK
    )
    return MigrationManager(settings, events=heard)


def test_it_is_tried_again_whole(postgres: Bench, manager: MigrationManager, heard: Heard) -> None:
    name = Revisions(postgres).write(WORK)
    with held(postgres, WRITER) as other:
        heard.then = other.rollback
        assert manager.run().revisions == (name,)
    assert {event.revision for event in heard if isinstance(event, RevisionRetried)} == {name}
    assert {"before_it", "orders", "alembic_version"} <= postgres.tables()


def test_who_is_in_the_way_is_told_and_nothing_is_left(postgres: Bench, manager: MigrationManager) -> None:
    Revisions(postgres).write(WORK)
    with held(postgres, "SET application_name = 'night job'", WRITER):
        with pytest.raises(LockTimeout) as caught:
            manager.run()
        error = caught.value
        assert error.exit_code == 4
        assert "did not get a lock in upgrade" in error.what
        assert "line 12" in error.what
        assert "night job" in error.what
        assert "INSERT INTO orders VALUES (?, ?)" in error.what
        assert "secret" not in str(error) + repr(error.details)
        assert "rolled back: the database is as it was" in error.what
        [session] = error.details["sessions"]
        assert session["query_age"] >= 0
        assert session["transaction_age"] >= 0
        assert "before_it" not in postgres.tables()
        # Nothing of ours is left that others wait for, the migration lock included.
        assert postgres.rows(LOCKS) == [(0,)]
    assert len(manager.run().revisions) == 1


def test_a_helper_that_gives_up_says_what_stands(postgres: Bench, manager: MigrationManager, heard: Heard) -> None:
    name = Revisions(postgres).write(
        """
        from tests.online.support import MEANWHILE
        online.create_index_concurrently("ix", "orders", ["note"])
        for one in MEANWHILE:
            one()
        online.add_check("ck", "orders", "note <> ''")
        """
    )
    with held(postgres) as other:
        MEANWHILE[:] = [lambda: other.exec_driver_sql(WRITER)]
        try:
            with pytest.raises(LockTimeout) as caught:
                manager.run()
        finally:
            MEANWHILE.clear()
    assert "before its COMMIT or autocommit block stands" in caught.value.what
    assert caught.value.details["rolled_back"] is False
    # It has tried itself; the whole is not tried again, for who knows what stands before.
    assert [event.attempt for event in heard if isinstance(event, StatementRetried)] == [1, 2]
    assert not [event for event in heard if isinstance(event, RevisionRetried)]
    assert manager.run().revisions == (name,)


def test_of_two_at_once_one_works_and_the_other_ends_well(postgres: Bench, manager: MigrationManager) -> None:
    name = Revisions(postgres).write('op.execute("SELECT pg_sleep(0.3)")\nop.execute("CREATE TABLE made (n int)")')
    with ThreadPoolExecutor(2) as pool:
        ran = [one.result(LIMIT).revisions for one in [pool.submit(manager.run) for _ in range(2)]]
    assert sorted(ran) == [(), (name,)]
