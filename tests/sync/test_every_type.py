"""Issue 2, point 2: nothing is invented. A database just synced has an empty plan for every type there is."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.dialects import sqlite

from tests.postgres.support import served
from tests.sync.conftest import Site

type Make = Callable[[], sa.types.TypeEngine[Any]]


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Trimmed(sa.types.TypeDecorator[str]):
    impl = sa.String(30)
    cache_ok = True


class Fixed(sa.types.UserDefinedType[str]):
    cache_ok = True

    def __init__(self, digits: int) -> None:
        self.digits = digits

    def get_col_spec(self, **_: object) -> str:
        return f"NUMERIC({self.digits}, 3)"


GENERIC: list[sa.types.TypeEngine[Any]] = [
    sa.BigInteger(), sa.Boolean(), sa.Boolean(create_constraint=True, name="ck_bool"), sa.CHAR(7), sa.Date(),
    sa.DateTime(), sa.DateTime(timezone=True), sa.Double(), sa.Enum(Level, name="level"),
    sa.Enum("a", "it's", "c%", name="letters"), sa.Enum("a", "b", native_enum=False, name="loose"),
    sa.Enum("a", "b", native_enum=False, create_constraint=True, name="strict"), sa.Float(), sa.Float(24),
    sa.Float(53), sa.Integer(), sa.Interval(), sa.JSON(), sa.LargeBinary(), sa.LargeBinary(20), sa.Numeric(),
    sa.Numeric(10), sa.Numeric(10, 3), sa.PickleType(), sa.REAL(), sa.SmallInteger(), sa.String(), sa.String(140),
    sa.Text(), sa.Time(), sa.Time(timezone=True), sa.Unicode(20), sa.UnicodeText(), sa.Uuid(),
    sa.Uuid(native_uuid=False), sa.VARCHAR(9), sa.DECIMAL(8, 2), sa.INTEGER(), sa.BIGINT(), sa.TIMESTAMP(),
    sa.DOUBLE_PRECISION(), sa.FLOAT(), sa.NUMERIC(3, 1), sa.TEXT(), Trimmed(), Fixed(12),
    sa.String(10).with_variant(sa.String(20), "sqlite").with_variant(sa.Text(), "postgresql"),
]  # fmt: skip

POSTGRES: list[sa.types.TypeEngine[Any]] = [
    pg.ARRAY(sa.Integer), pg.ARRAY(sa.String(20)), pg.ARRAY(sa.Text, dimensions=2), pg.ARRAY(pg.UUID),
    pg.ARRAY(sa.Enum("x", "y", name="in_array")), pg.BIT(), pg.BIT(3), pg.BIT(varying=True), pg.BIT(5, varying=True),
    pg.BYTEA(), pg.CIDR(), pg.DATERANGE(), pg.DATEMULTIRANGE(), pg.DOUBLE_PRECISION(),
    pg.ENUM("one", "two", name="numbers"), pg.INET(), pg.INT4RANGE(), pg.INT4MULTIRANGE(), pg.INT8RANGE(),
    pg.INT8MULTIRANGE(), pg.INTERVAL(), pg.INTERVAL(precision=3), pg.INTERVAL(fields="YEAR TO MONTH"),
    pg.INTERVAL(fields="DAY TO SECOND", precision=2), pg.JSON(), pg.JSONB(), pg.JSONPATH(), pg.MACADDR(),
    pg.MACADDR8(), pg.MONEY(), pg.NUMMULTIRANGE(), pg.NUMRANGE(), pg.OID(), pg.REGCLASS(), pg.REGCONFIG(), pg.TIME(),
    pg.TIME(precision=3), pg.TIME(timezone=True, precision=2), pg.TIMESTAMP(precision=0),
    pg.TIMESTAMP(timezone=True, precision=3), pg.TSMULTIRANGE(), pg.TSQUERY(), pg.TSRANGE(), pg.TSTZMULTIRANGE(),
    pg.TSTZRANGE(), pg.TSVECTOR(), pg.UUID(), sa.String(20, collation="C"), sa.Text(collation="POSIX"), sa.CHAR(),
]  # fmt: skip

UNTYPED: Any = sqlite  # its date and time types have no annotations
SQLITE: list[sa.types.TypeEngine[Any]] = [
    sqlite.BLOB(), sqlite.BOOLEAN(), sqlite.CHAR(5), UNTYPED.DATE(), UNTYPED.DATETIME(), sqlite.DECIMAL(9, 1),
    sqlite.FLOAT(), sqlite.INTEGER(), sqlite.JSON(), sqlite.NUMERIC(4), sqlite.REAL(), sqlite.SMALLINT(),
    sqlite.TEXT(), UNTYPED.TIME(), sqlite.TIMESTAMP(), sqlite.VARCHAR(3), sa.String(20, collation="NOCASE"),
    sa.types.BINARY(4), sa.types.VARBINARY(4), sa.types.NVARCHAR(6), sa.types.NCHAR(6), sa.types.CLOB(),
]  # fmt: skip


def wanted(types: list[sa.types.TypeEngine[Any]]) -> sa.MetaData:
    metadata = sa.MetaData()
    table = sa.Table("kinds", metadata, sa.Column("id", sa.Integer, primary_key=True))
    for number, type_ in enumerate(types):
        table.append_column(sa.Column(f"c{number}", type_, comment=f"number {number}"))
    return metadata


def own_types(site: Site) -> list[sa.types.TypeEngine[Any]]:
    if site.is_sqlite:
        return SQLITE
    [(number,)] = site.rows("SELECT current_setting('server_version_num')::int")
    return served(POSTGRES, int(str(number)) // 10000)


def test_no_type_is_seen_as_changed(site: Site) -> None:
    site.settle(wanted([*GENERIC, *own_types(site)]))


def test_no_type_is_seen_as_changed_in_a_table_that_sqlalchemy_made(site: Site) -> None:
    metadata = wanted([*GENERIC, *own_types(site)])
    metadata.create_all(site.plain)
    assert site.plan(metadata).to_dict()["changes"] == []


def test_every_type_can_be_added_to_a_table_with_rows(site: Site) -> None:
    site.settle(wanted([]))
    site.execute("INSERT INTO kinds (id) VALUES (1)")
    site.settle(wanted([*GENERIC, *own_types(site)]))
    assert len(site.rows("SELECT id FROM kinds")) == 1


DEFAULTS: list[Any] = [
    sa.text("0"), sa.text("'x'"), "it's", sa.text("CURRENT_TIMESTAMP"), sa.func.now(), sa.text("NULL"), sa.false(),
    sa.text("(1 + 2)"), sa.text("((1 + 2) * 3)"), sa.text("('a' || 'b')"), sa.text("-5"), sa.text("'{}'"),
    sa.text("-1.50"),
]  # fmt: skip
TYPES_OF_DEFAULTS: list[sa.types.TypeEngine[Any]] = [
    sa.Integer(), sa.String(9), sa.String(9), sa.DateTime(), sa.DateTime(), sa.Integer(), sa.Boolean(), sa.Integer(),
    sa.Integer(), sa.Text(), sa.BigInteger(), sa.JSON(), sa.Numeric(6, 2),
]  # fmt: skip


@pytest.mark.parametrize("position", range(len(DEFAULTS)))
def test_no_default_is_seen_as_changed(site: Site, position: int) -> None:
    metadata = sa.MetaData()
    default, type_ = DEFAULTS[position], TYPES_OF_DEFAULTS[position]
    sa.Table(
        "d", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("c", type_, server_default=default)
    )
    site.settle(metadata)


def test_identity_sequence_computed_and_composite_keys(site: Site) -> None:
    metadata = sa.MetaData()
    sa.Table(
        "made",
        metadata,
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), sa.Identity(start=5), primary_key=True),
        sa.Column("a", sa.Integer, nullable=False),
        sa.Column("b", sa.Integer, sa.Computed("a * 2 + 1", persisted=None if site.is_sqlite else True)),
    )
    sa.Table(
        "pair",
        metadata,
        sa.Column("x", sa.String(5), primary_key=True),
        sa.Column("y", sa.Integer, primary_key=True, autoincrement=False),
        sa.CheckConstraint("y > 0 AND x <> 'a''b'", name="ck"),
        sa.CheckConstraint("y BETWEEN 1 AND 100"),
    )
    sa.Table("counter", metadata, sa.Column("id", sa.SmallInteger, primary_key=True), sa.Column("n", sa.Integer))
    site.settle(metadata)
