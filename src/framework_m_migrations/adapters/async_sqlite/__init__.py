"""SQLite through aiosqlite."""

from framework_m_migrations.adapters.async_sqlite.engine import create_aiosqlite_engine

__all__ = ["create_aiosqlite_engine"]
