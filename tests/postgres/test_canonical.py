"""Canonical text means to the server what the text itself means; random expressions, both ways."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from framework_m_migrations.adapters.sql.dialects.postgresql.expressions import canonical_expression
from framework_m_migrations.adapters.sql.dialects.postgresql.spelling import PostgresqlSpelling, canonical_default
from framework_m_migrations.adapters.sql.dialects.postgresql.text import parse_type
from framework_m_migrations.domain.schema import ColumnType
from tests._postgres import PostgresDatabase
from tests.postgres.support import connected, ddl
from tests.support.profile import cases

SPACE = st.sampled_from(["", " ", "  ", "\n"])
STRINGS = st.text(alphabet="ab'\\ :%?-(é", max_size=5).map(lambda text: "'" + text.replace("'", "''") + "'")
ESCAPED = st.sampled_from([r"E'a\\b'", r"E'it\'s'", "E'x'", "e'tab\\t'"])
NUMBERS = st.sampled_from(
    ["0", "1", "-1", "- 7", "+3", "2147483648", "'-1'::integer", "(-5)", "-2::bigint", "(-2)::bigint"]
)
INTEGERS: st.SearchStrategy[str] = st.deferred(
    lambda: st.one_of(
        st.sampled_from(["a", "A", '"b"', '"Mixed Case"', "(a)", "((b))", "(c).x"]),
        NUMBERS,
        st.builds("{}{}{}{}{}".format, INTEGERS, SPACE, st.sampled_from(["+", " - ", "*", "%"]), SPACE, INTEGERS),
        st.builds("({})".format, INTEGERS),
        st.builds("abs({})".format, INTEGERS),
        st.builds("- ({})".format, INTEGERS),
        st.builds("length{}({})".format, SPACE, TEXTS),
        st.builds("coalesce({}, {})".format, INTEGERS, INTEGERS),
        st.builds("CASE WHEN {} THEN {} ELSE -1 END".format, CONDITIONS, INTEGERS),
        st.builds("arr[{}]".format, st.sampled_from(["1", "a", "-1"])),
    )
)
TEXTS: st.SearchStrategy[str] = st.deferred(
    lambda: st.one_of(
        st.sampled_from(["s", "S", "t", "(s)", "s::text", "(t)::character varying(3)", "CURRENT_USER::text"]),
        STRINGS,
        ESCAPED,
        st.builds("({} || {})".format, TEXTS, TEXTS),
        st.builds("lower({})".format, TEXTS),
        st.builds("Lower ( {} )".format, TEXTS),
        st.builds('({} COLLATE "C")'.format, TEXTS),
    )
)
CONDITIONS: st.SearchStrategy[str] = st.deferred(
    lambda: st.one_of(
        st.sampled_from(["f", "(f)", "TRUE", "s IS NULL", "(t is not null)"]),
        st.builds(
            "{}{}{}{}{}".format, INTEGERS, SPACE, st.sampled_from(["=", "<", ">=", "<>", "!=", "=-"]), SPACE, INTEGERS
        ),
        st.builds("{} {} {}".format, TEXTS, st.sampled_from(["=", "<>", "LIKE", "not like", "~"]), TEXTS),
        st.builds("{} and {}".format, CONDITIONS, CONDITIONS),
        st.builds("({} OR {})".format, CONDITIONS, CONDITIONS),
        st.builds("not ({})".format, CONDITIONS),
        st.builds("NOT {}".format, CONDITIONS),
        st.builds("{} IN ({}, {})".format, INTEGERS, INTEGERS, INTEGERS),
        st.builds("s in ({}, {})".format, STRINGS, STRINGS),
        st.builds("{} between {} AND {}".format, INTEGERS, NUMBERS, INTEGERS),
    )
)


@pytest.fixture(scope="module")
def connection(postgres_server: object) -> Iterator[sa.Connection]:
    database: PostgresDatabase = postgres_server.create_database()  # type: ignore[attr-defined]
    with connected(database) as opened:
        ddl(
            opened,
            "CREATE TYPE pair AS (x int, y int)",
            'CREATE TABLE t (a int, b int, "Mixed Case" int, s varchar(20), t text, f boolean, c pair, arr int[])',
        )
        yield opened
    postgres_server.drop_database(database.name)  # type: ignore[attr-defined]


def printed(connection: sa.Connection, expression: str) -> str | None:
    """The server's own print of a condition, None where it refuses it."""
    scope = connection.begin()
    try:
        sql = f"ALTER TABLE t ADD CONSTRAINT ck CHECK ({expression})"
        connection.exec_driver_sql(sql, execution_options={"no_parameters": True})
        shown = "SELECT pg_get_expr(conbin, conrelid) FROM pg_constraint WHERE conname = 'ck'"
        return str(connection.exec_driver_sql(shown).scalar_one())
    except sa.exc.DBAPIError:
        return None
    finally:
        scope.rollback()


ROWS = r"""(VALUES (1, 2, 3, 'a', 'b', true, ROW(1, 2)::pair, ARRAY[1, 2]), (0, 1, 1, 'ab', NULL, NULL, NULL, NULL),
  (-1, 0, -7, '', 'ab''', false, ROW(0, 0)::pair, '{}'), (2, 2, 2, '\', 'B', false, ROW(2, 2)::pair, ARRAY[0]),
  (NULL, -5, 0, 'é%', 'x''y', true, ROW(-1, 1)::pair, ARRAY[5])) AS v (a, b, "Mixed Case", s, t, f, c, arr)"""


def truth(connection: sa.Connection, expression: str) -> list[object] | None:
    """What a condition says of some rows, None where the server cannot tell (a division by zero)."""
    scope = connection.begin()
    try:
        typed = f'SELECT a, b, "Mixed Case", s::varchar(20), t::text, f, c, arr FROM {ROWS}'
        sql = f"SELECT ({expression}) FROM ({typed}) AS t"
        return list(connection.exec_driver_sql(sql, execution_options={"no_parameters": True}).scalars())
    except sa.exc.DBAPIError:
        return None
    finally:
        scope.rollback()


@settings(
    max_examples=cases(300, 10000), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(CONDITIONS)
def test_the_canonical_form_of_a_condition_means_the_same(connection: sa.Connection, expression: str) -> None:
    original = printed(connection, expression)
    if original is None:
        return
    for text in (expression, original):
        canonical = canonical_expression(text)
        assert canonical_expression(canonical) == canonical
        assert printed(connection, canonical) is not None
        assert truth(connection, canonical) == truth(connection, expression)


TYPES = ["integer", "smallint", "bigint", "numeric", "numeric(9,2)", "real", "text", "varchar(9)", "char(4)", "boolean",
         "date", "json", "jsonb", "bit(3)", "varbit", "text[]", "varchar(3)[]"]  # fmt: skip
VALUES = st.one_of(
    st.sampled_from(["0", "1", "-1", "(-1)", "1.5", "1.50", "'1'", "'01'", "' 1'", "'1.5'", "'-0'", "'t'", "'yes'"]),
    st.sampled_from(["true", "false", "NULL", "NULL::text", "''", "'NULL'", "'{}'", "'[]'", "'2020-1-2'", "B'101'"]),
    st.sampled_from(["'ab'::varchar(1)", "'ab'::char", "'ab'::text", "'ab'::bpchar", "1::smallint", "'1'::integer"]),
    st.sampled_from(
        ["'abc'::varchar(2)::text", "('ab')", "(('ab'::text))", "'1'::bit(3)", "'{a,b}'::text[]", "1::bigint"]
    ),
    STRINGS,
    ESCAPED,
)


def stored(connection: sa.Connection, type_: str, default: str) -> tuple[str | None, str] | None:
    """What the server prints of a default, and the value it gives; None where it refuses it."""
    scope = connection.begin()
    try:
        sql = f"CREATE TEMPORARY TABLE d (v {type_} DEFAULT {default})"
        connection.exec_driver_sql(sql, execution_options={"no_parameters": True})
        shown = "SELECT pg_get_expr(adbin, 0) FROM pg_attrdef WHERE adrelid = 'pg_temp.d'::regclass"
        text = connection.exec_driver_sql(shown).scalar()
        value = connection.exec_driver_sql("INSERT INTO d DEFAULT VALUES RETURNING v::text").scalar()
        return (None if text is None else str(text)), str(value)
    except sa.exc.DBAPIError:
        return None
    finally:
        scope.rollback()


@settings(
    max_examples=cases(100, 3000), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.sampled_from(TYPES), VALUES, VALUES)
def test_equal_defaults_give_equal_values(connection: sa.Connection, type_: str, first: str, second: str) -> None:
    parsed = parse_type(type_)
    column = ColumnType(parsed.spelling, parsed.base, parsed.length, parsed.precision, parsed.scale, parsed.collation)
    spelling = PostgresqlSpelling(connection.dialect)
    answers = [stored(connection, type_, default) for default in (first, second)]
    if None in answers:
        return
    [one, other] = [answer for answer in answers if answer is not None]
    if spelling.default(first, column) == spelling.default(second, column):
        assert one[1] == other[1]
    for written, (shown, value) in ((first, one), (second, other)):
        canonical = spelling.default(written, column)
        again = stored(connection, type_, "NULL" if canonical is None else canonical)
        assert again is not None
        assert again[1] == value
        if shown is not None and canonical_default(shown, column) == canonical:
            assert value == again[1]


def test_the_rows_tell_conditions_apart(connection: sa.Connection) -> None:
    assert truth(connection, "a = 1") == [True, False, False, False, None]
    assert truth(connection, "a / 0 = 1") is None
