"""PostgreSQL through asyncpg."""

from framework_m_migrations.adapters.async_postgres.engine import asyncpg_engine

__all__ = ["asyncpg_engine"]
