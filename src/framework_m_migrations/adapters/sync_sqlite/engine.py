"""Engines for SQLite through Python's own sqlite3: local files, tests, scripts, and a browser's worker."""

from __future__ import annotations

import os
import weakref
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.pool import NullPool, StaticPool

from framework_m_migrations.adapters.sql.url import engine_made_from, show_url
from framework_m_migrations.domain.errors import UnsupportedDatabase

_SYNC_DRIVERS = frozenset({"sqlite", "sqlite+pysqlite"})


def is_memory(url: sa.URL) -> bool:
    """Whether a SQLite URL means a database in memory, which lives as long as its one connection."""
    name = url.database
    if not name or name == ":memory:":
        return True
    return name.startswith("file:") and (
        ":memory:" in name or url.query.get("mode") == "memory" or "mode=memory" in name
    )


def missing_file(url: sa.URL) -> str | None:
    """The file that a connection would create, as an absolute path; None where there is one, or no folder for it."""
    name = (url.database or "").removeprefix("file:").partition("?")[0]
    if is_memory(url) or not name:
        return None
    path = Path(name).absolute()
    return str(path) if path.parent.is_dir() and not os.path.lexists(path) else None


def create_sync_engine(url: str | sa.URL) -> sa.Engine:
    """An engine of our own for ``sqlite://``, ``sqlite:///file`` or ``sqlite+pysqlite:///file``.

    Files get no pool, so that nothing stays open after a run; a database in memory keeps its one connection, so that
    it lives as long as the engine. Transactions, pragmas and time-outs are left as they are: the dialect says its own
    BEGIN.

    Raises:
        UnsupportedDatabase: the URL is for another database or driver.
        ConfigurationError: the driver does not take a part of the URL.
    """
    parsed = sa.make_url(url)
    if parsed.drivername not in _SYNC_DRIVERS:
        raise UnsupportedDatabase(
            f"{show_url(parsed)} is not for SQLite's synchronous driver.",
            next_step="Use a URL that begins with sqlite:///.",
        )
    with engine_made_from(parsed):
        if is_memory(parsed):
            engine = sa.create_engine(parsed, poolclass=StaticPool, connect_args={"check_same_thread": False})
            # Nobody else ends the one connection, and Python warns of one that is forgotten.
            weakref.finalize(engine, engine.pool.dispose)
            return engine
        return sa.create_engine(parsed, poolclass=NullPool)
