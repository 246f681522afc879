"""For what a withheld change makes others wait, one by one, and what a reader is told; see test_blocking.py."""

from __future__ import annotations

import pytest

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain.plan import Judgement, PlannedChange, Risk
from framework_m_migrations.domain.risk.prerequisites import withhold_dependents
from framework_m_migrations.domain.schema import (
    Check,
    Column,
    ColumnType,
    ForeignKey,
    Generated,
    Index,
    IndexKey,
    Table,
    TableName,
)
from tests.unit.domain.build import column, index, key, table, unique

T, P, GONE = TableName("t"), TableName("p"), TableName("gone")
EXISTING = frozenset({T, P})


def planned(change: c.Change, risk: Risk = Risk.SAFE, rule: str = "r") -> PlannedChange:
    return PlannedChange("D", "shop", change, Judgement(risk, rule, "Because.", "sync"))


def after(withheld: c.Change, change: c.Change, *tables: Table) -> PlannedChange:
    """The change as it is planned beside the withheld one."""
    given = planned(change)
    first, second = withhold_dependents([planned(withheld, Risk.WARNING), given], EXISTING, tables)
    assert first == planned(withheld, Risk.WARNING), "what is withheld stays as it is"
    assert (second.doctype, second.app, second.change) == ("D", "shop", change)
    assert second.withheld or second == given
    return second


def waits_for(withheld: c.Change, change: c.Change) -> str | None:
    judgement = after(withheld, change).judgement
    if judgement.risk is Risk.SAFE:
        return None
    assert (judgement.risk, judgement.rule, judgement.handled_by) == (Risk.WARNING, "waits", "create")
    assert judgement.reason.startswith("It waits for ")
    assert judgement.reason.endswith(", which is withheld.")
    return judgement.reason.removeprefix("It waits for ").removesuffix(", which is withheld.")


MISSING = c.ColumnAdded(T, column("a", nullable=False))
RENAMED = c.ColumnRenamed(T, column("old"), column("a"))
RETYPED = c.ColumnTypeChanged(T, column("a", "text"), column("a"))
EXPRESSION = Index("i", (IndexKey("b"), IndexKey(None, "lower(a)")))
COMPUTED = c.ColumnAdded(T, column("sum", generated=Generated("computed", "a + 1")))
TO_P, FROM_P = c.ForeignKeyAdded(T, key("a", "p")), c.ForeignKeyAdded(P, ForeignKey("fk", ("x",), T, ("a",)))
UNTESTED = c.ConstraintNotValidated(T, Check("ck", "a > 0"))


@pytest.mark.parametrize("withheld", [MISSING, RENAMED])
def test_what_needs_a_column_that_will_not_be_there_waits_for_it(withheld: c.Change) -> None:
    for change in (
        c.IndexAdded(T, index("i", "b", "a")),
        c.IndexAdded(T, EXPRESSION),
        c.IndexAdded(T, index("i", "b", where="a > 0")),
        c.IndexAdded(T, index("i", "b", include=("a",))),
        c.UniqueAdded(T, unique("b", "a")),
        c.CheckAdded(T, Check(None, "a > 0")),
        UNTESTED,
        COMPUTED,
        TO_P,
        FROM_P,
    ):
        assert waits_for(withheld, change) == "t.a", change


def test_what_compares_values_waits_for_their_type_and_what_merely_sorts_them_does_not() -> None:
    for change in (
        TO_P,
        FROM_P,
        c.CheckAdded(T, Check(None, "a > 0")),
        UNTESTED,
        c.IndexAdded(T, EXPRESSION),
        COMPUTED,
        c.ColumnDefaultChanged(T, column("a"), column("a", default="1")),
        c.ColumnNullabilityChanged(T, column("a"), column("a", nullable=False)),
    ):
        assert waits_for(RETYPED, change) == "t.a", change
    for sorting in (c.IndexAdded(T, index("i", "a")), c.UniqueAdded(T, unique("a"))):
        assert waits_for(RETYPED, sorting) is None


@pytest.mark.parametrize("withheld", [MISSING, RETYPED])
def test_what_has_nothing_to_do_with_it_goes_on(withheld: c.Change) -> None:
    for change in (
        c.IndexAdded(T, index("i", "b", where="b > 0", include=("c",))),
        c.IndexAdded(P, index("i", "a")),
        c.IndexAdded(P, EXPRESSION),
        c.UniqueAdded(T, unique("b")),
        c.CheckAdded(T, Check(None, "b > 0")),
        c.ConstraintNotValidated(T, key("a", "p")),
        c.ColumnAdded(T, column("sum", generated=Generated("identity"))),
        c.ColumnAdded(T, column("sum", default="a")),
        c.ForeignKeyAdded(T, key("b", "p")),
        c.ForeignKeyAdded(P, key("a", "t")),
        c.ColumnDefaultChanged(T, column("b"), column("b", default="1")),
        c.ColumnDefaultChanged(P, column("a"), column("a", default="1")),
        c.ColumnTypeChanged(T, column("b"), column("b", "bigint")),
        c.CommentChanged(T, "a", None, "x"),
    ):
        assert waits_for(withheld, change) is None, change


def test_the_first_column_that_is_missing_is_named_before_one_of_another_type() -> None:
    both = [planned(one, Risk.WARNING) for one in (RETYPED, c.ColumnAdded(T, column("z", nullable=False)))]
    pair = planned(c.ForeignKeyAdded(T, ForeignKey(None, ("a", "z"), P, ("x", "y"))))
    *_, last = withhold_dependents([*both, pair], EXISTING)
    assert last.judgement.reason == "It waits for t.z, which is withheld."


def test_a_column_that_is_kept_equal_to_its_former_one_changes_when_that_is_gone() -> None:
    leaving = c.ColumnRemoved(T, column("old"), owned=True, superseded_by="a")
    for change in (
        c.ColumnDefaultChanged(T, column("a"), column("a", default="1")),
        c.ColumnNullabilityChanged(T, column("a"), column("a", nullable=False)),
        c.ColumnTypeChanged(T, column("a"), column("a", "bigint")),
    ):
        assert waits_for(leaving, change) == "the end of t.old", change
    for free in (
        c.ColumnDefaultChanged(T, column("b"), column("b", default="1")),
        c.ColumnTypeChanged(P, column("a"), column("a", "bigint")),
        c.IndexAdded(T, index("i", "a")),
    ):
        assert waits_for(leaving, free) is None, free
    merely_removed = c.ColumnRemoved(T, column("old"), owned=True)
    assert waits_for(merely_removed, c.ColumnTypeChanged(T, column("a"), column("a", "bigint"))) is None


def test_a_foreign_key_waits_for_a_table_that_will_not_be_there() -> None:
    assert waits_for(MISSING, c.ForeignKeyAdded(T, key("b", "gone"))) == "gone"
    made = planned(c.TableAdded(GONE, table("gone")))
    assert withhold_dependents([made, planned(c.ForeignKeyAdded(T, key("b", "gone")))], EXISTING)[1].withheld is False


def test_a_new_table_is_made_and_only_its_key_waits() -> None:
    kept, blocked = key("x", "p", "kept"), key("y", "gone", "blocked")
    new = table("new", foreign_keys=(blocked, kept))
    made, waiting = withhold_dependents([planned(c.TableAdded(new.name, new))], EXISTING)
    assert made == planned(c.TableAdded(new.name, table("new", foreign_keys=(kept,))))
    assert (waiting.doctype, waiting.app) == ("D", "shop")
    assert waiting.change == c.ForeignKeyAdded(new.name, blocked)
    assert waiting.judgement == Judgement(Risk.WARNING, "waits", "It waits for gone, which is withheld.", "create")


def rewritten(
    before: str, wanted: str, name: str = "a", on: TableName = T, rule: str = "type-rewritten"
) -> PlannedChange:
    first, second = (Column(name, ColumnType(base, base=base)) for base in (before, wanted))
    return planned(c.ColumnTypeChanged(on, first, second), rule=rule)


@pytest.mark.parametrize(
    ("change", "stays"),
    [
        (rewritten("integer", "numeric"), False),
        (rewritten("numeric", "integer"), False),
        (rewritten("integer", "numeric", "id", P), False),
        (rewritten("integer", "bigint"), True),
        (rewritten("smallint", "int", "id", P), True),
        (rewritten("integer", "numeric", "b"), True),
        (rewritten("integer", "numeric", "a", P), True),
        (rewritten("integer", "numeric", rule="type-widened"), True),
    ],
)
def test_both_ends_of_a_foreign_key_keep_types_that_compare(change: PlannedChange, stays: bool) -> None:
    for name, called in (("fk", "fk"), (None, "('a',)")):
        [result] = withhold_dependents([change], EXISTING, [table("t", foreign_keys=(key("a", "p", name),))])
        if stays:
            assert result == change
            continue
        assert result.change == change.change
        assert result.judgement == Judgement(
            Risk.WARNING,
            "type-under-key",
            f"The foreign key {called} depends on it, and both its ends must compare.",
            "create",
        )


def test_what_was_withheld_for_another_reason_keeps_that_reason() -> None:
    given = PlannedChange(
        "D", None, rewritten("integer", "numeric").change, Judgement(Risk.WARNING, "type-rewritten", "Full.", "create")
    )
    assert withhold_dependents([given], EXISTING, [table("t", foreign_keys=(key("a", "p"),))]) == [given]


def test_only_what_is_written_in_an_expression_is_looked_for_there() -> None:
    short = c.ColumnAdded(T, column("X", nullable=False))
    keys = (IndexKey("b"), IndexKey(None, "lower(b)"))
    for change in (c.IndexAdded(T, Index("i", keys, where="b > 0")), c.IndexAdded(T, Index("i", keys))):
        assert waits_for(short, change) is None
    assert waits_for(short, c.ColumnAdded(T, column("n", generated=Generated("identity")))) is None


def test_a_constraint_waits_for_the_index_that_it_adopts_and_for_no_other() -> None:
    broken = c.IndexInvalid(T, index("uq", "a", unique=True))
    assert waits_for(broken, c.UniqueAdded(T, unique("a", name="uq"), "uq")) == "the index uq"
    for other in (
        c.UniqueAdded(T, unique("a", name="uq")),
        c.UniqueAdded(T, unique("a", name="uq"), "i"),
        c.UniqueAdded(P, unique("a", name="uq"), "uq"),
    ):
        assert waits_for(broken, other) is None
