"""Servers that are not there yet: how long and how often they are tried, with each kind of driver."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from framework_m_migrations import MigrationManager, MigrationSettings
from framework_m_migrations.adapters.sql import runner
from framework_m_migrations.adapters.system import ListSink
from framework_m_migrations.domain.errors import ConnectionFailed
from framework_m_migrations.domain.events import ConnectionRetried, Event
from tests._postgres import PostgresDatabase

DRIVERS = ["postgresql+asyncpg", "postgresql+psycopg", "mariadb+pymysql", "mariadb+asyncmy"]


def settings(url: str, wait: float) -> MigrationSettings:
    return MigrationSettings(metadata=(sa.MetaData(),), allow_empty=True, database_url=url, apps=(), connect_wait=wait)


class Opening(ListSink):
    """Notes events, and says when a connection was refused."""

    def __init__(self) -> None:
        super().__init__()
        self.refused = threading.Event()

    def emit(self, event: Event) -> None:
        super().emit(event)
        if isinstance(event, ConnectionRetried):
            self.refused.set()


@contextmanager
def late_server(target: tuple[str, int], refused: threading.Event) -> Iterator[int]:
    """A port that refuses connections until one was refused, and forwards later ones to a server."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    closing = threading.Event()

    def pump(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        finally:
            sink.close()

    def serve() -> None:
        refused.wait(60)
        with socket.create_server(("127.0.0.1", port)) as server:
            server.settimeout(0.1)
            while not closing.is_set():
                try:
                    client, _ = server.accept()
                except TimeoutError:
                    continue
                upstream = socket.create_connection(target)
                for pair in ((client, upstream), (upstream, client)):
                    threading.Thread(target=pump, args=pair, daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield port
    finally:
        refused.set()
        closing.set()
        thread.join()


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("wait", [0.0, 4.0])
def test_a_server_that_stays_away_is_given_up(driver: str, wait: float) -> None:
    sink = ListSink()
    url = f"{driver}://someone:secret-word@127.0.0.1:1/none"
    with pytest.raises(ConnectionFailed) as failure:
        MigrationManager(settings(url, wait), events=sink).plan()
    retried = [event for event in sink.events if isinstance(event, ConnectionRetried)]
    assert bool(retried) is bool(wait)
    assert ("Tried" in failure.value.what) is bool(wait)
    assert "secret-word" not in f"{failure.value}{retried}"


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_server_that_takes_connections_and_does_not_answer_is_given_up(
    driver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "_LEAST_TRY", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"{driver}://someone:secret-word@127.0.0.1:{silent.getsockname()[1]}/none"
        with pytest.raises(ConnectionFailed, match="did not answer within"):
            MigrationManager(settings(url, 0.3)).status()


@pytest.mark.postgres
@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
def test_a_server_that_comes_up_later_is_reached(postgres_database: PostgresDatabase, driver: str) -> None:
    """The proxy keeps its side open when the server closes, which a driver must not wait for."""
    url = sa.make_url(postgres_database.url if driver == "asyncpg" else postgres_database.sync_url)
    sink = Opening()
    with late_server((url.host or "127.0.0.1", url.port or 5432), sink.refused) as port:
        shown = url.set(host="127.0.0.1", port=port).render_as_string(hide_password=False)
        MigrationManager(settings(shown, 60), events=sink).status()
    assert any(isinstance(event, ConnectionRetried) for event in sink.events)


@pytest.mark.postgres
def test_a_missing_database_is_not_waited_for(postgres_database: PostgresDatabase) -> None:
    sink = ListSink()
    for name in ("postgresql+psycopg", "postgresql+asyncpg"):
        url = sa.make_url(postgres_database.sync_url).set(drivername=name, database="no_such_database")
        with pytest.raises(ConnectionFailed, match="no_such_database"):
            MigrationManager(settings(url.render_as_string(hide_password=False), 60), events=sink).plan()
    assert sink.events == []
