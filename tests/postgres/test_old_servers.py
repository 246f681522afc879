"""What an older server lacks is said in words, before anything is changed."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from framework_m_migrations import MigrationManager, MigrationSettings
from framework_m_migrations.adapters.sql.desired.tables import Target, wanted_table
from framework_m_migrations.adapters.sql.dialects.postgresql import PostgresqlDialect
from framework_m_migrations.adapters.sql.revisions.writer.objects import Objects
from framework_m_migrations.domain.errors import InvalidMetadata, UnsupportedDatabase
from framework_m_migrations.domain.schema import TableName
from tests._postgres import PostgresDatabase
from tests.postgres.support import connected, ddl


def test_a_server_that_is_too_old_is_refused(postgres_database: PostgresDatabase) -> None:
    """A server of our own that says it is an old one: the version is all that is looked at."""
    engine = sa.create_engine(postgres_database.sync_url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.dialect.server_version_info = (12, 22)
        manager = MigrationManager(
            MigrationSettings(metadata=(sa.MetaData(),), allow_empty=True), connection=connection
        )
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
    _needs(table, 15)


@pytest.mark.parametrize("type_", [postgresql.INT4MULTIRANGE(), postgresql.ARRAY(postgresql.DATEMULTIRANGE())])
def test_multiranges_need_14(type_: Any) -> None:
    _needs(sa.Table("t", sa.MetaData(), sa.Column("a", type_)), 14)


def test_some_columns_of_a_foreign_key_set_to_null_need_15() -> None:
    metadata = sa.MetaData()
    sa.Table("p", metadata, sa.Column("a", sa.Integer, primary_key=True), sa.Column("b", sa.Integer, primary_key=True))
    columns: list[Any] = [sa.Column("a", sa.Integer), sa.Column("b", sa.Integer)]
    key = sa.ForeignKeyConstraint(["a", "b"], ["p.a", "p.b"], ondelete="SET NULL (b)")
    _needs(sa.Table("t", metadata, *columns, key), 15)


def test_computed_columns_that_are_not_stored_need_18() -> None:
    column: Any = sa.Column("b", sa.Integer, sa.Computed("a + 1", persisted=False))
    table = sa.Table("t", sa.MetaData(), sa.Column("a", sa.Integer), column)
    _needs(table, 18)


def _needs(table: sa.Table, since: int) -> None:
    """The server before is told, with its number; the next one is not."""
    with pytest.raises(InvalidMetadata, match=rf"needs PostgreSQL {since}; this server is {since - 1}\.9") as caught:
        wanted_table(table, _server(since - 1, 9))
    assert caught.value.code == "M120"
    assert wanted_table(table, _server(since, 1)).table.name.name == "t"


def _server(*version: int) -> Target:
    dialect: Any = postgresql.dialect()  # type: ignore[no-untyped-call]
    dialect.server_version_info = version
    dialect.supports_virtual_generated_columns = version >= (18,)
    return Target.of(dialect, PostgresqlDialect())


def test_a_unique_constraint_that_comes_back_says_nothing_of_nulls(postgres_database: PostgresDatabase) -> None:
    """NULLS DISTINCT, as SQLAlchemy reflects what is so anyway, is no SQL before 15."""
    with connected(postgres_database) as connection:
        ddl(
            connection,
            "CREATE TABLE gone (a int, b int, CONSTRAINT uq UNIQUE (a))",
            "CREATE UNIQUE INDEX ux ON gone (b)",
        )
        found = Objects(connection, PostgresqlDialect()).reflected(TableName("gone"))
    assert found is not None
    dialect: Any = postgresql.dialect()  # type: ignore[no-untyped-call]
    made: list[sa.DDLElement] = [sa.schema.CreateTable(found)]
    made += [sa.schema.CreateIndex(index) for index in found.indexes]
    text = "".join(str(one.compile(dialect=dialect)) for one in made)
    assert "CONSTRAINT uq UNIQUE (a)" in text
    assert "CREATE UNIQUE INDEX ux" in text
    assert "NULLS" not in text
