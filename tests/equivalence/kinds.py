"""The types that generated schemas are made of, for each dialect, with values and defaults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql

type Type = sa.types.TypeEngine[Any]


@dataclass(frozen=True)
class Kind:
    """A type.

    Attributes:
        type: makes it.
        values: three different ones as SQL.
        defaults: server defaults.
        wider: kinds that hold each value unchanged.
        group: what indexes and checks it bears: ``number``, ``text``, ``plain`` (can be a key), ``other``.
    """

    type: Callable[[], Type]
    values: tuple[str, str, str]
    defaults: tuple[object, ...] = ()
    wider: tuple[str, ...] = ()
    group: str = "plain"


def _t(sql: str) -> sa.TextClause:
    return sa.text(sql)


NUMBERS = ("1", "2", "3")
WORDS = ("'a'", "'it''s'", "'100%s :x'")
DAYS = ("'2024-02-29'", "'2024-03-01'", "'2024-03-02'")
MOMENTS = ("'2024-02-29 12:30:00'", "'2024-03-01 00:00:00'", "'2024-03-02 01:02:03'")
BLOBS = ("X'00'", "X'01ff'", "X'02'")
TEXT_DEFAULTS = ("it's", "100%s", ":x", "", "b")
NOW = _t("CURRENT_TIMESTAMP")

COMMON: dict[str, Kind] = {
    "small": Kind(sa.SmallInteger, NUMBERS, (_t("0"), _t("-7")), ("int", "big"), "number"),
    "int": Kind(sa.Integer, NUMBERS, (_t("0"), "42"), ("big",), "number"),
    "big": Kind(sa.BigInteger, NUMBERS, (_t("0"), _t("1099511627776")), (), "number"),
    "str12": Kind(lambda: sa.String(12), WORDS, TEXT_DEFAULTS, ("str60", "text"), "text"),
    "str60": Kind(lambda: sa.String(60), WORDS, TEXT_DEFAULTS, ("text",), "text"),
    "chr8": Kind(lambda: sa.CHAR(8), ("'abcdefgh'", "'bbbbbbbb'", "'cccccccc'"), ("abcdefgh",), (), "text"),
    "text": Kind(sa.Text, WORDS, TEXT_DEFAULTS, (), "other"),
    "money": Kind(lambda: sa.Numeric(10, 2), ("1.50", "2.25", "3"), (_t("1.50"), _t("0")), ("fortune",), "number"),
    "fortune": Kind(lambda: sa.Numeric(14, 4), ("1.5", "2.0625", "3"), (_t("-3"),), (), "number"),
    "double": Kind(sa.Double, ("0.5", "-2", "3"), (_t("0.5"),), (), "number"),
    "flag": Kind(sa.Boolean, ("true", "false", "true"), (sa.true(), sa.false()), (), "other"),
    "day": Kind(sa.Date, DAYS, ("2024-02-29",), (), "plain"),
    "moment": Kind(sa.DateTime, MOMENTS, ("2024-02-29 12:30:00", NOW), (), "plain"),
    "time": Kind(sa.Time, ("'12:30:00'", "'01:02:03'", "'00:00:00'"), ("12:30:00",), (), "plain"),
    "blob": Kind(sa.LargeBinary, BLOBS, (), (), "other"),
    "json": Kind(sa.JSON, ("'{\"a\": 1}'", "'[]'", "'3'"), ('{"a": "it\'s %"}',), (), "other"),
    "uuid": Kind(
        sa.Uuid,
        (
            "'00000000000000000000000000000001'",
            "'00000000000000000000000000000002'",
            "'00000000000000000000000000000003'",
        ),
        (),
        (),
        "plain",
    ),
    "mood2": Kind(
        lambda: sa.Enum("a", "it's", name="mood", length=20), ("'a'", "'it''s'", "'a'"), ("a",), ("mood3",), "other"
    ),
    "mood3": Kind(
        lambda: sa.Enum("a", "it's", "c", name="mood", length=20), ("'a'", "'it''s'", "'c'"), ("c",), (), "other"
    ),
}

SQLITE = COMMON | {
    "nocase": Kind(lambda: sa.String(12, collation="NOCASE"), WORDS, TEXT_DEFAULTS, ("str60",), "text"),
    "real": Kind(sa.REAL, ("0.5", "-2.0", "3.0"), (_t("0.5"),), (), "number"),
    "checked": Kind(
        lambda: sa.Enum("a", "b", name="checked", native_enum=False, create_constraint=True),
        ("'a'", "'b'", "'a'"),
        ("a",),
        (),
        "other",
    ),
    "interval": Kind(sa.Interval, MOMENTS, (), (), "plain"),
    "expression": Kind(sa.Integer, NUMBERS, (_t("(1 + 2)"), _t("(abs(-4))")), (), "number"),
}

POSTGRESQL = COMMON | {
    "blob": Kind(sa.LargeBinary, ("'\\x00'", "'\\x01ff'", "'\\x02'"), (), (), "other"),
    "zoned": Kind(lambda: sa.DateTime(timezone=True), MOMENTS, (sa.func.now(), "2024-02-29 12:30:00+00"), (), "plain"),
    "millis": Kind(lambda: postgresql.TIMESTAMP(precision=3), MOMENTS, (NOW,), ("moment",), "plain"),
    "interval": Kind(sa.Interval, ("'1 day'", "'2 hours'", "'3 mins'"), ("1 day",), (), "plain"),
    "days": Kind(
        lambda: postgresql.INTERVAL(fields="DAY TO SECOND"),
        ("'1 day'", "'2 hours'", "'3 mins'"),
        ("1 day",),
        ("interval",),
        "plain",
    ),
    "ints": Kind(lambda: postgresql.ARRAY(sa.Integer), ("'{1}'", "'{}'", "'{3,4}'"), ("{}", "{1}"), (), "gin"),
    "strs": Kind(lambda: postgresql.ARRAY(sa.String(10)), ("'{a}'", "'{}'", "'{b,c}'"), ("{}",), (), "gin"),
    "jsonb": Kind(postgresql.JSONB, ("'{\"a\": 1}'", "'[]'", "'3'"), (_t("'{}'::jsonb"),), (), "gin"),
    "cstr": Kind(lambda: sa.String(12, collation="C"), WORDS, TEXT_DEFAULTS, (), "text"),
    "inet": Kind(postgresql.INET, ("'10.0.0.1'", "'10.0.0.2'", "'::1'"), ("10.0.0.1",), (), "plain"),
    "bits": Kind(lambda: postgresql.BIT(4), ("B'0001'", "B'0010'", "B'0011'"), (_t("B'0000'"),), (), "plain"),
    "range": Kind(postgresql.INT4RANGE, ("'[1,2)'", "'[2,3)'", "'[3,4)'"), (), (), "range"),
    "vector": Kind(postgresql.TSVECTOR, ("'a'", "'b'", "'c'"), (), (), "gin"),
    "real": Kind(sa.REAL, ("0.5", "-2", "3"), (_t("0.5"),), ("double",), "number"),
    "domain": Kind(
        lambda: postgresql.DOMAIN("positive", sa.Integer(), check="VALUE > 0", not_null=False),
        NUMBERS,
        (),
        (),
        "number",
    ),
    "domain_default": Kind(
        lambda: postgresql.DOMAIN(
            "label", sa.String(12), default="new", constraint_name="label_ck", check="VALUE <> 'x'"
        ),
        WORDS,
        (),
        (),
        "text",
    ),
    "expression": Kind(sa.Integer, NUMBERS, (_t("1 + 2"), sa.func.abs(-4), _t("(random() * 5)::int")), (), "number"),
    "numeric": Kind(sa.Numeric, ("1.50", "2.25", "3"), (_t("1.50"),), (), "number"),
}

MARIADB = COMMON | {
    "tiny": Kind(mysql.TINYINT, NUMBERS, (_t("0"),), ("small", "int", "big"), "number"),
    "uint": Kind(lambda: mysql.INTEGER(unsigned=True), NUMBERS, (_t("7"),), ("ubig", "big"), "number"),
    "ubig": Kind(lambda: mysql.BIGINT(unsigned=True), NUMBERS, (_t("7"),), (), "number"),
    "udec": Kind(lambda: mysql.DECIMAL(8, 2, unsigned=True), ("1.50", "2.25", "3"), (_t("1.50"),), (), "number"),
    "millis": Kind(lambda: mysql.DATETIME(fsp=3), MOMENTS, (_t("CURRENT_TIMESTAMP(3)"),), ("micros",), "plain"),
    "micros": Kind(lambda: mysql.DATETIME(fsp=6), MOMENTS, (_t("CURRENT_TIMESTAMP(6)"),), (), "plain"),
    "stamp": Kind(mysql.TIMESTAMP, MOMENTS, (NOW, "2024-02-29 12:30:00"), (), "plain"),
    "enum": Kind(lambda: mysql.ENUM("a", "it's"), ("'a'", "'it''s'", "'a'"), ("a",), ("enum3",), "other"),
    "enum3": Kind(lambda: mysql.ENUM("a", "it's", "c"), ("'a'", "'it''s'", "'c'"), ("c",), (), "other"),
    "set": Kind(lambda: mysql.SET("x", "y"), ("'x'", "'x,y'", "'y'"), ("x",), ("set3",), "other"),
    "set3": Kind(lambda: mysql.SET("x", "y", "z"), ("'x'", "'x,y'", "'z'"), ("x,z",), (), "other"),
    "year": Kind(mysql.YEAR, ("2024", "2025", "2026"), (_t("2024"),), (), "plain"),
    "bin": Kind(lambda: sa.String(12, collation="utf8mb4_bin"), WORDS, TEXT_DEFAULTS, (), "text"),
    "latin": Kind(
        lambda: mysql.VARCHAR(12, charset="latin1", collation="latin1_swedish_ci"), WORDS, ("b",), (), "text"
    ),
    "medium": Kind(mysql.MEDIUMTEXT, WORDS, TEXT_DEFAULTS, ("long",), "other"),
    "long": Kind(mysql.LONGTEXT, WORDS, TEXT_DEFAULTS, (), "other"),
    "varbinary": Kind(lambda: mysql.VARBINARY(16), BLOBS, (), (), "plain"),
    "bits": Kind(lambda: mysql.BIT(8), ("b'1'", "b'10'", "b'11'"), (_t("b'0'"),), (), "plain"),
    "float": Kind(mysql.FLOAT, ("0.5", "-2", "3"), (_t("0.5"),), ("double",), "number"),
    "expression": Kind(sa.Integer, NUMBERS, (_t("(1 + 2)"), _t("(abs(-4))")), (), "number"),
    "interval": Kind(sa.Interval, MOMENTS, (), (), "plain"),
}

KINDS: dict[str, dict[str, Kind]] = {"sqlite": SQLITE, "postgresql": POSTGRESQL, "mariadb": MARIADB}
STRICT = ("int", "text", "blob", "real")
"""What a table that is STRICT may have: INTEGER, TEXT, BLOB and REAL."""
