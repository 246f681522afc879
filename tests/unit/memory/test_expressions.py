"""Conditions are evaluated as SQLite evaluates them, or not at all."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.memory.expressions import OPAQUE, CannotTell, constant, holds, tidy

ROW = {"a": 1, "b": 7, "absent": None, "title": "it's", "Odd name": 3}

operands = st.sampled_from(["a", "b", "absent", "1", "7", "-2", "NULL", '"Odd name"'])
comparisons = st.builds(
    "{0} {1} {2}".format, operands, st.sampled_from(["=", "<>", "!=", "<", "<=", ">", ">="]), operands
)
predicates = st.one_of(
    comparisons,
    st.builds("{0} IS NULL".format, operands),
    st.builds("{0} IS NOT NULL".format, operands),
    st.builds("{0} {1} ({2}, {3})".format, operands, st.sampled_from(["IN", "not in"]), operands, operands),
    st.sampled_from(["title = 'it''s'", "title <> 'its'", "title IN ('a', 'it''s')"]),
)
conditions = st.recursive(
    predicates,
    lambda inner: st.one_of(
        st.builds("({0})".format, inner),
        st.builds("NOT ({0})".format, inner),
        st.builds("{0} AND {1}".format, inner, inner),
        st.builds("{0} or {1}".format, inner, inner),
    ),
    max_leaves=6,
)


@settings(max_examples=400, deadline=None)
@given(conditions)
def test_conditions_mean_what_they_mean_to_sqlite(condition: str) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute('CREATE TABLE t (a INTEGER, b INTEGER, absent INTEGER, title TEXT, "Odd name" INTEGER)')
        connection.execute("INSERT INTO t VALUES (1, 7, NULL, 'it''s', 3)")
        (answer,) = connection.execute(f"SELECT {condition} FROM t").fetchone()
    assert holds(condition, ROW) is (None if answer is None else bool(answer))
    assert holds(tidy(condition), ROW) is holds(condition, ROW)


@settings(max_examples=200, deadline=None)
@given(conditions)
def test_tidying_twice_changes_nothing_more(condition: str) -> None:
    assert tidy(tidy(condition)) == tidy(condition)


@pytest.mark.parametrize(
    "condition",
    ["lower(title) = 'x'", "a + 1 > 2", "unknown = 1", "a", "a =", "(a = 1", "a BETWEEN 1 AND 2", "a ~ 'x'"],
)
def test_what_is_not_understood_is_not_guessed(condition: str) -> None:
    with pytest.raises(CannotTell):
        holds(condition, ROW)


def test_values_that_cannot_be_compared_are_not_guessed() -> None:
    with pytest.raises(CannotTell):
        holds("a < title", ROW)


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("'it''s'", "it's"),
        ("-5", -5),
        ("(1)", 1),
        ("TRUE", True),
        ("null", None),
        ("now()", OPAQUE),
        ("'a' || 'b'", OPAQUE),
    ],
)
def test_constants(sql: str, value: object) -> None:
    found = constant(sql)
    assert found is value or found == value


@pytest.mark.parametrize(
    ("written", "tidied"),
    [
        ("amount   >   0  AND  amount<>7", "amount > 0 AND amount <> 7"),
        ("lower( title )", "lower(title)"),
        ("state in ( 'a  b','c' )", "state IN ('a  b', 'c')"),
        ("a  ~  'x  y'", "a ~ 'x  y'"),
        ("not(a = 1)", "NOT (a = 1)"),
    ],
)
def test_white_space_outside_of_quotes_is_evened_out(written: str, tidied: str) -> None:
    assert tidy(written) == tidied
