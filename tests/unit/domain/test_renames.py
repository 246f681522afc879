"""A declared rename is one change, whatever stands on the old name, and never a drop."""

from __future__ import annotations

from dataclasses import replace

import pytest

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain.diff import diff_doctype
from framework_m_migrations.domain.ownership import OwnedTable
from framework_m_migrations.domain.plan import PlannedChange, Risk
from framework_m_migrations.domain.renames import (
    COPY_SUFFIX,
    FORMER_SUFFIX,
    copy_name,
    former_name,
    in_text,
    through_renames,
)
from framework_m_migrations.domain.risk.prerequisites import withhold_dependents
from framework_m_migrations.domain.risk.rules import DROP, Knowledge, judge
from framework_m_migrations.domain.schema import Check, Index, IndexKey, PrimaryKey, Table, TableName
from tests.unit.domain.build import SERVER, catalog, column, doctype, index, key, table, unique

T = TableName("t")
CHECK = "((title IS NOT NULL) AND (note <> 'title'::text))"


def differences(*wanted: Table, actual: tuple[Table, ...]) -> list[c.Change]:
    there = catalog(*actual)
    doctypes = [doctype(one) for one in wanted]
    seen = through_renames(doctypes, there)
    owned = {one.name: OwnedTable.of(one, "T", "created") for one in actual}
    return [change for one in doctypes for change in diff_doctype(one, seen, owned, SERVER)]


def full(name: str, **traits: object) -> Table:
    """A table all of whose parts stand on one column."""
    return table(
        "t",
        column(name, "text", **traits),
        column("note", "text"),
        indexes=(index("ix", name), Index("low", (IndexKey(None, f"lower({name})"),), where=f"{name} <> 'title'")),
        uniques=(unique(name, "note"),),
        checks=(Check("ck", CHECK.replace("title IS", f"{name} IS")),),
        foreign_keys=(key(name, "other"),),
    )


def test_a_rename_is_one_change_with_all_that_stands_on_the_column() -> None:
    before, after = full("title"), full("label", renamed_from="title")
    assert [type(one) for one in differences(after, actual=(before,))] == [c.ColumnRenamed]


def test_a_renamed_table_is_one_change_with_the_keys_that_point_to_it() -> None:
    old, new = table("old"), replace(table("new"), renamed_from="old")
    found = differences(new, table("t", foreign_keys=(key("id", "new"),)), actual=(
        old, table("t", foreign_keys=(key("id", "old"),)),
    ))  # fmt: skip
    assert found == [c.TableRenamed(TableName("new"), TableName("old"), new)]


def test_a_renamed_key_column_is_one_change_with_the_keys_that_point_to_it() -> None:
    before = Table(T, (column("id", nullable=False),), PrimaryKey(("id",)))
    after = Table(T, (column("name", nullable=False, renamed_from="id"),), PrimaryKey(("name",)))
    there = table("u", foreign_keys=(key("id", "t"),))
    wanted = table("u", foreign_keys=(replace(key("id", "t"), target_columns=("name",)),))
    assert [type(one) for one in differences(after, wanted, actual=(before, there))] == [c.ColumnRenamed]


def test_nothing_is_copied_where_no_rename_is_declared() -> None:
    there = catalog(full("title"))
    assert through_renames([doctype(full("title"))], there) is there
    assert through_renames([doctype(full("title", renamed_from="gone"))], there) is there


@pytest.mark.parametrize("old", ["title", former_name("label")])
def test_between_the_phases_the_former_column_is_due_and_nothing_on_it_is_surplus(old: str) -> None:
    after = full("label", renamed_from="title")
    former = full(old)
    between = replace(
        after,
        columns=(*after.columns, column(old, "text")),
        indexes=(*after.indexes, *(replace(one, name=f"{one.name}_2") for one in former.indexes)),
        uniques=(*after.uniques, *former.uniques),
        checks=(*after.checks, *(replace(one, name="ck_2") for one in former.checks)),
        foreign_keys=(*after.foreign_keys, *former.foreign_keys),
    )
    (change,) = differences(after, actual=(between,))
    assert isinstance(change, c.ColumnRemoved)
    assert (change.column.name, change.owned, change.superseded_by) == (old, True, "label")
    judgement = judge(change, Knowledge())
    assert (judgement.rule, judgement.risk) == ("contract-due", Risk.WARNING)
    assert judgement.handled_by != DROP


def test_between_the_phases_the_default_waits_as_the_trigger_goes_by_it() -> None:
    after = table("t", column("label", "text", renamed_from="title", default="'b'"))
    between = table("t", column("title", "text", default="'a'"), column("label", "text", default="'a'"))
    found = [
        PlannedChange("T", None, change, judge(change, Knowledge())) for change in differences(after, actual=(between,))
    ]
    rules = {type(one.change): one.judgement.rule for one in withhold_dependents(found, frozenset({T}))}
    assert rules == {c.ColumnDefaultChanged: "waits", c.ColumnRemoved: "contract-due"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("title = 'title'", "label = 'title'"),
        ("subtitle || title || title_2", "subtitle || label || title_2"),
        ('"Two Words" > title', '"Other Words" > label'),
        ("it's", "it's"),
        ("'it''s title' <> title", "'it''s title' <> label"),
    ],
)
def test_names_within_an_expression(before: str, after: str) -> None:
    assert in_text(before, {"title": "label", "Two Words": "Other Words"}) == after


def test_the_names_of_copies_fit_and_stay_distinct() -> None:
    long, other = "ä" * 31 + "a", "ä" * 31 + "b"
    assert (copy_name("a"), former_name("a")) == ("a" + COPY_SUFFIX, "a" + FORMER_SUFFIX)
    made = {copy_name(long), copy_name(other), former_name(long), former_name(other)}
    assert len(made) == 4
    assert all(len(name.encode()) <= 63 for name in made)
