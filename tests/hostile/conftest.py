"""A PostgreSQL database for the hostile cases of one file, emptied before each of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from tests._postgres import PostgresServer
from tests.hostile.outcome import Prey


@pytest.fixture(scope="module")
def postgres_prey(postgres_server: PostgresServer) -> Iterator[Prey]:
    """With a sentinel in it; ``wipe`` takes away all else."""
    database = postgres_server.create_database()
    engine = sa.create_engine(database.sync_url)
    yield Prey(engine, url=database.url)
    engine.dispose()
    postgres_server.drop_database(database.name)
