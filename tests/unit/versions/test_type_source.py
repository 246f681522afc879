from __future__ import annotations

import enum
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from framework_m_migrations.adapters.sql.revisions.writer.objects import type_of, type_source
from framework_m_migrations.domain.errors import InvalidMetadata
from framework_m_migrations.domain.schema import ColumnType


class Colour(enum.Enum):
    RED = "r"
    GREEN = "g"


DIALECTS = [sa.make_url(f"{name}://").get_dialect()() for name in ("postgresql+asyncpg", "sqlite")]

TYPES: list[sa.types.TypeEngine[Any]] = [
    sa.Integer(),
    sa.BigInteger(),
    sa.String(20),
    sa.String(20, collation="C"),
    sa.Text(),
    sa.Unicode(5),
    sa.Numeric(10, 2),
    sa.Float(53),
    sa.Double(),
    sa.Boolean(),
    sa.Date(),
    sa.DateTime(timezone=True),
    sa.Time(),
    sa.Interval(),
    sa.LargeBinary(),
    sa.JSON(),
    sa.Uuid(),
    sa.PickleType(),
    sa.Enum(Colour),
    sa.Enum("a", "it's", name="x", schema="s"),
    sa.Enum("a", "bb", native_enum=False, create_constraint=True),
    sa.String(4).with_variant(postgresql.CITEXT(), "postgresql"),
    sa.ARRAY(sa.String(3)),
    sa.ARRAY(sa.Enum("a", name="x"), dimensions=2),
    postgresql.ARRAY(postgresql.INET()),
    postgresql.JSONB(),
    postgresql.HSTORE(),
    postgresql.TSVECTOR(),
    postgresql.INTERVAL(fields="DAY"),
    postgresql.TIMESTAMP(precision=3, timezone=True),
    postgresql.BIT(3, varying=True),
    postgresql.INT4RANGE(),
    postgresql.MACADDR(),
    postgresql.DOMAIN("positive", sa.Integer(), check="VALUE > 0"),
    sqlite.JSON(),
]


@pytest.mark.parametrize("type_", TYPES, ids=repr)
@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_the_source_makes_the_same_ddl(type_: sa.types.TypeEngine[Any], dialect: sa.Dialect) -> None:
    imports: set[str] = set()
    source = type_source(type_, imports)
    scope: dict[str, Any] = {"sa": sa}
    for line in imports:
        exec(line, scope)
    made = eval(source, scope)
    try:
        wanted = type_.compile(dialect=dialect)
    except sa.exc.CompileError:
        return
    assert made.compile(dialect=dialect) == wanted


def test_named_enumerations_create_nothing_by_themselves() -> None:
    source = type_source(sa.Enum("a", name="x"), set())
    made = eval(source, {"sa": sa, "postgresql": postgresql})
    assert made.dialect_impl(DIALECTS[0]).create_type is False


def test_app_types_that_are_no_decorators_are_imported() -> None:
    class Money(sa.types.UserDefinedType[int]):
        def __repr__(self) -> str:
            return "Money()"

    imports: set[str] = set()
    assert type_source(Money(), imports) == f"{__name__}.Money()"
    assert imports == {f"import {__name__}"}


def test_a_type_that_nobody_knows() -> None:
    with pytest.raises(InvalidMetadata):
        type_source(sa.types.NullType(), set())


def test_types_from_spellings_alone() -> None:
    dialect = DIALECTS[0]
    varying = type_of(ColumnType("character varying(9)", "character varying", length=9), dialect)
    assert isinstance(varying, sa.VARCHAR)
    assert varying.length == 9
    stamp = type_of(ColumnType("timestamp with time zone", "timestamp with time zone"), dialect)
    assert isinstance(stamp, sa.TIMESTAMP)
    assert stamp.timezone is True
    assert type_of(ColumnType("mystery"), dialect) is None
