"""What is surplus is told as ours or not told at all: from here comes all that --allow-drop may ever offer."""

from __future__ import annotations

import pytest

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain.diff import diff_table
from framework_m_migrations.domain.ownership import OwnedTable
from framework_m_migrations.domain.schema import Check, ColumnType, ForeignKey, Index, TableName, Unique
from tests.unit.domain.build import LOCAL, SERVER, column, index, key, table, unique

T = TableName("t")
WANTED = table("t", column("a"), column("b"))
Part = Index | Unique | Check | ForeignKey


def actual(*parts: Part) -> object:
    return table(
        "t", column("a"), column("b"),
        indexes=tuple(one for one in parts if isinstance(one, Index)),
        uniques=tuple(one for one in parts if isinstance(one, Unique)),
        checks=tuple(one for one in parts if isinstance(one, Check)),
        foreign_keys=tuple(one for one in parts if isinstance(one, ForeignKey)),
    )  # fmt: skip


def removed(part: Part, owned: OwnedTable | None, local: bool = False) -> list[c.Change]:
    there = actual(part)
    assert isinstance(there, type(WANTED))
    return diff_table(WANTED, there, owned, LOCAL if local else SERVER)


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (index("i", "a"), c.IndexRemoved(T, index("i", "a"))),
        (unique("a", name="u"), c.UniqueRemoved(T, unique("a", name="u"))),
        (unique("a"), c.UniqueRemoved(T, unique("a"))),
        (Check("ck", "a > 0"), c.CheckRemoved(T, Check("ck", "a > 0"))),
        (key("a", "p", "fk"), c.ForeignKeyRemoved(T, key("a", "p", "fk"))),
    ],
)
def test_what_nobody_wants_is_told_only_where_it_is_ours(part: Part, expected: c.Change) -> None:
    there = actual(part)
    assert isinstance(there, type(WANTED))
    assert removed(part, OwnedTable.of(there, "T", "created")) == [expected]
    assert removed(part, OwnedTable.of(WANTED, "T", "created")) == [], "the table is ours, this part of it is not"
    assert removed(part, None) == []


@pytest.mark.parametrize("name", ["u", "ck", "fk"])
def test_a_constraint_is_ours_by_its_name_alone(name: str) -> None:
    owned = OwnedTable(T, "T", "created", constraints=frozenset({name}))
    for part in (unique("a", name=name), Check(name, "a > 0"), key("a", "p", name)):
        assert len(removed(part, owned)) == 1


def test_a_constraint_that_is_an_index_is_ours_under_the_name_of_the_index() -> None:
    owned = OwnedTable(T, "T", "created", indexes=frozenset({"u"}))
    assert removed(unique("a", name="u"), owned, local=True) == [c.UniqueRemoved(T, unique("a", name="u"))]
    assert removed(unique("a", name="u"), owned) == [], "elsewhere the two are two"
    assert removed(unique("a", name="other"), owned, local=True) == []


def test_a_column_is_told_in_any_case_and_says_whether_it_is_ours() -> None:
    more = table("t", column("a"), column("b"), column("gone"))
    for owned, ours in ((None, False), (OwnedTable.of(WANTED, "T", "created"), False),
                        (OwnedTable.of(more, "T", "created"), True)):  # fmt: skip
        assert diff_table(WANTED, more, owned, SERVER) == [c.ColumnRemoved(T, column("gone"), ours)]


def test_each_change_names_its_table_and_both_sides() -> None:
    before = table("t", column("a", comment="x"), column("b", nullable=False), comment="old")
    after = table("t", column("a", "text", comment="y"), column("b", default="1"), comment="new")
    a0, b0, a1, b1 = before.columns[1], before.columns[2], after.columns[1], after.columns[2]
    assert a1.type == ColumnType("text")
    assert diff_table(after, before, None, SERVER) == [
        c.ColumnTypeChanged(T, a0, a1),
        c.CommentChanged(T, "a", "x", "y"),
        c.ColumnNullabilityChanged(T, b0, b1),
        c.ColumnDefaultChanged(T, b0, b1),
        c.CommentChanged(T, None, "old", "new"),
    ]
    assert diff_table(after, before, None, LOCAL) == [
        c.ColumnTypeChanged(T, a0, a1),
        c.ColumnNullabilityChanged(T, b0, b1),
        c.ColumnDefaultChanged(T, b0, b1),
    ], "where nothing carries comments none differs"
