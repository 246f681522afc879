"""What happens beside a statement that takes long: a lease is renewed, a wait for a lock is reported."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy import event

from framework_m_migrations.adapters.sql.sqlalchemy_versions import wait_for
from framework_m_migrations.domain.errors import MigrationError
from framework_m_migrations.domain.events import Event, LockAwaited


class Heartbeat:
    """Calls ``beat`` every so many seconds until it is stopped, or until ``beat`` says that there is no use in it.

    Args:
        is_async: an asynchronous driver is at work.
        every: seconds between calls.
        beat: False ends it. What it raises of the database ends nothing: the next call may do better.
    """

    def __init__(self, *, is_async: bool, every: float, beat: Callable[[], bool]) -> None:
        self._every = every
        self._beat = beat
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._task: asyncio.Task[None] | None = None
        if is_async:
            coroutine = sa.util.greenlet_spawn(self._in_loop)
            self._task = asyncio.get_running_loop().create_task(coroutine)
        else:
            self._thread = threading.Thread(target=self._in_thread, name="m-migrate beside", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End it, and wait until it has ended."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()
        if self._task is not None:
            self._task.cancel()
            wait_for(asyncio.wait([self._task]))

    def _in_thread(self) -> None:
        while not self._stopped.wait(self._every):
            if not self._beaten():
                return

    def _in_loop(self) -> None:
        while True:
            wait_for(asyncio.sleep(self._every))
            if not self._beaten():
                return

    def _beaten(self) -> bool:
        with contextlib.suppress(MigrationError, sa.exc.SQLAlchemyError, OSError):
            return self._beat()
        return True


# Says of a statement that waits for a lock how long it has waited and for whom, while it still waits.


PATIENCE = 2.0
"""Seconds after which a statement that waits is reported."""
LONGEST = 30.0
"""Seconds between two reports of one wait, at most; each comes after twice the time of the one before."""
_TURN = 0.5
_EMIT = "m_migrate.emit"
_WATCHER = "m_migrate.watcher"


class Waits(Protocol):
    """What a server says of waits for locks; instances hold nothing."""

    def number(self, connection: sa.Connection) -> int | None:
        """The server's number of the connection's session, without a query; None where the driver does not know it."""
        ...

    def holders(self, connection: sa.Connection, waiting: int) -> tuple[str, ...] | None:
        """The sessions that session ``waiting`` waits for, in words; None where it waits for no lock.

        Args:
            connection: another one, in autocommit.
            waiting: as ``number`` gave it.
        """
        ...


def watch(connection: sa.Connection, waits: Waits | None, emit: Callable[[Event], None]) -> Callable[[], None]:
    """Have waits of the connection's statements reported until the returned function is called.

    Args:
        connection: of the session.
        waits: of its dialect; None where the dialect's own scopes call ``still_waiting``.
        emit: called with LockAwaited, from another thread where the driver is synchronous.
    """
    watcher = None if waits is None else _Watcher(connection, waits, emit)
    connection.info[_EMIT] = emit
    connection.info[_WATCHER] = watcher

    def stop() -> None:
        if not connection.closed and not connection.invalidated:
            connection.info.pop(_EMIT, None)
            connection.info.pop(_WATCHER, None)
        if watcher is not None:
            watcher.stop()

    return stop


@contextmanager
def watched(connection: sa.Connection) -> Iterator[None]:
    """For what is sent past SQLAlchemy's cursors: within, it counts as a statement of the connection's."""
    watcher: _Watcher | None = connection.info.get(_WATCHER)
    if watcher is None:
        yield
        return
    watcher.started()
    try:
        yield
    finally:
        watcher.ended()


def still_waiting(connection: sa.Connection, seconds: float, holders: Callable[[], tuple[str, ...]]) -> None:
    """For scopes that wait by themselves: report it, where the connection is watched."""
    emit = connection.info.get(_EMIT)
    if emit is not None:
        emit(LockAwaited(seconds, holders()))


def next_report(waited: float) -> float:
    """Seconds of waiting after which a wait that was reported at ``waited`` is reported again."""
    return waited + min(LONGEST, waited)


class _Watcher:
    """Opens nothing before a statement has taken PATIENCE; then a connection of its own for each look.

    That is beside the engine's pool, which may have no room. What goes wrong in a look ends nothing.
    """

    def __init__(self, connection: sa.Connection, waits: Waits, emit: Callable[[Event], None]) -> None:
        self._connection = connection
        self._waits = waits
        self._emit = emit
        self._began: float | None = None
        self._due = PATIENCE
        self._number = waits.number(connection)
        # Imported here: asyncio is of no use to a session on SQLite.

        event.listen(connection, "before_cursor_execute", self.started)
        event.listen(connection, "after_cursor_execute", self.ended)
        self._heartbeat = Heartbeat(is_async=bool(connection.dialect.is_async), every=_TURN, beat=self._look)

    def stop(self) -> None:
        """End it."""
        self._heartbeat.stop()
        event.remove(self._connection, "before_cursor_execute", self.started)
        event.remove(self._connection, "after_cursor_execute", self.ended)

    def started(self, *_: Any) -> None:
        """A statement is sent."""
        self._began, self._due = monotonic(), PATIENCE

    def ended(self, *_: Any) -> None:
        """It was answered."""
        self._began = None

    def _look(self) -> bool:
        began = self._began
        if self._number is None or began is None or (waited := monotonic() - began) < self._due:
            return self._number is not None
        self._due = next_report(waited)
        with self._beside() as connection:
            found = self._waits.holders(connection, self._number)
        if found is not None and self._began == began:
            self._emit(LockAwaited(waited, found))
        return True

    @contextmanager
    def _beside(self) -> Iterator[sa.Connection]:
        engine = self._connection.engine
        own = sa.Engine(engine.pool.recreate(), engine.dialect, engine.url)
        try:
            with own.connect() as connection:
                yield connection.execution_options(isolation_level="AUTOCOMMIT")
        finally:
            own.dispose()
