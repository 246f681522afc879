"""Which withheld changes can be made in two phases while old and new code run, and why others cannot."""

from __future__ import annotations

from dataclasses import replace

import pytest

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain.online_forms import has_half, obstacle, standing_on
from framework_m_migrations.domain.revisions import Phase
from framework_m_migrations.domain.schema import (
    Catalog,
    Check,
    Column,
    EnumType,
    ForeignKey,
    Generated,
    PrimaryKey,
    Table,
    TableName,
    Unique,
)
from tests.unit.domain.build import catalog, column, index, key, table, unique

T, U = TableName("t"), TableName("u")
A, B = column("a"), column("b")
MUST = column("a", nullable=False)
GIVEN = replace(MUST, default="0")
COMPUTED = replace(A, generated=Generated("computed", "id + 1"))
PLAIN = table("t", A, B)
MOOD = EnumType(TableName("mood"), ("good",))
DEFERRED = replace(key("a", "u", "fk"), options=(("deferrable", "true"), ("initially", "deferred"), ("match", "full")))
BY_COVERS = Unique("uq", ("a",), (("include", "b"),))


def renamed(of: Table, *others: Table, column: str = "a") -> str | None:
    before = of.column(column)
    assert before is not None
    return obstacle(c.ColumnRenamed(of.name, before, replace(before, name="new")), catalog(of, *others))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (c.PrimaryKeyChanged(T, None, PrimaryKey(("id",))), "rows and foreign keys depend on the primary key"),
        (
            c.EnumValuesIncompatible(T, MOOD, MOOD),
            "another type takes the place of the enumeration, for each of its columns under a lock",
        ),
        (c.ColumnGenerationChanged(T, A, COMPUTED), "how the database fills a column cannot be changed in place"),
        (c.ColumnAdded(T, COMPUTED), "the database would fill the column row by row under a lock"),
        (c.ColumnAdded(T, MUST), None),
        (c.ColumnRemoved(T, A, owned=True), None),
        (
            c.ColumnRemoved(T, A, owned=True, superseded_by="b"),
            "an online change is between its phases: its contract revision drops the column",
        ),
        (c.UniqueAdded(T, unique("a")), None),
        (c.UniqueAdded(T, BY_COVERS), "uq has the option include"),
        (c.UniqueChanged(T, unique("a"), replace(BY_COVERS, name=None)), "a has the option include"),
        (c.IndexAdded(T, index("ix", "a", options=(("nulls_not_distinct", "true"),))), None),
        (c.IndexAdded(T, index("ix", "a", options=(("fillfactor", "70"),))), "ix has the option fillfactor"),
        (c.IndexChanged(T, index("ix", "a"), index("ix", "b", options=(("x", "1"),))), "ix has the option x"),
        (c.ForeignKeyAdded(T, DEFERRED), None),
        (
            c.ForeignKeyChanged(T, DEFERRED, replace(DEFERRED, name=None, options=(("match", "x"), ("other", "y")))),
            "a has the option other",
        ),
        (c.CheckAdded(T, Check("ck", "a > 0")), None),
        (c.TableRemoved(T, owned=True), None),
    ],
)
def test_why_a_change_has_no_online_form(change: c.Change, why: str | None) -> None:
    assert obstacle(change, catalog(PLAIN)) == why


@pytest.mark.parametrize("change", [c.UniqueAdded(T, unique("a")), c.UniqueChanged(T, unique("b"), unique("a"))])
def test_a_partitioned_table_cannot_adopt_an_index(change: c.Change) -> None:
    why = "a partitioned table cannot adopt an index that was built beside writers"
    assert obstacle(change, catalog(replace(PLAIN, partitioned=True))) == why
    assert obstacle(change, catalog(table("u"))) is None, "of a table that was not read nothing is known"


def test_what_stands_on_a_column_must_be_made_again_with_the_new_one() -> None:
    assert renamed(PLAIN) is None
    assert renamed(PLAIN, column="id") == "id is in the primary key"
    assert renamed(table("t", COMPUTED)) == "the database itself fills a"
    total = replace(column("total"), generated=Generated("computed", "a + 1"))
    assert renamed(table("t", A, total)) == "total is computed from a"
    assert renamed(table("t", A, B, total), column="b") is None
    assert renamed(table("t", A, replace(B, generated=Generated("identity")))) is None
    assert renamed(table("t", A, B, uniques=(BY_COVERS,))) == "uq has the option include"
    assert renamed(table("t", A, B, uniques=(BY_COVERS,)), column="b") is None
    assert renamed(table("t", A, foreign_keys=(DEFERRED,), checks=(Check(None, "a > 0"),))) is None
    assert renamed(replace(PLAIN, primary_key=None)) is None


MORE = "it changes more than the name: rename the column first, and change it in the next revision"


@pytest.mark.parametrize(
    ("after", "widens", "why"),
    [
        (replace(B, comment="c", default="1"), False, None),
        (column("b", "text"), True, None),
        (column("b", "text"), False, MORE),
        (replace(B, nullable=False), True, MORE),
        (replace(COMPUTED, name="b"), True, MORE),
    ],
)
def test_a_renamed_column_changes_only_what_sync_applies_afterwards(
    after: Column, widens: bool, why: str | None
) -> None:
    assert obstacle(c.ColumnRenamed(T, A, after), catalog(PLAIN), widens=widens) == why


def test_a_renamed_column_may_allow_null() -> None:
    assert obstacle(c.ColumnRenamed(T, MUST, B), catalog(table("t", MUST))) is None


def test_what_others_point_at_cannot_go_or_be_another() -> None:
    pointing = table("u", foreign_keys=(ForeignKey("fk", ("id",), T, ("a",)),))
    why = "a foreign key of u points to a"
    assert renamed(PLAIN, pointing) == why
    assert renamed(PLAIN, pointing, column="b") is None
    assert renamed(table("v", A), PLAIN, pointing) is None
    removed = c.ColumnRemoved(T, A, owned=True)
    assert obstacle(removed, catalog(PLAIN, pointing)) == why
    changed = c.ColumnTypeChanged(T, A, column("a", "text"))
    assert obstacle(changed, catalog(PLAIN, pointing)) == why
    assert obstacle(c.ColumnRemoved(T, B, owned=True), catalog(PLAIN, pointing)) is None


def test_what_stands_on_a_column_is_found_by_name_and_in_expressions() -> None:
    on_a, check, foreign = index("ix", "a"), Check("ck", "a > 0"), key("a", "u")
    other = index("iy", "b")
    made = table("t", A, B, indexes=(on_a, other), uniques=(unique("a"),), checks=(check,), foreign_keys=(foreign,))
    assert standing_on(made, "a") == (on_a, unique("a"), check, foreign)
    assert standing_on(made, "b") == (other,)


BOTH, FIRST, SECOND = (True, True), (True, False), (False, True)


@pytest.mark.parametrize(
    ("change", "halves"),
    [
        (c.TableRenamed(T, U, PLAIN), BOTH),
        (c.ColumnRenamed(T, A, B), BOTH),
        (c.ColumnTypeChanged(T, A, A), BOTH),
        (c.ColumnAdded(T, A), FIRST),
        (c.ColumnAdded(T, GIVEN), FIRST),
        (c.ColumnAdded(T, MUST), BOTH),
        (c.ColumnNullabilityChanged(T, MUST, A), FIRST),
        (c.ColumnNullabilityChanged(T, A, MUST), BOTH),
        (c.ColumnRemoved(T, A, owned=True), SECOND),
        (c.ColumnRemoved(T, GIVEN, owned=True), SECOND),
        (c.ColumnRemoved(T, MUST, owned=True), BOTH),
        (c.IndexAdded(T, index("ix", "a")), FIRST),
        (c.UniqueAdded(T, unique("a")), FIRST),
        (c.CheckAdded(T, Check("ck", "a > 0")), FIRST),
        (c.ForeignKeyAdded(T, key("a", "u")), FIRST),
        (c.ConstraintNotValidated(T, Check("ck", "a > 0")), FIRST),
        (c.CheckRemoved(T, Check("ck", "a > 0")), SECOND),
        (c.TableRemoved(T, owned=True), SECOND),
    ],
)
def test_what_each_half_has_to_do(change: c.Change, halves: tuple[bool, bool]) -> None:
    assert (has_half(change, Phase.EXPAND), has_half(change, Phase.CONTRACT)) == halves


def test_a_column_of_nothing_is_asked_of_tables_that_were_read() -> None:
    with pytest.raises(KeyError):
        obstacle(c.ColumnRenamed(T, A, B), Catalog({}, frozenset(), {}))
