"""A fingerprint changes whenever the wanted table does."""

from __future__ import annotations

import enum
import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql

from framework_m_migrations.adapters.sql.desired.fingerprint import Fingerprints
from framework_m_migrations.adapters.sql.desired.tables import Target, wanted_table
from framework_m_migrations.domain.errors import InvalidMetadata
from tests.unit.sql.tables import target_of, wide_table

POSTGRES, SQLITE = target_of("postgresql"), target_of("sqlite")


class Colour(enum.Enum):
    RED = "r"
    BLUE = "b"


class Shouting(sa.types.TypeDecorator[str]):
    impl = sa.String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:
        return None if value is None else value.upper()


# Each entry is one way to declare a column; entries differ in something that wanted() sees on some dialect.
COLUMNS: list[Callable[[], sa.Column[Any]]] = [
    lambda: sa.Column("c", sa.Integer),
    lambda: sa.Column("C", sa.Integer),
    lambda: sa.Column("d", sa.Integer, key="c"),
    lambda: sa.Column("c", sa.Integer, nullable=False),
    lambda: sa.Column("c", sa.Integer, primary_key=True),
    lambda: sa.Column("c", sa.Integer, primary_key=True, autoincrement=False),
    lambda: sa.Column("c", sa.Integer, primary_key=True, unique=True),
    lambda: sa.Column("c", sa.BigInteger),
    lambda: sa.Column("c", sa.Integer, server_default="1"),
    lambda: sa.Column("c", sa.Integer, server_default=sa.text("2")),
    lambda: sa.Column("c", sa.Integer, server_default=sa.text(":v").bindparams(v=3)),
    lambda: sa.Column("c", sa.Integer, server_default=sa.text(":v").bindparams(v=4)),
    lambda: sa.Column("c", sa.Integer, server_default=sa.func.random()),
    lambda: sa.Column("c", sa.Integer, default=1),
    lambda: sa.Column("c", sa.Integer, default=2),
    lambda: sa.Column("c", sa.Integer, default=int),
    lambda: sa.Column("c", sa.Integer, default=lambda: 2),
    lambda: sa.Column("c", sa.Integer, sa.Sequence("s")),
    lambda: sa.Column("c", sa.Integer, sa.Identity()),
    lambda: sa.Column("c", sa.Integer, sa.Identity(always=True)),
    lambda: sa.Column("c", sa.Integer, sa.Computed("1 + 1", persisted=True)),
    lambda: sa.Column("c", sa.Integer, sa.Computed("1 + 2", persisted=True)),
    lambda: sa.Column("c", sa.String, sa.Computed("x || ' :a 50%'", persisted=True)),
    lambda: sa.Column("c", sa.String, server_default=sa.text("' :a 50%'")),
    lambda: sa.Column("c", sa.String, server_default="it's :a \\ 50%"),
    lambda: sa.Column("c", sa.String, sa.CheckConstraint("c <> ' :a 50%'", name="odd 50% :a")),
    lambda: sa.Column("c", sa.Enum("it's", ":a", "50%", name="odd 50%")),
    lambda: sa.Column("order by 50% :a", sa.Integer, index=True, unique=True),
    lambda: sa.Column("c", sa.Integer, comment="said"),
    lambda: sa.Column("c", sa.Integer, info={"renamed_from": "b"}),
    lambda: sa.Column("c", sa.Integer, info={"fill": 5}),
    lambda: sa.Column("c", sa.Integer, sa.CheckConstraint("c > 0")),
    lambda: sa.Column("c", sa.Integer, sa.CheckConstraint("c > 0", name="k")),
    lambda: sa.Column("c", sa.Integer, sa.CheckConstraint("c > 1")),
    lambda: sa.Column("c", sa.Integer, unique=True),
    lambda: sa.Column("c", sa.Integer, index=True),
    lambda: sa.Column("c", sa.Integer, index=True, unique=True),
    lambda: sa.Column("c", sa.Integer, sa.ForeignKey("p.a")),
    lambda: sa.Column("c", sa.Integer, sa.ForeignKey("p.b")),
    lambda: sa.Column("c", sa.Integer, sa.ForeignKey("p.a", name="f")),
    lambda: sa.Column("c", sa.Integer, sa.ForeignKey("p.a", ondelete="CASCADE")),
    lambda: sa.Column("c", sa.Integer, sa.ForeignKey("p.a", onupdate="CASCADE")),
    lambda: sa.Column("c", sa.Integer, sa.ForeignKey("p.a", deferrable=True)),
    lambda: sa.Column("c", sa.Integer, sa.ForeignKey("p.a", initially="DEFERRED")),
    lambda: sa.Column("c", sa.Integer, sa.ForeignKey("p.a", match="FULL")),
    lambda: sa.Column("c", sa.Integer, sa.ForeignKey("o.p.a")),
    lambda: sa.Column("c", sa.String(3)),
    lambda: sa.Column("c", sa.String(4)),
    lambda: sa.Column("c", sa.String(3), default="x"),
    lambda: sa.Column("c", Shouting(3), default="x"),
    lambda: sa.Column("c", Shouting(3), default="y"),
    lambda: sa.Column("c", sa.String(3, collation="C")),
    lambda: sa.Column("c", sa.String(3).with_variant(sa.Text(), "postgresql")),
    lambda: sa.Column("c", sa.Numeric(9, 2)),
    lambda: sa.Column("c", sa.Numeric(9, 3)),
    lambda: sa.Column("c", sa.Numeric(9, 2), default=Decimal(1)),
    lambda: sa.Column("c", sa.Numeric(9, 2), default=Decimal("1.0")),
    lambda: sa.Column("c", sa.DateTime(timezone=True)),
    lambda: sa.Column("c", sa.DateTime()),
    lambda: sa.Column("c", sa.JSON(), default=dict),
    lambda: sa.Column("c", sa.JSON(), default=list),
    lambda: sa.Column("c", sa.JSON(), default={"a": 1}),
    lambda: sa.Column("c", postgresql.JSONB().with_variant(sa.JSON(), "sqlite")),
    lambda: sa.Column("c", sa.ARRAY(sa.Integer).with_variant(sa.JSON(), "sqlite")),
    lambda: sa.Column("c", sa.ARRAY(sa.Text).with_variant(sa.JSON(), "sqlite")),
    lambda: sa.Column("c", sa.Enum("a", "b", name="e")),
    lambda: sa.Column("c", sa.Enum("a", "c", name="e")),
    lambda: sa.Column("c", sa.Enum("a", "b", name="f")),
    lambda: sa.Column("c", sa.Enum("a", "b", name="e", native_enum=False, create_constraint=True)),
    lambda: sa.Column("c", sa.Enum("a", "c", name="e", native_enum=False, create_constraint=True)),
    lambda: sa.Column("c", sa.Enum(Colour, native_enum=False, length=9), default=Colour.RED),
    lambda: sa.Column("c", sa.Enum(Colour, native_enum=False, length=9), default=Colour.BLUE),
    lambda: sa.Column(
        "c", sa.Enum(Colour, native_enum=False, length=9, values_callable=lambda e: [m.value for m in e]),
        default=Colour.BLUE,
    ),
    lambda: sa.Column("c", sa.Boolean()),
    lambda: sa.Column("c", sa.Boolean(create_constraint=True, name="b")),
]  # fmt: skip


def _where(text: str) -> dict[str, Any]:
    return {"postgresql_where": sa.text(text), "sqlite_where": sa.text(text)}


EXTRAS: list[Callable[[], Any]] = [
    lambda: sa.Index("i", "x"),
    lambda: sa.Index("i", "y"),
    lambda: sa.Index("i", "x", "y"),
    lambda: sa.Index("i", "y", "x"),
    lambda: sa.Index("i", "x", unique=True),
    lambda: sa.Index("i", sa.text("x DESC")),
    lambda: sa.Index("i", sa.text("lower(x)")),
    lambda: sa.Index("i", sa.func.upper(sa.text("x"))),
    lambda: sa.Index("i", "x", **_where("x > ':a'")),
    lambda: sa.Index("i", "x", **_where("x > ':b'")),
    lambda: sa.Index("i", "x", postgresql_using="hash"),
    lambda: sa.Index("i", "x", postgresql_include=["y"]),
    lambda: sa.Index("i", "x").ddl_if(dialect="oracle"),
    lambda: sa.UniqueConstraint("x"),
    lambda: sa.UniqueConstraint("x", name="u"),
    lambda: sa.UniqueConstraint("x", name="u2"),
    lambda: sa.UniqueConstraint("x", "y"),
    lambda: sa.UniqueConstraint("y", "x"),
    lambda: sa.UniqueConstraint("x", deferrable=True),
    lambda: sa.UniqueConstraint("x", postgresql_nulls_not_distinct=True),
    lambda: sa.CheckConstraint("y > 1"),
    lambda: sa.CheckConstraint("y > 1", name="k"),
    lambda: sa.CheckConstraint("y > 2"),
    lambda: sa.ForeignKeyConstraint(["y", "z"], ["p.a", "p.b"]),
    lambda: sa.ForeignKeyConstraint(["y", "z"], ["p.b", "p.a"]),
    lambda: sa.ForeignKeyConstraint(["y", "z"], ["p.a", "p.b"], use_alter=True, name="f"),
]
TABLES: list[dict[str, Any]] = [
    {},
    {"comment": "said"},
    {"info": {"renamed_from": "old"}},
    {"schema": "s"},
]


def build(column: int, extras: tuple[int, ...], options: int, order: int, convention: bool) -> sa.Table:
    naming = {"uq": "uq_%(table_name)s_%(column_0_name)s", "fk": "fk_%(table_name)s"} if convention else None
    metadata = sa.MetaData(naming_convention=naming)
    for schema in (None, "o"):
        sa.Table("p", metadata, sa.Column("a", sa.Integer), sa.Column("b", sa.Integer), schema=schema)
    made = [EXTRAS[number]() for number in extras]
    random.Random(order).shuffle(made)
    return sa.Table(
        "t",
        metadata,
        sa.Column("x", sa.String),
        sa.Column("y", sa.Integer),
        sa.Column("z", sa.Integer),
        COLUMNS[column](),
        *made,
        **TABLES[options],
    )


def both(table: sa.Table, target: Target) -> tuple[str, str]:
    """All that the wanted table says, the parts that take no part in comparison included, and the fingerprint."""
    try:
        wanted = repr(wanted_table(table, target))
    except InvalidMetadata as error:
        wanted = str(error)
    try:
        return wanted, Fingerprints(target).of(table)
    except InvalidMetadata as error:
        return wanted, str(error)


recipes = st.tuples(
    st.integers(0, len(COLUMNS) - 1),
    st.lists(st.integers(0, len(EXTRAS) - 1), max_size=2, unique=True).map(tuple),
    st.integers(0, len(TABLES) - 1),
    st.integers(0, 3),
    st.booleans(),
)


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")
@pytest.mark.parametrize("target", [POSTGRES, SQLITE], ids=["postgresql", "sqlite"])
@given(recipes, recipes)
def test_tables_that_differ_have_different_fingerprints(
    target: Target, one: tuple[Any, ...], other: tuple[Any, ...]
) -> None:
    wanted_one, print_one = both(build(*one), target)
    wanted_other, print_other = both(build(*other), target)
    if wanted_one != wanted_other:
        assert print_one != print_other
    column, extras, options, order, convention = one
    shuffled = both(build(column, extras, options, order + 1, convention), target)
    assert shuffled == (wanted_one, print_one), "the order of declaration means nothing"


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")
@pytest.mark.parametrize("target", [POSTGRES, SQLITE], ids=["postgresql", "sqlite"])
def test_every_single_difference_is_seen(target: Target) -> None:
    recipes: list[tuple[int, tuple[int, ...], int, int, bool]]
    recipes = [(number, (), 0, 0, False) for number in range(len(COLUMNS))]
    recipes += [(0, (number,), 0, 0, False) for number in range(len(EXTRAS))]
    recipes += [(0, (), number, 0, False) for number in range(len(TABLES))]
    recipes += [(0, (13,), 0, 0, True), (0, (21,), 0, 0, True)]
    seen: dict[str, tuple[str, object]] = {}
    distinct = set()
    for recipe in recipes:
        wanted, fingerprint = both(build(*recipe), target)
        distinct.add(wanted)
        before = seen.setdefault(fingerprint, (wanted, recipe))
        assert before[0] == wanted, f"{before[1]} and {recipe} look the same"
    assert len(distinct) > (70 if target is POSTGRES else 50), "the mutations themselves must differ"


@pytest.mark.parametrize("target", [POSTGRES, SQLITE], ids=["postgresql", "sqlite"])
def test_one_table_made_twice_has_one_fingerprint(target: Target) -> None:
    prints = Fingerprints(target)
    for number in range(len(COLUMNS)):
        one, other = (build(number, (0, 14), 0, 0, False) for _ in range(2))
        assert prints.text(one) == Fingerprints(target).text(other) == prints.text(other)


@pytest.mark.parametrize("target", [POSTGRES, SQLITE], ids=["postgresql", "sqlite"])
def test_what_sqlalchemy_keeps_on_objects_that_it_compiled_changes_nothing(target: Target) -> None:
    table = wide_table(sa.MetaData())
    before = Fingerprints(target).text(table)
    sa.schema.CreateTable(table).compile(dialect=target.dialect)
    for index in table.indexes:
        sa.schema.CreateIndex(index).compile(dialect=target.dialect)
    wanted_table(table, target)
    assert Fingerprints(target).text(table) == before


def test_it_says_for_which_database() -> None:
    table = build(0, (), 0, 0, False)
    assert Fingerprints(POSTGRES).of(table) != Fingerprints(SQLITE).of(table)
    newer = target_of("postgresql")
    newer.dialect.server_version_info = (18, 1)
    assert Fingerprints(newer).of(table) != Fingerprints(POSTGRES).of(table)


def test_a_renamed_target_column_is_seen() -> None:
    def made(name: str) -> sa.Table:
        metadata = sa.MetaData()
        sa.Table("p", metadata, sa.Column(name, sa.Integer, key="id"))
        return sa.Table("t", metadata, sa.Column("c", sa.Integer, sa.ForeignKey("p.id")))

    assert Fingerprints(POSTGRES).of(made("id")) != Fingerprints(POSTGRES).of(made("uid"))


def test_a_lost_target_is_an_error() -> None:
    table = sa.Table("t", sa.MetaData(), sa.Column("c", sa.Integer, sa.ForeignKey("p.id")))
    with pytest.raises(InvalidMetadata):
        Fingerprints(POSTGRES).of(table)
