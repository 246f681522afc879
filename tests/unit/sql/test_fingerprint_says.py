"""What exactly goes into a fingerprint, trait by trait; see test_fingerprint.py for pairs of declarations."""

from __future__ import annotations

import enum
import itertools
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from framework_m_migrations.adapters.sql.desired.fingerprint import FORMAT, Fingerprints
from framework_m_migrations.domain.errors import InvalidMetadata
from tests.unit.sql.tables import target_of

POSTGRES, SQLITE = target_of("postgresql"), target_of("sqlite")


class Colour(enum.Enum):
    RED = "r"
    BLUE = "b"


class Thing(enum.Enum):
    ONE = object()


class Mapped(sa.types.TypeDecorator[str]):
    """A type whose state is more than plain values: the same default is another literal."""

    impl = sa.String
    cache_ok = True

    def __init__(self, words: dict[str, str]) -> None:
        super().__init__()
        self.words = words

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:
        return None if value is None else self.words[value]


class Sized(sa.types.UserDefinedType[int]):
    """A type that is spelled by what is no plain value."""

    cache_ok = True

    def __init__(self, *sizes: int) -> None:
        self.sizes = list(sizes)

    def get_col_spec(self, **_: Any) -> str:
        return f"NUMERIC({', '.join(map(str, self.sizes))})"


def table(*parts: sa.Column[Any] | sa.Constraint | sa.Index, **options: Any) -> sa.Table:
    metadata = sa.MetaData(naming_convention={"uq": "uq_%(table_name)s_%(column_0_name)s"})
    sa.Table("p", metadata, sa.Column("a", sa.Integer, primary_key=True))
    return sa.Table("t", metadata, *parts, **options)


INTEGER, VARCHAR, LABELS, BOOLEAN = (
    "0a1f3d8e76344fa2ce9d185b",
    "1ed9a20a1a4aa35484734096",
    "41c7b8064e34e8e7f3d5c009",
    "d0cff5d374963ed505c29d0d",
)


def test_the_text_is_what_stored_checksums_of_this_format_were_made_of() -> None:
    """Where this changes every DocType is compared once more after an upgrade: FORMAT says that it is meant."""
    made = table(
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("sys", sa.Integer, system=True),
        sa.Column("n", sa.Integer, server_default="1", default=2, comment="said", info={"renamed_from": "old"}),
        sa.Column("f", sa.Integer, server_default=sa.FetchedValue()),
        sa.Column("g", sa.Integer, default=lambda: 1, nullable=False),
        sa.Column("e", sa.Enum("a", "b", native_enum=False, create_constraint=True, name="e")),
        sa.Column("h", sa.Enum(Colour, native_enum=False), default=Colour.RED),
        sa.Column("b", sa.Boolean, server_default=sa.true()),
        sa.Column("k", sa.Integer, sa.ForeignKey("p.a", ondelete="CASCADE"), unique=True),
        sa.Column("s", sa.Integer, sa.Sequence("s", start=3), sqlite_on_conflict_not_null="FAIL"),
        sa.Column("i", sa.Integer, sa.Identity(start=3)),
        sa.Column("c", sa.Integer, sa.Computed("n + 1")),
        sa.Index("ix", "n", "f"),
        sa.Index("ux", "n", unique=True),
        sa.Index("iw", sa.text("lower(n)"), sqlite_where=sa.text("n > 0")),
        sa.CheckConstraint("n > 0", name="ck"),
        comment="c",
        sqlite_strict=True,
    )
    assert FORMAT == 3
    assert Fingerprints(SQLITE).text(made).split("\0") == [
        "3 sqlite () 5 11 ('t', None) 'c' None [('sqlite_strict', True)]",
        "check 'ck' None None None text 'n > 0'",
        "check 'e' None None None labels 'e' Enum ['a', 'b']",
        "foreign key None None None None [('k', 'p', None, 'a')] 'CASCADE' None None",
        "key None ['id'] True None None None ",
        "unique conv 'uq_t_k' None None None ['k']",
        *("id", f"{INTEGER} fill key True 'auto'"),
        "n",
        f"{INTEGER} null default string '1' fill {(sa.Integer,)!r} int 2 comment 'said' renamed 'old'",
        *("f", f"{INTEGER} null default fetched"),
        *("g", f"{INTEGER} fill function"),
        *("e", f"{LABELS} null"),
        *("h", f"{VARCHAR} null fill \"'RED'\""),
        *("b", f"{BOOLEAN} null default constant True_"),
        *("k", f"{INTEGER} null"),
        "s",
        f"{INTEGER} null sequence 's' None False {['3', *['None'] * 8]!r} options "
        + repr([("sqlite_on_conflict_not_null", "FAIL")]),
        *("i", f"{INTEGER} fill default identity False [3{', None' * 8}]"),
        *("c", f"{INTEGER} null default computed text 'n + 1' None"),
        *("'iw' False [\"text 'lower(n)'\"] [('sqlite_where', \"text 'n > 0'\")]", "written"),
        *("ix", "index 2", "n", "f"),
        *("ux", "unique 1", "n"),
    ]


def test_every_trait_of_a_column_counts_whatever_its_others_are() -> None:
    traits: list[dict[str, list[Any]]] = [
        {"primary_key": [False, True]},
        {"server_default": [None, "1", "2"]},
        {"default": [None, 1, 2]},
        {"comment": [None, "x", "y"]},
        {"info": [{}, {"renamed_from": "a"}, {"renamed_from": "b"}, {"fill": 5}, {"fill": 6}]},
        {"sqlite_on_conflict_unique": [None, "FAIL", "IGNORE"]},
        {"nullable": [False, True]},
    ]
    seen: dict[str, dict[str, Any]] = {}
    prints = Fingerprints(SQLITE)
    choices = [[(name, value) for value in values] for one in traits for name, values in one.items()]
    for chosen in itertools.product(*choices):
        given = {name: value for name, value in chosen if value is not None and value != {}}
        if given.get("primary_key") and given["nullable"]:
            continue
        if "default" in given and "fill" in given.get("info", {}):
            continue  # Then info decides alone.
        text = prints.text(table(sa.Column("c", sa.Integer, **given), sa.Column("d", sa.Integer)))
        assert text not in seen, f"{given} and {seen[text]}"
        seen[text] = given
    assert len(seen) == 891


def test_every_column_and_every_index_and_constraint_counts() -> None:
    """Not only the last one, nor what comes before one that the database makes itself."""
    parts: dict[str, Callable[[], Any]] = {
        "a": lambda: sa.Column("a", sa.Integer),
        "system": lambda: sa.Column("xmin", sa.Integer, system=True),
        "b": lambda: sa.Column("b", sa.Integer, sa.CheckConstraint("b > 0")),
        "c": lambda: sa.Column("c", sa.Integer, sa.CheckConstraint("c > 0")),
        "ix": lambda: sa.Index("ix", "z"),
        "iy": lambda: sa.Index("iy", "z"),
        "ck": lambda: sa.CheckConstraint("z > 0"),
        "cl": lambda: sa.CheckConstraint("z > 1"),
    }
    prints = Fingerprints(SQLITE)
    seen: dict[str, tuple[str, ...]] = {}
    for size in range(len(parts) + 1):
        for chosen in itertools.combinations(parts, size):
            if "system" in chosen:
                without = tuple(name for name in chosen if name != "system")
                given = table(sa.Column("z", sa.Integer), *(parts[name]() for name in chosen))
                plain = table(sa.Column("z", sa.Integer), *(parts[name]() for name in without))
                assert prints.text(given) == prints.text(plain)
                continue
            text = prints.text(table(sa.Column("z", sa.Integer), *(parts[name]() for name in chosen)))
            assert text not in seen, f"{chosen} and {seen[text]}"
            seen[text] = chosen
    assert len(seen) == 2 ** (len(parts) - 1)


def key(*columns: str) -> sa.Table:
    return table(sa.Column("a", sa.Integer), sa.Column("b", sa.Integer), sa.PrimaryKeyConstraint(*columns))


def indexed(*keys: Any, **options: Any) -> sa.Table:
    return table(sa.Column("a", sa.String), sa.Column("b", sa.String), sa.Index("i", *keys, **options))


def labelled(check: str) -> sa.Table:
    made = table(sa.Column("e", sa.Enum("x", "y", native_enum=False)))
    made.append_constraint(sa.CheckConstraint(made.c.e != sa.literal(check, sa.String), name="ck"))
    return made


def typed(type_: Any, **traits: Any) -> sa.Table:
    return table(sa.Column("c", type_, **traits))


LONG = "x" * 80
# SQLAlchemy 2.0 has no WITH for tables.
OPTION = "postgresql_with" if sa.__version__ >= "2.1" else "postgresql_tablespace"
WITH: dict[str, Any] = {OPTION: {"fillfactor": 70}}
OTHER_WITH: dict[str, Any] = {OPTION: {"fillfactor": 80}}
DIFFERENT: list[tuple[Callable[[], sa.Table], Callable[[], sa.Table]]] = [
    (lambda: key("a", "b"), lambda: key("b", "a")),
    (lambda: labelled("x"), lambda: labelled("y")),
    (lambda: table(sa.Column("a", sa.Integer), **WITH), lambda: table(sa.Column("a", sa.Integer), **OTHER_WITH)),
    (lambda: table(sa.Column("a", sa.Integer), **WITH), lambda: table(sa.Column("a", sa.Integer))),
    (lambda: indexed("a", postgresql_ops={"a": "text_pattern_ops"}),
     lambda: indexed("a", postgresql_ops={"a": "varchar_pattern_ops"})),
    (lambda: indexed("a", postgresql_ops={"a": "text_pattern_ops"}),
     lambda: indexed("a", postgresql_ops={"b": "text_pattern_ops"})),
    (lambda: indexed("a", postgresql_with={"fillfactor": 70}),
     lambda: indexed("a", postgresql_with={"fillfactor": 71})),
    (lambda: indexed("a", postgresql_include=["a"]), lambda: indexed("a", postgresql_include=["b"])),
    (lambda: indexed("a", postgresql_tablespace="one"), lambda: indexed("a", postgresql_tablespace="two")),
    (lambda: indexed("a", postgresql_tablespace=sa.sql.quoted_name("one", True)),
     lambda: indexed("a", postgresql_tablespace=sa.sql.quoted_name("two", True))),
    (lambda: typed(sa.Integer, primary_key=True, server_default="1", autoincrement=True),
     lambda: typed(sa.Integer, primary_key=True, server_default="1", autoincrement=False)),
    (lambda: typed(sa.String, default=Colour.RED), lambda: typed(sa.String, default=Colour.BLUE)),
    (lambda: indexed("a", postgresql_nulls_not_distinct=True),
     lambda: indexed("a", postgresql_nulls_not_distinct=False)),
    (lambda: typed(sa.Integer, server_default=sa.Identity(start=1)),
     lambda: typed(sa.Integer, server_default=sa.Identity(start=2))),
    (lambda: typed(sa.Integer, default=sa.Sequence("s")), lambda: typed(sa.Integer, default=sa.Sequence("r"))),
    (lambda: typed(sa.Integer, default=sa.Sequence("s", start=1)),
     lambda: typed(sa.Integer, default=sa.Sequence("s", start=2))),
    (lambda: typed(sa.Integer, default=sa.Sequence("s")), lambda: typed(sa.Integer, default=lambda: 1)),
    (lambda: typed(Mapped({"a": "1"}), default="a"), lambda: typed(Mapped({"a": "2"}), default="a")),
    (lambda: table(sa.Column("c", sa.Integer), sa.UniqueConstraint("c", name=sa.schema.conv(LONG))),
     lambda: table(sa.Column("c", sa.Integer), sa.UniqueConstraint("c", name=LONG))),
    (lambda: table(sa.Column("c\ud800", sa.Integer)), lambda: table(sa.Column("c\ud801", sa.Integer))),
]  # fmt: skip


@pytest.mark.parametrize("pair", DIFFERENT)
def test_these_differ(pair: tuple[Callable[[], sa.Table], Callable[[], sa.Table]]) -> None:
    prints = Fingerprints(POSTGRES)
    one, other = (prints.of(made()) for made in pair)
    assert one != other
    assert Fingerprints(POSTGRES).of(pair[0]()) == one


SAME: list[tuple[Callable[[], sa.Table], Callable[[], sa.Table]]] = [
    # What options of another dialect say, and in which order options come.
    (lambda: table(sa.Column("a", sa.Integer), sqlite_strict=True),
     lambda: table(sa.Column("a", sa.Integer), sqlite_with_rowid=False)),
    (lambda: indexed("a", sqlite_where=sa.text("a > ''")), lambda: indexed("a", sqlite_where=sa.text("b > ''"))),
    (lambda: indexed("a", postgresql_with={"fillfactor": 70, "deduplicate_items": "on"}),
     lambda: indexed("a", postgresql_with={"deduplicate_items": "on", "fillfactor": 70})),
    (lambda: indexed("a", postgresql_using="gin", postgresql_tablespace="x"),
     lambda: indexed("a", postgresql_tablespace="x", postgresql_using="gin")),
    # A value that is an object has an address, which says nothing.
    (lambda: typed(sa.Enum(Thing), default=Thing.ONE), lambda: typed(sa.Enum(Thing), default=Thing.ONE)),
    (lambda: typed(sa.String, default=Thing.ONE), lambda: typed(sa.String, default=Thing.ONE)),
]  # fmt: skip


@pytest.mark.parametrize("pair", SAME)
def test_these_do_not_differ(pair: tuple[Callable[[], sa.Table], Callable[[], sa.Table]]) -> None:
    one, other = (Fingerprints(POSTGRES).text(made()) for made in pair)
    assert one == other
    assert " at 0x" not in one


def test_an_index_for_one_database_counts_for_that_one_alone() -> None:
    def made(dialect: str) -> sa.Table:
        return table(sa.Column("a", sa.Integer), sa.Index("i", "a").ddl_if(dialect=dialect))

    none = table(sa.Column("a", sa.Integer))
    for target, mine, others in ((SQLITE, "sqlite", "postgresql"), (POSTGRES, "postgresql", "sqlite")):
        prints = Fingerprints(target)
        assert prints.of(made(mine)) != prints.of(none) == prints.of(made(others))


VARIANTS: list[Callable[[], Any]] = [
    lambda: sa.String(9).with_variant(sa.Text(), "postgresql"),
    lambda: sa.String(9).with_variant(sa.Integer(), "postgresql"),
    lambda: sa.String(9).with_variant(sa.String(8), "postgresql"),
    lambda: sa.String(9),
    lambda: sa.ARRAY(sa.Integer),
    lambda: sa.ARRAY(sa.Text),
    lambda: sa.ARRAY(sa.String(3)),
    lambda: sa.ARRAY(sa.String(4)),
    lambda: sa.ARRAY(sa.Integer, dimensions=2),
    lambda: sa.ARRAY(sa.String(3).with_variant(sa.Text(), "postgresql")),
    lambda: sa.ARRAY(sa.String(3).with_variant(sa.BigInteger(), "postgresql")),
    lambda: sa.Enum("a", "b", name="e"),
    lambda: sa.Enum("a", "c", name="e"),
    lambda: sa.Enum("a", "b", name="f"),
    lambda: sa.Enum(Colour, name="e"),
    lambda: sa.ARRAY(sa.Enum("a", "b", name="e")),
    lambda: sa.ARRAY(sa.Enum("a", "b", name="f")),
    lambda: sa.String(9).with_variant(sa.Enum("a", "b", name="e"), "postgresql"),
    lambda: sa.String(9).with_variant(sa.Enum("a", "b", name="f"), "postgresql"),
    lambda: Sized(9, 2),
    lambda: Sized(9, 3),
    lambda: sa.ARRAY(Sized(9, 2)),
    lambda: sa.ARRAY(Sized(9, 3)),
    lambda: postgresql.DOMAIN("d", sa.Integer),
    lambda: postgresql.DOMAIN("d", sa.Text),
]


def test_one_object_tells_types_apart_that_are_made_of_others() -> None:
    """Words are remembered by what a type is made of: what is left out there would give one type the other's word."""
    prints = Fingerprints(POSTGRES)
    texts = [prints.text(typed(made())) for made in VARIANTS]
    again = [prints.text(typed(made())) for made in VARIANTS]
    alone = [Fingerprints(POSTGRES).text(typed(made())) for made in VARIANTS]
    assert texts == again == alone
    spelled = [repr(target_of("postgresql").types(made())) for made in VARIANTS]
    for one, other in itertools.combinations(range(len(VARIANTS)), 2):
        assert (texts[one] == texts[other]) is (spelled[one] == spelled[other]), (one, other)


def test_a_name_cannot_hold_what_makes_it_two_columns() -> None:
    word = Fingerprints(SQLITE).text(table(sa.Column("a", sa.Integer))).split("\0")[-1]
    one = table(sa.Column(f"a\0{word}\0b", sa.Integer), sa.Column("c", sa.Integer))
    other = table(sa.Column("a", sa.Integer), sa.Column(f"b\0{word}\0c", sa.Integer))
    prints = Fingerprints(SQLITE)
    assert prints.text(one) != prints.text(other)
    assert prints.of(one) != prints.of(other)


def test_a_name_that_is_no_text_is_for_the_wanted_table_to_refuse() -> None:
    made = table(sa.Column("a", sa.Integer))
    prints = Fingerprints(SQLITE)
    seen = {prints.of(made)}
    for name in (5, 6):
        setattr(made.c.a, "name", name)  # noqa: B010 - no name that SQLAlchemy's types allow
        seen.add(prints.of(made))
    assert len(seen) == 3


def test_the_owner_counts_and_minor_versions_of_the_server_do_not() -> None:
    made = table(sa.Column("a", sa.Integer))
    prints = Fingerprints(POSTGRES)
    assert prints.of(made) == prints.of(made, "")
    assert len({prints.of(made), prints.of(made, "shop"), prints.of(made, "shelf")}) == 3
    versions = []
    for version in ((17, 2), (17, 3), (18, 0)):
        target = target_of("postgresql")
        target.dialect.server_version_info = version
        versions.append(Fingerprints(target).of(made))
    assert versions[0] == versions[1] != versions[2]


def test_what_cannot_be_written_names_the_table() -> None:
    made = table(sa.Column("a", sa.Integer), sa.CheckConstraint(sa.literal(object(), sa.Integer) == sa.literal(1)))
    with pytest.raises(InvalidMetadata, match=r"Table t cannot be written as SQL: .+"):
        Fingerprints(SQLITE).of(made)
