"""From settings, or from what the caller holds, to where connections come from."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from framework_m_migrations.container.factories import sql_dialect
from framework_m_migrations.container.mode import RuntimeMode, detect_mode
from framework_m_migrations.container.settings import MigrationSettings
from framework_m_migrations.domain.errors import ConfigurationError, MissingDependency, UnsupportedDatabase

if TYPE_CHECKING:
    import sqlalchemy as sa
    from sqlalchemy.ext.asyncio import AsyncEngine

    from framework_m_migrations.adapters.sql.async_runner import AsyncSource
    from framework_m_migrations.adapters.sql.dialects.base import SqlDialect
    from framework_m_migrations.adapters.sql.runner import SyncSource


def mode_of(settings: MigrationSettings, database: Any) -> RuntimeMode:
    """The mode: that of the caller's engine or connection, else as detect_mode says."""
    if settings.mode is RuntimeMode.SYNC_WORKER:
        return settings.mode
    if database is not None and _is_async(database):
        return RuntimeMode.ASYNC
    if database is not None and sys.platform != "emscripten":
        return RuntimeMode.SYNC
    return detect_mode(settings.mode, os.environ, settings.url, sys.platform)


def _is_async(database: Any) -> bool:
    return hasattr(database, "sync_engine")


def needs_loop(mode: RuntimeMode, database: Any) -> bool:
    """True when the database is reached through an event loop."""
    return _is_async(database) if database is not None else mode is RuntimeMode.ASYNC


def parallel_runs(database: Any) -> int | None:
    """How many runs a caller's engine or connection has room for at a time; None where it sets no limit.

    A run takes two connections: its own, and that of the migration lock.
    """
    if database is None:
        return None
    if hasattr(database, "in_transaction"):
        return 1
    size = getattr(database.pool, "size", None)
    return None if size is None else max(1, size() // 2)


def _parsed(settings: MigrationSettings) -> sa.URL:
    from framework_m_migrations.adapters.sql.engines import parse_url

    return parse_url(settings.url)


def shown_url(settings: MigrationSettings, database: Any) -> str:
    """The database's URL for people, without its password."""
    from framework_m_migrations.adapters.sql.engines import show_url

    if database is None:
        return show_url(_parsed(settings))
    url: sa.URL = getattr(database, "engine", database).url
    return show_url(url)


def dialect_name(settings: MigrationSettings, database: Any) -> str:
    """SQLAlchemy's name of the database's dialect."""
    if database is None:
        return _parsed(settings).get_backend_name()
    name: str = database.dialect.name
    return name


def sync_source(settings: MigrationSettings, mode: RuntimeMode, database: Any) -> SyncSource:
    """Where synchronous connections come from.

    Raises:
        ConfigurationError: the URL names an async driver that the mode cannot use.
        UnsupportedDatabase: a browser worker was asked for anything but SQLite.
    """
    if database is not None:
        return database  # type: ignore[no-any-return]
    url = _parsed(settings)
    backend = url.get_backend_name()
    if mode is RuntimeMode.SYNC_WORKER:
        if backend != "sqlite":
            raise UnsupportedDatabase(
                f"A browser worker cannot reach {backend}: it has no sockets.",
                next_step="Use a SQLite URL such as sqlite:////data/dev.db there.",
            )
        url = url.set(drivername="sqlite")
    if backend == "sqlite":
        from framework_m_migrations.adapters.sql.engines import create_sync_engine, is_memory

        plain = url.set(drivername="sqlite")
        # A database in memory lives as long as its engine: the caller of this function keeps it.
        return create_sync_engine(plain) if is_memory(plain) else lambda: create_sync_engine(plain)
    if backend == "mariadb":
        from framework_m_migrations.adapters.sql.engines import mariadb_engine

        return lambda: mariadb_engine(url)
    if url.drivername == "postgresql+asyncpg":
        raise ConfigurationError(
            "The driver asyncpg needs an event loop, and the runtime mode is sync.",
            next_step="Leave --mode out, or name a synchronous driver such as postgresql+psycopg.",
        )
    return lambda: _plain_engine(url)


def _plain_engine(url: sa.URL) -> sa.Engine:
    import sqlalchemy as sa

    from framework_m_migrations.adapters.sql.engines import engine_made_from

    # A statement that psycopg has prepared may be another client's behind a proxy that pools transactions.
    arguments: dict[str, Any] = {}
    if url.drivername == "postgresql+psycopg" and "prepare_threshold" not in url.query:
        arguments["prepare_threshold"] = None
    try:
        with engine_made_from(url):
            return sa.create_engine(url, poolclass=sa.pool.NullPool, connect_args=arguments)
    except ModuleNotFoundError as error:
        raise MissingDependency(
            f"The driver of {url.drivername!r} is not installed: {error.name}.", next_step=f"pip install {error.name}"
        ) from error


def _plain_async_engine(url: sa.URL, sql: SqlDialect) -> AsyncEngine:
    """For a dialect of another package; a URL without a driver gets the asynchronous one that the dialect names."""
    import sqlalchemy as sa
    from sqlalchemy.ext.asyncio import create_async_engine

    from framework_m_migrations.adapters.sql.engines import engine_made_from

    with engine_made_from(url):
        dialect = url.get_dialect()
        driver = sql.capabilities(dialect()).async_driver
        if not dialect.is_async and (driver is None or "+" in url.drivername):
            raise ConfigurationError(
                f"The driver of {url.drivername!r} is synchronous and cannot be awaited.",
                next_step="Use MigrationManager" + (f", or a URL that begins with {driver}://." if driver else "."),
            )
        if not dialect.is_async and driver is not None:
            url = url.set(drivername=driver)
        return create_async_engine(url, poolclass=sa.pool.NullPool)


def async_source(settings: MigrationSettings, database: Any) -> AsyncSource:
    """Where asynchronous connections come from; a synchronous SQLite URL gets aiosqlite."""
    if database is not None:
        if not _is_async(database):
            raise ConfigurationError(
                "A synchronous engine cannot be awaited.",
                next_step="Use MigrationManager with it, or hand over an AsyncEngine.",
            )
        return database  # type: ignore[no-any-return]
    url = _parsed(settings)
    backend = url.get_backend_name()
    if backend == "sqlite":
        from framework_m_migrations.adapters.sql.async_engines import create_aiosqlite_engine
        from framework_m_migrations.adapters.sql.engines import is_memory

        url = url.set(drivername="sqlite+aiosqlite")
        return create_aiosqlite_engine(url) if is_memory(url) else lambda: create_aiosqlite_engine(url)
    if backend == "postgresql":
        from framework_m_migrations.adapters.sql.async_engines import asyncpg_engine

        return lambda: asyncpg_engine(url)
    if backend == "mariadb":
        from framework_m_migrations.adapters.sql.async_engines import mariadb_async_engine

        return lambda: mariadb_async_engine(url)
    if (sql := sql_dialect(backend)) is not None:
        return lambda: _plain_async_engine(url, sql)
    raise UnsupportedDatabase(
        f"There is no async adapter for {backend!r}.", next_step="Use a PostgreSQL, SQLite or MariaDB URL."
    )


def looking(source: Any, settings: MigrationSettings, tell: Callable[[str], None], *, in_loop: bool) -> Any:
    """A source for what changes nothing: SQLite would create a missing file, so an empty database stands in for it.

    Args:
        source: of sync_source or async_source.
        settings: with the URL.
        tell: called with the path of a file that does not exist.
        in_loop: the engine has to be an asynchronous one.
    """
    if not callable(source) or _parsed(settings).get_backend_name() != "sqlite":
        return source

    def made() -> Any:
        from framework_m_migrations.adapters.sql.engines import create_sync_engine, missing_file

        file = missing_file(_parsed(settings))
        if file is None:
            return source()
        tell(file)
        if not in_loop:
            return create_sync_engine("sqlite://")
        from framework_m_migrations.adapters.sql.async_engines import create_aiosqlite_engine

        return create_aiosqlite_engine("sqlite+aiosqlite://")

    return made


def twin_engine(settings: MigrationSettings, mode: RuntimeMode, url: sa.URL, *, is_async: bool) -> sa.Engine:
    """An engine for another database of the same kind, to be used from where the session's connection is used.

    On SQLite it has the synchronous driver, whatever the session's; on a server that of the URL, whose asynchronous
    connections work wherever a connection of the session does.

    Args:
        settings: of the session.
        mode: of the session.
        url: of the database.
        is_async: the session's driver is asynchronous.

    Raises:
        ConfigurationError: the URL cannot be used.
    """
    shown = replace(settings, database_url=url.render_as_string(hide_password=False))
    if is_async and url.get_backend_name() != "sqlite":
        made = async_source(shown, None)
        found: sa.Engine = (made if _is_async(made) else made()).sync_engine  # type: ignore[operator, union-attr]
        return found
    plain = sync_source(shown, mode, None)
    return plain() if callable(plain) else plain  # type: ignore[return-value]
