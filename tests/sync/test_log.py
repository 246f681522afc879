"""The log of what was done: written with the work, on both tracks."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from framework_m_migrations import MigrationError, MigrationManager, MigrationSettings
from framework_m_migrations.adapters.sql import ledger
from framework_m_migrations.domain.ownership import WorkState
from tests.sync.conftest import Site

UP = """
from alembic import op
revision, down_revision = "{id}", {down!r}
def upgrade():
    {body}
def downgrade():
    op.execute("DROP TABLE logged")
"""


def wanted(*columns: str) -> sa.MetaData:
    metadata = sa.MetaData()
    indexed = (sa.Column(name, sa.String(20), index=name.startswith("i_")) for name in columns)
    sa.Table("item", metadata, sa.Column("id", sa.Integer, primary_key=True), *indexed)
    return metadata


def outcomes(manager: MigrationManager) -> list[tuple[str, WorkState]]:
    return [(entry.what, entry.outcome) for entry in manager.log().entries]


def test_steps_of_sync_are_logged_with_their_sql(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.sync(wanted())
    # A ledger of a release without a log gets one.
    site.execute("DROP TABLE __schema_log__", "INSERT INTO item (id) VALUES (1)")
    site.sync(wanted("i_a"))
    found = site.manager(wanted()).log().entries
    assert {entry.outcome for entry in found} == {WorkState.DONE}
    assert any("ADD COLUMN i_a" in entry.sql for entry in found)
    assert any("INDEX" in entry.sql and "ix_item_i_a" in entry.what for entry in found)
    last = found[0]
    assert (last.track, last.risk, last.role != "") == ("sync", "safe", not site.is_sqlite)
    assert last.began <= last.ended
    monkeypatch.setattr(ledger, "LOG_LENGTH", 1)
    site.execute("UPDATE __schema_log__ SET outcome = 'running'")
    assert {state for _, state in outcomes(site.manager(wanted()))} == {WorkState.INTERRUPTED}
    site.sync(wanted("i_a", "b"))
    assert [state for _, state in outcomes(site.manager(wanted()))] == [WorkState.DONE, WorkState.INTERRUPTED]


def test_revisions_are_logged_also_those_that_fail(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "logapp" / "migrations" / "versions"
    folder.mkdir(parents=True)
    (folder.parent.parent / "__init__.py").write_text("")
    made = "CREATE TABLE logged AS SELECT 'password=geheim' AS note"
    (folder / "a1.py").write_text(UP.format(id="a1", down=None, body=f'op.execute("{made}")'))
    (folder / "a2.py").write_text(UP.format(id="a2", down="a1", body='op.execute("UPDATE nothere SET id = 1")'))
    monkeypatch.syspath_prepend(str(tmp_path))
    manager = MigrationManager(MigrationSettings(database_url=site.url, apps=("logapp",), path=tmp_path))
    with pytest.raises(MigrationError):
        manager.run()
    manager.rollback()
    manager.stamp("a1")
    sys.modules.pop("logapp", None)
    stamped, back, failed, done = manager.log().entries
    assert [entry.outcome for entry in (stamped, back, failed, done)] == ["done", "done", "failed", "done"]
    assert "CREATE TABLE logged" in done.sql
    assert "geheim" not in done.sql + failed.sql
    assert ("M406" in failed.error or "nothere" in failed.error, "a2" in failed.what) == (True, True)
    assert (back.risk, back.what.split()[0], stamped.what) == ("breaking", "downgrade", "stamp a1")
