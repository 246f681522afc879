"""A limit for what a step does under its locks."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from framework_m_migrations import MigrationManager
from framework_m_migrations.container.settings import MigrationSettings
from framework_m_migrations.domain.errors import DatabaseError
from framework_m_migrations.domain.options import LockOptions
from tests._postgres import PostgresDatabase
from tests.postgres.support import connected, ddl

SLOW = (
    """CREATE FUNCTION slow() RETURNS event_trigger LANGUAGE plpgsql AS $$
       BEGIN IF tg_tag = 'ALTER TABLE' THEN PERFORM pg_sleep(20); END IF; END $$""",
    "CREATE EVENT TRIGGER slow ON ddl_command_end EXECUTE FUNCTION slow()",
)


def test_a_statement_that_takes_too_long_is_given_up_and_nothing_is_left(postgres_database: PostgresDatabase) -> None:
    def manager(*columns: str) -> MigrationManager:
        metadata = sa.MetaData()
        sa.Table(
            "t", metadata, sa.Column("id", sa.Integer, primary_key=True), *(sa.Column(c, sa.Text) for c in columns)
        )
        locks = LockOptions(statement_timeout=0.3)
        return MigrationManager(MigrationSettings(postgres_database.sync_url, metadata=(metadata,), locks=locks))

    manager().sync()
    with connected(postgres_database) as connection:
        ddl(connection, *SLOW)
        with pytest.raises(DatabaseError, match=r"M207.*statement timeout"):
            manager("late").sync()
        assert [one.change.table.name for one in manager("late").plan().plan.changes] == ["t"]
        ddl(connection, "DROP EVENT TRIGGER slow")
    manager("late").sync()
    assert manager("late").plan(force=True).plan.is_empty
