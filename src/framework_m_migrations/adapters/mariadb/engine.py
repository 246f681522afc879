"""Engines for PyMySQL and asyncmy."""

from __future__ import annotations

import importlib.util

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from framework_m_migrations.adapters.sql.url import show_url
from framework_m_migrations.domain.errors import ConfigurationError, MissingDependency, UnsupportedDatabase

_ASYNC_DRIVERS = frozenset({"asyncmy", "aiomysql"})
_DEFAULT_SYNC, _DEFAULT_ASYNC = "mariadb+pymysql", "mariadb+asyncmy"


def sync_engine(url: sa.URL) -> sa.Engine:
    """An engine whose connections are closed when they are given back.

    Args:
        url: ``mariadb+pymysql://``; a plain ``mariadb://`` gets PyMySQL, any other synchronous driver is kept.

    Raises:
        ConfigurationError: the URL names an asynchronous driver.
        MissingDependency: the driver is not installed.
        UnsupportedDatabase: SQLAlchemy knows no such driver.
    """
    target = _with_driver(url, _DEFAULT_SYNC)
    if target.get_driver_name() in _ASYNC_DRIVERS:
        raise ConfigurationError(
            f"The driver {target.get_driver_name()} needs an event loop, and the runtime mode is sync.",
            next_step="Leave --mode out, or name a synchronous driver such as mariadb+pymysql.",
        )
    _check_installed(target)
    return sa.create_engine(target, poolclass=sa.pool.NullPool)


def async_engine(url: sa.URL) -> AsyncEngine:
    """As ``sync_engine``, for the event loop.

    Args:
        url: ``mariadb+asyncmy://`` or ``mariadb+aiomysql://``; a plain one and one for PyMySQL get asyncmy.

    Raises:
        MissingDependency: the driver is not installed.
        UnsupportedDatabase: the URL names another driver, which is not asynchronous.
    """
    target = _with_driver(url, _DEFAULT_ASYNC)
    if target.drivername == _DEFAULT_SYNC:
        target = target.set(drivername=_DEFAULT_ASYNC)
    if target.get_driver_name() not in _ASYNC_DRIVERS:
        raise UnsupportedDatabase(
            f"{show_url(url)} names the driver {target.get_driver_name()!r}, which is not asynchronous.",
            next_step="Write mariadb+asyncmy:// in the URL, or use the synchronous runtime mode with that driver.",
        )
    _check_installed(target)
    return create_async_engine(target, poolclass=sa.pool.NullPool)


def _with_driver(url: sa.URL, default: str) -> sa.URL:
    return url.set(drivername=default) if url.drivername == "mariadb" else url


def _check_installed(url: sa.URL) -> None:
    """Tell of a missing driver before SQLAlchemy imports it."""
    driver = url.get_driver_name()
    if driver in {"pymysql", "asyncmy", "aiomysql"} and importlib.util.find_spec(driver) is None:
        raise MissingDependency(
            f"The driver {driver} is not installed.", next_step="pip install 'framework-m-migrations[mariadb]'"
        )
    try:
        url.get_dialect()
    except sa.exc.NoSuchModuleError as error:
        raise UnsupportedDatabase(
            f"SQLAlchemy knows no dialect {url.drivername!r}.", next_step="Check the beginning of the URL."
        ) from error
