"""Scopes of a session, and what a source makes of MetaData."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from framework_m_migrations.adapters.system import CallbackSink, ListSink, NullSink, SystemClock
from framework_m_migrations.container.context import Context
from framework_m_migrations.container.factories import PORTS
from framework_m_migrations.container.mode import RuntimeMode
from framework_m_migrations.container.settings import MigrationSettings
from framework_m_migrations.container.wiring import WiredSession
from framework_m_migrations.domain.errors import DatabaseError
from framework_m_migrations.domain.events import WaitingForLock
from framework_m_migrations.domain.options import Limits
from framework_m_migrations.domain.ownership import LedgerForm
from framework_m_migrations.ports.event_sink import EventSink
from tests.sql.plain import PlainDialect


def nothing(*_: Any) -> Any:
    raise AssertionError("made without need")


def session_of(connection: sa.Connection, *, drops: bool = False) -> WiredSession:
    plain = PlainDialect(connection.dialect.name)
    return WiredSession(Context(MigrationSettings(), RuntimeMode.SYNC, nothing, connection, plain, drops), PORTS)


def test_reading_leaves_nothing_open(connection: sa.Connection) -> None:
    session = session_of(connection)
    with session.reading():
        assert session.ledger.snapshot().form is LedgerForm.ABSENT
        connection.exec_driver_sql("CREATE TABLE t (a integer)")
    assert not connection.in_transaction()
    assert sa.inspect(connection).get_table_names() == []
    connection.rollback()
    with pytest.raises(DatabaseError), session.reading():
        connection.exec_driver_sql("SELECT nonsense FROM nowhere")
    assert not connection.in_transaction()


def test_reading_leaves_a_callers_transaction_as_it_is(connection: sa.Connection) -> None:
    connection.exec_driver_sql("CREATE TABLE t (a integer)")
    session = session_of(connection)
    with session.reading(), session.reading():
        session.ledger.snapshot()
    assert connection.in_transaction()
    connection.commit()
    assert sa.inspect(connection).get_table_names() == ["t"]


def test_a_transaction_commits_or_vanishes(connection: sa.Connection) -> None:
    session = session_of(connection)
    with session.transaction(Limits(10)):
        session.ledger.prepare()

    def fails_half_way() -> None:
        with session.transaction(Limits(10)):
            session.ledger.store({"A": "a" * 64})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails_half_way()
    with session.transaction(Limits(10)):
        session.ledger.set_state({"k": "v"})
    assert (session.ledger.snapshot().checksums, session.ledger.snapshot().state) == ({}, {"k": "v"})


@pytest.mark.postgres
def test_what_commit_itself_raises_is_translated(postgres: sa.Connection) -> None:
    session = session_of(postgres)

    def fails_at_the_end() -> None:
        with session.transaction(Limits(10)):
            postgres.exec_driver_sql("CREATE TABLE p (id integer PRIMARY KEY)")
            postgres.exec_driver_sql("CREATE TABLE t (a integer REFERENCES p DEFERRABLE INITIALLY DEFERRED)")
            postgres.exec_driver_sql("INSERT INTO t VALUES (1)")

    with pytest.raises(DatabaseError) as caught:
        fails_at_the_end()
    assert "foreign key" in str(caught.value)


def test_there_is_a_pruner_only_where_drops_were_asked_for(sqlite: sa.Connection) -> None:
    assert session_of(sqlite).pruner is None
    assert session_of(sqlite, drops=True).pruner is not None


def test_sinks_take_events_in_order_and_never_raise() -> None:
    kept, one, two = ListSink(), WaitingForLock("a"), WaitingForLock(None)
    sinks: list[EventSink] = [NullSink(), kept, CallbackSink(kept.events.append)]
    for event in (one, two):
        for sink in sinks:
            sink.emit(event)
    assert kept.events == [one, one, two, two]
    broken = CallbackSink(lambda event: 1 / 0)
    broken.emit(one)
    assert isinstance(broken.failures[0], ZeroDivisionError)


def test_the_clock_tells_utc_and_does_not_go_back() -> None:
    clock = SystemClock()
    assert clock.now().utcoffset() is not None
    assert clock.monotonic() <= clock.monotonic()
    assert all(0 <= clock.jitter() < 1 for _ in range(99))
