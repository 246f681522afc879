"""All commands through a real PgBouncer that lends another session of the server for each transaction.

By asyncpg, the engine's own driver, and by psycopg. PgBouncer passes on the names of prepared statements as they are,
which is the worst case.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from framework_m_migrations import AsyncMigrationManager, MigrationSettings
from framework_m_migrations.adapters.sql.async_engines import asyncpg_engine
from framework_m_migrations.adapters.sql.dialects.postgresql.errors import translate
from framework_m_migrations.domain.errors import ConfigurationError, MigrationError, PreparedStatementLost
from tests._postgres import PostgresDatabase
from tests.online.phases import APP, Stage
from tests.postgres._pgbouncer import pooled
from tests.versions.conftest import apps as apps
from tests.versions.support import Apps

pytestmark = pytest.mark.pgbouncer

FIRST = """
op.execute("CREATE TYPE mood AS ENUM ('good', 'bad')")
op.create_table("thing", sa.Column("id", sa.Integer, primary_key=True), sa.Column("title", sa.String(40)),
                sa.Column("qty", sa.Integer, nullable=False, server_default="0"))
op.execute("INSERT INTO thing SELECT n, 't' || n, n FROM generate_series(1, 2500) n")
"""
BY_HAND = """
from framework_m_migrations import online
with op.get_context().autocommit_block():
    op.execute("CREATE INDEX CONCURRENTLY ix_by_hand ON thing (qty)")
online.create_index_concurrently("ix_helped", "thing", ["title"])
online.add_enum_value("mood", "none")
online.backfill("thing", {"title": "upper(title)"}, where="title <> upper(title)", batch_size=200, pause=0)
online.set_not_null("thing", "title")
"""
SET_BY_SOMEBODY = """
SELECT name, setting FROM pg_settings WHERE source = 'session'
AND name NOT IN ('application_name', 'client_encoding', 'DateStyle', 'TimeZone', 'standard_conforming_strings')
"""
"""But for what the proxy itself sets for each client."""
MOOD = sa.Enum("good", "bad", "none", name="mood")


def first(m: sa.MetaData) -> None:
    sa.Table("kind", m, sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.Text))


def second(m: sa.MetaData) -> None:
    """Of every kind of step: in a transaction, concurrent, validated later, and withheld ones."""
    sa.Table(
        "kind", m, sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.Text), sa.Column("mood", MOOD)
    )
    sa.Table(
        "thing",
        m,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("title", sa.String(80), nullable=False),
        sa.Column("qty", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("kind", sa.Integer, sa.ForeignKey("kind.id", name="fk_kind")),
        sa.Column("mood", MOOD, nullable=False, server_default="good"),
        sa.Index("ix_by_hand", "qty"),
        sa.Index("ix_helped", "title"),
        sa.Index("ix_both", "qty", "title"),
        sa.UniqueConstraint("title", "id", name="uq_title"),
        sa.CheckConstraint("qty >= 0", name="ck_qty"),
    )


@pytest.fixture(params=["asyncpg", "psycopg"])
def stage(
    request: pytest.FixtureRequest, postgres_database: PostgresDatabase, apps: Apps, tmp_path: Path
) -> Iterator[Stage]:
    with pooled(postgres_database, request.param, turns=True) as url:
        yield Stage(url, apps, tmp_path)


def test_every_command(stage: Stage, postgres_database: PostgresDatabase) -> None:
    stage.apps.file(APP, "models.py", "")
    stage.apps.revision(APP, "0000first000", FIRST, labels=(APP,))
    stage.release(first).all()
    with psycopg.connect(postgres_database.dsn, autocommit=True) as straight:
        straight.execute("INSERT INTO kind SELECT n, 'k' FROM generate_series(1, 100) n")
        stage.apps.revision(APP, "0000second00", BY_HAND, down="0000first000")
        manager = stage.release(second)
        assert manager.verify().dirty
        assert manager.run().revisions == ("0000second00",)
        assert manager.sync().withheld
        made = stage.create(manager)
        assert made.contract is not None
        manager.run()
        assert manager.run(contract=True).revisions == (made.contract.revision,)
        assert manager.sync().steps == 0
        assert not manager.verify().dirty
        assert not manager.plan(force=True).plan.changes
        broken = "SELECT count(*) FROM pg_index WHERE NOT indisvalid"
        assert straight.execute(broken).fetchone() == (0,)
        assert straight.execute("SELECT count(*), sum(qty) FROM thing").fetchone() == (2500, 3126250)
        assert straight.execute("SELECT count(*) FROM thing WHERE title <> upper(title)").fetchone() == (0,)
        leases = "SELECT count(*) FROM __schema_lease__"
        assert straight.execute(leases).fetchone() == (0,)
    with contextlib.ExitStack() as stack:
        # All the sessions that the proxy has to lend, at once: nothing was left in them.
        for _ in range(6):
            dsn = stage.url.replace("+asyncpg", "").replace("+psycopg", "")
            lent = stack.enter_context(psycopg.connect(dsn, prepare_threshold=None))
            assert lent.execute(SET_BY_SOMEBODY).fetchall() == []
            assert lent.execute("SELECT count(*) FROM pg_prepared_statements").fetchone() == (0,)


def test_an_engine_that_keeps_statements_is_refused_before_anything_is_changed(
    postgres_database: PostgresDatabase,
) -> None:
    """Under a counted name another client's statement may stand in the session that is lent next."""
    metadata = sa.MetaData()
    sa.Table("never", metadata, sa.Column("id", sa.Integer, primary_key=True))

    async def sync(url: str) -> None:
        engine = create_async_engine(url, poolclass=sa.NullPool)
        try:
            await AsyncMigrationManager(MigrationSettings(metadata=(metadata,)), engine=engine).sync()
        finally:
            await engine.dispose()

    with pooled(postgres_database, "asyncpg") as url:
        with pytest.raises(ConfigurationError, match="statement_cache_size") as caught:
            asyncio.run(sync(url))
        assert caught.value.code == "M100"
    with psycopg.connect(postgres_database.dsn) as straight:
        assert straight.execute("SELECT to_regclass('never')").fetchone() == (None,)


def test_an_engine_without_caches_is_taken(postgres_database: PostgresDatabase) -> None:
    metadata = sa.MetaData()
    sa.Table("taken", metadata, sa.Column("id", sa.Integer, primary_key=True))

    async def sync(url: str) -> int:
        engine = asyncpg_engine(sa.make_url(url))
        try:
            return (await AsyncMigrationManager(MigrationSettings(metadata=(metadata,)), engine=engine).sync()).steps
        finally:
            await engine.dispose()

    with pooled(postgres_database, "asyncpg", turns=True) as url:
        assert asyncio.run(sync(url)) > 0


def test_a_statement_that_was_lost_has_a_code_and_a_way_out(postgres_database: PostgresDatabase) -> None:
    """What the driver says where nothing has asked before: prepared in one session, carried out in the next."""

    async def lose(url: str) -> MigrationError | None:
        engine = create_async_engine(url, poolclass=sa.NullPool)
        async with engine.connect() as connection:
            return await _lost(connection)

    async def _lost(connection: AsyncConnection) -> MigrationError | None:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        try:
            for _ in range(3):
                await connection.exec_driver_sql("SELECT 1")
        except sa.exc.DBAPIError as error:
            return translate(error)
        return None

    with pooled(postgres_database, "asyncpg", turns=True) as url:
        error = asyncio.run(lose(url))
    assert isinstance(error, PreparedStatementLost)
    assert error.code == "M206"
    assert "docs/online.md" in error.next_step
