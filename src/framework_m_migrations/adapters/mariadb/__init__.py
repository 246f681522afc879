"""MariaDB: one dialect for the drivers PyMySQL and asyncmy. Every DDL statement commits by itself."""

from framework_m_migrations.adapters.mariadb.dialect import MariadbDialect
from framework_m_migrations.adapters.mariadb.engine import async_engine, sync_engine

__all__ = ["MariadbDialect", "async_engine", "sync_engine"]
