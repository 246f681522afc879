"""The class of each change, by what is known of the rows. What is not known is judged by the careful class."""

from __future__ import annotations

import pytest

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain.plan import Risk
from framework_m_migrations.domain.risk.facts import FactKind, Question, TypeChange
from framework_m_migrations.domain.risk.rules import Knowledge, judge, needs_rows, row_question
from framework_m_migrations.domain.schema import Check, Column, EnumType, Generated, PrimaryKey, TableName
from tests.unit.domain.build import column, index, key, table, unique

T = TableName("t")
HAS_ROWS = Question(FactKind.HAS_ROWS, T)
EMPTY = Knowledge({HAS_ROWS: 0})
FULL = Knowledge({HAS_ROWS: 1})
UNKNOWN = Knowledge()


def risk(change: c.Change, known: Knowledge = UNKNOWN) -> Risk:
    return judge(change, known).risk


def typed(kind: TypeChange, rows: int | None = None) -> Knowledge:
    return Knowledge({} if rows is None else {HAS_ROWS: rows}, {(T, "a"): kind})


@pytest.mark.parametrize(
    ("added", "with_rows", "when_empty"),
    [
        (column("a"), Risk.SAFE, Risk.SAFE),
        (column("a", nullable=False, default="'x'"), Risk.SAFE, Risk.SAFE),
        (column("a", nullable=False, fill="'x'"), Risk.SAFE, Risk.SAFE),
        (column("a", nullable=False), Risk.WARNING, Risk.SAFE),
        (column("a", default="random()", volatile_default=True), Risk.WARNING, Risk.SAFE),
        (column("a", generated=Generated("identity")), Risk.WARNING, Risk.SAFE),
        (column("a", generated=Generated("computed", "b + 1", stored=True)), Risk.WARNING, Risk.SAFE),
        (column("a", generated=Generated("computed", "b + 1")), Risk.SAFE, Risk.SAFE),
    ],
)
def test_a_new_column(added: Column, with_rows: Risk, when_empty: Risk) -> None:
    change = c.ColumnAdded(T, added)
    assert risk(change, FULL) is with_rows
    assert risk(change, UNKNOWN) is with_rows
    assert risk(change, EMPTY) is when_empty


@pytest.mark.parametrize(
    ("kind", "with_rows", "when_empty"),
    [
        (TypeChange.WIDENING, Risk.SAFE, Risk.SAFE),
        (TypeChange.REWRITE, Risk.WARNING, Risk.SAFE),
        (TypeChange.NARROWING, Risk.WARNING, Risk.WARNING),
        (TypeChange.INCOMPATIBLE, Risk.BREAKING, Risk.BREAKING),
    ],
)
def test_a_change_of_type(kind: TypeChange, with_rows: Risk, when_empty: Risk) -> None:
    change = c.ColumnTypeChanged(T, column("a"), column("a", "text"))
    assert risk(change, typed(kind, 1)) is with_rows
    assert risk(change, typed(kind)) is with_rows
    assert risk(change, typed(kind, 0)) is when_empty


def test_a_change_of_type_that_was_not_classed_is_breaking() -> None:
    assert risk(c.ColumnTypeChanged(T, column("a"), column("a", "text")), EMPTY) is Risk.BREAKING


def test_not_null_is_set_on_an_empty_table_only_and_never_taken_away_by_sync() -> None:
    forbids = c.ColumnNullabilityChanged(T, column("a"), column("a", nullable=False))
    assert (risk(forbids, EMPTY), risk(forbids, FULL), risk(forbids)) == (Risk.SAFE, Risk.WARNING, Risk.WARNING)
    allows = c.ColumnNullabilityChanged(T, column("a", nullable=False), column("a"))
    assert (risk(allows, EMPTY), risk(allows, FULL)) == (Risk.WARNING, Risk.WARNING)


def test_a_default_changes_safely_unless_old_code_would_fail_without_it() -> None:
    assert risk(c.ColumnDefaultChanged(T, column("a", default="1"), column("a", default="2"))) is Risk.SAFE
    assert risk(c.ColumnDefaultChanged(T, column("a", default="1"), column("a"))) is Risk.SAFE
    needed = column("a", nullable=False)
    assert risk(c.ColumnDefaultChanged(T, column("a", default="1", nullable=False), needed)) is Risk.WARNING
    assert risk(c.ColumnDefaultChanged(T, column("a", default="1", nullable=False), column("a"))) is Risk.WARNING


@pytest.mark.parametrize(
    "change",
    [
        c.UniqueAdded(T, unique("a")),
        c.IndexAdded(T, index("i", "a", unique=True)),
        c.IndexAdded(T, index("i", "a", unique=True, where="b")),
        c.CheckAdded(T, Check("ck", "a > 0")),
        c.ForeignKeyAdded(T, key("a", "p")),
        c.ConstraintNotValidated(T, key("a", "p")),
    ],
)
def test_a_rule_over_rows_depends_on_whether_they_keep_it(change: c.Change) -> None:
    question = row_question(change, {})
    assert question is not None
    assert risk(change, EMPTY) is Risk.SAFE
    assert risk(change, FULL) is Risk.WARNING
    assert risk(change, Knowledge({HAS_ROWS: 1, question: 0})) is Risk.SAFE
    assert risk(change, Knowledge({HAS_ROWS: 1, question: 1})) is Risk.WARNING
    assert risk(change, UNKNOWN) is Risk.WARNING


def test_a_question_assumes_the_columns_that_the_same_plan_adds() -> None:
    new = {T: (column("a", default="7"), column("b"), column("c"))}
    question = row_question(c.UniqueAdded(T, unique("a", "b")), new)
    assert question is not None
    assert question.assuming == (("a", "integer", "7"), ("b", "integer", "NULL"))
    about_text = row_question(c.CheckAdded(T, Check("ck", "c > 0")), new)
    assert about_text is not None
    assert about_text.assuming == (("c", "integer", "NULL"),)
    optional = {T: (column("d", fill="5"), column("e", fill="5", nullable=False))}
    filled = row_question(c.UniqueAdded(T, unique("d", "e")), optional)
    assert filled is not None
    assert filled.assuming == (("d", "integer", "NULL"), ("e", "integer", "5")), "rows keep NULL where they may"


def test_a_unique_index_over_an_expression_cannot_be_asked_about() -> None:
    from framework_m_migrations.domain.schema import Index, IndexKey

    change = c.IndexAdded(T, Index("i", (IndexKey(None, "lower(a)"),), unique=True))
    assert row_question(change, {}) is None
    assert risk(change, FULL) is Risk.WARNING
    assert risk(change, EMPTY) is Risk.SAFE


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (c.TableAdded(T, table("t")), Risk.SAFE),
        (c.TableRemoved(T, owned=True), Risk.BREAKING),
        (c.TableRenamed(T, TableName("s"), table("t")), Risk.BREAKING),
        (c.ColumnRemoved(T, column("a"), owned=True), Risk.BREAKING),
        (c.ColumnRemoved(T, column("a"), owned=False), Risk.BREAKING),
        (c.ColumnRenamed(T, column("a"), column("b")), Risk.BREAKING),
        (c.PrimaryKeyChanged(T, PrimaryKey(("id",)), None), Risk.BREAKING),
        (c.EnumValuesIncompatible(T, EnumType(T, ("a",)), EnumType(T, ("b",))), Risk.BREAKING),
        (c.EnumAdded(T, EnumType(T, ("a",))), Risk.SAFE),
        (c.EnumValueAdded(T, T, "x", "a"), Risk.SAFE),
        (c.IndexAdded(T, index("i", "a")), Risk.SAFE),
        (c.IndexInvalid(T, index("i", "a")), Risk.SAFE),
        (c.IndexChanged(T, index("i", "a"), index("i", "b")), Risk.WARNING),
        (c.IndexRemoved(T, index("i", "a")), Risk.WARNING),
        (c.UniqueAdded(T, unique("a"), via_index="i"), Risk.SAFE),
        (c.ForeignKeyChanged(T, key("a", "p"), key("a", "q")), Risk.WARNING),
        (c.CommentChanged(T, None, "x", None), Risk.SAFE),
        (c.ColumnGenerationChanged(T, column("a"), column("a")), Risk.WARNING),
    ],
)
def test_changes_whose_class_needs_no_rows(change: c.Change, expected: Risk) -> None:
    assert risk(change, FULL) is expected
    assert not needs_rows(change) or expected is Risk.SAFE


def test_what_is_not_ours_is_never_offered_for_dropping() -> None:
    assert judge(c.ColumnRemoved(T, column("a"), owned=False), UNKNOWN).handled_by == "manual"
    assert judge(c.ColumnRemoved(T, column("a"), owned=True), UNKNOWN).handled_by == "sync --allow-drop"


def test_every_judgement_names_its_rule_reason_and_handler() -> None:
    verdict = judge(c.ColumnAdded(T, column("a", nullable=False)), FULL)
    assert (verdict.rule, verdict.handled_by) == ("column-required", "create")
    assert verdict.reason.endswith(".")
