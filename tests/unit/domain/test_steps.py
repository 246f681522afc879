"""Order of work, and what shares a transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.changes import CheckAdded, ForeignKeyAdded, IndexAdded, TableAdded, UniqueAdded
from framework_m_migrations.domain.lowering import Lowering, creation_order
from framework_m_migrations.domain.plan import LockLevel, Step
from framework_m_migrations.domain.schema import Check, EnumType, Table, TableName
from framework_m_migrations.domain.steps import LockLevels, Work, build_steps
from tests.unit.domain.build import LOCAL, SERVER, column, index, key, table, unique

T, U = TableName("t"), TableName("u")


def no_locks(_: o.AdditiveOperation) -> tuple[tuple[TableName, LockLevel], ...]:
    return ()


def steps(*operations: o.AdditiveOperation, locks: LockLevels = no_locks, local: bool = False) -> tuple[Step, ...]:
    work = [Work(operation, f"D{number}") for number, operation in enumerate(operations)]
    return build_steps(work, {f"D{n}": f"sum{n}" for n in range(len(work))}, LOCAL if local else SERVER, locks)


def names(order: Sequence[tuple[Table, object]]) -> list[str]:
    return [one.name.name for one, _ in order]


def test_tables_are_created_after_those_they_reference() -> None:
    child = table("a_child", column("p"), foreign_keys=(key("p", "z_parent"),))
    parent = table("z_parent")
    order = creation_order([child, parent], frozenset(), apart_from_existing=True)
    assert names(order) == ["z_parent", "a_child"]
    assert order[1][1] == child.foreign_keys


def test_the_key_that_closes_a_circle_is_left_for_later() -> None:
    one = table("one", column("x"), foreign_keys=(key("x", "two"),))
    two = table("two", column("x"), foreign_keys=(key("x", "three"),))
    three = table("three", column("x"), foreign_keys=(key("x", "one"),))
    order = creation_order([one, two, three], frozenset(), apart_from_existing=True)
    inline = [len(keys) for _, keys in order]
    assert sorted(names(order)) == ["one", "three", "two"]
    assert sum(inline) == 2
    standing: set[TableName] = set()
    for made, keys in order:
        standing.add(made.name)
        assert all(one_key.target in standing for one_key in keys)


def test_a_table_may_reference_itself_in_its_own_create() -> None:
    tree = table("tree", column("parent"), foreign_keys=(key("parent", "tree"),))
    assert creation_order([tree], frozenset(), apart_from_existing=True) == [(tree, tree.foreign_keys)]


def test_a_key_to_a_busy_table_gets_a_step_of_its_own() -> None:
    new = table("new", column("t"), foreign_keys=(key("t", "t"),))
    assert creation_order([new], frozenset({T}), apart_from_existing=True)[0][1] == ()
    assert creation_order([new], frozenset({T}), apart_from_existing=False)[0][1] == new.foreign_keys
    operations = Lowering(SERVER).operations(TableAdded(new.name, new))
    assert [type(one).__name__ for one in operations] == ["CreateTable", "AddForeignKey"]


def test_work_is_done_in_the_order_of_phases_whatever_the_order_given() -> None:
    made = steps(
        o.AddForeignKey(T, key("a", "u")),
        o.CreateIndex(T, index("i", "a")),
        o.AddColumn(T, column("a")),
        o.CreateTable(table("u"), ()),
        o.CreateEnum(EnumType(TableName("e"), ("x",))),
    )
    kinds = [type(operation).__name__ for step in made for operation in step.operations]
    assert kinds == ["CreateEnum", "CreateTable", "AddColumn", "CreateIndex", "AddForeignKey"]


def test_each_busy_table_is_changed_in_a_transaction_of_its_own() -> None:
    operations = (o.AddColumn(T, column("a")), o.AddColumn(T, column("b")), o.AddColumn(U, column("a")))
    assert [len(step.operations) for step in steps(*operations)] == [2, 1]
    assert [len(step.operations) for step in steps(*operations, local=True)] == [3]


def test_what_cannot_run_in_a_transaction_stands_alone() -> None:
    made = steps(o.AddColumn(T, column("a")), o.CreateIndex(T, index("i", "a"), online=True), local=True)
    assert [(step.transactional, len(step.operations)) for step in made] == [(True, 1), (False, 1)]


def test_a_new_enumeration_label_is_committed_before_anything_uses_it() -> None:
    made = steps(o.AddEnumValue(TableName("e"), "x"), o.AddColumn(T, column("a", default="'x'")), local=True)
    assert len(made) == 2


def test_a_validation_never_shares_a_transaction_with_what_holds_a_stronger_lock() -> None:
    check = Check("ck", "a > 0")
    made = steps(o.AddCheck(T, check, validate=False), o.ValidateConstraint(T, check))
    assert len(made) == 2


def test_steps_are_cut_at_the_weight_that_a_transaction_may_hold() -> None:
    tables = [o.CreateTable(table(f"t{n}", indexes=(index(f"i{n}", "id"),)), ()) for n in range(1000)]
    made = steps(*tables)
    assert sum(len(step.operations) for step in made) == 1000
    assert max(len(step.operations) for step in made) * 5 <= SERVER.step_weight


def test_a_doctype_is_complete_with_its_last_operation_and_not_before() -> None:
    operations: list[o.AdditiveOperation] = [
        o.AddColumn(T, column("a")),
        o.CreateIndex(T, index("i", "a"), online=True),
    ]
    work = [Work(operation, "T") for operation in operations]
    made = build_steps(work, {"T": "sum"}, SERVER, no_locks)
    assert [step.completes for step in made] == [(), (("T", "sum"),)]


def test_a_doctype_with_something_withheld_is_never_complete() -> None:
    assert [step.completes for step in build_steps([Work(o.AddColumn(T, column("a")), "T")], {}, SERVER, no_locks)] == [
        ()
    ]


def test_a_step_declares_the_strongest_lock_on_each_existing_table() -> None:
    def locks(operation: o.AdditiveOperation) -> tuple[tuple[TableName, LockLevel], ...]:
        strong = isinstance(operation, o.AddColumn)
        return ((T, LockLevel.ACCESS_EXCLUSIVE if strong else LockLevel.SHARE),)

    made = steps(o.CreateIndex(T, index("i", "a")), o.AddColumn(T, column("a")), locks=locks, local=True)
    assert [(lock.table, lock.level) for lock in made[0].locks] == [(T, LockLevel.ACCESS_EXCLUSIVE)]
    created = steps(o.CreateTable(table("t"), ()), o.CreateIndex(T, index("i", "a")), locks=locks, local=True)
    assert created[0].locks == ()


def test_what_is_made_becomes_ours_with_its_step() -> None:
    made = steps(o.CreateTable(table("u", uniques=(unique("id"),)), ()), o.AddColumn(T, column("a")))
    owned = {entry.table: entry for step in made for entry in step.owns}
    assert owned[U].origin == "created"
    assert owned[U].columns == {"id"}
    assert owned[U].constraints == {"unique(id)"}
    assert owned[T].columns == {"a"}


def test_online_forms_are_chosen_for_tables_with_rows_only() -> None:
    busy, idle = Lowering(SERVER, online=True), Lowering(SERVER)
    assert busy.operations(IndexAdded(T, index("i", "a"))) == (o.CreateIndex(T, index("i", "a"), online=True),)
    assert idle.operations(IndexAdded(T, index("i", "a"))) == (o.CreateIndex(T, index("i", "a")),)
    named = unique("a", name="uq")
    assert [type(one).__name__ for one in busy.operations(UniqueAdded(T, named))] == ["CreateIndex", "AddUnique"]
    assert idle.operations(UniqueAdded(T, named)) == (o.AddUnique(T, named),)
    check = Check("ck", "a > 0")
    assert busy.operations(CheckAdded(T, check)) == (
        o.AddCheck(T, check, validate=False),
        o.ValidateConstraint(T, check),
    )
    fk = key("a", "u", "fk")
    assert busy.operations(ForeignKeyAdded(T, fk))[0] == o.AddForeignKey(T, fk, validate=False)
    assert Lowering(LOCAL, online=True).operations(CheckAdded(T, check)) == (o.AddCheck(T, check),)


def test_deferred_keys_are_recorded_as_ours_only_when_they_are_added() -> None:
    new = table("new", column("t"), foreign_keys=(key("t", "t", "fk"),))
    made = steps(*Lowering(SERVER).operations(TableAdded(new.name, replace(new))))  # type: ignore[arg-type]
    assert [("fk" in entry.constraints) for step in made for entry in step.owns] == [False, True]
