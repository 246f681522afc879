"""What cannot be dropped in place is handled by another command, and said to be."""

from __future__ import annotations

import pytest

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain.plan import Judgement, Risk
from framework_m_migrations.domain.risk.rules import Knowledge, judge
from framework_m_migrations.domain.schema import Check, TableName
from tests.unit.domain.build import column, index, key, unique

T = TableName("t")
COPY = "No model declares it any more; it goes with a copy of the table only."
NAMELESS = "No model declares it any more, but it has no name to drop it by: copy the table by hand, without it."
FIXED = {(T, "a"): "the unique constraint uq"}


@pytest.mark.parametrize(
    ("change", "drop_unique", "expected"),
    [
        (c.UniqueRemoved(T, unique("a", name="uq")), False, (COPY, "create")),
        (c.UniqueRemoved(T, unique("a")), False, (COPY, "create")),
        (c.UniqueRemoved(T, unique("a")), True, (COPY, "create")),
        (c.UniqueRemoved(T, unique("a", name="uq")), True, None),
        (c.CheckRemoved(T, Check(None, "a > 0")), True, (NAMELESS, "manual")),
        (c.CheckRemoved(T, Check("ck", "a > 0")), False, None),
        (c.ForeignKeyRemoved(T, key("a", "p")), True, (COPY, "create")),
        (c.ForeignKeyRemoved(T, key("a", "p", "fk")), False, None),
        (c.IndexRemoved(T, index("i", "a")), False, None),
    ],
)
def test_a_surplus_goes_in_place_where_the_database_can(
    change: c.Change, drop_unique: bool, expected: tuple[str, str] | None
) -> None:
    found = judge(change, Knowledge(drop_unique=drop_unique))
    if expected is None:
        assert (found.risk, found.rule, found.handled_by) == (Risk.WARNING, "surplus", "sync --allow-drop")
    else:
        assert found == Judgement(Risk.WARNING, "surplus", *expected)


def test_a_column_that_something_fixes_goes_with_a_copy_of_its_table() -> None:
    known = Knowledge(fixed=FIXED)
    assert judge(c.ColumnRemoved(T, column("a"), owned=True), known) == Judgement(
        Risk.BREAKING,
        "column-removed",
        "The model has no such column. Its values would be lost, and the unique constraint uq keeps it from being "
        "dropped in place.",
        "create",
    )
    assert judge(c.ColumnRemoved(T, column("b"), owned=True), known).handled_by == "sync --allow-drop"
    assert judge(c.ColumnRemoved(TableName("u"), column("a"), owned=True), known).handled_by == "sync --allow-drop"
    assert judge(c.ColumnRemoved(T, column("a"), owned=False), known).handled_by == "manual"
