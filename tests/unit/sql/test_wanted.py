"""SQLAlchemy tables as wanted values."""

from __future__ import annotations

import datetime as dt
import enum
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from framework_m_migrations.adapters.sql.desired.tables import Target, wanted_table
from framework_m_migrations.domain.diff import diff_table
from framework_m_migrations.domain.errors import InvalidMetadata
from framework_m_migrations.domain.schema import IndexKey, Table, TableName
from tests.unit.sql.tables import target_of

POSTGRES, SQLITE = target_of("postgresql"), target_of("sqlite")
BOTH = pytest.mark.parametrize("target", [POSTGRES, SQLITE], ids=["postgresql", "sqlite"])


class Colour(enum.Enum):
    RED = "r'ed"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1


class Tier(enum.StrEnum):
    SILVER = "silver:%"


def never(*_: object) -> object:
    raise AssertionError("a function of the application was called")


def wanted(table: sa.Table, target: Target) -> Table:
    return wanted_table(table, target).table


def column(target: Target, *args: Any, **kwargs: Any) -> Any:
    found = wanted(sa.Table("t", sa.MetaData(), sa.Column("c", *args, **kwargs)), target).column("c")
    assert found is not None
    return found


@BOTH
@pytest.mark.parametrize(
    ("type_", "value", "postgres", "sqlite"),
    [
        (sa.String(), "it's", "'it''s'", None),
        (sa.String(), ":x and 50% and \\ and \n and ü", "':x and 50% and \\ and \n and ü'", None),
        (sa.String(), Tier.SILVER, "'silver:%'", None),
        (sa.String(), Colour.RED, "'r''ed'", None),
        (sa.Enum(Colour), Colour.RED, "'RED'", None),
        (sa.Boolean(), True, "true", "1"),
        (sa.Integer(), 7, "7", None),
        (sa.Integer(), Level.LOW, "1", None),
        (sa.Float(), 1.5, "1.5", None),
        (sa.Float(), float("nan"), None, None),
        (sa.Numeric(10, 2), Decimal("1.50"), "1.50", None),
        (sa.Date(), dt.date(2026, 1, 2), "'2026-01-02'", None),
        (sa.JSON(), {"a": ["it's", 1]}, "'{\"a\": [\"it''s\", 1]}'", None),
        (sa.JSON(), dict, "'{}'", None),
        (sa.JSON(), list, "'[]'", None),
        (sa.UUID(), UUID(int=1), "'00000000-0000-0000-0000-000000000001'", "'00000000000000000000000000000001'"),
        (sa.LargeBinary(), b"\x00'", "'\\x0027'", "X'0027'"),
        (sa.Boolean(), sa.true(), "true", "1"),
        (sa.Integer(), sa.literal(5), "5", None),
        (sa.Integer(), never, None, None),
        (sa.Integer(), lambda: 3, None, None),
        (sa.DateTime(), sa.func.now(), None, None),
        (sa.Integer(), "not a number at all", None, None),
        (sa.String(), "with \0", None, None),
    ],
)
def test_constants_of_the_application_become_fills(
    target: Target, type_: Any, value: Any, postgres: str | None, sqlite: str | None
) -> None:
    found = column(target, type_, nullable=False, default=value)
    assert found.default is None
    assert found.fill == (postgres if target is POSTGRES else sqlite or postgres)


def test_an_empty_array_is_a_literal_that_postgres_can_type() -> None:
    assert column(POSTGRES, sa.ARRAY(sa.Integer), default=list).fill == "'{}'"


@BOTH
@pytest.mark.parametrize(
    ("default", "sql"),
    [
        ("it's", "'it''s'"),
        (sa.text("'a:b'"), "'a:b'"),
        (sa.text("' :x 100%'"), "' :x 100%'"),
        (sa.text("42"), "42"),
        (sa.literal("it's"), "'it''s'"),
        (sa.text("NULL"), None),
        (sa.func.current_timestamp(), "CURRENT_TIMESTAMP"),
    ],
)
def test_server_defaults_are_the_sql_that_ddl_writes(target: Target, default: Any, sql: str | None) -> None:
    assert column(target, sa.String(), server_default=default).default == sql


@BOTH
def test_a_server_default_leaves_no_fill(target: Target) -> None:
    assert column(target, sa.Integer(), default=1, server_default="2").fill is None


@BOTH
def test_a_fetched_value_leaves_the_default_to_the_database(target: Target) -> None:
    mine = column(target, sa.Integer(), server_default=sa.FetchedValue())
    assert (mine.default, mine.foreign_default) == (None, True)
    table = Table(TableName("t"), (mine,))
    actual = replace(table, columns=(replace(mine, default="7", foreign_default=False),))
    assert diff_table(table, actual, None, target.capabilities) == []
    plain = replace(table, columns=(replace(mine, foreign_default=False),))
    assert len(diff_table(plain, actual, None, target.capabilities)) == 1


def test_a_conflict_clause_at_the_column_belongs_to_its_constraint() -> None:
    table = sa.Table("t", sa.MetaData(), sa.Column("a", sa.Integer, unique=True, sqlite_on_conflict_unique="ignore"))
    assert wanted(table, SQLITE).uniques[0].options == (("on_conflict", "IGNORE"),)
    assert wanted(table, POSTGRES).uniques[0].options == ()


@BOTH
def test_keys_are_not_null_and_in_key_order(target: Target) -> None:
    table = sa.Table(
        "t",
        sa.MetaData(),
        sa.Column("b", sa.String(), primary_key=True, nullable=True),
        sa.Column("a", sa.String(), primary_key=True),
        sa.PrimaryKeyConstraint("a", "b", name="pk_t"),
    )
    found = wanted(table, target)
    assert found.primary_key is not None
    assert (found.primary_key.columns, found.primary_key.name) == (("a", "b"), "pk_t")
    assert not any(item.nullable for item in found.columns)


@BOTH
def test_indexes_have_keys_modifiers_predicates_and_no_order(target: Target) -> None:
    table = sa.Table("t", sa.MetaData(), sa.Column("a", sa.String()), sa.Column("select", sa.String()))
    where = sa.text("a <> ':x%'")
    sa.Index("z", table.c.a.desc(), sa.func.lower(table.c.select), unique=True)
    sa.Index("b", sa.text('"select" DESC'), postgresql_where=where, sqlite_where=where, _table=table)
    sa.Index("a", table.c.a, postgresql_where=table.c.select == "it's", sqlite_where=table.c.select == "it's")
    a, b, z = wanted(table, target).indexes
    assert (a.name, a.where) == ("a", "\"select\" = 'it''s'")
    assert (b.keys, b.where) == ((IndexKey("select", modifiers="DESC"),), "a <> ':x%'")
    assert (z.keys, z.unique) == ((IndexKey("a", modifiers="DESC"), IndexKey(None, 'lower("select")')), True)


@BOTH
def test_constraints_that_ddl_does_not_write_are_not_wanted(target: Target) -> None:
    table = sa.Table(
        "t",
        sa.MetaData(),
        sa.Column("a", sa.Integer(), sa.CheckConstraint("a > 0")),
        sa.CheckConstraint("a < 9", name="only").ddl_if(dialect="oracle"),
        sa.UniqueConstraint("a", name="u").ddl_if(callable_=lambda *args, **kwargs: False),
    )
    sa.Index("i", table.c.a).ddl_if(dialect="oracle")
    found = wanted(table, target)
    assert ([check.expression for check in found.checks], found.uniques, found.indexes) == (["a > 0"], (), ())


def test_checks_of_types_are_wanted_where_the_type_is_not_native() -> None:
    def of(target: Target) -> list[str | None]:
        metadata = sa.MetaData(naming_convention={"ck": "ck_%(table_name)s_%(constraint_name)s"})
        made = sa.Table(
            "t",
            metadata,
            sa.Column("e", sa.Enum("a", "b", name="letters", create_constraint=True)),
            sa.Column("f", sa.Enum("a'", "b", name="quoted", native_enum=False, create_constraint=True)),
            sa.Column("g", sa.Boolean(create_constraint=True, name="flag")),
        )
        return [check.name for check in wanted(made, target).checks]

    assert of(POSTGRES) == ["ck_t_quoted"]
    assert of(SQLITE) == ["ck_t_flag", "ck_t_letters", "ck_t_quoted"]


def test_foreign_keys_tell_their_actions_and_options() -> None:
    metadata = sa.MetaData()
    sa.Table("p", metadata, sa.Column("x", sa.Integer, key="ex"), sa.Column("y", sa.Integer), schema="s")
    table = sa.Table(
        "t",
        metadata,
        sa.Column("a", sa.Integer),
        sa.Column("b", sa.Integer),
        sa.ForeignKeyConstraint(
            ["a", "b"],
            ["s.p.ex", "s.p.y"],
            name="fk",
            use_alter=True,
            ondelete="set null",
            onupdate="no action",
            deferrable=True,
            initially="deferred",
            match="full",
        ),
    )
    key = wanted(table, POSTGRES).foreign_keys[0]
    assert (key.columns, key.target, key.target_columns) == (("a", "b"), TableName("p", "s"), ("x", "y"))
    assert (key.on_delete, key.on_update) == ("SET NULL", None)
    assert key.options == (("deferrable", "true"), ("initially", "DEFERRED"), ("match", "FULL"))
    assert wanted(table, target_of("postgresql", schema="s")).foreign_keys[0].target == TableName("p")
    assert wanted(table, SQLITE).foreign_keys == (), "SQLite writes no foreign key across schemas"


@pytest.mark.parametrize(("target", "said"), [("gone.id", "gone"), ("t.gone", "t.gone")])
def test_a_foreign_key_without_target_is_named(target: str, said: str) -> None:
    metadata = sa.MetaData()
    table = sa.Table(
        "t", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("a", sa.ForeignKey(target))
    )
    with pytest.raises(InvalidMetadata) as caught:
        wanted(table, POSTGRES)
    assert said in str(caught.value)
    assert "t.a" in str(caught.value)


def test_the_sessions_own_schema_is_the_default_one() -> None:
    table = sa.Table("t", sa.MetaData(schema="tenant"), sa.Column("a", sa.Enum("x", name="e", schema="tenant")))
    assert wanted(table, target_of("postgresql")).name == TableName("t", "tenant")
    made = wanted_table(table, target_of("postgresql", schema="tenant"))
    assert made.table.name == TableName("t")
    assert made.enums[0].name == TableName("e")
    assert made.table.columns[0].type.enum == TableName("e")


@BOTH
def test_generated_names_are_cut_as_sqlalchemy_cuts_them(target: Target) -> None:
    long = "c" * 70
    table = sa.Table("t", sa.MetaData(naming_convention={"ix": "ix_%(column_0_label)s"}), sa.Column(long, sa.Integer))
    sa.Index(None, table.c[long])
    name = wanted(table, target).indexes[0].name
    made = str(sa.schema.CreateIndex(next(iter(table.indexes))).compile(dialect=target.dialect))
    assert f" {name} " in made


def test_names_are_cut_as_the_database_cuts_them() -> None:
    name = "ü" * 40
    table = sa.Table(name, sa.MetaData(), sa.Column(name + "x", sa.Integer), sa.UniqueConstraint(name + "x", name=name))
    found = wanted(table, POSTGRES)
    assert found.name.name == found.columns[0].name == found.uniques[0].name == "ü" * 31
    assert found.uniques[0].columns == ("ü" * 31,)


@BOTH
@pytest.mark.parametrize("name", ["", "a\0b", "a\nb", "a\x7fb", "a\ud800b"])
def test_hostile_names_are_refused(target: Target, name: str) -> None:
    metadata = sa.MetaData()
    bad = [
        sa.Table(name or " ", metadata, sa.Column("a", sa.Integer)) if name else None,
        sa.Table("t", sa.MetaData(), sa.Column(name, sa.Integer)) if name else None,
        sa.Table("t", sa.MetaData(), sa.Column("a", sa.Integer), sa.UniqueConstraint("a", name=name)),
        sa.Table("t", sa.MetaData(), sa.Column("a", sa.Integer), sa.Index(name, "a")),
        sa.Table("t", sa.MetaData(), sa.Column("a", sa.Integer, info={"renamed_from": name})),
    ]
    for table in bad:
        if table is not None:
            with pytest.raises(InvalidMetadata):
                wanted(table, target)


def test_names_that_collide_are_refused() -> None:
    long = "c" * 63
    collide = sa.Table("t", sa.MetaData(), sa.Column(long + "1", sa.Integer), sa.Column(long + "2", sa.Integer))
    with pytest.raises(InvalidMetadata):
        wanted(collide, POSTGRES)
    assert len(wanted(collide, SQLITE).columns) == 2
    cased = sa.Table("t", sa.MetaData(), sa.Column("a", sa.Integer), sa.Column("A", sa.Integer))
    assert len(wanted(cased, POSTGRES).columns) == 2
    with pytest.raises(InvalidMetadata):
        wanted(cased, SQLITE)


@BOTH
def test_a_table_without_columns_or_with_unwritable_sql_is_refused(target: Target) -> None:
    with pytest.raises(InvalidMetadata):
        wanted(sa.Table("t", sa.MetaData()), target)
    with pytest.raises(InvalidMetadata):
        wanted(sa.Table("t", sa.MetaData(), sa.Column("a", sa.types.NullType())), target)


def test_enumerations_comments_and_former_names_come_along() -> None:
    table = sa.Table(
        "t",
        sa.MetaData(),
        sa.Column("a", sa.Enum("x", "y", name="e"), comment="a column", info={"renamed_from": "z"}),
        comment="a table",
        info={"renamed_from": "old"},
    )
    made = wanted_table(table, POSTGRES)
    assert [(item.name, item.values) for item in made.enums] == [(TableName("e"), ("x", "y"))]
    assert (made.table.comment, made.table.columns[0].comment) == ("a table", "a column")
    assert (made.table.renamed_from, made.table.columns[0].renamed_from) == ("old", "z")
    assert wanted(table, SQLITE).comment is None
    twice = sa.Table("t", sa.MetaData(), sa.Column("a", sa.Enum("x", name="e")), sa.Column("b", sa.Enum("y", name="e")))
    with pytest.raises(InvalidMetadata):
        wanted(twice, POSTGRES)
