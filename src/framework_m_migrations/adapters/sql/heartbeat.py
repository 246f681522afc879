"""Something done again and again beside the work, on connections of its own.

Under a synchronous driver a thread does it, under an asynchronous one a task of the loop that runs the work: a
connection of such a driver belongs to its loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.sqlalchemy_versions import wait_for
from framework_m_migrations.domain.errors import MigrationError


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
