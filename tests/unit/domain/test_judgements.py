"""Each change's rule, and who is told to handle it, as docs/risk.md promises; and what its reason says to a reader."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain.plan import Risk
from framework_m_migrations.domain.risk.facts import FactKind, Question, TypeChange, drawn_columns
from framework_m_migrations.domain.risk.rules import Knowledge, judge, needs_rows, row_question
from framework_m_migrations.domain.schema import (
    Check,
    Column,
    EnumType,
    ForeignKey,
    Generated,
    Index,
    IndexKey,
    PrimaryKey,
    SchemaObject,
    TableName,
)
from tests.unit.domain.build import column, index, key, table, unique

T, OLD = TableName("t"), TableName("old")
HAS_ROWS = Question(FactKind.HAS_ROWS, T)
NUMBERS = SchemaObject("sequence", TableName("numbers"))
VIEW = SchemaObject("view", TableName("v"), (("definition", "SELECT 1"),))
CYCLING = replace(NUMBERS, options=(("cycle", "true"),))
EMPTY, FULL, UNKNOWN = Knowledge({HAS_ROWS: 0}), Knowledge({HAS_ROWS: 1}), Knowledge()
PARTED = Knowledge({HAS_ROWS: 1}, partitioned=frozenset({T}), unvalidated_parts=False)
NEEDED = column("a", nullable=False)
RETYPED = c.ColumnTypeChanged(T, column("a", "smallint"), column("a", "text"))
CHECK, KEY = Check("ck", "a > 0"), key("a", "p", "fk")


def typed(kind: TypeChange, rows: int = 1) -> Knowledge:
    return Knowledge({HAS_ROWS: rows}, {(T, "a"): kind})


def answered(change: c.Change, answer: int) -> Knowledge:
    question = row_question(change, {})
    assert question is not None
    return Knowledge({HAS_ROWS: 1, question: answer})


def computed(*, stored: bool) -> Column:
    return column("a", generated=Generated("computed", "b + 1", stored=stored))


DRAWN = c.ColumnAdded(T, column("a", default="random()", volatile_default=True))
UNIQUE_INDEX = c.IndexAdded(T, Index("i", (IndexKey("a"), IndexKey("b", modifiers="DESC")), unique=True))
BROKEN = c.IndexInvalid(T, UNIQUE_INDEX.index)
PAIR = c.UniqueAdded(T, unique("a", "b"))
RULED = c.CheckAdded(T, CHECK)
TO_P = c.ForeignKeyAdded(T, KEY)

# Change, what is known, rule, who handles it, and the particulars without which the reason would not help.
CASES: list[tuple[c.Change, Knowledge, str, str, tuple[str, ...]]] = [
    (c.TableAdded(T, table("t")), FULL, "table-added", "sync", ("new table",)),
    (c.TableRemoved(T, owned=True), FULL, "table-removed", "sync --allow-drop", ("rows would be lost",)),
    (c.TableRemoved(T, owned=False), FULL, "table-removed", "manual", ("rows would be lost", "never offered")),
    (c.TableRenamed(T, OLD, table("t")), FULL, "table-renamed", "create", ("old",)),
    (c.EnumAdded(T, EnumType(T, ("a",))), FULL, "enum-added", "sync", ("enumeration",)),
    (c.EnumValueAdded(T, T, "x", "a"), FULL, "enum-value-added", "sync", ("label",)),
    (c.EnumValuesIncompatible(T, EnumType(T, ()), EnumType(T, ())), FULL, "enum-values-incompatible", "create",
     ("removed or reordered",)),
    (c.ColumnAdded(T, NEEDED), EMPTY, "column-added", "sync", ("table is empty",)),
    (c.ColumnAdded(T, NEEDED), FULL, "column-required", "create", ("NOT NULL", "default")),
    (c.ColumnAdded(T, column("a")), FULL, "column-added", "sync", ("NULL",)),
    (c.ColumnAdded(T, column("a", default="7")), FULL, "column-added", "sync", ("default 7",)),
    (c.ColumnAdded(T, column("a", nullable=False, fill="8")), FULL, "column-added", "sync", ("application", "8")),
    (DRAWN, FULL, "column-rewrites", "create", ("default random()", "each row.")),
    (DRAWN, Knowledge({HAS_ROWS: 1}, add_volatile_default=False), "column-rewrites", "create",
     ("default random()", "cannot")),
    (DRAWN, Knowledge(staged_defaults=True), "column-rewrites", "create", ("default random()", "no key")),
    (DRAWN, Knowledge(staged_defaults=True, keyed=frozenset({OLD})), "column-rewrites", "create", ("no key",)),
    (DRAWN, Knowledge(staged_defaults=True, keyed=frozenset({T})), "column-added", "sync", ("random()", "in batches")),
    (DRAWN, Knowledge(keyed=frozenset({T})), "column-rewrites", "create", ("default random()",)),
    (DRAWN, Knowledge(staged_defaults=True, online=False), "column-added", "sync", ("random()", "table's lock")),
    (c.ColumnUnfilled(T, column("a"), NEEDED), Knowledge(keyed=frozenset({T})), "column-unfilled", "sync",
     ("values that they still lack",)),
    (c.ColumnUnfilled(T, column("a"), NEEDED), FULL, "column-unfilled", "create", ("no key",)),
    (c.ColumnAdded(T, column("a", generated=Generated("identity"))), FULL, "column-rewrites", "create", ("rewrites",)),
    (c.ColumnAdded(T, computed(stored=True)), FULL, "column-rewrites", "create", ("rewrites",)),
    (c.ColumnAdded(T, computed(stored=False)), FULL, "column-added", "sync", ("computed",)),
    (c.ColumnRemoved(T, column("a"), owned=True), FULL, "column-removed", "sync --allow-drop", ("values",)),
    (c.ColumnRemoved(T, column("a"), owned=False), FULL, "column-removed", "manual", ("values", "never offered")),
    (c.ColumnRemoved(T, column("a"), owned=True, superseded_by="b"), FULL, "contract-due", "run --contract",
     ("b has",)),
    (c.ColumnRenamed(T, column("a"), column("b")), FULL, "column-renamed", "create", ("says a",)),
    (RETYPED, typed(TypeChange.EQUAL), "type-widened", "sync", ("smallint to text",)),
    (RETYPED, typed(TypeChange.WIDENING), "type-widened", "sync", ("smallint to text",)),
    (RETYPED, typed(TypeChange.REWRITE), "type-rewritten", "create", ("smallint to text", "rewrites")),
    (RETYPED, typed(TypeChange.REWRITE, 0), "type-rewritten", "sync", ("smallint to text", "empty")),
    (RETYPED, typed(TypeChange.NARROWING), "type-narrowed", "create", ("smallint to text", "cut or refuse")),
    (RETYPED, typed(TypeChange.INCOMPATIBLE), "type-incompatible", "create", ("smallint to text", "conversion")),
    (c.ColumnNullabilityChanged(T, column("a"), NEEDED), FULL, "null-forbidden", "create", ("NULL",)),
    (c.ColumnNullabilityChanged(T, column("a"), NEEDED), EMPTY, "null-forbidden", "sync", ("empty",)),
    (c.ColumnNullabilityChanged(T, NEEDED, column("a")), EMPTY, "null-allowed", "create", ("constraint",)),
    (c.ColumnDefaultChanged(T, NEEDED, NEEDED), FULL, "default-removed", "create", ("NOT NULL",)),
    (c.ColumnDefaultChanged(T, NEEDED, column("a", nullable=False, default="1")), FULL, "default-changed", "sync",
     ("later",)),
    (c.ColumnDefaultChanged(T, NEEDED, column("a")), FULL, "default-removed", "create", ("NOT NULL",)),
    (c.ColumnDefaultChanged(T, column("a", default="1"), column("a")), FULL, "default-changed", "sync", ("later",)),
    (c.ColumnGenerationChanged(T, column("a"), column("a")), FULL, "generation-changed", "create", ("a revision",)),
    (c.PrimaryKeyChanged(T, PrimaryKey(("id",)), None), FULL, "primary-key-changed", "manual", ("primary key",)),
    (c.IndexAdded(T, index("i", "a")), FULL, "index-added", "sync", ("no row",)),
    (c.IndexInvalid(T, index("i", "a")), FULL, "index-invalid", "sync", ("built again",)),
    (BROKEN, answered(BROKEN, 0), "index-invalid", "sync", ("built again",)),
    (BROKEN, EMPTY, "index-invalid", "sync", ("built again",)),
    (BROKEN, answered(BROKEN, 1), "unique-duplicates", "create", ("a, b DESC",)),
    (BROKEN, FULL, "unique-unknown", "create", ("not known",)),
    (UNIQUE_INDEX, EMPTY, "unique-added", "sync", ("empty",)),
    (UNIQUE_INDEX, answered(UNIQUE_INDEX, 0), "unique-added", "sync", ("a, b DESC",)),
    (UNIQUE_INDEX, answered(UNIQUE_INDEX, 1), "unique-duplicates", "create", ("a, b DESC",)),
    (UNIQUE_INDEX, FULL, "unique-unknown", "create", ("a, b DESC", "not known")),
    (PAIR, answered(PAIR, 0), "unique-added", "sync", ("a, b",)),
    (PAIR, answered(PAIR, 1), "unique-duplicates", "create", ("a, b",)),
    (c.UniqueAdded(T, unique("a"), via_index="adopted"), FULL, "unique-added", "sync", ("index adopted",)),
    (TO_P, replace(answered(TO_P, 0), unvalidated_parts=False), "constraint-added", "sync", ("keeps it",)),
    (RULED, EMPTY, "constraint-added", "sync", ("empty",)),
    (RULED, answered(RULED, 0), "constraint-added", "sync", ("keeps it",)),
    (RULED, answered(RULED, 1), "constraint-violated", "create", ("violate it",)),
    (RULED, FULL, "constraint-unknown", "create", ("not known",)),
    (c.CommentChanged(T, None, "x", None), FULL, "comment-changed", "sync", ("comment",)),
    (c.TableOptionsChanged(T, (), (("strict", "true"),)), EMPTY, "table-options-changed", "create", ("options",)),
    (c.ObjectAdded(T, NUMBERS), EMPTY, "object-added", "sync", ("sequence",)),
    (c.ObjectChanged(T, NUMBERS, CYCLING), EMPTY, "object-changed", "create", ("sequence",)),
    (c.ObjectAdded(T, replace(VIEW, kind="grants")), EMPTY, "object-added", "sync", ("New grants touch",)),
    (c.ObjectChanged(T, VIEW, VIEW), FULL, "object-replaced", "sync", ("in place",)),
    (c.ObjectChanged(T, VIEW, replace(VIEW, reason="It loses a.")), FULL, "object-replaced", "create", ("loses a",)),
    (replace(RETYPED, views=(VIEW,)), typed(TypeChange.WIDENING), "type-under-view", "create", ("while v exists",)),
    (replace(RETYPED, views=(VIEW,)), typed(TypeChange.NARROWING), "type-narrowed", "create", ("cut or refuse",)),
    *(
        (change, EMPTY, "definition-changed", "create", ("dropped",))
        for change in (
            c.IndexChanged(T, index("i", "a"), index("i", "b")),
            c.UniqueChanged(T, unique("a", name="u"), unique("b", name="u")),
            c.CheckChanged(T, CHECK, Check("ck", "a > 1")),
            c.ForeignKeyChanged(T, KEY, key("a", "q", "fk")),
        )
    ),
    (PAIR, PARTED, "partitioned", "create", ("under a lock",)),
    (c.UniqueAdded(T, unique("a"), via_index="ux"), PARTED, "partitioned", "create", ("under a lock",)),
    (c.ForeignKeyAdded(T, KEY), PARTED, "partitioned", "create", ("at once",)),
    (PAIR, replace(PARTED, facts={HAS_ROWS: 0}), "unique-added", "sync", ("empty",)),
    (PAIR, replace(PARTED, facts=answered(PAIR, 0).facts, online=False), "unique-added", "sync", ("equal values",)),
    *(
        (change, EMPTY, "surplus", "sync --allow-drop", ("loses no rows",))
        for change in (
            c.IndexRemoved(T, index("i", "a")),
            c.UniqueRemoved(T, unique("a", name="u")),
            c.CheckRemoved(T, CHECK),
            c.ForeignKeyRemoved(T, KEY),
        )
    ),
]  # fmt: skip


def documented() -> dict[str, str]:
    """Rule to the text of its risk in docs/risk.md."""
    text = (Path(__file__).parents[3] / "docs" / "risk.md").read_text(encoding="utf-8")
    rows = [line.split("|") for line in text.splitlines() if line.startswith("| `")]
    return {rule: row[2] for row in rows for rule in re.findall(r"`([a-z-]+)`", row[1])}


@pytest.mark.parametrize(("change", "known", "rule", "handler", "particulars"), CASES)
def test_every_change_has_the_rule_the_risk_and_the_handler_of_the_documentation(
    change: c.Change, known: Knowledge, rule: str, handler: str, particulars: tuple[str, ...]
) -> None:
    verdict = judge(change, known)
    assert (verdict.rule, verdict.handled_by) == (rule, handler)
    assert verdict.risk.name in documented()[rule]
    assert (handler == "sync") is (verdict.risk is Risk.SAFE), "sync does what is safe and nothing else"
    for words in particulars:
        assert words.lower() in verdict.reason.lower()
    # Whole sentences: the table of `plan` and the review file of `create` print them as they stand.
    assert re.fullmatch(r"[A-Za-z0-9].*\w\.", verdict.reason)
    assert set(re.findall("[A-Z]{2,}", verdict.reason)) <= {"NOT", "NULL", "DESC"}
    first_of_schema = verdict.reason.startswith(("smallint", "b has"))
    assert first_of_schema or verdict.reason[0].isupper()


def test_every_rule_of_the_documentation_is_among_the_cases() -> None:
    by_others = {"type-under-key", "target-not-unique", "target-other-type", "waits", "obstructed", "unsupported"}
    assert {rule for _, _, rule, _, _ in CASES} == documented().keys() - by_others


def test_rows_are_looked_for_only_where_they_decide() -> None:
    """Where needs_rows says no, a table with rows is judged as one without."""
    for change, *_ in CASES:
        differs = any(
            judge(change, Knowledge({HAS_ROWS: 0}, types)).risk
            is not judge(change, Knowledge({HAS_ROWS: 1}, types)).risk
            for types in ({(T, "a"): kind} for kind in TypeChange)
        )
        assert needs_rows(change) or not differs, change
    asked = {type(change) for change, *_ in CASES if needs_rows(change)}
    assert asked == {
        c.ColumnAdded, c.ColumnTypeChanged, c.ColumnNullabilityChanged, c.IndexAdded, c.IndexInvalid, c.UniqueAdded,
        c.CheckAdded, c.ForeignKeyAdded,
    }  # fmt: skip
    spared = [column("a"), column("a", default="1"), column("a", nullable=False, default="1"),
              column("a", nullable=False, fill="1")]  # fmt: skip
    assert not any(needs_rows(c.ColumnAdded(T, one)) for one in spared)
    assert needs_rows(c.ForeignKeyAdded(T, KEY))
    assert not needs_rows(c.IndexAdded(T, index("i", "a")))
    assert not needs_rows(c.IndexInvalid(T, index("i", "a")))
    assert not needs_rows(c.ColumnNullabilityChanged(T, NEEDED, column("a")))


def test_the_question_about_a_foreign_key_names_both_ends_and_what_the_plan_adds() -> None:
    change = c.ForeignKeyAdded(T, ForeignKey("fk", ("a", "b"), OLD, ("x", "y")))
    new = {T: (column("b", default="3"), column("X")), OLD: (column("a"),)}
    assert row_question(change, new) == Question(
        FactKind.ORPHANS, T, ("a", "b"), None, OLD, ("x", "y"), (("b", "integer", "3"),)
    )


def test_the_question_about_a_check_is_its_expression() -> None:
    new = {T: (column("price", "numeric", default="0"), column("other"))}
    assert row_question(c.CheckAdded(T, Check(None, "price >= 0")), new) == Question(
        FactKind.VIOLATIONS, T, (), "price >= 0", assuming=(("price", "numeric", "0"),)
    )


def test_the_question_about_a_unique_index_leaves_out_what_its_predicate_leaves_out() -> None:
    partial = index("i", "a", unique=True, where="live")
    new = {T: (column("live", "boolean", default="true"), column("z"), column("X"))}
    assert row_question(c.IndexAdded(T, partial), new) == Question(
        FactKind.DUPLICATES, T, ("a",), "live", assuming=(("live", "boolean", "true"),)
    )
    whole = index("i", "a", "z", unique=True)
    assert row_question(c.IndexAdded(T, whole), new) == Question(
        FactKind.DUPLICATES, T, ("a", "z"), None, assuming=(("z", "integer", "NULL"),)
    )


def test_the_question_about_a_unique_constraint_is_over_its_columns() -> None:
    assert row_question(c.UniqueAdded(T, unique("a", "b")), {OLD: (column("a"),)}) == Question(
        FactKind.DUPLICATES, T, ("a", "b")
    )
    assert row_question(c.UniqueAdded(T, unique("a"), via_index="i"), {}) is None, "the index holds it already"


def test_two_rows_with_null_agree_where_the_rule_says_so() -> None:
    options = (("nulls_not_distinct", "true"),)
    asked = Question(FactKind.DUPLICATES, T, ("a",), nulls_agree=True)
    assert row_question(c.UniqueAdded(T, replace(unique("a"), options=options)), {}) == asked
    assert row_question(c.IndexAdded(T, index("i", "a", unique=True, options=options)), {}) == asked


@pytest.mark.parametrize("constraint", [CHECK, KEY])
def test_a_constraint_that_was_not_validated_is_asked_about_as_a_new_one(constraint: Check | ForeignKey) -> None:
    new = {T: (column("a"),)}
    added = c.CheckAdded(T, constraint) if isinstance(constraint, Check) else c.ForeignKeyAdded(T, constraint)
    question = row_question(c.ConstraintNotValidated(T, replace(constraint, valid=False)), new)
    assert question == row_question(added, new)
    assert question is not None
    assert question.assuming == (("a", "integer", "NULL"),)


def test_only_a_known_absence_of_rows_counts_as_empty() -> None:
    assert EMPTY.empty(T)
    assert not FULL.empty(T)
    assert not UNKNOWN.empty(T)
    assert not EMPTY.empty(OLD), "another table's answer says nothing"


UUIDS = {T: (column("u", "uuid", default="gen_random_uuid()", volatile_default=True), column("n", default="1"))}
DISTINCT = Knowledge({HAS_ROWS: 1}, new_columns=UUIDS, distinct_defaults=frozenset({"gen_random_uuid()"}))


def test_values_that_the_plan_draws_for_each_row_cannot_be_asked_about_before() -> None:
    assert row_question(c.UniqueAdded(T, unique("a", "u")), UUIDS) is None
    assert row_question(c.IndexAdded(T, index("i", "u", unique=True)), UUIDS) is None
    assert row_question(c.IndexAdded(T, index("i", "a", unique=True, where="u <> ''")), UUIDS) is None
    assert row_question(c.CheckAdded(T, Check(None, "u IS NOT NULL")), UUIDS) is None
    assert row_question(c.ForeignKeyAdded(T, key("u", "p")), UUIDS) is None
    assert row_question(c.ConstraintNotValidated(T, key("u", "p")), UUIDS) is None
    for change in (c.UniqueAdded(T, unique("n")), c.ForeignKeyAdded(T, key("n", "p")),
                   c.CheckAdded(T, Check(None, "n > 0")), c.IndexAdded(T, index("i", "n", unique=True))):  # fmt: skip
        assert row_question(change, UUIDS) is not None, "every row gets the same value, so the answer is known"
        assert row_question(change, {OLD: UUIDS[T]}) is not None


@pytest.mark.parametrize(
    ("change", "safe"),
    [
        (c.UniqueAdded(T, unique("u")), True),
        (c.UniqueAdded(T, unique("a", "u")), True),
        (c.IndexAdded(T, index("i", "u", unique=True)), True),
        (c.IndexAdded(T, index("i", "u", unique=True, where="a > 0")), True),
        (c.UniqueAdded(T, unique("a")), False),
        # Rows that agree in a are not told apart by a predicate, nor by what an expression leaves of the value.
        (c.IndexAdded(T, index("i", "a", unique=True, where="u IS NOT NULL")), False),
        (c.IndexAdded(T, Index("i", (IndexKey(None, "length(u)"),), unique=True)), False),
    ],
)
def test_rows_differ_where_a_column_of_the_key_has_another_value_in_each(change: c.Change, safe: bool) -> None:
    verdict = judge(change, DISTINCT)
    assert (verdict.risk is Risk.SAFE) is safe
    assert (verdict.reason == "Each row gets a value that no other one has.") is safe
    assert verdict.rule == ("unique-added" if safe else "unique-unknown")
    assert judge(change, Knowledge({HAS_ROWS: 1}, new_columns=UUIDS)).risk is Risk.WARNING, "random is not distinct"


def test_a_column_is_drawn_upon_only_where_it_is_named() -> None:
    short = {T: (replace(DRAWN.column, name="X"),)}
    pair = (IndexKey("a"), IndexKey(None, "lower(b)"))
    for change in (
        c.UniqueAdded(T, unique("a")),
        c.ForeignKeyAdded(T, KEY),
        c.IndexAdded(T, index("i", "a", unique=True)),
    ):
        assert row_question(change, short) is not None
    for index_ in (Index("i", pair, unique=True), Index("i", pair, unique=True, where="b > 0")):
        assert drawn_columns(c.IndexAdded(T, index_), short) == ()
