"""The class of each change of type against what the server does to files and values."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.postgresql.text import parse_type
from framework_m_migrations.adapters.sql.dialects.postgresql.types import type_change
from framework_m_migrations.domain.risk.facts import TypeChange
from framework_m_migrations.domain.schema import Column, ColumnType, TableName
from tests._postgres import PostgresDatabase
from tests.postgres.support import connected, ddl, inspector

# One value at the edge of each type: what every class but the last two must keep.
EDGES = {
    "smallint": "-32768",
    "integer": "2147483647",
    "bigint": "-9223372036854775808",
    "real": "16777215",
    "double precision": "9007199254740991",
    "numeric": "123456789012.123456789",
    "numeric(5,2)": "999.99",
    "numeric(7,2)": "99999.99",
    "numeric(7,4)": "999.9999",
    "numeric(10)": "9999999999",
    "text": "'größe '",
    "character varying": "'größe '",
    "character varying(5)": "'größe'",
    "character varying(9)": "'größe123 '",
    "character(3)": "'ab'",
    "character(5)": "'abcde'",
    'text COLLATE "C"': "'größe'",
    "boolean": "true",
    "date": "'2020-02-29'",
    "timestamp without time zone": "'2020-02-29 12:34:56.123456'",
    "timestamp(3) without time zone": "'2020-02-29 12:34:56.123'",
    "timestamp(6) without time zone": "'2020-02-29 12:34:56.123456'",
    "timestamp with time zone": "'2020-02-29 12:34:56.123456+05'",
    "time without time zone": "'12:34:56.123456'",
    "time(2) without time zone": "'12:34:56.12'",
    "time with time zone": "'12:34:56.123456+02'",
    "interval": "'1 year 2 days 03:04:05.123456'",
    "interval(2)": "'1 year 2 days 03:04:05.12'",
    "uuid": "'12345678-1234-5678-1234-567812345678'",
    "json": "'{\"b\": 1}'",
    "jsonb": "'{\"b\": 1}'",
    "bytea": "'\\x00ff'",
    "bit(3)": "B'101'",
    "bit(5)": "B'10101'",
    "bit varying": "B'1010101'",
    "bit varying(3)": "B'101'",
    "bit varying(5)": "B'10101'",
    "inet": "'10.0.0.1/8'",
    "cidr": "'10.0.0.0/8'",
    "macaddr": "'08:00:2b:01:02:03'",
    "macaddr8": "'08:00:2b:01:02:03:04:05'",
    "money": "12.5",
    "integer[]": "'{1,2}'",
    "bigint[]": "'{9223372036854775807}'",
    "text[]": "'{größe}'",
    "character varying(5)[]": "'{größe}'",
    "character varying(9)[]": "'{größe1234}'",
}


def typed(text: str) -> ColumnType:
    parsed = parse_type(text)
    return ColumnType(
        parsed.spelling, parsed.base, parsed.length, parsed.precision, parsed.scale, parsed.collation
    )  # fmt: skip


def observed(connection: sa.Connection, before: str, after: str, value: str) -> tuple[bool, bool, bool]:
    """Whether the server accepts the change without USING, keeps every file, and keeps the value."""
    scope = connection.begin()
    connection.exec_driver_sql("SET LOCAL timezone = 'UTC'")
    connection.exec_driver_sql(f"CREATE TABLE t (c {before})")
    try:
        connection.exec_driver_sql(f"INSERT INTO t VALUES ({value})")
        if before != "json":
            connection.exec_driver_sql("CREATE INDEX ix ON t (c)")
        files = "SELECT relfilenode FROM pg_class WHERE relname IN ('t', 'ix') ORDER BY relname"
        was = connection.exec_driver_sql(files).all()
        old = connection.exec_driver_sql("SELECT c::text FROM t").scalar()
        try:
            connection.exec_driver_sql(f"ALTER TABLE t ALTER COLUMN c TYPE {after}")
        except sa.exc.DBAPIError:
            return False, False, False
        same_files = connection.exec_driver_sql(files).all() == was
        # Kept when the value can be had back.
        back = connection.exec_driver_sql(f"SELECT (c::{before.partition(' COLLATE')[0]})::text FROM t").scalar()
        return True, same_files, back == old
    finally:
        scope.rollback()


@pytest.fixture(scope="module")
def chart() -> list[tuple[str, str]]:
    return [(before, after) for before in EDGES for after in EDGES]


def test_rules_hold_against_the_server(postgres_database: PostgresDatabase, chart: list[tuple[str, str]]) -> None:
    wrong: list[str] = []
    seen: dict[TypeChange, int] = {}
    with connected(postgres_database) as connection:
        ddl(connection, "SET lc_monetary = 'C'")
        for before, after in chart:
            kind = type_change(typed(before), typed(after))
            assert kind is not None, f"{before} to {after} is not covered by a rule"
            seen[kind] = seen.get(kind, 0) + 1
            if kind in {TypeChange.INCOMPATIBLE, TypeChange.NARROWING}:
                continue
            accepted, same_files, kept = observed(connection, before, after, EDGES[before])
            if not accepted or not kept:
                wrong.append(f"{before} to {after} is classed {kind}, but loses or refuses values")
            elif not same_files and kind is not TypeChange.REWRITE:
                wrong.append(f"{before} to {after} is classed {kind}, but rewrites the table or the index")
    assert wrong == []
    assert set(seen) == set(TypeChange)


def test_what_the_rules_call_slow_or_narrow_is_not_more_often_so_than_known(
    postgres_database: PostgresDatabase, chart: list[tuple[str, str]]
) -> None:
    """Careful is right, needlessly careful is a change that somebody must review for nothing."""
    needless = set()
    with connected(postgres_database) as connection:
        for before, after in chart:
            if type_change(typed(before), typed(after)) is TypeChange.REWRITE:
                accepted, same_files, _ = observed(connection, before, after, EDGES[before])
                if accepted and same_files:
                    needless.add((before, after))
    assert needless == set()


EXPECTED = [
    ("character varying(5)", "character varying(9)", TypeChange.WIDENING),
    ("character varying(5)", "text", TypeChange.WIDENING),
    ("text", "character varying", TypeChange.WIDENING),
    ("text", "character varying(9)", TypeChange.NARROWING),
    ("character varying(9)", "character varying(5)", TypeChange.NARROWING),
    ("numeric(5,2)", "numeric(7,2)", TypeChange.WIDENING),
    ("numeric(5,2)", "numeric", TypeChange.WIDENING),
    ("numeric(5,2)", "numeric(7,4)", TypeChange.REWRITE),
    ("numeric(7,2)", "numeric(7,4)", TypeChange.NARROWING),
    ("integer", "bigint", TypeChange.REWRITE),
    ("bigint", "integer", TypeChange.NARROWING),
    ("real", "double precision", TypeChange.REWRITE),
    ("integer", "double precision", TypeChange.REWRITE),
    ("bigint", "double precision", TypeChange.NARROWING),
    ("integer", "numeric(10)", TypeChange.REWRITE),
    ("date", "timestamp without time zone", TypeChange.REWRITE),
    ("json", "jsonb", TypeChange.REWRITE),
    ("timestamp(3) without time zone", "timestamp without time zone", TypeChange.WIDENING),
    ("timestamp without time zone", "timestamp(3) without time zone", TypeChange.NARROWING),
    ("cidr", "inet", TypeChange.WIDENING),
    ("bit varying(3)", "bit varying(5)", TypeChange.WIDENING),
    ("text", 'text COLLATE "C"', TypeChange.REWRITE),
    ("integer", "text", TypeChange.INCOMPATIBLE),
    ("text", "integer", TypeChange.INCOMPATIBLE),
    ("text", "boolean", TypeChange.INCOMPATIBLE),
    ("boolean", "integer", TypeChange.INCOMPATIBLE),
    ("integer", "boolean", TypeChange.INCOMPATIBLE),
    ("text", "uuid", TypeChange.INCOMPATIBLE),
    ("uuid", "text", TypeChange.INCOMPATIBLE),
    ("character varying(9)", "date", TypeChange.INCOMPATIBLE),
    ("text", "jsonb", TypeChange.INCOMPATIBLE),
    ("integer", "integer[]", TypeChange.INCOMPATIBLE),
]


@pytest.mark.parametrize(("before", "after", "expected"), EXPECTED)
def test_classes(before: str, after: str, expected: TypeChange) -> None:
    assert type_change(typed(before), typed(after)) is expected


def test_enumerations_are_not_texts() -> None:
    mood = ColumnType("mood", "mood", enum=TableName("mood"))
    assert type_change(mood, typed("text")) is TypeChange.INCOMPATIBLE
    assert type_change(typed("text"), mood) is TypeChange.INCOMPATIBLE
    assert type_change(mood, ColumnType("other", "other", enum=TableName("other"))) is TypeChange.INCOMPATIBLE


TRIALS = [
    ("character varying(5)[]", "character varying(9)[]", {TypeChange.REWRITE}),
    ("character varying(5)[]", "text[]", {TypeChange.REWRITE}),
    ("integer[]", "bigint[]", {TypeChange.REWRITE}),
    ("bigint[]", "integer[]", {TypeChange.NARROWING}),
    ("integer[]", "uuid[]", {TypeChange.INCOMPATIBLE}),
    ("citext[]", "text[]", {TypeChange.NARROWING}),
    ("citext", "text", {TypeChange.NARROWING}),
    ("text", "citext", {TypeChange.NARROWING}),
    ("plain_domain", "integer", {TypeChange.WIDENING}),
    ("integer", "plain_domain", {TypeChange.WIDENING}),
    ("integer", "strict_domain", {TypeChange.NARROWING}),
    ("integer", "no_such_type", {TypeChange.INCOMPATIBLE}),
    ("point", "circle", {TypeChange.INCOMPATIBLE, TypeChange.NARROWING}),
]


@pytest.mark.parametrize("driver_state", ["fresh", "in a transaction"])
def test_what_no_rule_knows_is_tried(postgres_database: PostgresDatabase, driver_state: str) -> None:
    with connected(postgres_database) as connection:
        ddl(
            connection,
            "CREATE EXTENSION citext",
            "CREATE DOMAIN plain_domain AS integer",
            "CREATE DOMAIN strict_domain AS integer CHECK (value > 0)",
            "CREATE TABLE t (c int)",
        )
        before = inspector(connection).catalog_token()
        connection.rollback()
        if driver_state != "fresh":
            connection.exec_driver_sql("INSERT INTO t VALUES (1)")
        for old, new, expected in TRIALS:
            kind = inspector(connection).type_change(TableName("t"), Column("c", typed(old)), Column("c", typed(new)))
            assert kind in expected, (old, new, kind)
        connection.commit()
        assert inspector(connection).catalog_token() == before
        count = 0 if driver_state == "fresh" else 1
        assert connection.exec_driver_sql("SELECT count(*) FROM t").scalar() == count
