"""The four ways to a database that every sync test runs over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from framework_m_migrations import MigrationManager, MigrationSettings
from framework_m_migrations.domain.options import LockOptions
from framework_m_migrations.domain.results import PlanResult, SyncResult
from tests._postgres import PostgresDatabase


@dataclass(frozen=True)
class Site:
    """A database with the engine under test, and a plain engine beside it for the tests' own looks."""

    url: str
    plain: sa.Engine

    def manager(self, *metadata: sa.MetaData, **traits: object) -> MigrationManager:
        settings = MigrationSettings(
            allow_empty=True,
            database_url=self.url,
            metadata=metadata,
            locks=LockOptions(wait=20.0),
            **traits,  # type: ignore[arg-type]
        )
        return MigrationManager(settings)

    def sync(self, metadata: sa.MetaData, **options: Any) -> SyncResult:
        return self.manager(metadata).sync(**options)

    def plan(self, metadata: sa.MetaData, *, force: bool = True) -> PlanResult:
        return self.manager(metadata).plan(force=force)

    def settle(self, metadata: sa.MetaData) -> SyncResult:
        """Sync, and make sure that nothing is left to say afterwards, by a full look as well."""
        result = self.sync(metadata)
        assert not result.withheld, result.to_dict()
        assert self.plan(metadata, force=False).to_dict()["changes"] == []
        assert self.plan(metadata).to_dict()["changes"] == []
        return result

    def execute(self, *statements: str) -> None:
        with self.plain.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    def rows(self, statement: str) -> list[tuple[object, ...]]:
        with self.plain.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(statement)]

    @property
    def is_sqlite(self) -> bool:
        return self.url.startswith("sqlite")

    def inspect(self) -> sa.Inspector:
        return sa.inspect(self.plain)


WAYS = [
    "sqlite",
    "aiosqlite",
    pytest.param("asyncpg", marks=pytest.mark.postgres),
    pytest.param("psycopg", marks=pytest.mark.postgres),
]


@pytest.fixture(params=WAYS)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    if request.param in {"sqlite", "aiosqlite"}:
        file = tmp_path / "site.db"
        prefix = "sqlite" if request.param == "sqlite" else "sqlite+aiosqlite"
        plain = sa.create_engine(f"sqlite:///{file}", poolclass=sa.pool.NullPool)
        return Site(f"{prefix}:///{file}", plain)
    make: Callable[[], PostgresDatabase] = request.getfixturevalue("make_postgres_database")
    database = make()
    plain = sa.create_engine(database.sync_url, poolclass=sa.pool.NullPool)
    return Site(database.url if request.param == "asyncpg" else database.sync_url, plain)
