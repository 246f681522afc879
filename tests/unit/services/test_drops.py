"""What --allow-drop may drop: what the ledger says is ours, and not a thing more."""

from __future__ import annotations

from dataclasses import replace

import pytest

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.ownership import OwnedTable
from framework_m_migrations.domain.plan import Judgement, PlannedChange, Risk
from framework_m_migrations.domain.risk.rules import DROP
from framework_m_migrations.domain.schema import Check, Generated, TableName
from framework_m_migrations.services.drops import after_drop, droppable, drops_of, owned_after, table_drops
from tests.unit.domain.build import LOCAL, SERVER, column, index, key, table, unique

ITEM = TableName("item")
WHOLE = table(
    "item",
    column("title"),
    indexes=(index("ix", "title"),),
    uniques=(unique("title", name="uq"),),
    checks=(Check("ck", "id > 0"),),
    foreign_keys=(key("title", "other", "fk"),),
)
OURS = OwnedTable.of(WHOLE, "Item", "created", "shop")
CHANGES: dict[str, c.Change] = {
    "column": c.ColumnRemoved(ITEM, column("title"), owned=True),
    "index": c.IndexRemoved(ITEM, index("ix", "title")),
    "unique": c.UniqueRemoved(ITEM, unique("title", name="uq")),
    "check": c.CheckRemoved(ITEM, Check("ck", "id > 0")),
    "key": c.ForeignKeyRemoved(ITEM, key("title", "other", "fk")),
    "table": c.TableRemoved(ITEM, owned=True),
}
NOT_OURS: dict[str, OwnedTable] = {
    "column": replace(OURS, columns=OURS.columns - {"title"}),
    "index": replace(OURS, indexes=frozenset()),
    "unique": replace(OURS, constraints=OURS.constraints - {"uq", "unique(title)"}),
    "check": replace(OURS, constraints=frozenset(name for name in OURS.constraints if not name.startswith("c"))),
    "key": replace(OURS, constraints=OURS.constraints - {"fk", "foreign key(title) other"}),
}


def planned(change: c.Change, handled_by: str = DROP, *, operations: bool = True) -> PlannedChange:
    made = (o.DropTable(ITEM),) if operations else ()
    return PlannedChange("Item", "shop", change, Judgement(Risk.BREAKING, "x", "y", handled_by), made)


@pytest.mark.parametrize("kind", sorted(CHANGES))
def test_only_what_is_recorded_is_dropped_and_it_is_forgotten_after(kind: str) -> None:
    change = planned(CHANGES[kind])
    assert droppable(change, {ITEM: OURS})
    assert not droppable(change, {})
    assert not droppable(change, {TableName("item", "other"): OURS})
    assert not droppable(planned(CHANGES[kind], "manual"), {ITEM: OURS})
    assert not droppable(planned(CHANGES[kind], operations=False), {ITEM: OURS})
    left = after_drop(change, OURS)
    if kind == "table":
        assert left is None
        return
    assert not droppable(change, {ITEM: NOT_OURS[kind]}), "another part of the table is ours, this one is not"
    assert left == NOT_OURS[kind]


def test_a_change_that_is_no_removal_is_never_a_drop() -> None:
    change = planned(c.ColumnAdded(ITEM, column("title")))
    assert not droppable(change, {ITEM: OURS})
    assert after_drop(change, OURS) == OURS


def test_the_ownership_after_a_drop_keeps_all_other_tables() -> None:
    other = OwnedTable(TableName("other"), "Other", "created")
    before = {ITEM: OURS, other.table: other}
    rest, entry = owned_after(planned(CHANGES["table"]), before)
    assert (rest, entry) == ({other.table: other}, None)
    rest, entry = owned_after(planned(CHANGES["column"]), before)
    assert entry == NOT_OURS["column"]
    assert rest == {ITEM: entry, other.table: other}
    assert before == {ITEM: OURS, other.table: other}, "the mapping that was given is left alone"


def test_what_stands_on_something_goes_before_it() -> None:
    kinds = ["table", "column", "index", "key", "check", "unique"]
    order = [type(p.change).__name__ for p in drops_of(tuple(planned(CHANGES[kind]) for kind in kinds), {ITEM: OURS})]
    assert order == [
        "ForeignKeyRemoved",
        "IndexRemoved",
        "CheckRemoved",
        "UniqueRemoved",
        "ColumnRemoved",
        "TableRemoved",
    ]
    assert drops_of((planned(CHANGES["table"]),), {}) == ()


def test_tables_go_before_those_that_they_refer_to() -> None:
    parent, child = table("parent"), table("child", column("up"), foreign_keys=(key("up", "parent", "fk"),))
    for tables in ((parent, child), (child, parent)):
        assert list(table_drops(tables, SERVER)) == [child.name, parent.name]
        assert table_drops(tables, SERVER)[parent.name] == (o.DropTable(parent.name),)


def test_a_circle_is_opened_where_constraints_can_be_dropped_alone() -> None:
    one = table("one", column("x"), foreign_keys=(key("x", "two", "fk_one"), key("x", "one", "fk_self")))
    two = table("two", column("x"), foreign_keys=(key("x", "one", "fk_two"), key("x", "one")))
    apart = replace(SERVER, alter_constraints=True)
    made = [operation for operations in table_drops((one, two), apart).values() for operation in operations]
    assert [type(operation).__name__ for operation in made] == ["DropConstraint", "DropTable", "DropTable"]
    first, dropped = made[0], made[1]
    assert isinstance(first, o.DropConstraint)
    assert isinstance(dropped, o.DropTable)
    assert (first.kind, first.constraint) in {("foreign_key", "fk_one"), ("foreign_key", "fk_two")}
    assert {first.table, dropped.table} == {one.name, two.name}, "the key that points at the table goes before it"
    alone = [
        op
        for operations in table_drops((one, two), replace(LOCAL, alter_constraints=False)).values()
        for op in operations
    ]
    assert [type(operation).__name__ for operation in alone] == ["DropTable", "DropTable"]


def test_a_constraint_that_the_ledger_knows_as_an_index_is_ours_and_is_forgotten_under_both() -> None:
    """On a database that keeps unique constraints as indexes, what was made as an index is read as a constraint."""
    change = planned(CHANGES["unique"])
    as_index = replace(NOT_OURS["unique"], indexes=frozenset({"ix", "uq"}))
    assert droppable(change, {ITEM: as_index})
    left = after_drop(change, as_index)
    assert left is not None
    assert left.indexes == {"ix"}
    assert not droppable(change, {ITEM: left})


def test_a_constraint_without_a_name_is_recognised_by_what_it_is_and_takes_no_index_with_it() -> None:
    nameless = planned(c.UniqueRemoved(ITEM, unique("title")))
    assert droppable(nameless, {ITEM: OURS})
    assert after_drop(nameless, OURS) == replace(OURS, constraints=OURS.constraints - {"unique(title)"})


def test_what_is_computed_of_a_column_goes_before_the_column() -> None:
    of_it = column("sum", generated=Generated("computed", "title + 1"))
    removals = (c.ColumnRemoved(ITEM, column("title"), owned=True), c.ColumnRemoved(ITEM, of_it, owned=True))
    ours = replace(OURS, columns=OURS.columns | {"sum"})
    order = [p.change.column.name for p in drops_of(tuple(planned(one) for one in removals), {ITEM: ours})
             if isinstance(p.change, c.ColumnRemoved)]  # fmt: skip
    assert order == ["sum", "title"]
    both = drops_of((planned(c.ColumnRemoved(ITEM, of_it, owned=True)), planned(CHANGES["index"])), {ITEM: ours})
    assert [type(one.change).__name__ for one in both] == ["IndexRemoved", "ColumnRemoved"]
