from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework_m_migrations.adapters.sql.dialects.sqlite.expressions import (
    canonical_default,
    canonical_expression,
    default_clause,
    is_constant_default,
)
from framework_m_migrations.adapters.sql.dialects.sqlite.text import tokens


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("a>0", "( ( a  > 0 ) )"),
        ("a > 0 -- comment", "A>0"),
        ('"a" > 0', "[a] /* x */ > 0"),
        ("`a` != 1", "a <> 1"),
        ("a == 1 and b", "a = 1 AND b"),
        ("a in(1,2)", "a IN ( 1 , 2 )"),
        ("lower (a)", "LOWER(a)"),
        ("a - -1", "a - - 1"),
        ("-1", "- 1"),
        ("x'AB'", "X'ab'"),
        ("1E5", "1e5"),
        ("true", "TRUE"),
        ("t.a", "t . a"),
    ],
)
def test_the_same_in_other_words(left: str, right: str) -> None:
    assert canonical_expression(left) == canonical_expression(right)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("a = 'x'", "a = 'X'"),
        ("a = 'x'", "a = 'x '"),
        ('a = "X"', 'a = "x"'),
        ("a = 'x'", 'a = "x"'),
        ("(a) or (b)", "a or b and c"),
        ("(a or b) and c", "a or b and c"),
        ("a = 1", "a = 1.0"),
        ("'--x'", "'--y'"),
        ("'/*x*/'", "'/*y*/'"),
        ('"order" > 1', "'order' > 1"),
        ("a || b", "a | b"),
        ("a -> b", "a ->> b"),
        ("a - 1", "a -1 -1"),
        ("'it''s'", "'its'"),
    ],
)
def test_what_means_something_else_stays_different(left: str, right: str) -> None:
    assert canonical_expression(left) != canonical_expression(right)


@pytest.mark.parametrize(
    ("left", "right", "affinity"),
    [
        ("'5'", "5", "INTEGER"),
        ("5", "'5'", "TEXT"),
        ("( 5 )", "5", "INTEGER"),
        ("+5", "5", "NUMERIC"),
        ("TRUE", "1", "NUMERIC"),
        ("current_timestamp", "(CURRENT_TIMESTAMP)", "NUMERIC"),
        ('"Abc"', "'Abc'", "TEXT"),
        ("abc", "'abc'", "TEXT"),
        ("((lower('A')))", "LOWER ( 'A' )", "TEXT"),
    ],
)
def test_defaults_that_mean_the_same(left: str, right: str, affinity: str) -> None:
    assert canonical_default(left, affinity) == canonical_default(right, affinity)


@pytest.mark.parametrize(
    ("left", "right", "affinity"),
    [
        ("'05'", "5", "INTEGER"),
        ("'5'", "5", "BLOB"),
        ("-0", "'0'", "TEXT"),
        ("'a'", "'A'", "TEXT"),
        ("1.0", "'1.0'", "TEXT"),
        ("''", "NULL", "TEXT"),
        ("'CURRENT_TIMESTAMP'", "CURRENT_TIMESTAMP", "TEXT"),
        ("12345678901234567890", "'12345678901234567890'", "INTEGER"),
    ],
)
def test_defaults_that_mean_something_else(left: str, right: str, affinity: str) -> None:
    assert canonical_default(left, affinity) != canonical_default(right, affinity)


def test_null_is_no_default() -> None:
    assert canonical_default("NULL", "TEXT") is None
    assert canonical_default("(null)", "INTEGER") is None


AFFINITIES = {"TEXT": "TEXT", "INTEGER": "INT", "REAL": "FLOAT", "NUMERIC": "DECIMAL", "BLOB": ""}
LITERALS = st.one_of(
    st.integers(-(10**20), 10**20).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.text(st.characters(min_codepoint=1, exclude_categories=["Cs"]), max_size=8).map(
        lambda text: "'" + text.replace("'", "''") + "'"
    ),
    st.binary(max_size=4).map(lambda data: f"x'{data.hex()}'"),
    st.sampled_from(["true", "FALSE", "abc", '"A b"', "(1+2)", "( 'x' || 'y' )", "+7", "-0", "- 3", "'-5'", "'007'"]),
)


def stored(default: str, declared: str) -> object:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(f"CREATE TABLE t (a, b {declared} DEFAULT {default})")
        connection.execute("INSERT INTO t (a) VALUES (1)")
        return connection.execute("SELECT typeof(b), b FROM t").fetchone()


@given(LITERALS, st.sampled_from(sorted(AFFINITIES)))
def test_a_canonical_default_stores_what_the_original_does(default: str, affinity: str) -> None:
    canonical = canonical_default(default, affinity)
    assert canonical is not None
    declared = AFFINITIES[affinity]
    assert stored(default, declared) == stored(default_clause(canonical), declared)
    assert canonical_default(canonical, affinity) == canonical


WORDS = """a B "C_d" [e] 1 2.5 'x' 'it''s' + - * || = != ( ) , AND or NOT lower IS NULL in CASE WHEN THEN END < > ~ ."""
PIECES = st.sampled_from([*WORDS.split(" "), "--c\n", "/*d*/", "\n"])


def value_of(expression: str) -> object:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute('CREATE TABLE t (a, B, "C_d", e)')
        connection.execute("INSERT INTO t VALUES (1, 'q', 3, 4)")
        try:
            return connection.execute(f"SELECT typeof(x), x FROM (SELECT ({expression}) AS x FROM t)").fetchone()
        except sqlite3.Error:
            return None


@given(st.lists(PIECES, min_size=1, max_size=12))
def test_a_canonical_expression_has_the_same_value(pieces: list[str]) -> None:
    expression = " ".join(pieces)
    value = value_of(expression)
    if value is not None:
        canonical = canonical_expression(expression)
        assert value_of(canonical) == value
        assert canonical_expression(canonical) == canonical


@given(st.text(st.sampled_from("ab1'\"`[]()-*/.,; \n\t:@$xX|<>=!é🙂_"), max_size=30))
def test_tokens_lie_in_the_text_one_after_the_other(text: str) -> None:
    end = 0
    for token in tokens(text):
        assert token.start >= end
        assert token.text == text[token.start : token.end]
        end = token.end
    assert end <= len(text)


def test_what_rows_can_be_given() -> None:
    for text in ("1", "-1", "'x'", "x'00'", "1.5", "NULL", "('x')", "TRUE"):
        assert is_constant_default(text), text
    for text in ("CURRENT_DATE", "(1 + 1)", "random()", "('a' || 'b')", "(SELECT 1)"):
        assert not is_constant_default(text), text
