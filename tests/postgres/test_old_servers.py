"""What an older server lacks is said in words, before anything is changed."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from framework_m_migrations import MigrationManager, MigrationSettings
from framework_m_migrations.adapters.sql.dialects.postgresql import PostgresqlDialect
from framework_m_migrations.adapters.sql.wanted import Target, wanted_table
from framework_m_migrations.domain.errors import InvalidMetadata, UnsupportedDatabase
from tests._postgres import PostgresDatabase


def test_a_server_that_is_too_old_is_refused(postgres_database: PostgresDatabase) -> None:
    """A server of our own that says it is an old one: the version is all that is looked at."""
    engine = sa.create_engine(postgres_database.sync_url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.dialect.server_version_info = (12, 22)
        manager = MigrationManager(MigrationSettings(metadata=(sa.MetaData(),)), connection=connection)
        with pytest.raises(UnsupportedDatabase, match=r"PostgreSQL 12\.22.*13 or later"):
            manager.sync()
        assert sa.inspect(connection).get_table_names() == []
    engine.dispose()


@pytest.mark.parametrize("declared", ["index", "constraint"])
def test_nulls_not_distinct_needs_15(declared: str) -> None:
    metadata = sa.MetaData()
    columns: list[Any] = [sa.Column("a", sa.Integer)]
    if declared == "constraint":
        columns.append(sa.UniqueConstraint("a", postgresql_nulls_not_distinct=True))
    else:
        columns.append(sa.Index("ux", "a", unique=True, postgresql_nulls_not_distinct=True))
    table = sa.Table("t", metadata, *columns)
    for version, refused in (((14, 9), True), ((15, 1), False)):
        dialect: Any = postgresql.dialect()  # type: ignore[no-untyped-call]
        dialect.server_version_info = version
        target = Target.of(dialect, PostgresqlDialect())
        if refused:
            with pytest.raises(InvalidMetadata, match=r"needs PostgreSQL 15; this server is 14\.9"):
                wanted_table(table, target)
        else:
            assert wanted_table(table, target).table.name.name == "t"
