"""A real database of each kind, each with a dialect that has nothing of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests._postgres import PostgresDatabase
from tests.sql.plain import PlainDialect


def sqlite_engine(path: Path) -> sa.Engine:
    return sa.create_engine(f"sqlite:///{path}", connect_args={"autocommit": False}, poolclass=sa.pool.NullPool)


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[sa.Connection]:
    engine = sqlite_engine(tmp_path / "real.db")
    with engine.connect() as connection:
        yield connection


@pytest.fixture
def postgres(make_postgres_database: Callable[[], PostgresDatabase]) -> Iterator[sa.Connection]:
    engine = sa.create_engine(make_postgres_database().sync_url, poolclass=sa.pool.NullPool)
    with engine.connect() as connection:
        yield connection


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def connection(request: pytest.FixtureRequest) -> sa.Connection:
    found: sa.Connection = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def plain(connection: sa.Connection) -> PlainDialect:
    return PlainDialect(connection.dialect.name)
