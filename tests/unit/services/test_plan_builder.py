"""What a plan holds beside its steps: what is settled, adopted, forgotten and revoked. A mistake here loses tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.diff import diff_doctype
from framework_m_migrations.domain.ownership import OwnedTable, constraint_identities
from framework_m_migrations.domain.plan import Judgement, Plan, PlannedChange, Risk
from framework_m_migrations.domain.risk.facts import FactKind, Question
from framework_m_migrations.domain.risk.rules import Knowledge
from framework_m_migrations.domain.schema import Catalog, Check, DocTypeSchema, Partition, TableName
from framework_m_migrations.services.assessor import Assessed
from framework_m_migrations.services.plan_builder import Comparison, PlanBuilder, is_elsewhere
from tests.unit.domain.build import LOCAL, SERVER, catalog, column, index, key, table, unique

ITEM, GHOST = TableName("item"), TableName("ghost")
WANTED = DocTypeSchema("Item", (table("item", column("a")),), app="shop")
NOTHING = Comparison((WANTED,), catalog(table("item", column("a"))), {}, {"Item": "new"}, {}, frozenset(), True, "t")
MINE = OwnedTable.of(WANTED.tables[0], "Item", "created", "shop")


def planned(change: c.Change, risk: Risk = Risk.SAFE, doctype: str = "Item") -> PlannedChange:
    return PlannedChange(doctype, "shop", change, Judgement(risk, "r", "Because.", "sync"))


def plan(
    compared: Comparison,
    *changes: PlannedChange,
    known: Knowledge | None = None,
    builder: PlanBuilder | None = None,
    ghosts: Sequence[PlannedChange] = (),
) -> Plan:
    used = PlanBuilder(SERVER, lambda _: ()) if builder is None else builder
    return used.build(compared, Assessed(changes, Knowledge() if known is None else known, tuple(ghosts)))


ADDED = planned(c.ColumnAdded(ITEM, column("b")))
REFUSED = planned(c.ColumnAdded(ITEM, column("c", nullable=False)), Risk.WARNING)


def test_a_doctype_that_matches_is_settled_unless_the_ledger_knows_it() -> None:
    assert plan(NOTHING).settled == (("Item", "new"),)
    assert plan(replace(NOTHING, stored={"Item": "old"})).settled == (("Item", "new"),)
    assert plan(replace(NOTHING, stored={"Item": "new"})).settled == ()


def test_a_doctype_is_settled_by_its_last_step_and_not_before() -> None:
    made = plan(NOTHING, ADDED)
    assert made.settled == ()
    assert [step.completes for step in made.steps] == [(("Item", "new"),)]


def test_no_checksum_is_stored_while_anything_is_withheld_and_none_stays() -> None:
    made = plan(replace(NOTHING, stored={"Item": "old"}), ADDED, REFUSED)
    assert [step.completes for step in made.steps] == [()]
    assert (made.settled, made.revokes) == ((), ("Item",))
    assert made.changes == (replace(ADDED, operations=(o.AddColumn(ITEM, column("b")),)), made.changes[1])
    needed = column("c", nullable=False)
    assert made.changes[1].operations == (
        o.AddColumn(ITEM, column("c")),
        o.Backfill(ITEM, needed, None),
        o.SetNotNull(ITEM, needed),
    ), "what create writes"
    assert [operation for step in made.steps for operation in step.operations] == [o.AddColumn(ITEM, column("b"))]
    assert plan(NOTHING, REFUSED).revokes == (), "nothing is stored that would have to go"


def test_doctypes_that_are_declared_no_more_are_forgotten_but_not_those_of_other_apps() -> None:
    elsewhere = OwnedTable(GHOST, "Theirs", "created", app="crm")
    nobody = OwnedTable(TableName("x"), "Old", "created")
    compared = replace(
        NOTHING,
        removed=frozenset({"Theirs", "Old", "Gone"}),
        ownership={GHOST: elsewhere, nobody.table: nobody},
        apps=frozenset({"shop"}),
    )
    assert plan(compared).forgets == ("Gone", "Old")
    assert plan(replace(compared, apps=frozenset({"shop", "crm"}))).forgets == ("Gone", "Old", "Theirs")


@pytest.mark.parametrize(("app", "expected"), [(None, False), ("shop", False), ("crm", True)])
def test_a_table_is_elsewhere_when_its_app_is_known_and_not_looked_at(app: str | None, expected: bool) -> None:
    assert is_elsewhere(OwnedTable(ITEM, "Item", "created", app=app), frozenset({"shop"})) is expected


def test_ghosts_stand_last_with_their_own_operations() -> None:
    ghost = replace(planned(c.TableRemoved(GHOST, owned=True), Risk.BREAKING), operations=(o.DropTable(GHOST),))
    made = plan(NOTHING, ADDED, ghosts=[ghost])
    assert made.changes[-1] == ghost
    assert made.ghosts == (GHOST,)
    assert all(not isinstance(one, o.DropTable) for step in made.steps for one in step.operations)


def test_what_the_comparison_saw_is_in_the_plan() -> None:
    made = plan(replace(NOTHING, voids=("fill:x",)))
    assert (made.token, made.complete, made.voids) == ("t", True, ("fill:x",))
    assert plan(replace(NOTHING, full=False, token=None)).complete is False
    assert plan(replace(NOTHING, token=None)).token is None


def test_unmanaged_tables_are_neither_wanted_nor_ours_nor_a_version_table() -> None:
    versions = replace(table("their_version"), columns=(column("version_num"),))
    there = catalog(table("item"), versions, table("b_alien"), others=("ghost", "a_alien"))
    compared = replace(NOTHING, catalog=there, ownership={GHOST: OwnedTable(GHOST, "Ghost", "created")})
    assert plan(compared).unmanaged == (TableName("a_alien"), TableName("b_alien"))
    assert plan(replace(compared, full=False)).unmanaged == (), "who did not look cannot tell"


def test_what_stands_as_wanted_is_adopted_and_nothing_else() -> None:
    wanted = table(
        "item", column("a"), column("b"), column("new"),
        indexes=(index("ix", "a"), index("ix_new", "new"), index("ix_other", "a")),
        uniques=(unique("a"), unique("b"), unique("new"), unique("b", "a", name="uq"), unique("a", "id", name="uq2")),
        checks=(Check("ck", "a > 0"), Check("ck_absent", "b > 0"), Check("ck_other", "b > 1"), Check(None, "a > 9")),
        foreign_keys=(key("a", "p"), key("b", "p"), key("new", "p"), key("id", "p", "fk"), key("id", "q", "fk2")),
    )  # fmt: skip
    actual = table(
        "item", column("a"), column("b"), column("theirs"),
        indexes=(index("ix", "a"), index("ix_theirs", "theirs"), index("ix_other", "b")),
        uniques=(unique("a", name="named_by_the_database"), unique("b", "id", name="uq"), unique("id", "a")),
        checks=(Check("ck", "a > 0"), Check("ck_other", "b > 2"), Check("theirs", "a > 9")),
        foreign_keys=(key("a", "p"), key("id", "q")),
    )  # fmt: skip
    there = catalog(actual)
    declared = replace(WANTED, tables=(wanted,))
    compared = replace(NOTHING, doctypes=(declared,), catalog=there)
    found = [planned(change, Risk.WARNING) for change in diff_doctype(declared, there, {}, SERVER)]
    [adopted] = plan(compared, *found).adopts
    assert adopted.columns == frozenset({"id", "a", "b"})
    assert adopted.indexes == frozenset({"ix"})
    shapes = {one for one in adopted.constraints if not one.startswith("check(")}
    assert shapes == {"unique(a)", "unique(a, id)", "uq2", "ck", "foreign key(a) p", "foreign key(id) q", "fk2"}
    assert adopted.constraints - shapes == {
        *constraint_identities(Check(None, "a > 0")),
        *constraint_identities(Check(None, "a > 9")),
    }


def test_no_unnamed_check_is_adopted_beside_an_absent_one_as_changes_may_spell_them_otherwise() -> None:
    wanted = table("item", column("a"), checks=(Check(None, "a>0"), Check(None, "a>9"), Check("ck", "a>5")))
    compared = replace(NOTHING, doctypes=(replace(WANTED, tables=(wanted,)),))
    withheld = planned(c.CheckAdded(ITEM, Check(None, "a > 9")), Risk.WARNING)
    [adopted] = plan(compared, withheld).adopts
    assert adopted.constraints == {*constraint_identities(Check("ck", "a>5"))}


def test_nothing_is_adopted_of_a_table_that_is_not_there_or_known_already() -> None:
    assert plan(replace(NOTHING, catalog=Catalog({}, frozenset()))).adopts == ()
    assert plan(replace(NOTHING, ownership={ITEM: MINE})).adopts == ()
    assert plan(replace(NOTHING, ownership={ITEM: replace(MINE, columns=MINE.columns | {"more"})})).adopts == ()


@pytest.mark.parametrize(
    "before",
    [
        replace(MINE, doctype="Other"),
        replace(MINE, app="crm"),
        replace(MINE, columns=frozenset({"id"})),
    ],
)
def test_a_record_that_lacks_something_is_made_whole(before: OwnedTable) -> None:
    assert plan(replace(NOTHING, ownership={ITEM: before})).adopts == (replace(MINE, origin="adopted"),)


def test_indexes_and_constraints_that_the_record_lacks_are_adopted() -> None:
    whole = table("item", column("a"), indexes=(index("ix", "a"),), uniques=(unique("a", name="uq"),),
                  checks=(Check("ck", "a > 0"),), foreign_keys=(key("a", "p", "fk"),))  # fmt: skip
    owned = OwnedTable.of(whole, "Item", "created", "shop")
    compared = replace(NOTHING, doctypes=(replace(WANTED, tables=(whole,)),), catalog=catalog(whole))
    assert plan(replace(compared, ownership={ITEM: owned})).adopts == ()
    for name in ("uq", "ck", "fk"):
        poorer = replace(owned, constraints=owned.constraints - {name})
        assert plan(replace(compared, ownership={ITEM: poorer})).adopts == (replace(owned, origin="adopted"),), name
    poorer = replace(owned, indexes=frozenset())
    assert plan(replace(compared, ownership={ITEM: poorer})).adopts == (replace(owned, origin="adopted"),)


def test_a_doctype_of_an_unknown_app_takes_no_table_from_the_app_that_is_known() -> None:
    loose = replace(NOTHING, doctypes=(replace(WANTED, app=None),), ownership={ITEM: MINE})
    assert plan(loose).adopts == ()


def test_busy_tables_get_the_online_forms_and_empty_or_new_ones_do_not() -> None:
    change = planned(c.IndexAdded(ITEM, index("ix", "a")))
    empty = Knowledge({Question(FactKind.HAS_ROWS, ITEM): 0})

    def online(made: Plan) -> bool:
        [operation] = made.steps[0].operations
        assert isinstance(operation, o.CreateIndex)
        return operation.online

    assert online(plan(NOTHING, change)) is True
    assert online(plan(NOTHING, change, known=empty)) is False
    assert online(plan(NOTHING, change, builder=PlanBuilder(SERVER, lambda _: (), online=False))) is False
    assert online(plan(replace(NOTHING, catalog=Catalog({}, frozenset())), change)) is False


def test_new_tables_come_in_the_order_in_which_each_finds_what_it_refers_to() -> None:
    child = table("child", column("p"), foreign_keys=(key("p", "parent", "fk"), key("p", "item", "to_item")))
    made = plan(NOTHING, planned(c.TableAdded(child.name, child)), ADDED,
                planned(c.TableAdded(TableName("parent"), table("parent"))))  # fmt: skip
    assert [str(one.change.table) for one in made.changes] == ["parent", "item", "child"], "others keep their place"
    assert made.changes[2].operations == (
        o.CreateTable(child, (child.foreign_keys[0],)),
        o.AddForeignKey(child.name, child.foreign_keys[1]),
    ), "a key to a busy table is added apart"
    local = plan(NOTHING, planned(c.TableAdded(child.name, child)), builder=PlanBuilder(LOCAL, lambda _: ()))
    assert local.changes[0].operations == (o.CreateTable(child, child.foreign_keys),), "forward references are allowed"
    unlocked = PlanBuilder(replace(SERVER, table_locks=False), lambda _: ())
    together = plan(NOTHING, planned(c.TableAdded(child.name, child)), builder=unlocked)
    assert together.changes[0].operations == (
        o.CreateTable(child, (child.foreign_keys[1],)),
        o.AddForeignKey(child.name, child.foreign_keys[0]),
    )


def test_what_a_step_makes_is_recorded_for_the_app() -> None:
    [owned] = plan(NOTHING, ADDED).steps[0].owns
    assert (owned.doctype, owned.app, owned.columns) == ("Item", "shop", frozenset({"b"}))


def test_one_table_that_is_known_hides_no_other_and_what_waits_is_not_adopted_again() -> None:
    two = replace(WANTED, tables=(table("absent"), *WANTED.tables, table("more")))
    compared = replace(NOTHING, doctypes=(two,), catalog=catalog(*WANTED.tables, table("more")), ownership={ITEM: MINE})
    assert [one.table.name for one in plan(compared).adopts] == ["more"]
    waiting = replace(WANTED, tables=(table("item", column("a"), column("waits")),))
    assert plan(replace(NOTHING, doctypes=(waiting,), ownership={ITEM: MINE})).adopts == ()


def test_rows_are_filled_in_batches_by_the_key_of_the_table_that_is_there() -> None:
    staging = PlanBuilder(replace(SERVER, staged_defaults=True), lambda _: ())
    drawn = planned(c.ColumnAdded(ITEM, column("n", default="random()", volatile_default=True)))
    [added, filled] = [one for step in plan(NOTHING, drawn, builder=staging).steps for one in step.operations]
    assert isinstance(added, o.AddColumn)
    assert added.staged
    assert isinstance(filled, o.FillColumn)
    assert [one.name for one in filled.key] == ["id"]
    held = replace(staging, online=False)
    [at_once] = [one for step in plan(NOTHING, drawn, builder=held).steps for one in step.operations]
    assert isinstance(at_once, o.AddColumn)
    assert at_once.rewrites


def test_an_index_of_a_partitioned_table_is_made_part_by_part() -> None:
    parts = (Partition(TableName("leaf"), ITEM, True),)
    there = replace(WANTED.tables[0], partitions=parts, partitioned=True)
    made = plan(replace(NOTHING, catalog=catalog(there)), planned(c.IndexAdded(ITEM, index("ix", "a"))))
    kinds = [type(one).__name__ for step in made.steps for one in step.operations]
    assert kinds == ["CreateIndex", "CreateIndex", "AttachIndex"]
