"""What a step holds, what it tells an operator, and what the ledger learns from it; see test_steps.py for the order."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.capabilities import Capabilities
from framework_m_migrations.domain.ownership import OwnedTable
from framework_m_migrations.domain.plan import LockLevel, Step, TableLock
from framework_m_migrations.domain.schema import Check, EnumType, TableName
from framework_m_migrations.domain.steps import Work, build_steps, is_solitary, phase
from tests.unit.domain.build import LOCAL, SERVER, column, index, key, table, unique

T, U, E = TableName("t"), TableName("u"), TableName("e")
A, ID = column("a"), column("id", nullable=False)
CHECK, KEY, UNIQUE = Check("ck", "a > 0"), key("a", "u", "fk"), unique("a", name="uq")
ENUM, LABEL = o.CreateEnum(EnumType(E, ("x",))), o.AddEnumValue(E, "y")
ADD, FILL = o.AddColumn(T, A), o.FillColumn(T, A, (ID,), 500)
INDEX, ONLINE = o.CreateIndex(T, index("i", "a")), o.CreateIndex(T, index("i", "a"), online=True)
ADD_KEY, ADD_CHECK = o.AddForeignKey(T, KEY), o.AddCheck(T, CHECK)
# Each earlier than the next.
ORDER: list[list[o.AdditiveOperation]] = [
    [ENUM],
    [LABEL],
    [o.CreateTable(table("t"), ())],
    [o.AlterType(T, A, A)],
    [ADD],
    [o.SetDefault(T, A, A), o.SetNotNull(T, A), o.SetComment(T, None, "x")],
    [FILL],
    [o.SetNotNull(T, A, validate=False)],
    [replace(FILL, late=True)],
    [INDEX, ONLINE, o.RebuildIndex(T, index("i", "a"))],
    [o.AttachIndex(T, "i", U)],
    [o.AddUnique(T, UNIQUE)],
    [ADD_CHECK, ADD_KEY],
    [o.ValidateConstraint(T, CHECK), o.ValidateNotNull(T, A)],
]


def steps(*operations: o.AdditiveOperation, on: Capabilities = SERVER) -> tuple[Step, ...]:
    return build_steps([Work(one, "D", "shop") for one in operations], {"D": "sum"}, on, lambda _: ())


def sizes(*operations: o.AdditiveOperation, on: Capabilities = SERVER) -> list[int]:
    return [len(step.operations) for step in steps(*operations, on=on)]


def test_the_phases_follow_each_other() -> None:
    for earlier, later in itertools.pairwise(ORDER):
        assert len({phase(one) for one in earlier}) == 1
        assert phase(earlier[0]) < phase(later[0])


@pytest.mark.parametrize("alone", [ONLINE, o.RebuildIndex(T, index("i", "a")), FILL])
def test_what_no_transaction_holds_shares_a_step_with_nothing(alone: o.AdditiveOperation) -> None:
    assert is_solitary(alone)
    for database in (SERVER, LOCAL):
        assert sizes(alone, alone, on=database) == [1, 1]
        made = steps(ADD, alone, ADD_CHECK, on=database)
        assert [(len(step.operations), step.transactional) for step in made] == [(1, True), (1, False), (1, True)]


@pytest.mark.parametrize("shared", [INDEX, ADD, ADD_CHECK, o.SetNotNull(T, A), LABEL])
def test_everything_else_shares_one_where_the_database_has_transactions_for_it(shared: o.AdditiveOperation) -> None:
    assert not is_solitary(shared)
    assert sizes(shared, shared, on=LOCAL) == [2]
    assert sizes(shared, shared, on=replace(LOCAL, transactional_ddl=False)) == [1, 1]
    assert all(step.transactional for step in steps(shared, shared, on=LOCAL))


def test_a_label_shares_with_labels_only() -> None:
    assert sizes(ENUM, LABEL, on=LOCAL) == [1, 1]
    assert sizes(LABEL, LABEL, ADD, ADD, on=LOCAL) == [2, 2]
    assert sizes(LABEL, LABEL) == [1, 1], "where tables are locked one by one a label has no table to share"


def test_new_types_and_tables_are_made_together_and_apart_from_what_stands() -> None:
    new = o.CreateTable(table("u"), ())
    assert sizes(ENUM, ENUM, new, new) == [4]
    assert sizes(new, ADD) == [1, 1]
    assert sizes(new, o.AddColumn(U, A)) == [1, 1]
    assert sizes(new, ADD, on=LOCAL) == [2]


def test_one_table_at_a_time_where_they_are_locked_one_by_one() -> None:
    other = o.AddColumn(U, A)
    assert sizes(ADD, ADD, other, other) == [2, 2]
    assert sizes(ADD, other, ADD) == [1, 1, 1], "the order given is kept"
    assert sizes(ADD, o.SetNotNull(T, A), INDEX, ADD_CHECK) == [4]
    assert sizes(ADD, other, on=LOCAL) == [2]


@pytest.mark.parametrize("slow", [o.ValidateConstraint(T, CHECK), o.ValidateNotNull(T, A)])
def test_nobody_waits_for_a_validation_behind_another_lock(slow: o.AdditiveOperation) -> None:
    assert sizes(ADD_CHECK, slow) == [1, 1]
    assert sizes(slow, slow) == [1, 1]
    assert sizes(ADD_CHECK, slow, on=LOCAL) == [2]


def test_a_foreign_key_shares_with_keys_between_the_same_two_tables_only() -> None:
    elsewhere = o.AddForeignKey(T, key("b", "other", "fk3"))
    assert sizes(ADD_KEY, o.AddForeignKey(T, key("b", "u", "fk2"))) == [2]
    assert sizes(ADD_KEY, elsewhere) == [1, 1]
    assert sizes(ADD, ADD_KEY) == [1, 1]
    assert sizes(ADD_KEY, ADD_CHECK) == [1, 1]
    assert sizes(ADD, ADD_KEY, elsewhere, on=LOCAL) == [3]


def test_a_step_holds_what_it_may_and_not_one_object_more() -> None:
    def cut(weight: int, *operations: o.AdditiveOperation) -> list[int]:
        return sizes(*operations, on=replace(SERVER, step_weight=weight))

    assert cut(6, ADD, ADD) == [2]
    assert cut(5, ADD, ADD) == [1, 1]
    assert cut(6, ADD, ADD, ADD, ADD) == [2, 2]
    assert cut(1, ADD, ADD) == [1, 1], "what is heavier than a step goes alone"
    plain = o.CreateTable(table("u"), ())
    full = o.CreateTable(table("u", indexes=(index("i", "id"),), uniques=(unique("id"),)), (KEY, KEY))
    assert cut(8, plain, plain) == [2]
    assert cut(7, plain, plain) == [1, 1]
    assert cut(14, plain, full) == [2]
    assert cut(13, plain, full) == [1, 1]


def test_a_step_tells_what_it_locks_and_what_it_made_itself_needs_no_lock() -> None:
    held: dict[type, tuple[tuple[TableName, LockLevel], ...]] = {
        o.AddColumn: ((T, LockLevel.SHARE), (U, LockLevel.NONE)),
        o.AddCheck: ((T, LockLevel.ACCESS_EXCLUSIVE), (U, LockLevel.ROW_SHARE)),
        o.CreateIndex: ((T, LockLevel.SHARE),),
    }
    work = [Work(one, "D") for one in (ADD, INDEX, ADD_CHECK)]
    [step] = build_steps(work, {}, LOCAL, lambda one: held[type(one)])
    assert step.locks == (TableLock(T, LockLevel.ACCESS_EXCLUSIVE), TableLock(U, LockLevel.ROW_SHARE))
    made = build_steps(
        [Work(o.CreateTable(table("t"), ()), "D"), *work], {}, LOCAL, lambda one: held.get(type(one), ())
    )
    assert made[0].locks == (TableLock(U, LockLevel.ROW_SHARE),)


def test_what_takes_no_lock_is_not_listed() -> None:
    [step] = build_steps([Work(ADD, "D")], {}, SERVER, lambda _: ((T, LockLevel.NONE),))
    assert step.locks == ()


@pytest.mark.parametrize(
    ("operation", "scans"),
    [
        (ADD, False), (INDEX, True), (ONLINE, True), (o.RebuildIndex(T, index("i", "a")), True), (FILL, True),
        (o.ValidateConstraint(T, CHECK), True), (o.ValidateNotNull(T, A), True), (ADD_CHECK, True), (ADD_KEY, True),
        (replace(ADD_CHECK, validate=False), False), (replace(ADD_KEY, validate=False), False),
        (o.SetNotNull(T, A), True), (o.SetNotNull(T, A, validate=False), False), (o.AddUnique(T, UNIQUE), True),
        (o.AddUnique(T, UNIQUE, "i"), False), (o.SetDefault(T, A, A), False), (ENUM, False),
    ],
)  # fmt: skip
def test_a_step_says_whether_rows_are_read(operation: o.AdditiveOperation, scans: bool) -> None:
    [step] = steps(operation)
    assert step.scans is scans
    both = steps(ADD, operation, on=LOCAL)
    assert any(one.scans for one in both) is scans


@pytest.mark.parametrize(
    ("operation", "hazard"),
    [
        (ONLINE, "waits for transactions that are older than itself"),
        (o.RebuildIndex(T, index("i", "a")), "waits for transactions that are older than itself"),
        (ADD_KEY, "locks u too"),
        (o.AttachIndex(T, "i", U), "locks the index i against everybody for a moment"),
        (FILL, "the table's own triggers fire for each row that gets its value"),
        (replace(ADD, rewrites=True), "every row gets a value of its own under the lock"),
    ],
)
def test_a_step_names_its_hazards_once(operation: o.AdditiveOperation, hazard: str) -> None:
    assert {one for step in steps(operation, operation, on=LOCAL) for one in step.hazards} == {hazard}
    assert all(step.hazards == (hazard,) for step in steps(operation, operation, on=LOCAL))


def test_lost_statistics_are_a_hazard_where_the_database_keeps_them_by_column() -> None:
    change = o.AlterType(T, A, A)
    assert steps(change)[0].hazards == ()
    [step] = steps(change, on=replace(LOCAL, column_statistics=True))
    assert step.hazards == ("statistics of the column are lost: ANALYZE afterwards",)


@pytest.mark.parametrize(("operation", "words"), [(o.AlterType(T, A, A), "return a fail"), (ADD, "SELECT * of t fail")])
def test_statements_that_applications_have_prepared_are_a_hazard(operation: o.AdditiveOperation, words: str) -> None:
    [step] = steps(operation, on=replace(LOCAL, typed_plans=True))
    assert any("prepared statements" in hazard and words in hazard for hazard in step.hazards)


def test_what_is_harmless_names_no_hazard() -> None:
    assert steps(INDEX)[0].hazards == steps(ADD)[0].hazards == steps(replace(FILL, late=True))[0].hazards == ()


def test_a_step_tells_rewrites_and_batches() -> None:
    assert steps(replace(ADD, rewrites=True))[0].rewrites is True
    assert (steps(ADD)[0].rewrites, steps(INDEX)[0].rewrites, steps(ADD)[0].batch) == (False, False, None)
    assert steps(FILL)[0].batch == 500


@pytest.mark.parametrize(
    ("operation", "ours"),
    [
        (ADD, OwnedTable(T, "D", "adopted", columns=frozenset({"a"}), app="shop")),
        (INDEX, OwnedTable(T, "D", "adopted", indexes=frozenset({"i"}), app="shop")),
        (o.AddUnique(T, UNIQUE), OwnedTable(
            T, "D", "adopted", indexes=frozenset({"uq"}), constraints=frozenset({"uq", "unique(a)"}), app="shop")),
        (o.AddUnique(T, unique("a")), OwnedTable(T, "D", "adopted", constraints=frozenset({"unique(a)"}), app="shop")),
        (ADD_KEY, OwnedTable(T, "D", "adopted", constraints=frozenset({"fk", "foreign key(a) u"}), app="shop")),
    ],
)  # fmt: skip
def test_what_an_operation_makes_is_ours_and_nothing_else(operation: o.AdditiveOperation, ours: OwnedTable) -> None:
    assert steps(operation)[0].owns == (ours,)


def test_a_check_is_ours_by_name_and_by_what_it_says() -> None:
    [owned] = steps(ADD_CHECK)[0].owns
    assert (owned.table, owned.doctype, owned.origin, owned.app) == (T, "D", "adopted", "shop")
    assert "ck" in owned.constraints
    assert len(owned.constraints) == 2


def test_a_new_table_is_ours_with_the_keys_that_it_was_made_with() -> None:
    later = key("a", "other", "later")
    new = table("t", A, foreign_keys=(KEY, later))
    [owned] = steps(o.CreateTable(new, (KEY,)))[0].owns
    assert owned == OwnedTable.of(replace(new, foreign_keys=(KEY,)), "D", "created", "shop")
    assert not {"later"} & owned.constraints


def test_what_a_step_makes_of_one_table_is_one_record_and_of_two_are_two() -> None:
    made = steps(ADD, INDEX, o.AddColumn(U, A), o.SetComment(U, None, "x"), on=LOCAL)
    assert [(one.table.name, set(one.columns), set(one.indexes)) for one in made[0].owns] == [
        ("t", {"a"}, {"i"}),
        ("u", {"a"}, set()),
    ]
    assert steps(o.SetComment(U, None, "x"))[0].owns == ()


def test_each_doctype_is_complete_with_its_own_last_step_and_only_where_it_shall_be() -> None:
    work = [Work(ADD, "One"), Work(o.AddColumn(U, A), "Two"), Work(ONLINE, "One"), Work(ENUM, "Withheld")]
    made = build_steps(work, {"One": "1", "Two": "2", "Idle": "3"}, SERVER, lambda _: ())
    assert [step.completes for step in made] == [(), (), (("Two", "2"),), (("One", "1"),)]
