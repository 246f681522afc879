"""A writer and a reader that probe tables at a fixed rate from processes of their own, and what they had to wait.

Each operation has its time by the clock, and waits are counted from that time: while one operation hangs, those behind
it wait as well, as the users of an application would.
"""

from __future__ import annotations

import multiprocessing
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.synchronize import Event
from typing import Any

import psycopg


@dataclass(slots=True)
class Waits:
    """What one class of probes saw.

    Attributes:
        operations: how many were done.
        statement: seconds that the database took for one operation, the worst.
        longest: seconds from the time of an operation by the clock to its end, the worst: what piled up is in it.
        slow: how many took longer than a tenth of a second.
        failures: how many the database refused, with the first message.
    """

    operations: int = 0
    statement: float = 0.0
    longest: float = 0.0
    slow: int = 0
    failures: int = 0
    message: str = ""

    def merge(self, other: Waits) -> Waits:
        """Both together."""
        return Waits(
            self.operations + other.operations,
            max(self.statement, other.statement),
            max(self.longest, other.longest),
            self.slow + other.slow,
            self.failures + other.failures,
            self.message or other.message,
        )


@dataclass(slots=True)
class Probed:
    """The waits of a change, filled in when its probes have ended."""

    waits: Waits = field(default_factory=Waits)
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class _Work:
    """What one worker does, and how it is told to begin and to end."""

    dsn: str
    statements: tuple[str, ...]
    rate: float
    rows: int
    stop: Event
    ready: Event


def _probe(work: _Work, out: Any) -> None:
    dsn, statements, rate, rows, stop, ready = (
        work.dsn,
        work.statements,
        work.rate,
        work.rows,
        work.stop,
        work.ready,
    )
    found, chance = Waits(), random.Random(7)
    with psycopg.connect(dsn, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement, {"id": 1}, prepare=False)
        ready.set()
        due = time.monotonic()
        while not stop.is_set():
            now = time.monotonic()
            if now < due:
                time.sleep(due - now)
            sent = time.monotonic()
            statement = statements[found.operations % len(statements)]
            try:
                connection.execute(statement, {"id": chance.randrange(1, rows)}, prepare=False)
            except psycopg.Error as error:
                found.failures += 1
                found.message = found.message or str(error).splitlines()[0]
            ended = time.monotonic()
            found.statement = max(found.statement, ended - sent)
            waited = ended - due
            found.operations += 1
            found.longest = max(found.longest, waited)
            found.slow += waited > 0.1
            due += 1 / rate
    out.put(found)


@contextmanager
def probing(dsn: str, writes: Sequence[str], reads: Sequence[str], *, rate: float, rows: int) -> Iterator[Probed]:
    """Probe as long as the body runs: ``rate`` operations a second by a writer, and as many by a reader.

    Args:
        dsn: for psycopg.
        writes: statements with the parameter ``id``, in turn.
        reads: likewise.
        rate: operations a second of each of the two.
        rows: ids to choose from.
    """
    context = multiprocessing.get_context("spawn")
    stop, out = context.Event(), context.Queue()
    workers = []
    for statements in (writes, reads):
        ready = context.Event()
        worker = context.Process(
            target=_probe, args=(_Work(dsn, tuple(statements), rate, rows, stop, ready), out), daemon=True
        )
        worker.start()
        workers.append((worker, ready))
    for worker, ready in workers:
        while not ready.wait(0.2):
            if not worker.is_alive():
                raise RuntimeError("A probe could not start; its error is above.")
    probed = Probed()
    began = time.monotonic()
    try:
        yield probed
    finally:
        probed.seconds = time.monotonic() - began
        # What hangs at the end counts too.
        stop.set()
        for _ in workers:
            probed.waits = probed.waits.merge(out.get(timeout=120))
        for worker, _ in workers:
            worker.join(10)


@contextmanager
def long_reader(dsn: str, table: str, seconds: float) -> Iterator[None]:
    """Another session whose transaction has read the table and stays open for some seconds, as reports do."""
    context = multiprocessing.get_context("spawn")
    begun = context.Event()
    worker = context.Process(target=_read, args=(dsn, table, seconds, begun), daemon=True)
    worker.start()
    begun.wait(30)
    try:
        yield
    finally:
        worker.join(seconds + 30)


def _read(dsn: str, table: str, seconds: float, begun: Event) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute(f"SELECT 1 FROM {table} LIMIT 1")
        begun.set()
        time.sleep(seconds)
