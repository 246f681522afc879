"""What op.alter_column does to values: each pair of types converts every row on purpose, or refuses and counts them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy.dialects import postgresql as pg

from framework_m_migrations.adapters.sql.dialects.postgresql import PostgresqlDialect
from framework_m_migrations.adapters.sql.revisions.operations import writing
from framework_m_migrations.domain.errors import MigrationError, RevisionError, ValuesWouldBeLost
from tests._postgres import PostgresDatabase
from tests.postgres.support import connected, ddl
from tests.support.profile import others

pytestmark = pytest.mark.postgres

MOOD = pg.ENUM("sad", "ok", "1", name="mood", create_type=False)
OTHER = pg.ENUM("ok", "1", "new", name="other_mood", create_type=False)
TYPES: dict[str, tuple[sa.types.TypeEngine[Any], list[str]]] = {
    "smallint": (sa.SmallInteger(), ["0", "1", "-32768", "32767"]),
    "integer": (sa.Integer(), ["0", "1", "2147483647", "16777217", "-5"]),
    "bigint": (sa.BigInteger(), ["0", "1", "9223372036854775807", "9007199254740993", "4611686018427387904"]),
    "numeric": (sa.Numeric(), ["0", "1", "1.5", "1e30", "'NaN'", "0.1234567890123456789", "99999999999"]),
    "numeric(6,2)": (sa.Numeric(6, 2), ["0", "1", "1.25", "9999.99", "'NaN'"]),
    "real": (sa.REAL(), ["0", "1", "0.1", "1.5", "'NaN'", "'Infinity'", "1e30"]),
    "double precision": (sa.Double(), ["0", "1", "0.1", "0.5", "1e300", "'NaN'", "'-Infinity'", "2147483647.6"]),
    "text": (
        sa.Text(),
        [f"'{text}'" for text in ("1", "true", "2024-02-29", "2024-02-29 10:00", "2024-02-29 10:00+05", "{1,2}", "sad")]
        + [f"'{text}'" for text in (" a ", "1.005", "10:30", "6b3fa1d1-8a5d-4b39-8a8e-0d0d9a3c0a11", "99999", "no")],
    ),
    "varchar(5)": (sa.String(5), ["'1'", "'12345'", "'ok'", "'a b  '", "'true'", "'10:30'"]),
    "char(4)": (sa.CHAR(4), ["'1'", "'ok'", "'1234'"]),
    "boolean": (sa.Boolean(), ["true", "false"]),
    "date": (sa.Date(), ["'2024-02-29'", "'infinity'", "'0044-03-15 BC'"]),
    "time": (sa.Time(), ["'10:30'", "'23:59:59.123456'"]),
    "time(2)": (pg.TIME(precision=2), ["'10:30'", "'23:59:59.12'"]),
    "timetz": (pg.TIME(timezone=True), ["'10:30+00'", "'10:30+05'"]),
    "timestamp": (sa.DateTime(), ["'2024-02-29'", "'2024-02-29 10:00:00.123456'", "'infinity'"]),
    "timestamp(0)": (pg.TIMESTAMP(precision=0), ["'2024-02-29'", "'2024-02-29 10:00:01'"]),
    "timestamptz": (sa.DateTime(timezone=True), ["'2024-02-29 00:00Z'", "'2024-02-29 10:00+05'", "'-infinity'"]),
    "interval": (pg.INTERVAL(), ["'1 hour'", "'2 days'", "'1 month 3 days 04:05:06.7'"]),
    "uuid": (sa.Uuid(), ["'6b3fa1d1-8a5d-4b39-8a8e-0d0d9a3c0a11'"]),
    "json": (pg.JSON(), ["'{\"a\": [1, 2.50]}'", "'1'", "'null'"]),
    "jsonb": (pg.JSONB(), ["'{\"a\": [1, 2.50]}'", "'1'"]),
    "bytea": (sa.LargeBinary(), ["'\\x00ff'", "'\\x6b3fa1d18a5d4b398a8e0d0d9a3c0a11'"]),
    "mood": (MOOD, ["'sad'", "'ok'", "'1'"]),
    "other_mood": (OTHER, ["'ok'", "'1'", "'new'"]),
    "integer[]": (pg.ARRAY(sa.Integer()), ["'{1,2}'", "'{}'", "'{100000,NULL}'"]),
    "smallint[]": (pg.ARRAY(sa.SmallInteger()), ["'{1,2}'", "'{}'"]),
    "text[]": (pg.ARRAY(sa.Text()), ["'{1,2}'", "'{a,NULL}'"]),
    "timestamptz[]": (pg.ARRAY(sa.DateTime(timezone=True)), ["'{2024-02-29 10:00+05}'"]),
    "inet": (pg.INET(), ["'10.0.0.1/8'", "'10.0.0.0/8'"]),
    "cidr": (pg.CIDR(), ["'10.0.0.0/8'"]),
}

ZONE_SETTING = "SET TIME ZONE 'America/New_York'"


@contextmanager
def operations(connection: sa.Connection) -> Iterator[Operations]:
    """What ``op`` is while a revision runs."""
    with writing(MigrationContext.configure(connection), PostgresqlDialect()) as found:
        yield found


def scope(connection: sa.Connection) -> AbstractContextManager[Any]:
    """A transaction, or a savepoint within one."""
    return connection.begin_nested() if connection.in_transaction() else connection.begin()


def altered(connection: sa.Connection, name: str, **changes: Any) -> ValuesWouldBeLost | None:
    """Change column ``c`` in a transaction; the refusal, with nothing changed, or None with all of it done."""
    try:
        with scope(connection), operations(connection) as op:
            op.alter_column(name, "c", **changes)
    except ValuesWouldBeLost as error:
        return error
    return None


def texts(connection: sa.Connection, expression: str = "c") -> list[Any]:
    with scope(connection):
        rows = connection.exec_driver_sql(f"SELECT {expression} FROM t ORDER BY id")
        return [row[0] for row in rows]


def kind(connection: sa.Connection) -> str:
    sql = "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'c'"
    with connection.begin():
        return str(connection.exec_driver_sql(sql).scalar_one())


@pytest.fixture
def connection(postgres_database: PostgresDatabase) -> Iterator[sa.Connection]:
    with connected(postgres_database) as found:
        ddl(
            found,
            "CREATE TYPE mood AS ENUM ('sad', 'ok', '1')",
            "CREATE TYPE other_mood AS ENUM ('ok', '1', 'new')",
            ZONE_SETTING,
        )
        yield found


def table(connection: sa.Connection, old: str, values: list[str]) -> None:
    """Rows with these values and one with NULL, and the same once more in ``o``."""
    rows = ", ".join(f"({number}, {value}, {value})" for number, value in enumerate([*values, "NULL"]))
    with scope(connection):
        connection.exec_driver_sql("DROP TABLE IF EXISTS t")
        connection.exec_driver_sql(f"CREATE TABLE t (id int PRIMARY KEY, c {old}, o {old})")
        connection.exec_driver_sql(f"INSERT INTO t VALUES {rows}")


SPELLED = {"text", "varchar(5)", "char(4)", "text[]"}
"""A text has many spellings of one value; what it spells is what is kept."""


@pytest.mark.parametrize("old", TYPES)
def test_every_pair_keeps_each_value_or_counts_those_it_would_lose(connection: sa.Connection, old: str) -> None:
    """With all values at once and with each alone: the count is that of the values that are refused alone."""
    wrong: list[tuple[object, ...]] = []
    values = TYPES[old][1]
    with connection.begin() as outer:
        for new in others(old, TYPES):
            refused = 0
            for value in values:
                table(connection, old, [value])
                error = altered(connection, "t", type_=TYPES[new][0])
                if error is not None:
                    refused += 1
                    if _kept(connection, old) != [True, True] or error.details["rows"] != 1:
                        wrong.append((old, new, value, "changed though refused", error.details))
                elif (
                    old not in SPELLED
                    and altered(connection, "t", type_=TYPES[old][0]) is None
                    and _kept(connection, old) != [True, True]
                ):
                    wrong.append((old, new, value, texts(connection, "c::text")[0]))
            table(connection, old, values)
            error = altered(connection, "t", type_=TYPES[new][0])
            counted = 0 if error is None else error.details["rows"]
            if counted != refused:
                wrong.append((old, new, "counted", counted, "refused alone", refused))
        outer.rollback()
    assert not wrong


def _kept(connection: sa.Connection, old: str) -> list[Any]:
    through = "::jsonb" if old == "json" else ""
    return texts(connection, f"c{through} IS NOT DISTINCT FROM o{through}")


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo"])
def test_a_time_zone_is_added_and_taken_away_in_utc(connection: sa.Connection, zone: str) -> None:
    table(connection, "timestamp", ["'2024-07-01 12:00'"])
    ddl(connection, f"SET TIME ZONE '{zone}'")
    assert altered(connection, "t", type_=sa.DateTime(timezone=True)) is None
    assert texts(connection, "extract(epoch FROM c)::bigint")[0] == 1719835200
    assert altered(connection, "t", type_=sa.DateTime()) is None
    assert texts(connection, "c::text")[0] == "2024-07-01 12:00:00"
    assert altered(connection, "t", type_=sa.Text()) is None
    assert altered(connection, "t", type_=sa.DateTime(timezone=True)) is None
    assert texts(connection, "extract(epoch FROM c)::bigint")[0] == 1719835200


def test_a_refusal_names_the_column_counts_the_rows_and_says_what_to_write(connection: sa.Connection) -> None:
    table(connection, "numeric", ["1.5", "2", "1e20"])
    error = altered(connection, "t", type_=sa.Integer())
    assert error is not None
    assert error.code == "M510"
    assert error.details == {"table": "t", "column": "c", "rows": 2}
    assert "t.c from numeric to integer" in error.what
    assert "2 rows" in error.what
    assert "postgresql_using" in error.next_step
    assert kind(connection) == "numeric"


def test_a_conversion_that_its_author_wrote_keeps_its_meaning(connection: sa.Connection) -> None:
    table(connection, "numeric", ["1.5", "2.4"])
    assert altered(connection, "t", type_=sa.Integer(), postgresql_using="trunc(c)::integer") is None
    assert texts(connection)[:2] == [1, 2]
    table(connection, "text", ["'1.005'"])
    assert altered(connection, "t", type_=sa.Numeric(6, 2), postgresql_using="c::numeric(6,2)") is None
    assert texts(connection, "c::text")[0] == "1.01"


def test_a_conversion_as_we_would_write_it_is_counted_too(connection: sa.Connection) -> None:
    table(connection, "text", ["'1'", "'x'", "'y'"])
    error = altered(connection, "t", type_=sa.Integer(), postgresql_using="c::INTEGER")
    assert error is not None
    assert error.details["rows"] == 2


def test_a_column_without_values_gets_any_type(connection: sa.Connection) -> None:
    table(connection, "integer", [])
    assert altered(connection, "t", type_=sa.Date()) is None
    assert kind(connection) == "date"


@pytest.mark.parametrize(
    ("old", "default", "new", "expected"),
    [
        ("text", "'5'", sa.Integer(), 5),
        ("text", "'true'", sa.Boolean(), True),
        ("boolean", "true", sa.Integer(), 1),
        ("varchar(5)", "'ok'", MOOD, "ok"),
        ("integer", "7", sa.BigInteger(), 7),
    ],
)
def test_the_default_follows_the_type(
    connection: sa.Connection, old: str, default: str, new: sa.types.TypeEngine[Any], expected: object
) -> None:
    ddl(connection, "DROP TABLE IF EXISTS t", f"CREATE TABLE t (id int PRIMARY KEY, c {old} DEFAULT {default})")
    assert altered(connection, "t", type_=new) is None
    ddl(connection, "INSERT INTO t (id) VALUES (1)")
    assert texts(connection) == [expected]


def test_a_default_that_cannot_follow_is_refused_before_anything(connection: sa.Connection) -> None:
    ddl(connection, "CREATE TABLE t (id int PRIMARY KEY, c integer DEFAULT 5)")
    with pytest.raises(RevisionError, match=r"The default 5 of t\.c has no counterpart in date") as caught:
        altered(connection, "t", type_=sa.Date())
    assert "server_default" in caught.value.next_step
    assert kind(connection) == "integer"
    assert altered(connection, "t", type_=sa.Date(), server_default=sa.text("'2024-01-01'")) is None
    ddl(connection, "INSERT INTO t (id) VALUES (1)")
    assert texts(connection, "c::text") == ["2024-01-01"]


def test_a_type_and_its_default_change_together_and_back(connection: sa.Connection) -> None:
    ddl(connection, "CREATE TABLE t (id int PRIMARY KEY, c text DEFAULT 'no idea')", "INSERT INTO t VALUES (1, 'true')")
    for _ in range(2):
        assert altered(connection, "t", type_=sa.Boolean(), server_default=sa.text("false")) is None
        ddl(connection, "INSERT INTO t (id) VALUES (2)")
        assert texts(connection) == [True, False]
        ddl(connection, "DELETE FROM t WHERE id = 2")
        assert altered(connection, "t", type_=sa.Text(), server_default="no idea") is None
        assert texts(connection) == ["true"]


def test_rows_of_other_sessions_cannot_slip_in_between_count_and_change(
    connection: sa.Connection, postgres_database: PostgresDatabase
) -> None:
    table(connection, "numeric", ["1"])
    with connection.begin(), operations(connection) as op, connected(postgres_database) as other:
        op.alter_column("t", "c", type_=sa.Integer())
        other.exec_driver_sql("SET lock_timeout = '50ms'")
        with pytest.raises(sa.exc.DBAPIError, match="lock timeout"):
            other.exec_driver_sql("INSERT INTO t VALUES (9, 1.5)")


def test_an_unknown_column_is_the_servers_to_refuse(connection: sa.Connection) -> None:
    ddl(connection, "CREATE TABLE t (id int)")
    with pytest.raises((sa.exc.DBAPIError, MigrationError), match="does not exist"):
        altered(connection, "t", type_=sa.Text())
