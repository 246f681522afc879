"""Issue 2, points 2 and 3: what is withheld stays reported, what is done by hand is noticed, nothing is dropped."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from framework_m_migrations.domain.errors import DropRefused
from tests.sync.conftest import Site


def item(*columns: sa.Column[Any], **extra: object) -> sa.MetaData:
    metadata = sa.MetaData()
    sa.Table("item", metadata, sa.Column("id", sa.Integer, primary_key=True), *columns)
    sa.Table("other", metadata, sa.Column("id", sa.Integer, primary_key=True))
    return metadata


def checksums(site: Site) -> set[str]:
    return {str(row[0]) for row in site.rows("SELECT doctype_name FROM __schema_versions__")}


def name() -> sa.Column[str]:
    return sa.Column("name", sa.String(20))


WITHHELD = {
    "required": (item(), item(sa.Column("needed", sa.String(5), nullable=False)), "warning"),
    "narrowed": (item(sa.Column("name", sa.String(20))), item(sa.Column("name", sa.String(3))), "warning"),
    "incompatible": (item(sa.Column("name", sa.String(20))), item(sa.Column("name", sa.Integer)), "breaking"),
    "removed": (item(sa.Column("name", sa.String(20))), item(), "breaking"),
    "not null": (
        item(sa.Column("name", sa.String(20))),
        item(sa.Column("name", sa.String(20), nullable=False)),
        "warning",
    ),
    "null": (
        item(sa.Column("name", sa.String(20), nullable=False)),
        item(sa.Column("name", sa.String(20))),
        "warning",
    ),
}


@pytest.mark.parametrize("case", WITHHELD)
def test_a_withheld_change_is_reported_until_it_is_gone(site: Site, case: str) -> None:
    before, after, risk = WITHHELD[case]
    site.settle(before)
    has_name = "name" in before.tables["item"].c
    site.execute(
        f"INSERT INTO item (id{', name' if has_name else ''}) VALUES (1{', 7' if has_name else ''})".replace(
            ", 7", ", 'seven'"
        )
    )
    for force in (False, False, True):
        result = site.sync(after, force=force)
        assert [p.judgement.risk.label for p in result.withheld] == [risk]
        assert not result.up_to_date
        assert checksums(site) == {"other"}
    assert [p.judgement.risk.label for p in site.plan(after, force=False).plan.withheld] == [risk]
    verdict = site.manager(after).verify()
    assert verdict.dirty is (risk == "breaking")
    assert any(finding.risk is not None and finding.risk.label == risk for finding in verdict.findings)
    site.settle(before)
    assert checksums(site) == {"item", "other"}
    assert len(site.rows("SELECT * FROM item")) == 1


def test_a_safe_change_beside_a_withheld_one_is_applied(site: Site) -> None:
    site.settle(item())
    site.execute("INSERT INTO item (id) VALUES (1)")
    after = item(sa.Column("needed", sa.Integer, nullable=False), sa.Column("note", sa.Text))
    result = site.sync(after)
    assert [p.change.column.name for p in result.withheld] == ["needed"]  # type: ignore[union-attr]
    assert [column["name"] for column in site.inspect().get_columns("item")] == ["id", "note"]


def test_an_index_over_a_withheld_column_waits_for_it(site: Site) -> None:
    site.settle(item())
    site.execute("INSERT INTO item (id) VALUES (1)")
    after = item(sa.Column("needed", sa.Integer, nullable=False))
    sa.Index("ix_needed", after.tables["item"].c.needed)
    result = site.sync(after)
    assert {p.judgement.rule for p in result.withheld} == {"column-required", "waits"}


@pytest.mark.parametrize(
    "by_hand",
    [
        "DROP INDEX ix_name",
        "ALTER TABLE item DROP COLUMN note",
        "DROP TABLE other",
    ],
)
def test_what_somebody_did_by_hand_is_noticed_and_mended_without_force(site: Site, by_hand: str) -> None:
    wanted = item(name(), sa.Column("note", sa.Text))
    sa.Index("ix_name", wanted.tables["item"].c.name)
    site.settle(wanted)
    site.execute(by_hand)
    plan = site.plan(wanted, force=False)
    assert len(plan.plan.applied) == 1
    site.settle(wanted)


def test_a_removed_doctype_is_a_ghost_until_it_is_dropped_on_request(site: Site) -> None:
    site.settle(item(name()))
    without = item(name())
    without.remove(without.tables["other"])
    for force in (False, False, True):
        result = site.sync(without, force=force)
        assert [str(p.change.table) for p in result.withheld] == ["other"]
    assert site.manager(without).verify().dirty
    result = site.sync(without, allow_drop=True)
    assert any("DROP TABLE" in statement for statement in result.dropped)
    site.settle(without)
    assert "other" not in site.inspect().get_table_names()


def test_drops_are_of_what_the_ledger_says_is_ours_and_of_nothing_else(site: Site) -> None:
    site.execute("CREATE TABLE theirs (id integer PRIMARY KEY)", "CREATE TABLE item (id integer PRIMARY KEY, own text)")
    site.sync(item(name()))
    result = site.sync(item(), allow_drop=True)
    columns = [column["name"] for column in site.inspect().get_columns("item")]
    assert columns == ["id", "own"]
    assert [p.judgement.handled_by for p in result.withheld if getattr(p.change, "owned", None) is False] == ["manual"]
    assert "theirs" in site.inspect().get_table_names()
    assert not any("theirs" in statement or '"own"' in statement for statement in result.dropped)


def test_a_dropped_column_takes_its_index_along_and_leaves_the_rest(site: Site) -> None:
    before = item(name(), sa.Column("kept", sa.Integer))
    sa.Index("ix_name", before.tables["item"].c.name)
    sa.Index("ix_kept", before.tables["item"].c.kept)
    site.settle(before)
    site.execute("INSERT INTO item (id, name, kept) VALUES (1, 'a', 7)")
    after = item(sa.Column("kept", sa.Integer))
    sa.Index("ix_kept", after.tables["item"].c.kept)
    site.sync(after, allow_drop=True)
    site.settle(after)
    assert site.rows("SELECT id, kept FROM item") == [(1, 7)]


def test_an_unmanaged_table_makes_verify_fail_and_is_never_offered(site: Site) -> None:
    site.settle(item())
    assert not site.manager(item()).verify().dirty
    site.execute("CREATE TABLE theirs (id integer PRIMARY KEY)")
    verdict = site.manager(item()).verify()
    assert [finding.kind for finding in verdict.findings if finding.dirty] == ["unmanaged-table"]
    assert site.plan(item()).to_dict()["changes"] == []
    assert site.sync(item(), allow_drop=True).dropped == ()


def test_a_dry_run_changes_nothing(site: Site) -> None:
    result = site.sync(item(name()), dry_run=True)
    assert not result.applied
    assert any("CREATE TABLE" in statement for statement in result.plan.sql)
    assert site.inspect().get_table_names() == []


def test_a_database_made_by_somebody_else_is_adopted_as_it_is(site: Site) -> None:
    wanted = item(name())
    wanted.create_all(site.plain)
    site.execute("INSERT INTO item (id, name) VALUES (1, 'a')")
    assert site.plan(wanted).to_dict()["changes"] == []
    site.settle(wanted)
    assert checksums(site) == {"item", "other"}


def test_a_missing_table_is_reported_by_name(site: Site) -> None:
    site.settle(item())
    site.execute("DROP TABLE other")
    findings = site.manager(item()).verify().findings
    assert any("other" in finding.what for finding in findings)
    assert site.manager(item()).verify(fail_on=type(findings[0].risk).SAFE).dirty  # type: ignore[union-attr]


def of_app(app: str, *tables: str) -> sa.MetaData:
    metadata = sa.MetaData()
    for table in tables:
        sa.Table(table, metadata, sa.Column("id", sa.Integer, primary_key=True), info={"app": app})
    return metadata


def test_tables_of_an_app_that_is_not_looked_at_are_no_ghosts_and_are_never_dropped(site: Site) -> None:
    shop, stock = of_app("shop", "shop_a", "shop_b"), of_app("stock", "stock_a")
    site.manager(shop, stock).sync()
    alone = site.manager(shop)
    assert alone.plan(force=True).plan.is_empty
    assert not alone.verify().dirty
    assert alone.sync(allow_drop=True).dropped == ()
    assert checksums(site) == {"shop_a", "shop_b", "stock_a"}
    less = site.manager(of_app("shop", "shop_a"))
    assert [str(p.change.table) for p in less.plan().plan.changes] == ["shop_b"]
    assert len(less.sync(allow_drop=True).dropped) == 1
    assert {"shop_a", "stock_a"} <= set(site.inspect().get_table_names())
    assert site.manager(of_app("shop", "shop_a"), stock).sync().up_to_date


def test_nothing_is_dropped_when_nothing_at_all_is_declared(site: Site) -> None:
    site.settle(item())
    with pytest.raises(DropRefused, match="No model"):
        site.sync(sa.MetaData(), allow_drop=True)
    assert {"item", "other"} <= set(site.inspect().get_table_names())
