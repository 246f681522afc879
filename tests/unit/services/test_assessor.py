"""What is asked of the database before a change is judged, and what of the answer."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import pytest

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain.capabilities import Capabilities
from framework_m_migrations.domain.plan import Judgement, PlannedChange, Risk
from framework_m_migrations.domain.risk.facts import FactKind, Facts, Question
from framework_m_migrations.domain.risk.rules import DROP
from framework_m_migrations.domain.schema import Check, Column, DocTypeSchema, EnumType, PrimaryKey, Table, TableName
from framework_m_migrations.services.assessor import Assessed, Assessor
from tests.fakes.memory import (
    CAPABILITIES,
    MemoryDatabase,
    MemoryInspector,
    MemorySession,
    enum_type,
    memory_type,
)
from tests.unit.domain.build import index, key, unique

T, U, P = TableName("t"), TableName("u"), TableName("p")
INTEGER, TEXT = memory_type("integer"), memory_type("text")
ID = Column("id", INTEGER, nullable=False)
A = Column("a", INTEGER)
STAGED = replace(CAPABILITIES, staged_defaults=True, unvalidated_not_null=False)
ROWS = Question(FactKind.HAS_ROWS, T)


class Asked(MemoryInspector):
    """Answers as memory does, and keeps what it was asked."""

    questions: list[frozenset[Question]]

    def ask(self, questions: Collection[Question]) -> Facts:
        self.questions.append(frozenset(questions))
        return super().ask(questions)


def table(name: TableName, *columns: Column, **parts: object) -> Table:
    return Table(name, (ID, *columns), PrimaryKey(("id",)), **parts)  # type: ignore[arg-type]


class World:
    """Tables of the memory database, and a session that keeps its questions."""

    def __init__(self, *tables: Table, rows: bool = True, capabilities: Capabilities = CAPABILITIES) -> None:
        database = MemoryDatabase(capabilities)
        database.create(*tables)
        for one in tables if rows else ():
            database.insert(one.name, [{"id": 1}, {"id": 2}])
        self.session = MemorySession(database.connect())
        self.asked = Asked(self.session.connection)
        self.asked.questions = []
        self.session.inspector = self.asked

    def judge(
        self,
        *changes: c.Change,
        online: bool = True,
        ghosts: Sequence[PlannedChange] = (),
        second: Sequence[c.Change] = (),
    ) -> Assessed:
        doctypes = [DocTypeSchema("D", (table(T),), app="shop"), DocTypeSchema("E", (table(U),), app="other")]
        assessor = Assessor(self.session, self.asked.read(), online)
        return assessor.assess(doctypes, {"D": list(changes), "E": list(second)}, ghosts)


def told(found: Assessed) -> list[tuple[str, str, bool]]:
    return [(one.doctype, type(one.change).__name__, one.withheld) for one in found.changes]


def test_each_change_is_judged_for_its_doctype_and_app() -> None:
    added = c.ColumnAdded(U, Column("b", INTEGER))
    found = World(table(T), table(U)).judge(c.ColumnAdded(T, A), second=[added])
    assert [(one.doctype, one.app, one.change) for one in found.changes] == [
        ("D", "shop", c.ColumnAdded(T, A)),
        ("E", "other", added),
    ]


def test_what_no_answer_decides_is_not_asked() -> None:
    world = World(table(T, A))
    world.judge(c.ColumnAdded(T, Column("b", INTEGER)), c.CommentChanged(T, None, None, "x"))
    assert world.asked.questions == []


def test_rows_are_asked_about_once_and_what_they_decide_only_where_there_are_any() -> None:
    changes = (
        c.UniqueAdded(T, unique("a")),
        c.CheckAdded(T, Check("ck", "a > 0")),
        c.ForeignKeyAdded(T, key("a", "p")),
    )
    full = World(table(T, A), table(P))
    full.judge(*changes)
    assert full.asked.questions == [
        frozenset({ROWS}),
        frozenset(
            {
                Question(FactKind.DUPLICATES, T, ("a",)),
                Question(FactKind.VIOLATIONS, T, (), "a > 0"),
                Question(FactKind.ORPHANS, T, ("a",), None, P, ("id",)),
            }
        ),
    ]
    empty = World(table(T, A), table(P), rows=False)
    assert not any(withheld for _, _, withheld in told(empty.judge(*changes)))
    assert empty.asked.questions == [frozenset({ROWS})]


def test_nothing_is_asked_about_what_is_not_there_yet() -> None:
    new = table(U, A)
    world = World(table(T, A))
    found = world.judge(
        c.TableAdded(U, new), c.UniqueAdded(U, unique("a")), c.UniqueAdded(T, unique("gone")),
        c.ForeignKeyAdded(T, key("a", "u")),
    )  # fmt: skip
    assert world.asked.questions == [frozenset({ROWS})]
    rules = {type(one.change).__name__: one.judgement.rule for one in found.changes if one.change.table == T}
    assert rules == {"UniqueAdded": "unique-unknown", "ForeignKeyAdded": "constraint-unknown"}


def test_a_column_of_the_same_plan_is_asked_about_as_it_will_be() -> None:
    colour = EnumType(TableName("colour"), ("x", "y"))
    added = Column("c", enum_type(colour.name), default="'x'")
    known = Column("k", memory_type("string(9)"), default="'y'")
    world = World(table(T, A))
    world.judge(
        c.EnumAdded(T, colour),
        c.ColumnAdded(T, added),
        c.ColumnAdded(T, known),
        c.UniqueAdded(T, unique("a", "c", "k")),
    )
    asked = (("c", "text", "'x'"), ("k", known.type.spelling, "'y'"))
    assert world.asked.questions[-1] == {Question(FactKind.DUPLICATES, T, ("a", "c", "k"), assuming=asked)}


@pytest.mark.parametrize(
    ("online_index", "deferred_validation", "asks"), [(True, False, True), (False, True, True), (False, False, False)]
)
def test_a_plain_index_asks_for_rows_only_where_its_form_depends_on_them(
    online_index: bool, deferred_validation: bool, asks: bool
) -> None:
    can = replace(CAPABILITIES, online_index=online_index, deferred_validation=deferred_validation)
    world = World(table(T, A), capabilities=can)
    world.judge(c.IndexAdded(T, index("i", "a")))
    assert world.asked.questions == ([frozenset({ROWS})] if asks else [])


def test_several_doctypes_of_one_enumeration_change_it_once() -> None:
    colour, shape = EnumType(TableName("colour"), ("x",)), EnumType(TableName("shape"), ("x",))
    values = [c.EnumValueAdded(T, colour.name, name, None, None) for name in ("y", "z")]
    found = World(table(T), table(U)).judge(
        c.EnumAdded(T, shape), *values, second=[c.EnumAdded(U, shape), c.EnumAdded(U, replace(colour)), values[1]]
    )
    assert [one.change for one in found.changes] == [c.EnumAdded(T, shape), *values, c.EnumAdded(U, colour)]


def test_another_type_that_is_the_same_to_the_database_is_no_change_and_ends_nothing_else() -> None:
    before = Column("n", INTEGER)
    same, wider = replace(A, nullable=False), replace(before, type=memory_type("bigint"))
    found = World(table(T, A, before)).judge(
        c.ColumnTypeChanged(T, A, same), c.ColumnTypeChanged(T, before, wider), c.ColumnAdded(T, Column("b", INTEGER))
    )
    assert [type(one.change) for one in found.changes] == [c.ColumnTypeChanged, c.ColumnAdded]
    assert [one.judgement.rule for one in found.changes] == ["type-rewritten", "column-added"]


DRAWN = Column("b", INTEGER, nullable=False, default="gen()", volatile_default=True)
PARTS = [
    c.ColumnAdded(T, replace(DRAWN, nullable=True)),
    c.ColumnNullabilityChanged(T, replace(DRAWN, nullable=True), DRAWN),
]


@pytest.mark.parametrize(
    ("traits", "expected"),
    [
        ({}, PARTS),
        ({"online": False}, PARTS[:0]),
        ({"rows": False}, PARTS[:0]),
        ({"unvalidated_not_null": True}, PARTS[:0]),
        ({"staged_defaults": False}, PARTS[:0]),
        ({"key": False}, PARTS[:0]),
    ],
)
def test_a_column_in_stages_waits_with_its_not_null_where_that_would_hold_others_up(
    traits: dict[str, bool], expected: list[c.Change]
) -> None:
    can = replace(
        STAGED,
        unvalidated_not_null=traits.get("unvalidated_not_null", False),
        staged_defaults=traits.get("staged_defaults", True),
    )
    there = table(T, A) if traits.get("key", True) else Table(T, (replace(ID, nullable=True), A))
    world = World(there, rows=traits.get("rows", True), capabilities=can)
    found = world.judge(c.ColumnAdded(T, DRAWN), online=traits.get("online", True))
    assert [one.change for one in found.changes] == (expected or [c.ColumnAdded(T, DRAWN)])


@pytest.mark.parametrize("nullable", [True, False])
def test_what_is_left_of_a_column_in_stages_is_told_in_the_same_parts(nullable: bool) -> None:
    column = replace(DRAWN, nullable=nullable)
    unfilled = c.ColumnUnfilled(T, replace(DRAWN, nullable=True), column)
    found = World(table(T, A, replace(DRAWN, nullable=True)), rows=False, capabilities=STAGED).judge(unfilled)
    whole = [unfilled] if nullable else [replace(unfilled, column=replace(DRAWN, nullable=True)), PARTS[1]]
    assert [one.change for one in found.changes] == whole


def test_a_drop_that_something_holds_is_not_offered_nor_what_that_would_free() -> None:
    """Table u holds t by a key; once u stays, p, which only u would have freed, stays too."""
    removed = [c.TableRemoved(name, owned=True) for name in (T, U)]
    ghosts = [PlannedChange("G", None, one, Judgement(Risk.BREAKING, "table-removed", "r", DROP)) for one in removed]
    holder = table(P, A, foreign_keys=(key("a", "u", "fk"),))
    world = World(table(T), table(U, A, foreign_keys=(key("a", "t", "fk2"),)), holder)
    found = world.judge(ghosts=ghosts)
    assert found.changes == ()
    assert [one.judgement.handled_by == DROP for one in found.ghosts] == [False, False]
    free = World(table(T), table(U, A, foreign_keys=(key("a", "t", "fk2"),)))
    assert free.judge(ghosts=ghosts).ghosts == tuple(ghosts)


def test_a_name_that_is_taken_is_free_where_its_table_goes() -> None:
    taken = World(table(T, A), table(U, A, indexes=(index("i", "a"),)))
    change = c.IndexAdded(T, index("i", "a"))
    [withheld] = taken.judge(change).changes
    assert (withheld.judgement.rule, withheld.judgement.handled_by) == ("obstructed", "manual")
    gone = PlannedChange("G", None, c.TableRemoved(U, owned=True), Judgement(Risk.BREAKING, "table-removed", "r", DROP))
    kept = replace(gone, judgement=Judgement(Risk.BREAKING, "table-removed", "r", "manual"))
    assert [one.judgement.handled_by for one in taken.judge(change, ghosts=[gone]).changes] == [DROP]
    assert [one.judgement.handled_by for one in taken.judge(change, ghosts=[kept]).changes] == ["manual"]


def test_what_needs_something_that_is_withheld_waits() -> None:
    needed = c.ColumnAdded(T, Column("b", INTEGER, nullable=False))
    found = World(table(T, A)).judge(needed, c.IndexAdded(T, index("i", "b")))
    assert [(one.judgement.rule, one.withheld) for one in found.changes][1] == ("waits", True)
    assert found.changes[0].withheld


def test_what_is_known_of_the_database_reaches_the_judgement() -> None:
    can = replace(
        CAPABILITIES, add_volatile_default=False, staged_defaults=True, distinct_defaults=frozenset({"gen()"}),
        unvalidated_part_keys=False, drop_unique=False,
    )  # fmt: skip
    parted = table(P, A, partitioned=True)
    keyless = Table(U, (replace(ID, nullable=True), A))
    gone = c.ColumnRemoved(T, A, owned=True)
    world = World(table(T, A, uniques=(unique("a", name="uq"),)), parted, keyless, capabilities=can)
    added = [c.ColumnAdded(name, DRAWN) for name in (T, U)]
    for online in (True, False):
        known = world.judge(gone, *added, online=online).knowledge
        assert (known.add_volatile_default, known.staged_defaults, known.online) == (False, True, online)
        assert (known.distinct_defaults, known.unvalidated_parts) == (frozenset({"gen()"}), False)
        assert (known.keyed, known.partitioned, known.drop_unique) == (frozenset({T}), frozenset({P}), False)
        assert set(known.fixed) == {(T, "a")}
        assert known.new_columns == {T: (DRAWN,), U: (DRAWN,)}
        assert known.facts[ROWS] == 1
    free = World(table(T, A), capabilities=replace(can, drop_unique=True)).judge(gone).knowledge
    assert (free.drop_unique, free.fixed) == (True, {})


def test_a_column_that_still_waits_is_asked_about_as_it_will_be_and_no_other() -> None:
    waits = c.ColumnUnfilled(T, replace(DRAWN, nullable=True), DRAWN)
    for change, new in ((waits, {T: (DRAWN,)}), (replace(waits, written=True), {})):
        assert World(table(T, A)).judge(change).knowledge.new_columns == new


def test_another_type_under_a_foreign_key_waits_whether_the_key_is_wanted_or_not() -> None:
    there = table(T, A, foreign_keys=(key("a", "p", "fk"),))
    change = c.ColumnTypeChanged(T, A, replace(A, type=TEXT))
    assert [one.judgement.rule for one in World(table(P), there, rows=False).judge(change).changes] == [
        "type-under-key"
    ]


def test_an_index_of_a_new_table_whose_name_is_taken_waits_alone() -> None:
    world = World(table(U, A, indexes=(index("i", "a"),)))
    found = world.judge(c.TableAdded(T, table(T, A, indexes=(index("i", "a"), index("j", "a")))))
    assert [(type(one.change).__name__, one.withheld) for one in found.changes] == [
        ("TableAdded", False),
        ("IndexAdded", True),
    ]
    assert [one.name for one in getattr(found.changes[0].change, "definition").indexes] == ["j"]  # noqa: B009


def test_a_change_that_needs_no_facts_is_judged_for_the_doctype_and_app_that_are_given() -> None:
    assessor = Assessor(World(table(T)).session, World(table(T)).asked.read())
    found = assessor.plain("D", "shop", c.TableRemoved(T, owned=True))
    assert (found.doctype, found.app, found.judgement.handled_by) == ("D", "shop", DROP)
