"""Canonical texts: what means the same may become equal, what does not must not, and nothing changes twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework_m_migrations.adapters.sql.dialects.postgresql.expressions import (
    canonical_default,
    canonical_expression,
    is_volatile,
)
from framework_m_migrations.adapters.sql.dialects.postgresql.indexes import split_key
from framework_m_migrations.adapters.sql.dialects.postgresql.text import (
    cut,
    parse_type,
    quote,
    string_literal,
    string_value,
    unquote,
)

SAME = [
    ("(price > 0)", "price>0"),
    ("((a))", "A"),
    ("x > -1", "(x > '-1'::integer)"),
    ("lower((name)::text)", "LOWER ( name :: text )"),
    ('"name" IS NOT NULL', "name is not null"),
    ("a != b", "a <> b"),
    ("x=-1", "x = - 1"),
    ("E'a\\\\b'", "'a\\b'"),
    ("E'it\\'s'", "'it''s'"),
    ("x < '5000000000'::bigint", "x < 5000000000"),
]
DIFFERENT = [
    ("a - 1", "a, -1"),
    ('"Name" = 1', "name = 1"),
    ("x = 'A'", "x = 'a'"),
    ("(a + b) * c", "a + b * c"),
    ("(a).b = 1", "a.b = 1"),
    ("x = '5'::text", "x = 5"),
    ("x = '5'::smallint", "x = 5"),
    ("x = '5'::bigint", "x = 5"),
    ("-1::smallint", "'-1'::smallint"),
    ("x = ' a'", "x = 'a'"),
    ("x = $1$a$1$", "x = $2$a$2$"),
    ("f(a, b)", "f((a, b))"),
    ("a IN (1)", "a IN ((1), (2))"),
    ("x = 'now()'", "x = now()"),
    ("a AND b OR c", "a AND (b OR c)"),
    ("not (a or b)", "not a or b"),
    ('"current_user" = a', "current_user = a"),
    ("U&'\\0041'", "'\\0041'"),
    ("E'\\n'", "'\\n'"),
    ("x LIKE 'a--b'", "x LIKE 'a'"),
    ("B'1'", "'1'"),
    ("x'1F'", "b'11111'"),
    ("x @> y", "x @ > y"),
    ("x = 1.0", "x = 1"),
    ("x -> 'a'", "x ->> 'a'"),
]


@pytest.mark.parametrize(("first", "second"), SAME)
def test_the_same(first: str, second: str) -> None:
    assert canonical_expression(first) == canonical_expression(second)


@pytest.mark.parametrize(("first", "second"), DIFFERENT)
def test_not_the_same(first: str, second: str) -> None:
    assert canonical_expression(first) != canonical_expression(second)


@pytest.mark.parametrize("text", [text for pair in SAME + DIFFERENT for text in pair])
def test_canonical_text_stays(text: str) -> None:
    once = canonical_expression(text)
    assert canonical_expression(once) == once


@given(st.text(max_size=40))
def test_any_text_has_a_canonical_form(text: str) -> None:
    once = canonical_expression(text)
    assert canonical_expression(once) == once
    canonical_default(text, "text", frozenset({"text"}))
    is_volatile(text)


@given(st.text(max_size=20).filter(lambda text: "\0" not in text))
def test_strings_keep_every_character(value: str) -> None:
    literal = string_literal(value)
    assert string_value(literal) == value
    assert canonical_expression(f"x = {literal}") == f"x = {literal}"
    assert canonical_default(literal, "text", frozenset({"text"})) == literal


@given(st.text(min_size=1, max_size=90).filter(lambda text: "\0" not in text))
def test_names_survive_quoting_and_are_cut_on_a_character(name: str) -> None:
    assert unquote(quote(name)) == name
    stored = cut(name)
    assert name.startswith(stored)
    assert len(stored.encode()) <= 63
    assert len(name.encode()) <= 63 or len(stored.encode()) > 59


@pytest.mark.parametrize(
    ("sql", "volatile"),
    [
        ("'x'", False),
        ("now()", False),
        ("CURRENT_TIMESTAMP", False),
        ("CURRENT_TIMESTAMP(3)", False),
        ("'abc'::character varying(3)", False),
        ("1.5::numeric(10,2)", False),
        ("lower('A')", False),
        ("pg_catalog.lower('A')", False),
        ("mine.lower('A')", True),
        ("(now() AT TIME ZONE 'utc')", False),
        ("gen_random_uuid()", True),
        ("uuid_generate_v4()", True),
        ("nextval('s'::regclass)", True),
        ("random()", True),
        ("clock_timestamp()", True),
        ("my_function()", True),
        ("(SELECT 1)", True),
        ("$$x$$", True),
        ("ARRAY[1, 2]", False),
        ("1 + 2 * 3", False),
    ],
)
def test_volatility(sql: str, volatile: bool) -> None:
    assert is_volatile(sql) is volatile


@pytest.mark.parametrize(
    ("text", "spelling"),
    [
        ("VARCHAR(140)", "character varying(140)"),
        ("varchar", "character varying"),
        ("CHAR", "character(1)"),
        ("NUMERIC(21, 9)", "numeric(21,9)"),
        ("DECIMAL(5)", "numeric(5,0)"),
        ("FLOAT(24)", "real"),
        ("FLOAT(25)", "double precision"),
        ("float8", "double precision"),
        ("TIMESTAMP(3) WITH TIME ZONE", "timestamp(3) with time zone"),
        ("timestamptz(3)", "timestamp(3) with time zone"),
        ("INTERVAL DAY TO SECOND (3)", "interval day to second(3)"),
        ("INTEGER[][]", "integer[]"),
        ("integer ARRAY[3]", "integer[]"),
        ("BIT", "bit(1)"),
        ('VARCHAR(10) COLLATE "de_DE"', 'character varying(10) COLLATE "de_DE"'),
        ('text COLLATE pg_catalog."default"', "text"),
        ('VARCHAR(5)[] COLLATE "C"', 'character varying(5)[] COLLATE "C"'),
        ('"Mood"', '"Mood"'),
        ('"mood"', "mood"),
        ("tenant.mood[]", "tenant.mood[]"),
        ('"My Tenant"."user"', '"My Tenant"."user"'),
        ("geometry(POINT,4326)", "geometry(point,4326)"),
        ("vector(3)", "vector(3)"),
        ('"char"', '"char"'),
    ],
)
def test_type_names(text: str, spelling: str) -> None:
    assert parse_type(text).spelling == spelling
    assert parse_type(spelling).spelling == spelling


@pytest.mark.parametrize(
    ("rendered", "body", "modifiers"),
    [
        ("name", "name", ""),
        ("name ASC NULLS LAST", "name", ""),
        ("name DESC NULLS FIRST", "name", "DESC"),
        ("name desc nulls last", "name", "DESC NULLS LAST"),
        ("name NULLS FIRST", "name", "NULLS FIRST"),
        ('"Na me" COLLATE "C" text_pattern_ops DESC', '"Na me"', 'COLLATE "C" text_pattern_ops DESC'),
        ("lower(name) varchar_pattern_ops", "lower(name)", "varchar_pattern_ops"),
        ("x gist_trgm_ops (siglen='64')", "x", "gist_trgm_ops(siglen='64')"),
        ("x::character varying", "x::character varying", ""),
        ("x::timestamp with time zone", "x::timestamp with time zone", ""),
        ("(a IS NULL)", "(a IS NULL)", ""),
        ("a IS NULL", "a IS NULL", ""),
        ("a || b", "a || b", ""),
        ("data ->> 'desc'", "data ->> 'desc'", ""),
    ],
)
def test_index_keys(rendered: str, body: str, modifiers: str) -> None:
    assert split_key(rendered) == (body, modifiers)
