"""Both ways to a MariaDB database."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from tests._mariadb import MariadbDatabase
from tests.sync.conftest import Site


def site_of(database: MariadbDatabase, driver: str) -> Site:
    plain = sa.create_engine(database.sync_url, poolclass=sa.pool.NullPool)
    return Site(database.url if driver == "asyncmy" else database.sync_url, plain)


@pytest.fixture(params=["pymysql", "asyncmy"])
def site(request: pytest.FixtureRequest, mariadb_database: MariadbDatabase) -> Site:
    return site_of(mariadb_database, request.param)


@pytest.fixture
def one_site(mariadb_database: MariadbDatabase) -> Site:
    """For what does not depend on the driver."""
    return site_of(mariadb_database, "pymysql")
