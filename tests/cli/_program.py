"""Runs the real program in a process of its own, over a project made for the test."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import sqlite3
import struct
import subprocess
import sys
import tempfile
import termios
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.waiting import LIMIT, PROGRAM_LIMIT, Late, next_line

BASE = """
import sqlalchemy as sa
metadata = sa.MetaData()
customer = sa.Table(
    "customer", metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("title", sa.String(50)),
)
"""
WITH_OLD = BASE + 'sa.Table("old", metadata, sa.Column("id", sa.Integer, primary_key=True))\n'
WITH_NOTE = BASE + 'customer.append_column(sa.Column("note", sa.Text))\n'
# One change of each risk, once WITH_OLD was synced and customer holds a row.
ALL_RISKS = WITH_NOTE + 'customer.append_column(sa.Column("code", sa.Integer, nullable=False))\n'

REVISION = '''
"""{message}"""
import sqlalchemy as sa
from alembic import op
revision, down_revision, branch_labels, depends_on = "{id}", {down!r}, {labels!r}, {depends!r}
def upgrade():
    op.create_table("t_{id}", sa.Column("id", sa.Integer(), primary_key=True))
def downgrade():
    op.drop_table("t_{id}")
'''

CLEARED = ("DATABASE_URL", "INSTALLED_APPS", "NO_COLOR", "FORCE_COLOR", "FRAMEWORK_M_RUNTIME_MODE", "COLUMNS")
CLEARED_PREFIXES = ("PYTEST_", "FRAMEWORK_M_MIGRATIONS", "PYTHON")
PROGRAM = (sys.executable, "-m", "framework_m_migrations.cli")


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one document on stdout; raises when there is more or less."""
        value = json.loads(self.out)
        assert isinstance(value, dict)
        return value


class Server:
    """The process that forks the commands; see _server.py."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def once(self, arguments: list[str], cwd: Path, env: dict[str, str], program: str = "m-migrate") -> Done:
        """Run one command to its end, its streams going to files.

        Args:
            arguments: of the program.
            program: ``m-migrate`` or ``alembic``.
        """
        with tempfile.TemporaryDirectory() as folder:
            streams = [Path(folder, name) for name in ("in", "out", "err")]
            for stream in streams:
                stream.touch()
            request = {
                "program": program,
                "arguments": arguments,
                "cwd": str(cwd),
                "env": env,
                "streams": [str(name) for name in streams],
            }
            code = self.ask(json.dumps(request))
            return Done(code, *(stream.read_text(encoding="utf-8") for stream in streams[1:]))

    def ask(self, request: str) -> int:
        """The exit code of a command, after its end.

        Args:
            request: as _server.py reads it.
        """
        return self.answer(self.begin(request), request)

    def begin(self, request: str) -> subprocess.Popen[str]:
        """Start a command; its exit code will be a line of the returned process."""
        if self._process is None:
            command = [sys.executable, str(Path(__file__).with_name("_server.py"))]
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdin is not None
        self._process.stdin.write(request + "\n")
        self._process.stdin.flush()
        return self._process

    @staticmethod
    def answer(process: subprocess.Popen[str], request: str) -> int:
        return int(next_line(process, what=f"the end of {request}", limit=PROGRAM_LIMIT))

    def close(self) -> None:
        if self._process is not None:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.close()
            self._process.wait(timeout=LIMIT)
            self._process.stdout.close()


@dataclass(frozen=True)
class Project:
    """A folder with models, apps and, by default, a SQLite file."""

    path: Path
    server: Server
    url: str = ""

    def environment(self, more: dict[str, str] | None = None) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if name not in CLEARED and not name.startswith(CLEARED_PREFIXES)
        }
        return kept | {"TERM": "xterm-256color"} | ({"DATABASE_URL": self.url} if self.url else {}) | (more or {})

    def models(self, text: str) -> None:
        (self.path / "models.py").write_text(text, encoding="utf-8")

    def app(self, name: str, *revisions: dict[str, Any]) -> None:
        folder = self.path / name / "migrations" / "versions"
        folder.mkdir(parents=True, exist_ok=True)
        (self.path / name / "__init__.py").touch()
        for made in revisions:
            values = {"message": "made", "down": None, "labels": None, "depends": None} | made
            (folder / f"{made['id']}.py").write_text(REVISION.format(**values), encoding="utf-8")

    def arguments(self, arguments: tuple[str, ...]) -> list[str]:
        given = list(arguments)
        if "--metadata" not in given and (self.path / "models.py").exists():
            given += ["--metadata", "models:metadata"]
        return given

    def run(self, *arguments: str, env: dict[str, str] | None = None) -> Done:
        """Run in a process of its own, with everything going to files, which look like pipes to it."""
        return self.server.once(self.arguments(arguments), self.path, self.environment(env))

    def run_whole(self, *arguments: str, env: dict[str, str] | None = None) -> Done:
        """Run from the start of the interpreter on, with everything piped."""
        done = subprocess.run(
            [*PROGRAM, *self.arguments(arguments)],
            cwd=self.path,
            env=self.environment(env),
            input="",
            capture_output=True,
            text=True,
            check=False,
            timeout=PROGRAM_LIMIT,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def run_on_terminal(self, *arguments: str, typed: str = "", env: dict[str, str] | None = None) -> Done:
        """Run with a terminal for everything; ``out`` holds all that it showed."""
        terminal, other_end = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 120, 0, 0))
        request = json.dumps(
            {
                "arguments": self.arguments(arguments),
                "cwd": str(self.path),
                "env": self.environment(env),
                "streams": [os.ttyname(other_end)] * 3,
            }
        )
        shown, answered, deadline = b"", not typed, time.monotonic() + PROGRAM_LIMIT
        try:
            process = self.server.begin(request)
            assert process.stdout is not None
            ended = process.stdout.fileno()
            while True:
                ready = select.select([terminal, ended], [], [], 0.5)[0]
                if terminal in ready:
                    shown += os.read(terminal, 65536)
                elif ready:
                    return Done(self.server.answer(process, request), shown.decode().replace("\r\n", "\n"), "")
                if not answered and b"[y/N]" in shown:
                    os.write(terminal, typed.encode())
                    answered = True
                if time.monotonic() > deadline:
                    last = f"It showed last: {shown[-2000:]!r}"
                    raise Late(f"Waited {PROGRAM_LIMIT:g} s for the end of {request}. {last}")
        finally:
            os.close(terminal)
            os.close(other_end)

    @property
    def file(self) -> Path:
        return self.path / "dev.db"

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.file)) as connection:
            rows = connection.execute(statement).fetchall()
            connection.commit()
            return rows

    def tables(self) -> set[str]:
        return {row[0] for row in self.query("SELECT name FROM sqlite_master WHERE type = 'table'")}

    def columns(self, table: str) -> list[str]:
        return [row[1] for row in self.query(f"PRAGMA table_info({table})")]
