"""Rows that exist take the application's default, whatever it holds: read back on real databases."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from framework_m_migrations.adapters.sql.desired.tables import Target, wanted_table
from framework_m_migrations.adapters.sql.executor import SqlExecutor
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.schema import TableName
from tests.sql.plain import PlainDialect
from tests.sql.test_executor import NASTY, create

VALUES: list[tuple[Any, Any]] = [
    *((sa.String(99), text) for text in NASTY),
    (sa.Boolean(), True),
    (sa.Boolean(), False),
    (sa.Integer(), -5),
    (sa.BigInteger(), 2**62),
    (sa.Float(), 1.25),
    (sa.Numeric(12, 3), Decimal("1234.500")),
    (sa.Date(), dt.date(2026, 2, 28)),
    (sa.DateTime(), dt.datetime(2026, 2, 28, 23, 59, 58, 123456)),  # noqa: DTZ001
    (sa.Time(), dt.time(1, 2, 3)),
    (sa.Uuid(), UUID(int=2**100)),
    (sa.LargeBinary(), b"\x00\xff'%:\\"),
    (sa.JSON(), {"a": NASTY, "b": [1, None, True]}),
    (sa.JSON(), []),
    (sa.Enum("it's", "50%", ":x", name="odd", native_enum=False), "50%"),
]


@pytest.mark.parametrize(("type_", "value"), VALUES, ids=[str(n) for n in range(len(VALUES))])
def test_existing_rows_get_the_applications_default(
    connection: sa.Connection, plain: PlainDialect, type_: Any, value: Any
) -> None:
    old = sa.Table("t", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True))
    create(old, connection, plain)
    connection.execute(sa.insert(old).values(id=1))
    new = sa.Table(
        "t",
        sa.MetaData(),
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("c", type_, nullable=False, default=value),
    )
    column = wanted_table(new, Target.of(connection.dialect, plain)).table.column("c")
    assert column is not None
    SqlExecutor(connection, plain).apply(o.AddColumn(TableName("t"), column))
    assert connection.execute(sa.select(new.c.c)).scalar_one() == value
    connection.execute(sa.text("INSERT INTO t (id) VALUES (2)"))
    assert list(connection.execute(sa.select(new.c.c)).scalars()) == [value, value], "old code can still insert"
    assert {c["name"]: c["nullable"] for c in sa.inspect(connection).get_columns("t")}["c"] is False


@pytest.mark.postgres
@pytest.mark.parametrize("type_", [sa.Enum("it's", "50%", ":x", name="odd 50%"), sa.ARRAY(sa.Text)])
def test_postgres_has_more_types(postgres: sa.Connection, type_: Any) -> None:
    value: Any = "50%" if isinstance(type_, sa.Enum) else []
    plain = PlainDialect("postgresql")
    create(sa.Table("t", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True)), postgres, plain)
    postgres.exec_driver_sql("INSERT INTO t DEFAULT VALUES")
    new = sa.Table("t", sa.MetaData(), sa.Column("c", type_, nullable=False, default=value or list))
    made = wanted_table(new, Target.of(postgres.dialect, plain))
    executor = SqlExecutor(postgres, plain)
    for enum in made.enums:
        executor.apply(o.CreateEnum(enum))
    executor.apply(o.AddColumn(TableName("t"), made.table.columns[0]))
    assert postgres.execute(sa.select(new.c.c)).scalar_one() == value
