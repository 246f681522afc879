"""repair and stamp say what they will change first; repair makes the ledger true again."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from framework_m_migrations.domain.errors import LedgerCorrupt
from tests.sync.conftest import Site


def wanted() -> sa.MetaData:
    metadata = sa.MetaData()
    for name in ("one", "two"):
        sa.Table(name, metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("a", sa.Text))
    return metadata


def test_a_true_ledger_needs_no_repair(site: Site) -> None:
    site.settle(wanted())
    assert site.manager(wanted()).repair().actions == ()


def test_repair_forgets_what_is_not_true_and_keeps_what_is_ours(site: Site) -> None:
    site.settle(wanted())
    site.execute(
        "UPDATE __schema_versions__ SET checksum = 'wrong' WHERE doctype_name = 'one'",
        "INSERT INTO __schema_versions__ VALUES ('gone', 'x')",
        "DELETE FROM __schema_objects__ WHERE table_name = 'two'",
    )
    manager = site.manager(wanted())
    said = manager.repair(dry_run=True)
    assert not said.applied
    assert site.rows("SELECT checksum FROM __schema_versions__ WHERE doctype_name = 'one'") == [("wrong",)]
    done = manager.repair()
    assert done.actions == said.actions
    assert any("gone" in action for action in done.actions)
    assert any("two" in action and "adopted" in action for action in done.actions)
    assert site.rows("SELECT origin FROM __schema_objects__ ORDER BY table_name") == [("created",), ("adopted",)]
    assert site.sync(wanted()).up_to_date
    assert manager.repair().actions == ()


@pytest.mark.parametrize(
    "damage",
    [
        ["DROP TABLE __schema_objects__", "CREATE TABLE __schema_objects__ (nonsense integer)"],
        ["UPDATE __schema_objects__ SET members = 'no json'"],
    ],
)
def test_a_ledger_that_cannot_be_read_is_an_error_that_repair_mends(site: Site, damage: list[str]) -> None:
    site.settle(wanted())
    site.execute(*damage)
    with pytest.raises(LedgerCorrupt) as caught:
        site.sync(wanted(), force=True)
    assert "repair" in caught.value.next_step
    assert site.manager(wanted()).repair(dry_run=True).actions
    assert site.manager(wanted()).repair().applied
    site.settle(wanted())
    assert {"one", "two"} <= set(site.inspect().get_table_names())
