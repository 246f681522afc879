"""Engines set up as SQLAlchemy's documentation tells for SQLite: no transactions by the driver, BEGIN by a listener."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from framework_m_migrations import MigrationManager, MigrationSettings


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'recipe.db'}")

    @sa.event.listens_for(engine, "connect")
    def _leave_transactions_alone(connection: Any, _record: object) -> None:
        connection.isolation_level = None

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    yield engine
    engine.dispose()


def manager(engine: sa.Engine, *columns: str) -> MigrationManager:
    metadata = sa.MetaData()
    sa.Table("note", metadata, sa.Column("id", sa.Integer, primary_key=True), *(sa.Column(n, sa.Text) for n in columns))
    return MigrationManager(MigrationSettings(metadata=(metadata,)), engine=engine)


def test_every_step_of_a_table_s_life(engine: sa.Engine) -> None:
    manager(engine, "body").sync()
    with engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO note (body) VALUES ('kept')")
    manager(engine, "body", "title").sync()
    # The SQL of a drop is written from a catalog that is read while no transaction is open.
    shown = manager(engine, "title").plan(force=True)
    assert [type(change.planned.change).__name__ for change in shown.changes] == ["ColumnRemoved"]
    assert manager(engine, "body", "title").sync().up_to_date
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT * FROM note").all() == [(1, "kept", None)]
