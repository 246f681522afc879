"""Waits of the tests and of what they fetch: each is for a state, has a limit, and says what it waited for.

The limits are for a machine with a load of 30 on two cores. A test that needs a longer one than ``LIMIT`` raises its
own ``timeout``, so that the message of the wait comes before that of pytest.
"""

from __future__ import annotations

import contextlib
import fcntl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

LIMIT = 240.0
"""Seconds for one state, the answer of a server for example."""
PROGRAM_LIMIT = 600.0
"""Seconds for a program to end."""
EVERY = 0.02


class Late(AssertionError):
    """A state did not come in time."""


def wait_until[T](
    state: Callable[[], T],
    *,
    what: str,
    seen: Callable[[], object] | None = None,
    limit: float = LIMIT,
    every: float = EVERY,
) -> T:
    """Look until ``state`` answers something true; returns that answer.

    Args:
        state: one look.
        what: what is waited for, for the message.
        seen: what there is instead, for the message; the last answer of ``state`` by default.
        limit: seconds.
        every: seconds between two looks.

    Raises:
        Late: not within the limit.
    """
    end = time.monotonic() + limit
    while True:
        over = time.monotonic() >= end
        found = state()
        if found:
            return found
        if over:
            raise Late(f"Waited {limit:g} s for {what}. Seen last: {found if seen is None else seen()!r}")
        time.sleep(every)


def join(thread: threading.Thread, *, what: str, limit: float = LIMIT) -> None:
    """Wait for the end of a thread.

    Raises:
        Late: not within the limit.
    """
    thread.join(limit)
    if thread.is_alive():
        raise Late(f"Waited {limit:g} s for {what}. Seen last: the thread {thread.name} still runs.")


def next_line(process: subprocess.Popen[str], *, what: str, limit: float = LIMIT) -> str:
    """The next line that a process writes; empty where it ends before. A process that is late is killed.

    Raises:
        Late: not within the limit.
    """
    assert process.stdout is not None
    late = threading.Event()

    def end() -> None:
        late.set()
        process.kill()

    timer = threading.Timer(limit, end)
    timer.daemon = True
    timer.start()
    try:
        found = process.stdout.readline()
    finally:
        timer.cancel()
    if late.is_set() and not found:
        raise Late(f"Waited {limit:g} s for {what}. Seen last: process {process.pid} had written no line.")
    return found


@contextlib.contextmanager
def turn(file: Path, *, what: str, limit: float = LIMIT) -> Iterator[IO[str]]:
    """Hold a lock on a file, which other processes that take it wait for; it goes with the process, too.

    Raises:
        Late: others hold it for longer than the limit.
    """
    with file.open("a+", encoding="utf-8") as lock:

        def taken() -> bool:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        wait_until(taken, what=f"{what} (the lock {file})", seen=lambda: "another process holds it", limit=limit)
        yield lock
