"""Databases for the contract tests."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests._postgres import PostgresDatabase, PostgresServer

EMPTY = """
SET lock_timeout = '10s';
DROP SCHEMA IF EXISTS tenant CASCADE;
DROP SCHEMA public CASCADE;
CREATE SCHEMA public;
"""


@pytest.fixture(scope="module")
def contract_database(postgres_server: PostgresServer) -> Iterator[PostgresDatabase]:
    database = postgres_server.create_database()
    yield database
    postgres_server.drop_database(database.name)


@pytest.fixture
def empty_postgres(contract_database: PostgresDatabase) -> PostgresDatabase:
    """A database with nothing in it; one that an earlier test still holds a lock in fails here."""
    import psycopg

    with contextlib.closing(psycopg.connect(contract_database.dsn, autocommit=True)) as connection:
        connection.execute(EMPTY)
    return contract_database
