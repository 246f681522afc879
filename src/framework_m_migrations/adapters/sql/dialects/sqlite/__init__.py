"""SQLite."""

from framework_m_migrations.adapters.sql.dialects.sqlite.dialect import SqliteDialect

__all__ = ["SqliteDialect"]
