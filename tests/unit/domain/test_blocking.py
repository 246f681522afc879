"""What stands on something withheld is withheld too; everything else goes on."""

from __future__ import annotations

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain.plan import Judgement, PlannedChange, Risk
from framework_m_migrations.domain.risk.prerequisites import withhold_dependents
from framework_m_migrations.domain.schema import Check, Column, ColumnType, Generated, TableName
from tests.unit.domain.build import column, index, key, table, unique

T, P = TableName("t"), TableName("p")


def safe(change: c.Change) -> PlannedChange:
    return PlannedChange("T", None, change, Judgement(Risk.SAFE, "r", "ok.", "sync"))


def held(change: c.Change) -> PlannedChange:
    return PlannedChange("T", None, change, Judgement(Risk.WARNING, "r", "no.", "create"))


def outcome(*planned: PlannedChange) -> list[tuple[str, bool]]:
    result = withhold_dependents(planned, frozenset({T, P}))
    return [(type(p.change).__name__, p.withheld) for p in result]


def test_indexes_and_constraints_over_a_withheld_column_wait_for_it() -> None:
    needed = held(c.ColumnAdded(T, column("a", nullable=False)))
    assert outcome(
        needed,
        safe(c.IndexAdded(T, index("i", "a"))),
        safe(c.IndexAdded(T, index("j", "b"))),
        safe(c.IndexAdded(T, index("k", "b", where="a > 0"))),
        safe(c.UniqueAdded(T, unique("b", "a"))),
        safe(c.CheckAdded(T, Check("ck", "a > 0"))),
        safe(c.ForeignKeyAdded(T, key("a", "p"))),
    ) == [
        ("ColumnAdded", True),
        ("IndexAdded", True),
        ("IndexAdded", False),
        ("IndexAdded", True),
        ("UniqueAdded", True),
        ("CheckAdded", True),
        ("ForeignKeyAdded", True),
    ]


def test_a_new_table_is_made_without_the_foreign_key_that_cannot_stand_yet() -> None:
    renamed = held(c.TableRenamed(TableName("new"), TableName("old"), table("new")))
    child = table("child", column("p_id"), foreign_keys=(key("p_id", "new", "fk"), key("p_id", "p", "ok")))
    result = withhold_dependents([renamed, safe(c.TableAdded(child.name, child))], frozenset({P, TableName("old")}))
    made, waiting = result[1], result[2]
    assert isinstance(made.change, c.TableAdded)
    assert [one.name for one in made.change.definition.foreign_keys] == ["ok"]
    assert not made.withheld
    assert isinstance(waiting.change, c.ForeignKeyAdded)
    assert waiting.withheld
    assert "new" in waiting.judgement.reason


def test_a_foreign_key_waits_for_the_types_on_both_sides() -> None:
    retyped = held(c.ColumnTypeChanged(P, column("id"), column("id", "uuid")))
    assert outcome(retyped, safe(c.ForeignKeyAdded(T, key("a", "p")))) == [
        ("ColumnTypeChanged", True),
        ("ForeignKeyAdded", True),
    ]


def test_a_default_waits_for_the_type_it_belongs_to() -> None:
    retyped = held(c.ColumnTypeChanged(T, column("a", "text"), column("a")))
    change = safe(c.ColumnDefaultChanged(T, column("a", "text", default="'x'"), column("a", default="1")))
    assert outcome(retyped, change)[1] == ("ColumnDefaultChanged", True)


def test_not_null_waits_for_the_type_and_the_default_that_come_with_it() -> None:
    retyped = held(c.ColumnTypeChanged(T, column("a", "text"), column("a")))
    change = safe(c.ColumnNullabilityChanged(T, column("a", "text"), column("a", nullable=False)))
    assert outcome(retyped, change)[1] == ("ColumnNullabilityChanged", True)


def test_nothing_waits_when_nothing_is_withheld() -> None:
    planned = [safe(c.ColumnAdded(T, column("a"))), safe(c.IndexAdded(T, index("i", "a")))]
    assert withhold_dependents(planned, frozenset({T})) == planned


def test_another_type_waits_while_a_foreign_key_stands_on_the_column_wanted_or_not() -> None:
    def retyped(name: str, after: str) -> PlannedChange:
        types = (ColumnType(base, base=base) for base in ("integer", after))
        change = c.ColumnTypeChanged(T, *(Column(name, type_) for type_ in types))
        return PlannedChange("T", None, change, Judgement(Risk.SAFE, "type-rewritten", "empty.", "sync"))

    actual = table("t", column("a"), column("b"), foreign_keys=(key("a", "p"), key("b", "p")))
    planned = [
        retyped("a", "numeric"),
        retyped("b", "bigint"),
        retyped("c", "numeric"),
        safe(c.ForeignKeyAdded(T, key("a", "other"))),
    ]
    result = withhold_dependents(planned, frozenset({T, P, TableName("other")}), [actual])
    assert [one.judgement.rule for one in result] == ["type-under-key", "type-rewritten", "type-rewritten", "waits"]


def test_what_waits_is_waited_for_in_its_turn_in_whatever_order_it_comes() -> None:
    computed = column("total", generated=Generated("computed", "a + 1"))
    dependents = [safe(c.IndexAdded(T, index("i", "total"))), safe(c.ColumnAdded(T, computed))]
    retyped = held(c.ColumnTypeChanged(T, column("a", "text"), column("a")))
    for planned in ([retyped, *dependents], [retyped, *reversed(dependents)]):
        assert {withheld for _, withheld in outcome(*planned)} == {True}
    [_, first, _] = withhold_dependents([retyped, *dependents], frozenset({T}))
    assert "t.total" in first.judgement.reason
    assert {withheld for _, withheld in outcome(*dependents)} == {False}
