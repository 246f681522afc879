"""On asyncpg, inside an event loop that goes on; two migrations at once in one process."""

from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from framework_m_migrations.domain.errors import RevisionFailed
from tests._postgres import PostgresDatabase
from tests.versions.support import Apps, Bench

A1, A2 = "aaaaaaaaaaa1", "aaaaaaaaaaa2"
CREATE = 'op.create_table("{0}", sa.Column("id", sa.Integer, primary_key=True))'


def test_asyncpg_alone(postgres_database: PostgresDatabase, apps: Apps) -> None:
    apps.revision("wms", A1, CREATE.format("first"))
    apps.revision(
        "wms",
        A2,
        """
        with op.get_context().autocommit_block():
            op.execute("CREATE INDEX CONCURRENTLY ix_a ON first (id)")
        op.execute("COMMIT")
        op.execute("CREATE INDEX CONCURRENTLY ix_b ON first (id)")
        """,
        down=A1,
    )
    apps.revision("wms", "aaaaaaaaaaa3", f'{CREATE.format("never")}\nop.execute("SELECT 1/0")', down=A2)
    apps.revision(
        "wms", "aaaaaaaaaaa4", 'op.get_bind().connection.cursor().execute("COMMIT")\nop.execute("SELECT 1/0")', down=A2
    )

    def migrate(connection: sa.Connection) -> None:
        track = Bench(connection, apps).track()
        track.upgrade(A1)
        track.upgrade(A2)
        for revision, rolled_back in (("aaaaaaaaaaa3", True), ("aaaaaaaaaaa4", False)):
            with pytest.raises(RevisionFailed, match="division by zero") as caught:
                track.upgrade(revision)
            assert caught.value.details["rolled_back"] is rolled_back
        assert track.current() == {A2}
        assert not connection.in_transaction()
        assert set(sa.inspect(connection).get_table_names()) == {"first", "alembic_version"}

    async def main() -> None:
        engine = create_async_engine(postgres_database.url)
        async with engine.connect() as connection:
            await connection.run_sync(migrate)
        await engine.dispose()

    asyncio.run(main())


def test_two_tasks_of_one_loop(postgres_database: PostgresDatabase, make_postgres_database: object, apps: Apps) -> None:
    assert callable(make_postgres_database)
    urls = [postgres_database.url, make_postgres_database().url]
    apps.revision("wms", A1, f'{CREATE.format("first")}\nop.execute("SELECT pg_sleep(0.3)")\n{CREATE.format("second")}')

    def migrate(connection: sa.Connection) -> None:
        Bench(connection, apps).track().upgrade(A1)

    async def one(url: sa.URL | str) -> list[str]:
        engine = create_async_engine(url)
        async with engine.connect() as connection:
            await connection.run_sync(migrate)
            tables: list[str] = await connection.run_sync(lambda inner: sa.inspect(inner).get_table_names())
        await engine.dispose()
        return sorted(tables)

    async def main() -> list[list[str]]:
        async with asyncio.timeout(30):
            return list(await asyncio.gather(*(one(url) for url in urls)))

    assert asyncio.run(main()) == [["alembic_version", "first", "second"]] * 2
