"""What is withheld, and has no SQL yet, holds up nothing else. Found with the history of "Item" in the corpus."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from framework_m_migrations import MigrationManager, MigrationSettings
from tests.sqlite._helpers import plain, script


def test_a_default_that_waits_for_its_type_does_not_stop_the_sync(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    script(path, "CREATE TABLE t (id INTEGER NOT NULL PRIMARY KEY, stock VARCHAR(140) DEFAULT 'Yes')")
    metadata = sa.MetaData()
    sa.Table(
        "t",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("stock", sa.SmallInteger, nullable=False, server_default="1"),
        sa.Column("added", sa.String(140)),
    )
    manager = MigrationManager(MigrationSettings(database_url=f"sqlite:///{path}", metadata=(metadata,)))
    withheld = {type(planned.change).__name__ for planned in manager.sync().withheld}
    assert withheld == {"ColumnTypeChanged", "ColumnDefaultChanged", "ColumnNullabilityChanged"}
    columns = {row[0]: row[1:] for row in plain(path, "SELECT name, type, \"notnull\" FROM pragma_table_info('t')")}
    assert columns["added"] == ("VARCHAR(140)", 0)
    assert columns["stock"] == ("VARCHAR(140)", 0)
