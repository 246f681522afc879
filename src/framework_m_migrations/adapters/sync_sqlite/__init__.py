"""SQLite through Python's own sqlite3."""

from framework_m_migrations.adapters.sync_sqlite.engine import create_sync_engine, is_memory

__all__ = ["create_sync_engine", "is_memory"]
