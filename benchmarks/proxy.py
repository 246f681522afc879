"""A stand between a driver and PostgreSQL that makes the way longer and counts how often it is gone.

A turn is one going there and coming back: what a client sends until the server answers. It is a process of its own, so
that it takes no part in what it measures.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.waiting import next_line

_READY = b"Z\x00\x00\x00\x05"
"""ReadyForQuery: after the first one of a connection the login is over."""
_SHOWN = 300
ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Connection:
    """What one connection cost.

    Attributes:
        login: turns until the server was ready for a first query.
        turns: the beginning of what was sent in each turn after that.
    """

    login: int
    turns: tuple[str, ...]

    @property
    def locks(self) -> bool:
        """Whether it is the connection that holds the migration lock."""
        return any("pg_try_advisory_lock" in turn for turn in self.turns)


class Proxy:
    """A running proxy; ``port`` is where it listens."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.port = int(self._line())

    def counted(self) -> list[Connection]:
        """The connections of which something was heard since this was last asked, in the order of their opening."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return [Connection(one["login"], tuple(one["turns"])) for one in json.loads(self._line())]

    def _line(self) -> str:
        line = next_line(self._process, what="the answer of the proxy")
        if not line:
            raise RuntimeError("The proxy ended; the reason is printed above.")
        return line


@contextmanager
def proxy(host: str, port: int, delay: float = 0.0) -> Iterator[Proxy]:
    """A proxy to a server.

    Args:
        host: of the server.
        port: of the server.
        delay: milliseconds that each direction takes.
    """
    command = [sys.executable, "-m", "benchmarks.proxy", host, str(port), str(delay)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Proxy(process)
        finally:
            process.terminate()


class _Counter:
    def __init__(self) -> None:
        self.login = 0
        self.turns: list[str] = []
        self._ready = False
        self._asked = False

    def sent(self, data: bytes) -> None:
        if not self._asked:
            self._asked = True
            if self._ready:
                self.turns.append("")
            else:
                self.login += 1
        if self._ready and len(self.turns[-1]) < _SHOWN:
            self.turns[-1] += data[:_SHOWN].decode("latin-1")

    def answered(self, data: bytes) -> None:
        self._asked = False
        self._ready = self._ready or _READY in data

    def taken(self) -> dict[str, Any]:
        told = {"login": self.login, "turns": self.turns}
        self.login, self.turns = 0, []
        return told


async def _serve(host: str, port: int, delay: float) -> None:
    loop = asyncio.get_running_loop()
    counters: list[_Counter] = []

    async def passed_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, note: Any) -> None:
        due: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def deliver() -> None:
            while True:
                when, data = await due.get()
                wait = when - loop.time()
                if wait > 0:
                    await asyncio.sleep(wait)
                if not data:
                    writer.close()
                    return
                writer.write(data)

        delivery = asyncio.create_task(deliver())
        try:
            while data := await reader.read(1 << 16):
                note(data)
                due.put_nowait((loop.time() + delay, data))
        except OSError:
            pass
        due.put_nowait((loop.time() + delay, b""))
        await delivery

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        counter = _Counter()
        counters.append(counter)
        upstream_reader, upstream_writer = await asyncio.open_connection(host, port)
        await asyncio.gather(
            passed_on(reader, upstream_writer, counter.sent), passed_on(upstream_reader, writer, counter.answered)
        )

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    while await loop.run_in_executor(None, sys.stdin.readline):
        told = [one for counter in counters if (one := counter.taken())["login"] or one["turns"]]
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]) / 1000))
