"""Forks a process a command, with everything imported already: a real process, without a second of imports each.

Reads one JSON request a line from stdin (arguments, cwd, env, streams: three file names) and answers with the exit
code on stdout. Nothing of one command reaches the next, for each runs in a child.
"""

from __future__ import annotations

import io
import json
import os
import sys
import traceback
from typing import Any

import aiosqlite
import alembic.autogenerate
import alembic.operations
import asyncpg
import sqlalchemy.ext.asyncio

import framework_m_migrations.cli.launch
import framework_m_migrations.embedding.sync

PRELOADED = (aiosqlite, alembic, asyncpg, sqlalchemy, framework_m_migrations)


def become(request: dict[str, Any]) -> int:
    """Turn this process into the command. Returns its exit code."""
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    flags = (os.O_RDONLY, os.O_WRONLY | os.O_APPEND, os.O_WRONLY | os.O_APPEND)
    for number, (name, flag) in enumerate(zip(request["streams"], flags, strict=True)):
        opened = os.open(name, flag)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False), encoding="utf-8")
    sys.stdout = io.TextIOWrapper(io.BufferedWriter(io.FileIO(1, "w", closefd=False)), encoding="utf-8")
    sys.stderr = io.TextIOWrapper(
        io.BufferedWriter(io.FileIO(2, "w", closefd=False)), encoding="utf-8", line_buffering=True
    )
    sys.argv = ["m-migrate", *request["arguments"]]
    try:
        code = framework_m_migrations.cli.main()
    except BaseException:  # noqa: BLE001 - what escapes from the program is shown to the test as its output
        traceback.print_exc()
        code = 70
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def serve() -> None:
    for asked in sys.stdin:
        pid = os.fork()
        if pid == 0:
            code = 71
            try:
                code = become(json.loads(asked))
            finally:
                os._exit(code)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
