"""What something stands in the way of is withheld, alone, and its handler is named."""

from __future__ import annotations

from dataclasses import MISSING, fields, replace
from typing import Any, get_args

import pytest

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain.plan import Judgement, PlannedChange, Risk
from framework_m_migrations.domain.risk.conflicts import Claim, Obstacle, asked_about, rivals, withhold_obstructed
from framework_m_migrations.domain.risk.drop_blockers import Removal, drops_asked_about
from framework_m_migrations.domain.risk.rules import CREATE, DROP
from framework_m_migrations.domain.schema import Check, EnumType, SchemaObject, Table, TableName
from tests.unit.domain.build import LOCAL, SERVER, column, index, key, table, unique

T, U = TableName("t"), TableName("u")
INDEX, UNIQUE = c.IndexAdded(T, index("i", "a")), c.UniqueAdded(T, unique("a", name="uq"))
DEFAULT = c.ColumnDefaultChanged(T, column("a"), column("a", default="1"))
NOT_NULL = c.ColumnNullabilityChanged(T, column("a"), column("a", nullable=False))
NEW = table(
    "t", column("a"), indexes=(index("i", "a"), index("j", "a")),
    uniques=(unique("a", name="uq"), unique("a", name="ur"), unique("a")),
)  # fmt: skip
ADDED = c.TableAdded(T, NEW)


def planned(change: c.Change, risk: Risk = Risk.SAFE) -> PlannedChange:
    return PlannedChange("D", "shop", change, Judgement(risk, "r", "Because.", "sync"))


def held(change: c.Change, why: Obstacle, *others: c.Change, going: tuple[TableName, ...] = ()) -> PlannedChange:
    """The first change after the obstacle was told."""
    given = [planned(change), *(planned(one) for one in others)]
    first, *rest = withhold_obstructed(given, {change: why}, going, SERVER)
    assert rest == given[1:]
    return first


VALUES: dict[str, object] = {
    "TableName": T, "Table": NEW, "Column": column("a"), "Index": INDEX.index, "Unique": UNIQUE.unique,
    "Check": Check("ck", "a > 0"), "ForeignKey": key("a", "u", "fk"), "ForeignKey | Check": Check("ck", "a > 0"),
    "EnumType": EnumType(TableName("e"), ("x",)), "SchemaObject": SchemaObject("sequence", T),
    "PrimaryKey | None": None, "str": "x", "str | None": None, "bool": True, "tuple[tuple[str, str], ...]": (),
}  # fmt: skip


@pytest.mark.parametrize("kind", get_args(c.Change), ids=lambda kind: kind.__name__)
def test_every_kind_of_change_is_asked_about(kind: type[Any]) -> None:
    needed = [one for one in fields(kind) if one.default is MISSING and one.default_factory is MISSING]
    change = kind(**{one.name: VALUES[str(one.type)] for one in needed})
    dropped = PlannedChange("D", "shop", change, Judgement(Risk.BREAKING, "r", "Because.", DROP))
    if isinstance(change, Removal):
        assert drops_asked_about([dropped]) == [change]
        return
    by_revision = replace(dropped, judgement=replace(dropped.judgement, handled_by=CREATE))
    for one in (planned(change), by_revision):
        assert change in asked_about([one], SERVER)
        [found] = withhold_obstructed([one], {change: Obstacle("No.")}, (), SERVER)
        assert (found.judgement.reason, found.judgement.handled_by) == ("No.", "manual")
    assert asked_about([dropped], SERVER) == []


def test_a_copy_by_a_revision_and_views_that_it_drops_are_no_obstacles() -> None:
    copied = replace(planned(INDEX), judgement=Judgement(Risk.WARNING, "r", "Because.", CREATE))
    assert withhold_obstructed([copied], {INDEX: Obstacle("No.", by_copy=True)}, (), SERVER) == [copied]
    typed = c.ColumnTypeChanged(T, column("a"), column("a", "text"), views=(SchemaObject("view", U),))
    assert asked_about([replace(copied, change=typed)], SERVER) == []


def test_the_parts_of_a_new_table_are_asked_about() -> None:
    parts = [one for one in asked_about([planned(ADDED)], SERVER) if one != ADDED]
    assert parts == [c.IndexAdded(T, one) for one in NEW.indexes] + [c.UniqueAdded(T, one) for one in NEW.uniques[:2]]
    assert [one for one in asked_about([planned(ADDED)], LOCAL) if one != ADDED] == parts[:2]
    assert asked_about([planned(ADDED, Risk.WARNING)], SERVER) == []


@pytest.mark.parametrize("change", [INDEX, UNIQUE, DEFAULT])
def test_a_change_is_withheld_with_the_reason_that_was_given(change: c.Change) -> None:
    found = held(change, Obstacle("It is taken."), c.ColumnAdded(T, column("b")))
    assert found == replace(planned(change), judgement=Judgement(Risk.WARNING, "obstructed", "It is taken.", "manual"))
    assert held(change, Obstacle("So.", by_copy=True)).judgement == Judgement(
        Risk.WARNING, "obstructed", "So.", "create"
    )


@pytest.mark.parametrize("change", [INDEX, UNIQUE])
def test_a_name_comes_free_with_the_table_or_the_index_that_goes(change: c.IndexAdded | c.UniqueAdded) -> None:
    taken = Obstacle("It is taken.", U)
    name = change.index.name if isinstance(change, c.IndexAdded) else str(change.unique.name)
    drop = "sync --allow-drop"
    assert held(change, taken, going=(U,)).judgement.handled_by == drop
    assert held(change, taken, going=(T,)).judgement.handled_by == "manual"
    assert held(change, taken, c.IndexRemoved(U, index(name, "a"))).judgement.handled_by == drop
    assert held(change, taken, c.IndexRemoved(U, index("other", "a"))).judgement.handled_by == "manual"
    assert held(change, taken, c.IndexRemoved(T, index(name, "a"))).judgement.handled_by == "manual"
    assert held(change, Obstacle("A view has it."), going=(U,)).judgement.handled_by == "manual"


def test_of_a_new_table_only_what_is_in_the_way_is_left_out() -> None:
    given = planned(ADDED)
    taken: dict[c.Change, Obstacle] = {INDEX: Obstacle("i is taken."), UNIQUE: Obstacle("uq is taken.", U)}
    made, one, other = withhold_obstructed([given], taken, (U,), SERVER)
    assert made.judgement == given.judgement
    assert isinstance(made.change, c.TableAdded)
    definition: Table = made.change.definition
    assert definition == replace(NEW, indexes=NEW.indexes[1:], uniques=NEW.uniques[1:])
    assert made.change.table == T
    assert [(p.doctype, p.app, p.change) for p in (one, other)] == [("D", "shop", INDEX), ("D", "shop", UNIQUE)]
    assert (one.judgement.reason, one.judgement.handled_by) == ("i is taken.", "manual")
    assert (other.judgement.reason, other.judgement.handled_by) == ("uq is taken.", "sync --allow-drop")
    assert withhold_obstructed([given], {DEFAULT: Obstacle("x")}, (), SERVER) == [given]
    [whole] = withhold_obstructed([given], {ADDED: Obstacle("t is taken.")}, (), SERVER)
    assert (whole.change, whole.judgement.rule, whole.withheld) == (ADDED, "obstructed", True)


def test_nothing_else_is_touched() -> None:
    withheld = planned(INDEX, Risk.BREAKING)
    rest = [withheld, planned(DEFAULT)]
    assert withhold_obstructed(rest, {}, (), SERVER) == rest
    assert withhold_obstructed(rest, {INDEX: Obstacle("x")}, (), SERVER) == rest, "it has its reason already"


def test_of_two_changes_that_want_one_name_the_first_has_it_and_a_table_comes_before() -> None:
    same = c.IndexAdded(U, index("i", "a"))
    assert rivals([Claim(INDEX, "i", "i"), Claim(same, "i", "i")]) == {
        same: Obstacle("The name i is declared for an index of table t as well.")
    }
    assert rivals([Claim(INDEX, "i", "i"), Claim(same, "I", "other")]) == {}
    assert rivals([Claim(INDEX, "i", "i"), Claim(INDEX, "i", "i")]) == {}, "one change twice is no rival of its own"
    new = c.TableAdded(TableName("i"), table("i"))
    assert rivals([Claim(INDEX, "i", "i"), Claim(new, "i", "i")]) == {
        INDEX: Obstacle("The name i is declared for that table as well.")
    }
