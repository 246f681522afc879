"""Engines for SQLite inside an event loop, through aiosqlite."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool, StaticPool

from framework_m_migrations.adapters.sql.url import engine_made_from, show_url
from framework_m_migrations.domain.errors import MissingDependency, UnsupportedDatabase

_DRIVER = "sqlite+aiosqlite"


def create_aiosqlite_engine(url: str | sa.URL) -> AsyncEngine:
    """An engine of our own for ``sqlite+aiosqlite://`` (in memory) or ``sqlite+aiosqlite:///file``.

    Pools as in sync_sqlite.create_sync_engine: none for files, one connection for a database in memory.

    Raises:
        UnsupportedDatabase: the URL is for another database or driver.
        ConfigurationError: the driver does not take a part of the URL.
        MissingDependency: aiosqlite is not installed.
    """
    parsed = sa.make_url(url)
    if parsed.drivername != _DRIVER:
        raise UnsupportedDatabase(
            f"{show_url(parsed)} is not for aiosqlite.",
            next_step="Use a URL that begins with sqlite+aiosqlite:///.",
        )
    name = parsed.database or ""
    in_memory = not name or ":memory:" in name or "mode=memory" in name or parsed.query.get("mode") == "memory"
    try:
        with engine_made_from(parsed):
            # The attributes of sqlite3's connection are read from the event loop's thread.
            options = {"check_same_thread": False}
            engine = create_async_engine(parsed, poolclass=StaticPool if in_memory else NullPool, connect_args=options)
    except ModuleNotFoundError as error:
        raise MissingDependency(
            f"The driver {error.name} is not installed.", next_step="Install it: pip install aiosqlite."
        ) from error
    if not in_memory:
        sa.event.listen(engine.sync_engine, "do_connect", _fail_without_a_thread)
    return engine


def _fail_without_a_thread(_: sa.Dialect, __: object, arguments: Sequence[str], options: dict[str, object]) -> None:
    """Open the file once before aiosqlite does, so that an error is raised here.

    Where aiosqlite's own thread fails to open the file, it reports back to the event loop a second time, unawaited;
    a loop that has ended by then makes the thread print a traceback (aiosqlite 0.22, Connection._connect).
    """
    sqlite3.connect(arguments[0], uri=bool(options.get("uri", False))).close()
