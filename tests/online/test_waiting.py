"""Issue 5, point 7: while a lock is waited for again and again, the application goes on in between."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg
import pytest
import sqlalchemy as sa

from framework_m_migrations import MigrationManager, MigrationSettings
from framework_m_migrations.domain.effects import DRAIN
from framework_m_migrations.domain.errors import LockTimeout
from framework_m_migrations.domain.events import Event, StepRetried
from framework_m_migrations.domain.options import LockOptions
from scripts.waiting import join, wait_until
from tests._postgres import PostgresDatabase

EVERY = 0.04
QUERY = "SELECT pg_sleep(0.01) FROM item LIMIT 1"
OURS = """
SELECT l.granted FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_stat_activity a ON a.pid = l.pid
WHERE c.relname = %s AND a.query LIKE '%%ALTER TABLE%%' AND l.mode IN ('ShareRowExclusiveLock', 'AccessExclusiveLock')
"""


@dataclass
class Application:
    """Queries one after the other, with short pauses."""

    database: PostgresDatabase
    tries: int = 0
    done: int = 0
    worst: int = 0
    failures: list[BaseException] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def work(self) -> None:
        """Ask until it is over; note over how many tries of ours a single query lasted."""
        try:
            with psycopg.connect(self.database.dsn, autocommit=True) as connection:
                while not self.ended.wait(EVERY):
                    before = self.tries
                    connection.execute(QUERY.encode())
                    self.done += 1
                    self.worst = max(self.worst, self.tries - before)
        except BaseException as error:  # noqa: BLE001 - told in the test's own thread
            self.failures.append(error)

    @contextmanager
    def working(self) -> Iterator[None]:
        thread = threading.Thread(target=self.work)
        thread.start()
        try:
            yield
        finally:
            self.ended.set()
            join(thread, what="the application")
        assert self.failures == []


def test_what_queued_up_behind_a_try_goes_on_before_the_next(postgres_database: PostgresDatabase) -> None:
    """After each try others have the table, for no less than the time that the try may have made them wait."""
    metadata = sa.MetaData()
    sa.Table(
        "item", metadata, sa.Column("id", sa.Integer, primary_key=True, autoincrement=False), sa.Column("n", sa.Text)
    )
    application = Application(postgres_database)
    pauses: list[float] = []
    ended = 0.0
    engine = sa.create_engine(postgres_database.sync_url, poolclass=sa.NullPool)

    def begin(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.startswith("ALTER TABLE"):
            if application.tries:
                pauses.append(time.monotonic() - ended)
            application.tries += 1

    class Sink:
        def emit(self, event: Event) -> None:
            nonlocal ended
            if isinstance(event, StepRetried):
                before = application.done
                wait_until(lambda: application.done > before, what="a query, with no try of ours in the way")
                ended = time.monotonic()

    sa.event.listen(engine, "before_cursor_execute", begin)
    locks = LockOptions(lock_timeout=0.3, retries=3)
    settings = MigrationSettings(metadata=(metadata,), locks=locks)
    with psycopg.connect(postgres_database.dsn) as other:
        other.execute("CREATE TABLE item (id int PRIMARY KEY)")
        other.execute("INSERT INTO item VALUES (1)")
        other.commit()
        other.execute("SELECT FROM item")
        with application.working(), pytest.raises(LockTimeout) as caught:
            MigrationManager(settings, engine=engine, events=Sink()).sync()
    engine.dispose()
    assert caught.value.details["sessions"]
    assert application.tries == 4
    assert len(pauses) == 3
    assert min(pauses) >= DRAIN * locks.lock_timeout, "the next try began while others waited for the end of this one"
    assert application.worst <= 1, "a query waited behind more than one try"


def tables() -> sa.MetaData:
    metadata = sa.MetaData()
    for name in ("kind", "place"):
        sa.Table(name, metadata, sa.Column("id", sa.Integer, primary_key=True, autoincrement=False))
    sa.Table(
        "item",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.Integer, sa.ForeignKey("kind.id", name="fk_kind")),
        sa.Column("place", sa.Integer, sa.ForeignKey("place.id", name="fk_place")),
        sa.Column("second", sa.Integer, sa.ForeignKey("kind.id", name="fk_second")),
    )
    return metadata


SETUP = (
    "CREATE TABLE kind (id int PRIMARY KEY)",
    "CREATE TABLE place (id int PRIMARY KEY)",
    "CREATE TABLE item (id int PRIMARY KEY, kind int, place int, second int)",
    "INSERT INTO kind VALUES (1)",
    "INSERT INTO item VALUES (1, 1, NULL, 1)",
)


def test_the_two_tables_of_a_foreign_key_are_waited_for_no_longer_than_one(postgres_database: PostgresDatabase) -> None:
    """The first lock is had late; the second wait does not begin anew, while writers of the first table queue up."""
    with (
        psycopg.connect(postgres_database.dsn, autocommit=True) as look,
        psycopg.connect(postgres_database.dsn) as child,
        psycopg.connect(postgres_database.dsn) as parent,
    ):
        for statement in SETUP:
            look.execute(statement.encode())
        child.execute("UPDATE item SET id = id")
        parent.execute("UPDATE kind SET id = id")
        failures: list[BaseException] = []

        def waits_for(table: str) -> bool:
            return look.execute(OURS.encode(), [table]).fetchall() == [(False,)]

        def sync() -> None:
            settings = MigrationSettings(
                postgres_database.sync_url, metadata=(tables(),), locks=LockOptions(lock_timeout=8.0, retries=0)
            )
            try:
                MigrationManager(settings).sync()
            except BaseException as error:  # noqa: BLE001 - told in the test's own thread
                failures.append(error)

        thread = threading.Thread(target=sync)
        thread.start()
        wait_until(lambda: waits_for("item"), what="the sync to wait for item")
        time.sleep(0.5)
        child.rollback()
        wait_until(lambda: waits_for("kind") or not thread.is_alive(), what="the sync to wait for kind")
        join(thread, what="the sync")
        [error] = failures
        assert isinstance(error, LockTimeout)
        # The statement's own limit, which counts from its beginning, and not that of the second lock.
        assert error.details["sqlstate"] == "57014"
        assert error.details["sessions"]
        assert look.execute("SELECT count(*) FROM pg_constraint WHERE contype = 'f'").fetchall() == [(0,)]
        parent.rollback()
    manager = MigrationManager(MigrationSettings(postgres_database.sync_url, metadata=(tables(),)))
    steps = [
        [(one.foreign_key.name, len(step.locks)) for one in step.operations if hasattr(one, "foreign_key")]
        for step in manager.plan().plan.steps
    ]
    # What is held of one target is not kept while another is waited for.
    assert [step for step in steps if step] == [[("fk_kind", 2)], [("fk_place", 2)], [("fk_second", 2)]]
    manager.sync()
    assert manager.plan(force=True).plan.is_empty
