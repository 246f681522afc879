"""What SQLAlchemy creates is read back as what is wanted: no difference is invented."""

from __future__ import annotations

import enum
import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite as sqlite_types
from sqlalchemy.sql import sqltypes

from framework_m_migrations.domain.diff import diff_table
from framework_m_migrations.domain.schema import Table
from tests.sqlite._helpers import DIALECT, connected, read_all, wanted


class Colour(enum.Enum):
    RED = "red"
    BLUE = "it's blue"


class Wrapped(sa.TypeDecorator[str]):
    impl = sa.String(40)
    cache_ok = True


class Special(sa.types.UserDefinedType[str]):
    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "my  special ( 3,  4 )"


TYPES: dict[str, sa.types.TypeEngine[Any]] = {
    "integer": sa.Integer(),
    "small": sa.SmallInteger(),
    "big": sa.BigInteger(),
    "string": sa.String(),
    "string_140": sa.String(140),
    "string_nocase": sa.String(20, collation="NOCASE"),
    "unicode": sa.Unicode(30),
    "unicode_text": sa.UnicodeText(),
    "text": sa.Text(),
    "text_rtrim": sa.Text(collation="rtrim"),
    "char": sa.CHAR(3),
    "nchar": sa.NCHAR(4),
    "nvarchar": sa.NVARCHAR(5),
    "varchar": sa.VARCHAR(6),
    "clob": sa.CLOB(),
    "numeric": sa.Numeric(),
    "numeric_10_2": sa.Numeric(10, 2),
    "decimal": sa.DECIMAL(18, 6),
    "float": sa.Float(),
    "float_53": sa.Float(53),
    "real": sa.REAL(),
    "double": sa.Double(),
    "double_precision": sa.DOUBLE_PRECISION(),
    "boolean": sa.Boolean(),
    "boolean_check": sa.Boolean(create_constraint=True, name="ck_bool"),
    "date": sa.Date(),
    "datetime": sa.DateTime(),
    "datetime_tz": sa.DateTime(timezone=True),
    "timestamp": sa.TIMESTAMP(),
    "time": sa.Time(),
    "interval": sa.Interval(),
    "blob": sa.LargeBinary(),
    "blob_16": sa.LargeBinary(16),
    "binary": sa.BINARY(8),
    "varbinary": sa.VARBINARY(9),
    "json": sa.JSON(),
    "sqlite_json": sqlite_types.JSON(),
    "uuid": sa.Uuid(),
    "uuid_text": sa.Uuid(as_uuid=False, native_uuid=False),
    "pickle": sa.PickleType(),
    "enum": sa.Enum("a", "it's", "100%", name="e1"),
    "enum_class": sa.Enum(Colour),
    "enum_check": sa.Enum("x", "it's", name="ck_enum", create_constraint=True),
    "sqlite_date": sqlite_types.DATE(),  # type: ignore[no-untyped-call]
    "sqlite_datetime": sqlite_types.DATETIME(),  # type: ignore[no-untyped-call]
    "sqlite_time": sqlite_types.TIME(),  # type: ignore[no-untyped-call]
    "variant": sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
    "decorated": Wrapped(),
    "special": Special(),
    "tuple_like": sa.JSON(none_as_null=True),
}


def every_type_of_sqlalchemy() -> dict[str, sa.types.TypeEngine[Any]]:
    """Every public type class that SQLite can write without arguments."""
    compiler = sa.create_engine("sqlite://").dialect.type_compiler_instance
    found: dict[str, sa.types.TypeEngine[Any]] = {}
    for module in (sqltypes, sqlite_types):
        for name, item in vars(module).items():
            if not (isinstance(item, type) and issubclass(item, sa.types.TypeEngine)) or name.startswith("_"):
                continue
            try:
                instance = item()
                compiler.process(instance)
            except (TypeError, AssertionError, sa.exc.SQLAlchemyError, NotImplementedError, AttributeError):
                continue
            found[f"c{len(found)}_{name}"] = instance
    return found


def columns_of(types: dict[str, sa.types.TypeEngine[Any]]) -> sa.Table:
    columns = [sa.Column(name, type_) for name, type_ in types.items()]
    return sa.Table("t", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True), *columns)


def differences(table: sa.Table, path: Path | None = None) -> tuple[list[Any], Table, Table]:
    with connected(path) as connection:
        table.metadata.create_all(connection)
        connection.commit()
        actual = read_all(connection)[table.name]
        want = wanted(table, connection.dialect)
        capabilities = DIALECT.capabilities(connection.dialect)
        first = diff_table(want, actual, None, capabilities)
        inspector = DIALECT.inspector(connection, schema=None, ignored=frozenset())
        respelt = inspector.normalise([(want, actual)])[0]
        assert diff_table(respelt, actual, None, capabilities) == []
        connection.rollback()
        return first, want, actual


@pytest.mark.parametrize("types", [TYPES, every_type_of_sqlalchemy()], ids=["chosen", "all of SQLAlchemy"])
def test_every_type_comes_back_as_it_is_wanted(types: dict[str, sa.types.TypeEngine[Any]], tmp_path: Path) -> None:
    assert len(types) > 25
    found, want, actual = differences(columns_of(types), tmp_path / "t.db")
    assert found == []
    assert [column.type for column in want.columns] == [column.type for column in actual.columns]
    for mine, theirs in zip(want.columns, actual.columns, strict=True):
        told = (mine.type.base, mine.type.length, mine.type.precision, mine.type.scale, mine.type.collation)
        assert told == (
            theirs.type.base,
            theirs.type.length,
            theirs.type.precision,
            theirs.type.scale,
            theirs.type.collation,
        )


DEFAULTS: dict[str, tuple[sa.types.TypeEngine[Any], Any]] = {
    "plain": (sa.String(10), "abc"),
    "quote": (sa.String(10), "it's"),
    "percent": (sa.String(10), "100%s"),
    "colon": (sa.String(10), ":x and ::y"),
    "double_quote": (sa.String(10), 'say "hi"'),
    "backslash": (sa.String(10), "a\\b"),
    "newline": (sa.String(10), "a\nb"),
    "brackets": (sa.String(10), "[a](b)--c/*d*/"),
    "unicode": (sa.String(10), "größe 🙂"),
    "empty": (sa.String(10), ""),
    "number_text": (sa.String(10), "007"),
    "number_like": (sa.String(10), "7"),
    "keyword": (sa.String(10), "CURRENT_TIMESTAMP"),
    "json": (sa.JSON(), json.dumps({"a": [1, "it's"], "b:c": None})),
    "integer_string": (sa.Integer(), "5"),
    "integer": (sa.Integer(), sa.text("5")),
    "negative": (sa.Integer(), sa.text("-5")),
    "positive": (sa.Integer(), sa.text("+5")),
    "decimal": (sa.Numeric(10, 2), sa.text("1.50")),
    "exponent": (sa.Float(), sa.text("1E-5")),
    "true": (sa.Boolean(), sa.true()),
    "false": (sa.Boolean(), sa.false()),
    "text_true": (sa.Boolean(), sa.text("TRUE")),
    "now": (sa.DateTime(), sa.func.now()),
    "current": (sa.DateTime(), sa.text("current_timestamp")),
    "date": (sa.Date(), "2024-01-31"),
    "expression": (sa.String(30), sa.text("(lower('A') || 'b')")),
    "nested": (sa.Integer(), sa.text("((1 + (2)))")),
    "function": (sa.String(30), sa.func.hex(sa.func.randomblob(4))),
    "blob": (sa.LargeBinary(), sa.text("X'00ff'")),
    "null": (sa.String(10), sa.text("NULL")),
    "enum": (sa.Enum("a", "it's", name="e"), "it's"),
}


def test_every_default_comes_back_as_it_is_wanted() -> None:
    columns = [sa.Column(name, type_, server_default=default) for name, (type_, default) in DEFAULTS.items()]
    table = sa.Table("t", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True), *columns)
    found, want, _ = differences(table)
    assert found == []
    defaults = {column.name: column.default for column in want.columns}
    assert defaults["quote"] == "'it''s'"
    assert defaults["integer_string"] == defaults["integer"] == "5"
    assert defaults["null"] is None
    volatile = {column.name for column in want.columns if column.volatile_default}
    assert volatile == {"now", "current", "expression", "nested", "function"}


UGLY_NAMES = [
    "order",
    "group",
    "user",
    "select",
    "camelCase",
    "with space",
    "with.dot",
    'with"quote',
    "with'apostrophe",
    "with`tick",
    "with[bracket",
    "with]bracket",
    "größe",
    "имя",
    "名前",
    "🙂",
    "100%",
    ":colon",
    "semi;colon",
    "--comment",
    "/*comment*/",
    "check",
    "constraint",
    "a" * 63,
    "é" * 200,
    "1digit",
    "drop",
    "sqlite",
]


@pytest.mark.parametrize("name", UGLY_NAMES)
def test_ugly_names_of_everything(name: str, tmp_path: Path) -> None:
    metadata = sa.MetaData()
    parent = sa.Table(f"p {name}", metadata, sa.Column(name, sa.Integer, primary_key=True))
    table = sa.Table(
        name,
        metadata,
        sa.Column(name, sa.Integer, primary_key=True),
        sa.Column(f"x{name}", sa.String(10), server_default=name),
        sa.Column(f"y{name}", sa.Integer),
        sa.ForeignKeyConstraint([f"y{name}"], [parent.c[name]], name=f"fk{name}", ondelete="CASCADE"),
        sa.UniqueConstraint(f"x{name}", f"y{name}", name=f"uq{name}"),
    )
    table.append_constraint(sa.CheckConstraint(table.c[f"y{name}"] > 0, name=f"ck{name}"))
    sa.Index(f"ix{name}", table.c[f"y{name}"].desc(), sa.func.lower(table.c[f"x{name}"]))
    sa.Index(f"px{name}", table.c[f"x{name}"], unique=True, sqlite_where=table.c[f"y{name}"] > 5)
    found, want, actual = differences(table, tmp_path / "t.db")
    assert found == []
    assert want == actual


def constraints_table() -> sa.Table:
    metadata = sa.MetaData(naming_convention={"ix": "ix_%(column_0_label)s"})
    sa.Table(
        "parent", metadata, sa.Column("a", sa.Integer, primary_key=True), sa.Column("b", sa.Integer, primary_key=True)
    )
    table = sa.Table(
        "t",
        metadata,
        sa.Column("id", sa.Integer),
        sa.Column("Name", sa.String(40, collation="NOCASE"), nullable=False, unique=True, index=True),
        sa.Column("a", sa.Integer),
        sa.Column("b", sa.Integer),
        sa.Column("self", sa.ForeignKey("t.id", ondelete="set null", onupdate="cascade"), index=True),
        sa.Column("total", sa.Integer, sa.Computed("a + b")),
        sa.Column("kept", sa.Integer, sa.Computed("a  *  b", persisted=True)),
        sa.Column("r", sa.Integer, sa.CheckConstraint("r  >  0")),
        sa.PrimaryKeyConstraint("id", name="pk_t"),
        sa.ForeignKeyConstraint(
            ["a", "b"], ["parent.a", "parent.b"], name="fk_ab", deferrable=True, initially="deferred", match="FULL"
        ),
        sa.UniqueConstraint("a", "b", name="uq_ab", sqlite_on_conflict="IGNORE"),
        sa.UniqueConstraint("b"),
        sa.UniqueConstraint("id"),
        sa.CheckConstraint("a IN (1, 2)   OR b != 3 AND (Name LIKE 'x%' ESCAPE '\\')", name="ck 1"),
        sa.CheckConstraint("r < 10", name="r_small"),
        sa.CheckConstraint("(a BETWEEN -1 AND - 2)"),
    )
    sa.Index("ix_many", table.c.Name.desc(), table.c.a, sa.text('lower("Name") DESC'), table.c.Name.collate("BINARY"))
    sa.Index(
        "ix_part",
        table.c.a,
        table.c.b,
        unique=True,
        sqlite_where=sa.and_(table.c.a.is_not(None), table.c["Name"] != "it's"),
    )
    sa.Index("ix_expr", sa.func.coalesce(table.c.a, 0) + 1)
    return table


def test_all_kinds_of_constraints_and_indexes() -> None:
    found, want, actual = differences(constraints_table())
    assert found == []
    assert want == actual
    assert [len(part) for part in (want.indexes, want.uniques, want.checks, want.foreign_keys)] == [5, 3, 4, 2]


def test_autoincrement_and_options_of_tables() -> None:
    metadata = sa.MetaData()
    sa.Table("counted", metadata, sa.Column("id", sa.Integer, primary_key=True), sqlite_autoincrement=True)
    sa.Table("rowless", metadata, sa.Column("id", sa.String(5), primary_key=True), sqlite_with_rowid=False)
    sa.Table("strict", metadata, sa.Column("id", sa.Integer, primary_key=True), sqlite_strict=True)
    for table in metadata.sorted_tables:
        found, _, actual = differences(table)
        assert found == []
        assert dict(actual.options).keys() == {
            {"counted": "autoincrement", "rowless": "without_rowid", "strict": "strict"}[table.name]
        }
