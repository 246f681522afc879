"""A database with a role that owns nothing and may do nothing, to be given rights one by one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest
import sqlalchemy as sa

from framework_m_migrations import MigrationManager, MigrationSettings
from framework_m_migrations.domain.options import LockOptions
from tests._postgres import PostgresDatabase

SECRET = "least-Privilege-7"


@dataclass(frozen=True)
class Office:
    """The database, as its administrator and as the weak role."""

    database: PostgresDatabase
    role: str

    @property
    def weak_url(self) -> str:
        parts = sa.make_url(self.database.url).set(username=self.role, password=SECRET)
        return parts.render_as_string(hide_password=False)

    def admin(self, *statements: str) -> None:
        with psycopg.connect(self.database.dsn, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.format(role=self.role).encode())

    def rows(self, statement: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.database.dsn, autocommit=True) as connection:
            return connection.execute(statement.encode()).fetchall()

    def everything(self) -> list[tuple[object, ...]]:
        """What there is, to the last column: equal before and after where nothing was changed."""
        return self.rows(
            "SELECT c.relname, c.relkind, a.attname, format_type(a.atttypid, a.atttypmod), c.relowner::text"
            " FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped"
            " WHERE c.relnamespace = 'public'::regnamespace ORDER BY 1, a.attnum"
        )

    def settings(self, *metadata: sa.MetaData, **more: object) -> MigrationSettings:
        return MigrationSettings(
            database_url=self.weak_url,
            metadata=metadata,
            locks=LockOptions(wait=20.0),
            **more,  # type: ignore[arg-type]
        )

    def weak(self, *metadata: sa.MetaData, **more: object) -> MigrationManager:
        return MigrationManager(self.settings(*metadata, **more))

    def strong(self, *metadata: sa.MetaData) -> MigrationManager:
        return MigrationManager(MigrationSettings(database_url=self.database.url, metadata=metadata))

    def hand_over(self, *tables: str) -> None:
        """Make the role the owner of tables."""
        self.admin(*(f'ALTER TABLE "{table}" OWNER TO {{role}}' for table in tables))


@pytest.fixture
def office(postgres_database: PostgresDatabase) -> Iterator[Office]:
    made = Office(postgres_database, f"weak_{postgres_database.name}")
    made.admin(
        f"CREATE ROLE {{role}} LOGIN PASSWORD '{SECRET}'",
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
        "GRANT USAGE ON SCHEMA public TO {role}",
    )
    yield made
    made.admin("DROP OWNED BY {role} CASCADE", "DROP ROLE {role}")
