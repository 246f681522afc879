"""PostgreSQL: spelling, catalog reader, locks, transactions, online DDL. No driver is imported here."""

from framework_m_migrations.adapters.sql.dialects.postgresql.dialect import PostgresqlDialect

__all__ = ["PostgresqlDialect"]
