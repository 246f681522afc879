"""Engines for asynchronous drivers: aiosqlite, asyncpg and asyncmy."""

from __future__ import annotations

import contextlib
import importlib.util
import sqlite3
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool, StaticPool

from framework_m_migrations.adapters.sql.engines import (
    ASYNC_DRIVERS,
    DEFAULT_SYNC,
    check_installed,
    engine_made_from,
    show_url,
    with_driver,
)
from framework_m_migrations.domain.errors import MissingDependency, UnsupportedDatabase

# Engines for SQLite inside an event loop, through aiosqlite.


_AIOSQLITE = "sqlite+aiosqlite"


def create_aiosqlite_engine(url: str | sa.URL) -> AsyncEngine:
    """An engine of our own for ``sqlite+aiosqlite://`` (in memory) or ``sqlite+aiosqlite:///file``.

    Pools as in sync_sqlite.create_sync_engine: none for files, one connection for a database in memory.

    Raises:
        UnsupportedDatabase: the URL is for another database or driver.
        ConfigurationError: the driver does not take a part of the URL.
        MissingDependency: aiosqlite is not installed.
    """
    parsed = sa.make_url(url)
    if parsed.drivername != _AIOSQLITE:
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


# PostgreSQL through asyncpg.


# Engines for asyncpg.


APPLICATION_NAME = "m-migrate"
_PLAIN = frozenset({"postgresql", "postgres"})
_ASYNCPG = "postgresql+asyncpg"
# libpq's words for what asyncpg takes under another name, so that one URL serves both.
_RENAMED = {"sslmode": "ssl"}
CLOSING = 2.0
"""Seconds to wait for the server when a connection is closed."""
WITHOUT_CACHES = {"statement_cache_size": 0, "prepared_statement_cache_size": 0}
"""What asyncpg's and SQLAlchemy's caches of prepared statements are switched off by."""
_SETTINGS = {"application_name": "application_name", "fallback_application_name": "application_name"}


def asyncpg_url(url: sa.URL) -> sa.URL:
    """The URL for asyncpg: a plain ``postgresql://`` or ``postgres://`` gets it as its driver.

    Raises:
        UnsupportedDatabase: the URL is no PostgreSQL URL, or names a driver of its own.
    """
    if url.drivername in _PLAIN:
        url = url.set(drivername=_ASYNCPG)
    if url.drivername != _ASYNCPG:
        raise UnsupportedDatabase(
            f"{show_url(url)} names the driver {url.drivername!r}, which is not asyncpg.",
            next_step="Write postgresql+asyncpg:// in the URL, or use the synchronous runtime mode with that driver.",
        )
    query = {_RENAMED.get(key, key): value for key, value in url.query.items() if key not in _SETTINGS}
    return url.set(query=query)


def _closing_in_time() -> type[Any]:
    """The driver's connection with a limit for ``close``, which waits for the server to close, as a proxy may not."""
    import asyncpg

    class Connection(asyncpg.Connection):  # type: ignore[misc]
        """See _closing_in_time."""

        async def close(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109 - asyncpg's own
            """Close it, and abort it where the server does not answer."""
            with contextlib.suppress(TimeoutError):
                await super().close(timeout=CLOSING if timeout is None else timeout)

    return Connection


def asyncpg_engine(url: sa.URL, *, application_name: str = APPLICATION_NAME) -> AsyncEngine:
    """An engine whose connections are closed when they are given back.

    Prepared statements are not kept from one use to the next: after DDL, and behind a proxy that pools transactions,
    a kept one may be wrong or gone. With both caches off asyncpg sends each statement without a name, and once more
    right before it is carried out, so that a proxy may lend another session of the server in between.

    Args:
        url: ``postgresql+asyncpg://`` or plain ``postgresql://``; its own ``application_name`` wins.
        application_name: how the session shows up in pg_stat_activity.

    Raises:
        UnsupportedDatabase: the URL names another driver.
        ConfigurationError: SQLAlchemy does not take a part of the URL.
        MissingDependency: asyncpg is not installed.
    """
    target = asyncpg_url(url)
    if importlib.util.find_spec("asyncpg") is None:
        raise MissingDependency("The driver asyncpg is not installed.", next_step="pip install asyncpg")
    given = next((url.query[key] for key in _SETTINGS if key in url.query), application_name)
    with engine_made_from(target):
        return create_async_engine(
            target,
            poolclass=sa.pool.NullPool,
            connect_args={
                **WITHOUT_CACHES,
                "connection_class": _closing_in_time(),
                "server_settings": {"application_name": str(given)},
            },
        )


# Engines for asyncmy.


_DEFAULT_ASYNC = "mariadb+asyncmy"


def mariadb_async_engine(url: sa.URL) -> AsyncEngine:
    """As ``sync_engine``, for the event loop.

    Args:
        url: ``mariadb+asyncmy://`` or ``mariadb+aiomysql://``; a plain one and one for PyMySQL get asyncmy.

    Raises:
        MissingDependency: the driver is not installed.
        UnsupportedDatabase: the URL names another driver, which is not asynchronous.
    """
    target = with_driver(url, _DEFAULT_ASYNC)
    if target.drivername == DEFAULT_SYNC:
        target = target.set(drivername=_DEFAULT_ASYNC)
    if target.get_driver_name() not in ASYNC_DRIVERS:
        raise UnsupportedDatabase(
            f"{show_url(url)} names the driver {target.get_driver_name()!r}, which is not asynchronous.",
            next_step="Write mariadb+asyncmy:// in the URL, or use the synchronous runtime mode with that driver.",
        )
    check_installed(target)
    return create_async_engine(target, poolclass=sa.pool.NullPool)
