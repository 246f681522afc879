"""The helpers under plain Alembic, under asyncpg, offline, and on SQLite: one revision for all of them."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.ext.asyncio import create_async_engine

from tests._postgres import PostgresDatabase
from tests.online.support import Revisions
from tests.versions.support import Bench

UP = """
op.create_table("orders", sa.Column("id", sa.Integer, primary_key=True), sa.Column("note", sa.String(80)),
                sa.Column("customer", sa.Integer))
op.create_table("customers", sa.Column("id", sa.Integer, primary_key=True))
op.execute("INSERT INTO customers VALUES (7)")
op.execute("INSERT INTO orders VALUES (1, 'a', 7), (2, NULL, 7), (3, NULL, NULL)")
online.create_index_concurrently("ix_note", "orders", ["note"], postgresql_where=sa.text("note <> '%'"))
online.add_unique("uq_id_note", "orders", ["id", "note"])
online.add_foreign_key("fk_customer", "orders", "customers", ["customer"], ["id"], ondelete="CASCADE")
online.add_check("ck_note", "orders", "note <> ':x %'")
online.validate_constraint("ck_note", "orders")
online.backfill("orders", {"customer": "7"}, where="customer IS NULL", batch_size=1, pause=0)
online.set_not_null("orders", "note", fill="'50%'", existing_type=sa.String(80))
online.execute("UPDATE orders SET note = note || ':y %' WHERE id = 3")
"""
DOWN = """
online.drop_not_null("orders", "note", existing_type=sa.String(80))
online.drop_constraint("ck_note", "orders", type_="check")
online.drop_constraint("fk_customer", "orders", type_="foreignkey")
online.drop_constraint("uq_id_note", "orders", type_="unique")
online.drop_index_concurrently("ix_note", "orders")
"""
ROWS = [(1, "a", 7), (2, "50%", 7), (3, "50%:y %", 7)]
ENV = """
import sqlalchemy as sa
from alembic import context
config = context.config
if context.is_offline_mode():
    context.configure(url="postgresql://", literal_binds=True, {options})
    with context.begin_transaction():
        context.run_migrations()
else:
    engine = sa.create_engine(config.get_main_option("sqlalchemy.url"), poolclass=sa.NullPool)
    with engine.connect() as connection:
        context.configure(connection=connection, {options})
        with context.begin_transaction():
            context.run_migrations()
"""


def check(bench: Bench, *, there: bool) -> None:
    assert bench.rows("SELECT id, note, customer FROM orders ORDER BY id") == ROWS
    table = bench.schema()["orders"]
    names = {item["name"] for kind in ("unique", "checks", "foreign") for item in table[kind]}
    assert names == ({"uq_id_note", "ck_note", "fk_customer"} if there else set())
    assert [column["nullable"] for column in table["columns"]] == [False, not there, True]
    assert any("ix_note" in text for text in table["indexes"]) is there
    if there:
        assert table["foreign"][0]["options"] == {"ondelete": "CASCADE"}


def config(bench: Bench, url: str, *, each: bool = True) -> Config:
    """A project as ``alembic init`` makes it, over the app's folder."""
    home = Path(bench.apps.root) / "alembic"
    home.mkdir()
    (home / "env.py").write_text(ENV.format(options=f"transaction_per_migration={each}"))
    (home / "script.py.mako").touch()
    made = Config(output_buffer=io.StringIO())
    made.set_main_option("script_location", str(home))
    made.set_main_option("path_separator", "os")
    made.set_main_option("version_locations", str(bench.apps.root / "wms" / "migrations" / "versions"))
    made.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return made


@pytest.mark.parametrize("each", [True, False])
def test_under_plain_alembic(postgres: Bench, emptied_database: PostgresDatabase, each: bool) -> None:
    Revisions(postgres).write(UP, DOWN)
    project = config(postgres, emptied_database.sync_url, each=each)
    command.upgrade(project, "heads")
    check(postgres, there=True)
    command.downgrade(project, "base")
    check(postgres, there=False)
    assert postgres.rows("SELECT * FROM alembic_version") == []


def test_under_m_migrate_with_asyncpg(postgres: Bench, emptied_database: PostgresDatabase) -> None:
    name = Revisions(postgres).write(UP, DOWN)

    def migrate(connection: sa.Connection) -> None:
        bench = Bench(connection, postgres.apps)
        bench.track().upgrade(name)
        check(postgres, there=True)
        bench.track().downgrade(name)
        check(postgres, there=False)

    async def main() -> None:
        engine = create_async_engine(emptied_database.url, poolclass=sa.NullPool)
        async with engine.connect() as connection:
            await connection.run_sync(migrate)
        await engine.dispose()

    asyncio.run(main())


def test_on_sqlite_the_plain_forms_do_it(sqlite: Bench) -> None:
    revisions = Revisions(sqlite)
    name = revisions.up(UP, DOWN)
    check(sqlite, there=True)
    revisions.down(name)
    check(sqlite, there=False)
    assert sqlite.tables() == {"orders", "customers", "alembic_version"}


def test_the_offline_script_does_the_same(postgres: Bench, emptied_database: PostgresDatabase) -> None:
    """What ``--sql`` prints is fed to the server as a person would, statement by statement."""
    Revisions(postgres).write(UP, DOWN)
    project = config(postgres, emptied_database.sync_url)
    for direction, there in (("upgrade", True), ("downgrade", False)):
        buffer = project.output_buffer = io.StringIO()
        if direction == "upgrade":
            command.upgrade(project, "heads", sql=True)
        else:
            command.downgrade(project, "heads:base", sql=True)
        _psql(emptied_database, buffer.getvalue())
        check(postgres, there=there)


def _psql(database: PostgresDatabase, script: str) -> None:
    from framework_m_migrations.adapters.sql.dialects.postgresql.lint.statements import split

    engine = sa.create_engine(database.sync_url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in split(script):
            connection.exec_driver_sql(statement, execution_options={"no_parameters": True})
    engine.dispose()
