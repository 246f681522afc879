"""A revision that changes a type keeps every value, or is refused with the count of rows before anything changes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal, InvalidOperation
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

from framework_m_migrations.adapters.sql.dialects.mariadb.dialect import MariadbDialect
from framework_m_migrations.adapters.sql.revisions.operations import writing
from framework_m_migrations.domain.errors import RevisionError
from framework_m_migrations.types import SqlType
from tests._mariadb import MariadbDatabase
from tests.support.profile import others

pytestmark = pytest.mark.mariadb

NUMBERS = ("0", "1", "5", "-3", "127", "300", "70000", "3000000000", "16777217")
VALUES: dict[str, tuple[str, ...]] = {
    "tinyint(1)": ("0", "1"),
    "tinyint(4)": ("-3", "127", "5"),
    "int(11)": ("0", "1", "-3", "300", "70000", "2147483647", "16777217", "20240102"),
    "int(10) unsigned": ("0", "4294967295", "7"),
    "bigint(20)": ("0", "-1", "9223372036854775807", "3000000000"),
    "bigint(20) unsigned": ("1", "18446744073709551615"),
    "decimal(10,2)": ("0.00", "1.50", "-2.25", "99999999.99", "300.00"),
    "decimal(4,1)": ("1.5", "999.9", "-3.0"),
    "float": ("0", "1.5", "0.1", "16777216", "1e30"),
    "double": ("0", "1.5", "0.1", "1e300", "123456789.123", "300"),
    "varchar(20)": (
        "''", "'a'", "'B'", "'5'", "'007'", "'1.5'", "'12x'", "'a  '", "'€uro'", "'2024-01-02'",
        "'2024-01-02 10:00:00'", "'10:00:00'", "'{}'", "'x,y'", "'123456789012345678'",
    ),
    "varchar(3) character set latin1": ("'a'", "'é'", "'xyz'", "'2'"),
    "char(5)": ("'a'", "'5'", "'12345'", "''"),
    "text": ("'a'", "'5'", "repeat('x', 300)", "'12:30:00'", "'😀'"),
    "enum('a','b','5')": ("'a'", "'b'", "'5'"),
    "enum('b','c')": ("'b'", "'c'"),
    "set('x','y','b')": ("''", "'x'", "'x,y'", "'b'"),
    "date": ("'2024-01-02'", "'0000-00-00'", "'9999-12-31'"),
    "datetime": ("'2024-01-02 10:11:12'", "'2024-01-02 00:00:00'", "'2039-01-01 00:00:00'"),
    "datetime(6)": ("'2024-01-02 10:11:12.123456'", "'2024-01-02 10:11:12'"),
    "timestamp": ("'2024-01-02 10:11:12'", "'2024-06-01 00:00:00'"),
    "time": ("'10:11:12'", "'100:00:00'", "'00:00:00'", "'-01:00:00'"),
    "time(3)": ("'10:11:12.5'", "'10:11:12'"),
    "year(4)": ("2024", "1999"),
    "blob": ("'a'", "x'ff00'", "'5'", "repeat('x', 300)"),
    "varbinary(4)": ("'a'", "x'ff00'", "'1234'"),
    "binary(4)": ("'a'", "'1234'"),
    "json": ("'{}'", "'5'", "'\"a\"'", "'[1, 2]'"),
    "uuid": ("'123e4567-e89b-12d3-a456-426655440000'",),
    "char(36)": ("'123e4567-e89b-12d3-a456-426655440000'", "'a'"),
    "bit(8)": ("b'101'", "b'0'", "b'110001'"),
}  # fmt: skip
EXACT: dict[tuple[str, str], int] = {
    ("int(11)", "tinyint(4)"): 5,
    ("int(11)", "int(10) unsigned"): 1,
    ("bigint(20) unsigned", "double"): 1,
    ("decimal(10,2)", "int(11)"): 3,
    ("decimal(10,2)", "decimal(4,1)"): 2,
    ("double", "float"): 3,
    ("varchar(20)", "char(5)"): 5,
    ("varchar(20)", "varchar(3) character set latin1"): 5,
    ("varchar(20)", "enum('a','b','5')"): 13,
    ("varchar(20)", "date"): 14,
    ("varchar(20)", "datetime(6)"): 13,
    ("varchar(20)", "json"): 11,
    ("enum('a','b','5')", "enum('b','c')"): 2,
    ("enum('a','b','5')", "int(11)"): 3,
    ("enum('b','c')", "int(11)"): 2,
    ("int(11)", "enum('a','b','5')"): 8,
    ("set('x','y','b')", "enum('b','c')"): 3,
    ("datetime", "date"): 1,
    ("datetime", "timestamp"): 1,
    ("datetime(6)", "datetime"): 1,
    ("time(3)", "time"): 1,
    ("time", "datetime"): 4,
    ("text", "varchar(20)"): 1,
    ("text", "varchar(3) character set latin1"): 3,
    ("blob", "text"): 1,
    ("char(36)", "uuid"): 1,
    ("json", "int(11)"): 3,
    ("date", "datetime"): 0,
    ("int(11)", "bigint(20)"): 0,
    ("int(11)", "varchar(20)"): 0,
    ("float", "double"): 0,
    ("uuid", "char(36)"): 0,
    ("decimal(10,2)", "varchar(20)"): 0,
}
"""Rows that are refused, where the matrix below could be content with more."""


@contextmanager
def operations(database: MariadbDatabase, mode: str | None = None) -> Iterator[tuple[Operations, sa.Connection]]:
    """Alembic's operations as a revision has them, on a session of this sql_mode."""
    engine = sa.create_engine(database.sync_url, poolclass=sa.pool.NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        if mode is not None:
            connection.exec_driver_sql(f"SET SESSION sql_mode = '{mode}'")
        with writing(MigrationContext.configure(connection), MariadbDialect()) as op:
            yield op, connection


def rows(connection: sa.Connection, table: str) -> list[tuple[int, str | None]]:
    type_ = str(connection.exec_driver_sql(f"SHOW COLUMNS FROM {table} LIKE 'c'").one()[1])
    read = {"bit": "CAST(c + 0 AS CHAR)", "float": "CAST(CAST(c AS DOUBLE) AS CHAR)"}
    text = type_.startswith(("varchar", "char", "text", "longtext", "blob", "binary", "varbinary"))
    shown = "c" if text else read.get(type_.partition("(")[0], "CAST(c AS CHAR)")
    return [(number, _text(value)) for number, value in connection.exec_driver_sql(f"SELECT id, {shown} FROM {table}")]


def _text(value: Any) -> str | None:
    if isinstance(value, bytes):
        return value.decode("latin1")
    return None if value is None else str(value)


def definition(connection: sa.Connection) -> str:
    return str(connection.exec_driver_sql("SHOW CREATE TABLE t").one()[1])


def kept(old: str, new: str, before: str | None, after: str | None) -> bool:
    """Whether a person would call it the same value: told from what a client reads, and by no rule of the engine's."""
    if before == after:
        return True
    if before is None or after is None:
        return False
    numbers = []
    for text in (before, after):
        with suppress(InvalidOperation):
            numbers.append(Decimal(text))
    if len(numbers) == 2 and numbers[0] == numbers[1]:
        return True
    if "float" in {old, new} and len(numbers) == 2 and float(f"{numbers[0]:.6g}") == float(f"{numbers[1]:.6g}"):
        return True
    if {old, new} & {"uuid"}:
        return before.replace("-", "").lower() == after.replace("-", "").lower()
    digits = [re.sub(r"\.0*\Z", "", re.sub(r"[-: ]", "", text)) for text in (before, after)]
    if digits[0] == digits[1] or digits[0] + "000000" == digits[1] or digits[0] == digits[1] + "000000":
        return True
    # A client reads text that is not of its own character set as other letters.
    with suppress(UnicodeError):
        if before.encode() == after.encode("latin1") or before.encode("latin1") == after.encode():
            return True
    return False


def fill(connection: sa.Connection, table: str, old: str) -> int:
    connection.exec_driver_sql(f"CREATE OR REPLACE TABLE {table} (id INT PRIMARY KEY AUTO_INCREMENT, c {old} NULL)")
    values = ", ".join(f"({value})" for value in VALUES[old])
    connection.exec_driver_sql("SET @mode = @@sql_mode, SESSION sql_mode = ''")
    connection.exec_driver_sql(
        f"INSERT INTO {table} (c) VALUES (NULL), {values}", execution_options={"no_parameters": True}
    )
    connection.exec_driver_sql("SET SESSION sql_mode = @mode")
    return len(VALUES[old])


@pytest.mark.parametrize(
    ("old", "mode"),
    [
        *(pytest.param(old, None, id=f"{old}-default") for old in VALUES),
        *(pytest.param(old, "", id=f"{old}-lax") for old in sorted({old for old, _ in EXACT})),
    ],
)
def test_each_value_is_kept_or_the_change_is_refused_with_their_count(
    mariadb_database: MariadbDatabase, old: str, mode: str | None
) -> None:
    wrong = []
    with operations(mariadb_database, mode) as (op, connection):
        for new in others(old, VALUES, {new for one, new in EXACT if one == old}):
            # A lax session differs in what it cuts in silence: the pairs with a count show whether that is told.
            if new == old or (mode == "" and (old, new) not in EXACT):
                continue
            count = fill(connection, "t", old)
            before, defined = rows(connection, "t"), definition(connection)
            fill(connection, "raw", old)
            lost: int | None = None
            with suppress(sa.exc.DBAPIError):
                connection.exec_driver_sql("SET @mode = @@sql_mode, SESSION sql_mode = ''")
                try:
                    connection.exec_driver_sql(f"ALTER TABLE raw MODIFY c {new} NULL")
                    raw = dict(rows(connection, "raw"))
                    lost = sum(not kept(old, new, value, raw.get(number)) for number, value in before)
                finally:
                    connection.exec_driver_sql("SET SESSION sql_mode = @mode")
            try:
                op.alter_column("t", "c", type_=SqlType(new))
            except RevisionError as error:
                said = int(error.details["rows"])
                if not (lost or 0) <= said <= count or said == 0:
                    wrong.append(f"{old} to {new}: refused for {said} rows, {lost} are lost")
                if (said, EXACT.get((old, new), said)) != (said, said):
                    wrong.append(f"{old} to {new}: refused for {said} rows, not {EXACT[old, new]}")
                if (rows(connection, "t"), definition(connection)) != (before, defined):
                    wrong.append(f"{old} to {new}: refused, and changed")
            except sa.exc.DBAPIError as error:
                wrong.append(f"{old} to {new}: refused without a count: {error.orig}")
            else:
                after = dict(rows(connection, "t"))
                changed = [
                    (value, after[number]) for number, value in before if not kept(old, new, value, after[number])
                ]
                if changed or EXACT.get((old, new), 0):
                    wrong.append(f"{old} to {new}: done, {changed} changed, {EXACT.get((old, new))} to be refused")
    assert not wrong, "\n".join(wrong)
