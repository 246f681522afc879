"""A writer and a reader that probe tables at a fixed rate from processes of their own, and what they had to wait.

Each operation has its time by the clock, and waits are counted from that time: while one operation hangs, those behind
it wait as well, as the users of an application would. Beside them the clients of PREPARING read whole rows as drivers
do by default, with what they prepare and keep; what the database refuses them is counted by client.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.synchronize import Event
from typing import Any

import psycopg

PLAIN = "psycopg, nothing prepared"
PREPARING = ("psycopg", "asyncpg", "SQLAlchemy over asyncpg")
"""Clients with the defaults of their drivers; each keeps one connection."""
_RATE_OF_PREPARING = 20.0

type Send = Callable[[str, int], object]
"""Sends a statement with one parameter, ``id``, and raises where the database refuses it."""


@contextmanager
def client(kind: str, dsn: str) -> Iterator[Send]:
    """A connection in autocommit, for libpq's kind of DSN or URL."""
    if kind in {PLAIN, "psycopg"}:
        prepare = False if kind == PLAIN else None
        with psycopg.connect(dsn, autocommit=True) as connection:
            yield lambda sql, number: connection.execute(sql, {"id": number}, prepare=prepare).rowcount
        return
    # Imported here: each probe is a process of its own, and most need neither.
    import asyncpg
    import sqlalchemy as sa
    from sqlalchemy.ext.asyncio import create_async_engine

    given = psycopg.conninfo.conninfo_to_dict(dsn)
    url = sa.URL.create(
        "postgresql+asyncpg",
        str(given["user"]),
        None if given.get("password") is None else str(given["password"]),
        str(given["host"]),
        int(given.get("port") or 5432),
        str(given["dbname"]),
    )
    with asyncio.Runner() as runner:
        if kind == "asyncpg":
            plain = url.set(drivername="postgresql").render_as_string(hide_password=False)

            async def connect() -> Any:
                return await asyncpg.connect(plain)

            raw = runner.run(connect())
            yield lambda sql, number: runner.run(raw.fetch(sql.replace("%(id)s", "$1"), number))
            runner.run(raw.close())
            return
        engine = create_async_engine(url, pool_size=1)

        async def send(sql: str, number: int) -> None:
            async with engine.connect() as connection:
                await connection.exec_driver_sql(sql.replace("%(id)s", "$1"), (number,))

        yield lambda sql, number: runner.run(send(sql, number))
        runner.run(engine.dispose())


@dataclass(slots=True)
class Waits:
    """What one class of probes saw.

    Attributes:
        operations: how many were done.
        statement: seconds that the database took for one operation, the worst.
        longest: seconds from the time of an operation by the clock to its end, the worst: what piled up is in it.
        slow: how many took longer than a tenth of a second.
        failures: how many the database refused, with the first message.
        prepared: how many it refused each client of PREPARING, those with none left out.
    """

    operations: int = 0
    statement: float = 0.0
    longest: float = 0.0
    slow: int = 0
    failures: int = 0
    message: str = ""
    prepared: dict[str, int] = field(default_factory=dict)

    def merge(self, other: Waits) -> Waits:
        """Both together."""
        return Waits(
            self.operations + other.operations,
            max(self.statement, other.statement),
            max(self.longest, other.longest),
            self.slow + other.slow,
            self.failures + other.failures,
            self.message or other.message,
            dict(Counter(self.prepared) + Counter(other.prepared)),
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
    kind: str = PLAIN


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
    with client(work.kind, dsn) as send:
        for statement in statements:
            send(statement, 1)
        ready.set()
        due = time.monotonic()
        while not stop.is_set():
            now = time.monotonic()
            if now < due:
                time.sleep(due - now)
            sent = time.monotonic()
            statement = statements[found.operations % len(statements)]
            try:
                send(statement, chance.randrange(1, rows))
            except Exception as error:  # noqa: BLE001 - of any driver
                found.failures += 1
                found.message = found.message or str(error).splitlines()[0]
            ended = time.monotonic()
            found.statement = max(found.statement, ended - sent)
            waited = ended - due
            found.operations += 1
            found.longest = max(found.longest, waited)
            found.slow += waited > 0.1
            due += 1 / rate
    if work.kind != PLAIN:
        # Their waits are those of the plain probes; what counts is what they were refused.
        found = Waits(prepared={work.kind: found.failures} if found.failures else {})
    out.put(found)


@contextmanager
def probing(
    dsn: str, writes: Sequence[str], reads: Sequence[str], whole: Sequence[str], *, rate: float, rows: int
) -> Iterator[Probed]:
    """Probe as long as the body runs: ``rate`` operations a second by a writer, and as many by a reader.

    Args:
        dsn: for psycopg.
        writes: statements with the parameter ``id``, in turn.
        reads: likewise.
        whole: likewise, of whole rows: for the clients of PREPARING.
        rate: operations a second of each of the two.
        rows: ids to choose from.
    """
    context = multiprocessing.get_context("spawn")
    stop, out = context.Event(), context.Queue()
    workers = []
    works = [(PLAIN, writes, rate), (PLAIN, reads, rate)]
    works += [(kind, whole, _RATE_OF_PREPARING) for kind in PREPARING]
    for kind, statements, often in works:
        ready = context.Event()
        work = _Work(dsn, tuple(statements), often, rows, stop, ready, kind)
        worker = context.Process(target=_probe, args=(work, out), daemon=True)
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
