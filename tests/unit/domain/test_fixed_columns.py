"""What keeps a surplus column in its table where it cannot be taken out in place."""

from __future__ import annotations

from dataclasses import replace

import pytest

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain.risk.drop_blockers import fixed_columns
from framework_m_migrations.domain.schema import Check, Column, Generated, Table, TableName, Unique
from tests.unit.domain.build import column, table, unique

T, U = TableName("t"), TableName("u")
A, B = column("a"), column("b")


def removed(name: str, of: TableName = T) -> c.ColumnRemoved:
    return c.ColumnRemoved(of, column(name), owned=True)


def holder(made: Table, *changes: c.Change, name: str = "a") -> str | None:
    found = fixed_columns([removed(name, made.name), *changes], {made.name: made})
    assert found.keys() <= {(made.name, name)}
    return found.get((made.name, name))


def computed(expression: str | None, name: str = "sum") -> Column:
    return replace(column(name), generated=Generated("computed", expression))


@pytest.mark.parametrize(
    ("made", "what"),
    [
        (table("t", A, B), None),
        (table("t", A, uniques=(unique("b"),)), None),
        (table("t", A, uniques=(unique("b"), Unique("uq", ("a", "b")))), "the unique constraint uq"),
        (table("t", A, uniques=(unique("a"),)), "the unique constraint ('a',)"),
        (table("t", A, B, checks=(Check("ck", "a > b"),)), "the check ck"),
        (table("t", A, B, checks=(Check(None, "a > b"),)), "the check a > b"),
        (table("t", A, B, checks=(Check("ck", "a > 0"),)), None),
        (table("t", A, B, checks=(Check("one", "a > 0"), Check("two", "B < A"))), "the check two"),
        (table("t", A, B, checks=(Check("ck", "b > 0 AND ab > 1"),)), None),
        (table("t", A, computed("b + 1")), None),
        (table("t", A, computed(None)), None),
        (table("t", A, B, computed("b + 1", "x"), computed("a + 1")), "the computed column sum"),
        (table("t", A, computed('"A" + 1')), "the computed column sum"),
        (replace(table("t"), columns=(A,), primary_key=None), "that it is the only column"),
    ],
)
def test_what_stands_on_a_column_and_stays(made: Table, what: str | None) -> None:
    assert holder(made) == what


def test_a_primary_key_keeps_its_columns() -> None:
    assert holder(table("t", A), name="id") == "the primary key"


@pytest.mark.parametrize(("name", "as_written"), [('a"b', '"a""b"'), ("a`b", "`a``b`"), ("a b", "[a b]")])
def test_names_in_quotes_are_found(name: str, as_written: str) -> None:
    assert holder(table("t", column(name), computed(f"{as_written} + 1")), name=name) == "the computed column sum"


def test_what_goes_before_it_keeps_it_no_longer() -> None:
    made = table("t", A, B, computed("a + 1"), checks=(Check("ck", "a > b"),))
    assert holder(made, c.CheckRemoved(T, Check("ck", "a > b"))) == "the computed column sum"
    assert fixed_columns([removed("a"), removed("sum")], {T: made}) == {
        (T, "a"): "the check ck",
    }
    assert fixed_columns([removed("a"), removed("sum"), c.CheckRemoved(T, made.checks[0])], {T: made}) == {}


def test_what_goes_in_another_table_does_not_count() -> None:
    made = table("t", A, B, computed("a + 1"), checks=(Check("ck", "a > b"),))
    elsewhere: list[c.Change] = [c.CheckRemoved(U, made.checks[0]), removed("sum", U)]
    assert fixed_columns([removed("a"), *elsewhere], {T: made}) == {(T, "a"): "the check ck"}


def test_a_check_without_a_name_cannot_go_before() -> None:
    made = table("t", A, B, checks=(Check(None, "a > b"),))
    assert holder(made, c.CheckRemoved(T, made.checks[0])) == "the check a > b"


def test_of_tables_that_were_not_read_nothing_is_known() -> None:
    assert fixed_columns([removed("a", U)], {T: table("t", A)}) == {}
