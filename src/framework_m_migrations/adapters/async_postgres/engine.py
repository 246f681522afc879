"""Engines for asyncpg."""

from __future__ import annotations

import contextlib
import importlib.util
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from framework_m_migrations.adapters.sql.url import engine_made_from, show_url
from framework_m_migrations.domain.errors import MissingDependency, UnsupportedDatabase

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
