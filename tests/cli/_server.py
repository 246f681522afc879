"""Forks a process a command, with everything imported already: a real process, without a second of imports each.

Reads one JSON request a line from stdin (arguments, cwd, env, streams: three file names) and answers with the exit
code on stdout. Nothing of one command reaches the next, for each runs in a child.
"""

from __future__ import annotations

import gc
import importlib.metadata
import io
import json
import os
import pkgutil
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any

import aiosqlite
import alembic.autogenerate
import alembic.config
import alembic.operations
import asyncpg
import sqlalchemy.ext.asyncio

import framework_m_migrations
import framework_m_migrations.cli

PRELOADED = (aiosqlite, alembic, asyncpg, sqlalchemy)
PARTS = ("adapters.sql", "cli", "container", "embedding.sync", "services")


def preload() -> None:
    """Import what commands import in the course of their work: most of the time of a command went into that."""
    for part in PARTS:
        name = f"{framework_m_migrations.__name__}.{part}"
        module = importlib.import_module(name)
        for found in pkgutil.walk_packages(getattr(module, "__path__", ()), f"{name}."):
            if ".framework_m" not in found.name and not found.name.endswith("__main__"):
                importlib.import_module(found.name)
    importlib.import_module("framework_m_migrations.adapters.doctypes.metadata")
    importlib.import_module("cyclopts.help")
    importlib.metadata.entry_points()  # folders of packages are remembered


def become(request: dict[str, Any]) -> int:
    """Turn this process into the command. Returns its exit code."""
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    os.setsid()  # so that a terminal among the streams becomes this program's
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
    program = request.get("program", "m-migrate")
    sys.argv = [program, *request["arguments"]]
    try:
        code = framework_m_migrations.cli.main() if program == "m-migrate" else _alembic()
    except BaseException:  # noqa: BLE001 - what escapes from the program is shown to the test as its output
        traceback.print_exc()
        code = 70
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def _alembic() -> int:
    """What `python -W error -m alembic` does."""
    sys.path[:0] = [str(Path.cwd()), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    warnings.simplefilter("error")
    try:
        alembic.config.main()
    except SystemExit as ended:
        if not isinstance(ended.code, int | None):
            sys.stderr.write(f"{ended.code}\n")
            return 1
        return ended.code or 0
    except Exception:  # noqa: BLE001 - as the interpreter ends
        traceback.print_exc()
        return 1
    return 0


def serve() -> None:
    preload()
    gc.freeze()  # or each child copies what its collector looks at
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
