"""Which drops a foreign key keeps, and what is said of a drop that something keeps."""

from __future__ import annotations

import pytest

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain.plan import Judgement, PlannedChange, Risk
from framework_m_migrations.domain.risk.drop_blockers import drops_asked_about, held_by_keys, not_offered, stands
from framework_m_migrations.domain.risk.rules import CREATE, DROP, MANUAL
from framework_m_migrations.domain.schema import Check, Column, ColumnType, ForeignKey, TableName
from tests.unit.domain.build import index, unique

T, OTHER = TableName("t"), TableName("other")
INTEGER = ColumnType("integer")


def pointing(*columns: str, name: str | None = "fk", own: str = "of_t") -> tuple[TableName, ForeignKey]:
    return OTHER, ForeignKey(name, (own,), T, columns)


def column(name: str, of: TableName = T) -> c.ColumnRemoved:
    return c.ColumnRemoved(of, Column(name, INTEGER), owned=True)


GONE = c.TableRemoved(T, owned=True)
KEPT_BY_A_KEY_TO_A_B: list[tuple[c.Change, bool]] = [
    (GONE, True),
    (column("a"), True),
    (column("c"), False),
    (column("a", TableName("third")), False),
    (c.UniqueRemoved(T, unique("a", "b")), True),
    (c.UniqueRemoved(T, unique("b", "a")), True),
    (c.UniqueRemoved(T, unique("a")), False),
    (c.IndexRemoved(T, index("i", "a", "b", unique=True)), True),
    (c.IndexRemoved(T, index("i", "a", "b")), False),
    (c.IndexRemoved(T, index("i", "a", unique=True)), False),
    (c.CheckRemoved(T, Check("ck", "a > 0")), False),
    (c.ForeignKeyRemoved(T, ForeignKey("mine", ("a",), T, ("b",))), False),
]


@pytest.mark.parametrize(("drop", "kept"), KEPT_BY_A_KEY_TO_A_B)
def test_a_foreign_key_keeps_what_it_needs(drop: c.Change, kept: bool) -> None:
    found = held_by_keys([drop], [pointing("a", "b")])
    assert (drop in found) is kept
    if kept:
        assert found[drop].reason.startswith("The foreign key fk of table other depends on it")


def test_a_key_without_a_name_is_told_by_its_columns() -> None:
    assert "The foreign key ('of_t',) of table other" in held_by_keys([GONE], [pointing("a", name=None)])[GONE].reason


@pytest.mark.parametrize(
    "along",
    [
        c.TableRemoved(OTHER, owned=True),
        column("of_t", OTHER),
        c.ForeignKeyRemoved(OTHER, ForeignKey("fk", ("of_t",), T, ("a",))),
    ],
)
def test_a_foreign_key_that_goes_too_keeps_nothing(along: c.Change) -> None:
    assert held_by_keys([GONE, along], [pointing("a")]) == {}


def test_another_key_that_goes_makes_no_room() -> None:
    along = c.ForeignKeyRemoved(OTHER, ForeignKey("fk2", ("else",), T, ("a",)))
    assert GONE in held_by_keys([GONE, column("else", OTHER), along], [pointing("a")])


def planned(change: c.Change, handled_by: str = DROP) -> PlannedChange:
    return PlannedChange("T", "shop", change, Judgement(Risk.BREAKING, "removed", "Nobody wants it.", handled_by))


def test_what_is_kept_is_left_to_the_user_with_both_reasons() -> None:
    drop, free, other = planned(column("a")), planned(column("c")), planned(GONE, CREATE)
    added = planned(c.ColumnAdded(T, Column("x", INTEGER)))
    why = stands("the view totals")
    kept, *rest = not_offered([drop, free, other, added], dict.fromkeys([drop.change, GONE, added.change], why))
    assert rest == [free, other, added]
    assert kept.judgement == Judgement(
        Risk.BREAKING,
        "removed",
        "Nobody wants it. The view totals depends on it and must be changed or dropped first.",
        MANUAL,
    )


def test_drops_are_asked_about_in_their_order_and_nothing_else_is() -> None:
    key = c.ForeignKeyRemoved(T, ForeignKey("fk", ("a",), OTHER, ("id",)))
    rule = c.UniqueRemoved(T, unique("a"))
    changes: list[c.Change] = [GONE, column("a"), rule, key]
    asked = drops_asked_about([*(planned(change) for change in changes), planned(column("b"), CREATE)])
    assert asked == [key, rule, column("a"), GONE]
