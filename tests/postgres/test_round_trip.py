"""What SQLAlchemy creates is what the catalog reader reads: equal means equal, for every type and form."""

from __future__ import annotations

import datetime as dt
import enum
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from framework_m_migrations.adapters.sql.dialects.postgresql import PostgresqlDialect
from framework_m_migrations.domain.diff import diff_table
from framework_m_migrations.domain.schema import Table
from tests._postgres import PostgresDatabase, PostgresServer
from tests.postgres.support import DRIVERS, connected, ddl, inspector, run, served, wanted


class Tier(enum.Enum):
    GOLD = "gold"
    SILVER = "silver"


class Point(sa.types.UserDefinedType[Any]):
    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "POINT"


class Cents(sa.types.TypeDecorator[Any]):
    impl = sa.Numeric(12, 2)
    cache_ok = True


class Wide(sa.types.TypeDecorator[Any]):
    """Picks its type by dialect, and by state of its own."""

    impl = sa.String
    cache_ok = True

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        return dialect.type_descriptor(pg.VARCHAR(self.size))


GENERIC: list[sa.types.TypeEngine[Any]] = [
    sa.BigInteger(), sa.Boolean(), sa.Date(), sa.DateTime(), sa.DateTime(timezone=True), sa.Double(),
    sa.Enum(Tier), sa.Enum(Tier, native_enum=False), sa.Enum("a", "b", name="Mixed Case"),
    sa.Enum("x", name="user"),
    sa.Float(), sa.Float(10), sa.Float(53), sa.Integer(), sa.Interval(), sa.Interval(second_precision=3),
    sa.Interval(native=False), sa.JSON(), sa.LargeBinary(), sa.Numeric(), sa.Numeric(21), sa.Numeric(21, 9),
    sa.Numeric(asdecimal=False), sa.PickleType(), sa.SmallInteger(), sa.String(), sa.String(140),
    sa.String(10, collation="C"), sa.Text(), sa.Text(collation="POSIX"), sa.Time(), sa.Time(timezone=True),
    sa.Unicode(30), sa.UnicodeText(), sa.Uuid(),
    sa.Uuid(native_uuid=False), sa.ARRAY(sa.Integer), sa.ARRAY(sa.String(10)),
    sa.ARRAY(sa.Numeric(5, 2), dimensions=3), sa.ARRAY(sa.DateTime(timezone=True)),
    sa.BIGINT(), sa.BOOLEAN(), sa.CHAR(), sa.CHAR(3), sa.DATE(), sa.DECIMAL(5, 1), sa.DOUBLE_PRECISION(), sa.FLOAT(24),
    sa.INTEGER(), sa.JSON().with_variant(pg.JSONB(), "postgresql"), sa.NUMERIC(3), sa.REAL(), sa.SMALLINT(), sa.TEXT(),
    sa.TIME(), sa.TIMESTAMP(timezone=True), sa.UUID(), sa.VARCHAR(1), sa.Double(10),
]  # fmt: skip
SPECIFIC: list[sa.types.TypeEngine[Any]] = [
    pg.ARRAY(sa.Text), pg.ARRAY(sa.String(5, collation="C")), pg.ARRAY(sa.Enum(Tier, name="tier")), pg.BIT(),
    pg.BIT(5), pg.BIT(varying=True), pg.BIT(7, varying=True), pg.BYTEA(), pg.CIDR(), pg.CITEXT(), pg.DATEMULTIRANGE(),
    pg.DATERANGE(), pg.DOUBLE_PRECISION(), pg.ENUM("one", "two", name="ordinal"), pg.HSTORE(), pg.INET(),
    pg.INT4MULTIRANGE(), pg.INT4RANGE(), pg.INT8MULTIRANGE(), pg.INT8RANGE(), pg.INTERVAL(),
    pg.INTERVAL(fields="DAY TO SECOND", precision=3), pg.INTERVAL(fields="YEAR TO MONTH"), pg.INTERVAL(precision=0),
    pg.JSON(), pg.JSONB(), pg.JSONPATH(), pg.MACADDR(), pg.MACADDR8(), pg.MONEY(), pg.NUMMULTIRANGE(), pg.NUMRANGE(),
    pg.OID(), pg.REGCLASS(), pg.REGCONFIG(), pg.TIME(precision=2), pg.TIME(timezone=True, precision=0),
    pg.TIMESTAMP(precision=3), pg.TIMESTAMP(timezone=True, precision=6), pg.TSMULTIRANGE(), pg.TSQUERY(), pg.TSRANGE(),
    pg.TSTZMULTIRANGE(), pg.TSTZRANGE(), pg.TSVECTOR(), pg.UUID(), Point(), Cents(), Wide(33), Wide(34),
    pg.ARRAY(Cents()), pg.ARRAY(Wide(7)), pg.DOMAIN("Positive int", sa.Integer, check="value > 0"),
]  # fmt: skip


def of_types(types: list[sa.types.TypeEngine[Any]]) -> sa.MetaData:
    metadata = sa.MetaData()
    columns = [sa.Column(f"c{number}", type_) for number, type_ in enumerate(types)]
    sa.Table("everything", metadata, sa.Column("id", sa.Integer, primary_key=True), *columns)
    return metadata


def differences(connection: sa.Connection, metadata: sa.MetaData, schema: str | None = None) -> list[object]:
    """What sync would find, before and after asking the server."""
    reader = inspector(connection, schema)
    catalog = reader.read()
    capabilities = PostgresqlDialect().capabilities(connection.dialect)
    pairs: list[tuple[Table, Table]] = [(w, catalog.tables[w.name]) for w in wanted(metadata, connection, schema)]
    respelt = reader.normalise(pairs)
    return [
        change for (_, actual), new in zip(pairs, respelt, strict=True)
        for change in diff_table(new, actual, None, capabilities)
    ]  # fmt: skip


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("types", [GENERIC, SPECIFIC], ids=["generic", "specific"])
def test_every_type_is_read_as_it_was_wanted(
    postgres_database: PostgresDatabase, types: list[sa.types.TypeEngine[Any]], driver: str
) -> None:
    metadata = of_types(served(types, postgres_database.server.major))

    def check(connection: sa.Connection) -> None:
        ddl(connection, "CREATE EXTENSION citext", "CREATE EXTENSION hstore")
        metadata.create_all(connection)
        connection.commit()
        [table] = wanted(metadata, connection)
        actual = inspector(connection).read().tables[table.name]
        # Without asking the server: that is for what people write by hand.
        different = [(w.type, a.type) for w, a in zip(table.columns, actual.columns, strict=True) if w != a]
        assert different == []
        assert [w.type.enum for w in table.columns] == [a.type.enum for a in actual.columns]
        assert differences(connection, metadata) == []

    run(postgres_database, check, driver)


DEFAULTS: list[tuple[sa.types.TypeEngine[Any], Any]] = [
    (sa.String(140), "it's :x and 100% of it"), (sa.String(140), "back\\slash"), (sa.Text(), ""), (sa.Text(), "None"),
    (sa.CHAR(3), "ab"), (sa.Integer(), "0"), (sa.Integer(), sa.text("0")), (sa.Integer(), "-7"),
    (sa.Integer(), sa.text("-7")), (sa.BigInteger(), "9223372036854775807"), (sa.SmallInteger(), sa.text("3")),
    (sa.Numeric(21, 9), "0"), (sa.Numeric(21, 9), sa.text("0")), (sa.Numeric(5, 2), "1.50"),
    (sa.Numeric(5, 2), sa.text("1.5")), (sa.Float(), "0.5"), (sa.Float(), sa.text("-0.5")), (sa.Boolean(), sa.true()),
    (sa.Boolean(), "f"), (sa.Boolean(), "1"), (sa.Boolean(), sa.text("FALSE")), (sa.JSON(), "{}"),
    (sa.JSON(), '{"a": [1,  "x"]}'), (pg.JSONB(), '{"b":1,"a":2}'), (sa.Enum(Tier), "GOLD"), (sa.Date(), "2020-1-2"),
    (sa.DateTime(), sa.func.now()), (sa.DateTime(), sa.text("CURRENT_TIMESTAMP")),
    (sa.DateTime(), sa.text("(now() at time zone 'utc')")), (sa.DateTime(timezone=True), "2020-01-02 03:04:05+00"),
    (sa.Uuid(), sa.text("gen_random_uuid()")), (sa.Uuid(), "12345678123456781234567812345678"),
    (pg.ARRAY(sa.String(10)), "{}"), (pg.ARRAY(sa.Integer), sa.text("ARRAY[1, 2]")), (pg.BIT(3), sa.text("B'101'")),
    (sa.Interval(), "1 day"), (sa.LargeBinary(), "\\x00ff"), (pg.INET(), "10.0.0.1"), (sa.String(5), sa.text("NULL")),
    (sa.String(20), sa.func.lower("ABC")), (sa.Integer(), sa.text("1 + 2 * 3")), (sa.Time(), "09:30"),
    (sa.String(9), sa.text("'x'::text")), (pg.MONEY(), "12.5"), (sa.Text(), sa.text("CURRENT_USER")),
]  # fmt: skip


@pytest.mark.parametrize("driver", DRIVERS)
def test_every_default_is_read_as_it_was_wanted(postgres_database: PostgresDatabase, driver: str) -> None:
    metadata = sa.MetaData()
    columns = [sa.Column(f"c{n}", type_, server_default=default) for n, (type_, default) in enumerate(DEFAULTS)]
    sa.Table("defaults", metadata, sa.Column("id", sa.Uuid, primary_key=True), *columns)

    def check(connection: sa.Connection) -> None:
        metadata.create_all(connection)
        connection.commit()
        assert differences(connection, metadata) == []

    run(postgres_database, check, driver)


def test_plain_defaults_need_no_question_to_the_server(postgres_database: PostgresDatabase) -> None:
    plain: list[tuple[sa.types.TypeEngine[Any], Any]] = [
        (sa.String(140), "it's"), (sa.Integer(), "0"), (sa.Integer(), "-7"), (sa.Numeric(21, 9), "0"),
        (sa.Numeric(21, 9), str(Decimal("1.5"))), (sa.Boolean(), sa.false()), (sa.Boolean(), "1"), (sa.JSON(), "{}"),
        (sa.DateTime(), sa.func.now()), (sa.Enum(Tier), "GOLD"), (sa.Date(), str(dt.date(2020, 1, 2))),
        (pg.ARRAY(sa.String(10)), "{}"), (sa.Uuid(), sa.text("gen_random_uuid()")), (pg.JSONB(), "{}"),
    ]  # fmt: skip
    metadata = sa.MetaData()
    columns = [sa.Column(f"c{n}", type_, server_default=default) for n, (type_, default) in enumerate(plain)]
    sa.Table("defaults", metadata, sa.Column("id", sa.Integer, primary_key=True), *columns)
    with connected(postgres_database) as connection:
        metadata.create_all(connection)
        [table] = wanted(metadata, connection)
        actual = inspector(connection).read().tables[table.name]
        assert [c for c in zip(table.columns, actual.columns, strict=True) if c[0] != c[1]] == []
        assert table == actual


def test_a_different_default_stays_different(postgres_database: PostgresDatabase) -> None:
    """Never equal: now() and CURRENT_TIMESTAMP are two defaults, '1.50' and '1.5' two texts."""
    pairs: list[tuple[sa.types.TypeEngine[Any], str, str]] = [
        (sa.DateTime(), "now()", "statement_timestamp()"), (sa.Text(), "'1.50'", "'1.5'"), (sa.Text(), "'a'", "'A'"),
        (sa.String(9), "'ab'", "'ab'::varchar(1)"), (sa.Integer(), "1", "2"), (sa.Text(), "''", "NULL"),
        (sa.Text(), "'NULL'", "NULL"), (sa.Boolean(), "true", "false"), (sa.CHAR(5), "'a b'", "'a b'::char"),
        (sa.Numeric(), "1.50", "1.5"), (pg.JSON(), "'{}'", "'[]'"), (sa.Text(), "E'\\n'", "E'\\\\n'"),
    ]  # fmt: skip
    stored, other = sa.MetaData(), sa.MetaData()
    for metadata, side in ((stored, 1), (other, 2)):
        columns = [sa.Column(f"c{n}", pair[0], server_default=sa.text(str(pair[side]))) for n, pair in enumerate(pairs)]
        sa.Table("defaults", metadata, *columns)
    with connected(postgres_database) as connection:
        stored.create_all(connection)
        assert differences(connection, stored) == []
        found = differences(connection, other)
        assert len(found) == len(pairs)


UGLY = ["order", "group", "user", "select", "MixedCase", "with space", "a.dot", 'quo"te', "per%cent", "co:lon",
        "größe", "日本語", "x" * 63, "drop", "é" * 31, "back\\slash", "tab'quote", "$dollar", "1st", "?q"]  # fmt: skip


@pytest.mark.parametrize("driver", DRIVERS)
def test_identifiers_survive(postgres_database: PostgresDatabase, driver: str) -> None:
    metadata = sa.MetaData()
    for name in UGLY:
        table = sa.Table(name, metadata, sa.Column("id", sa.Integer, primary_key=True))
        for column in UGLY:
            table.append_column(sa.Column(column, sa.String(10), comment=f"about {column}"))
        cut = name.encode()[:50].decode(errors="ignore")
        table.append_constraint(sa.CheckConstraint(table.c[name] != "x", name=f"ck{cut}"))
        table.append_constraint(sa.UniqueConstraint(name, "order", name=f"uq{cut}"))
        sa.Index(f"ix{cut}", table.c[name], table.c["order"].desc(), postgresql_where=table.c["user"].is_not(None))

    def check(connection: sa.Connection) -> None:
        for table in metadata.sorted_tables:
            connection.execute(sa.schema.CreateTable(table))
        for table in metadata.sorted_tables:
            for index in table.indexes:
                connection.execute(sa.schema.CreateIndex(index))
            for column in table.columns:
                if column.comment:
                    connection.execute(sa.schema.SetColumnComment(column))
        connection.commit()
        assert differences(connection, metadata) == []
        assert {name.name for name in inspector(connection).read().names} == set(UGLY)

    run(postgres_database, check, driver)


@pytest.mark.parametrize("name", ["x" * 64, "x" * 200, "é" * 40, "日" * 30, "𝄞" * 20])
def test_a_long_name_is_cut_as_the_server_cuts_it(postgres_database: PostgresDatabase, name: str) -> None:
    with connected(postgres_database) as connection:
        ddl(connection, f'CREATE TABLE "{name}" ("{name}" int)')
        spelling = PostgresqlDialect().spelling(connection.dialect)
        [table] = inspector(connection).read().tables.values()
        assert table.name.name == spelling.identifier(name)
        assert table.columns[0].name == spelling.identifier(name)


COUNTER = sa.Identity(always=True, start=100, increment=5, maxvalue=10**6, cycle=True)


def constrained(server: PostgresServer) -> sa.MetaData:
    metadata = sa.MetaData()
    # NULLS NOT DISTINCT came with 15.
    nulls: dict[str, Any] = {"postgresql_nulls_not_distinct": True} if server.major >= 15 else {}
    sa.Table("parent", metadata, sa.Column("a", sa.Integer, primary_key=True), sa.Column("b", sa.Integer, unique=True),
             sa.Column("c", sa.Integer),
             sa.UniqueConstraint("a", "c", name="uq_ac"), comment="it's a parent")  # fmt: skip
    sa.Table(
        "child", metadata,
        sa.Column("id", sa.BigInteger, COUNTER._copy(), primary_key=True),
        sa.Column("small", sa.SmallInteger, sa.Identity()),
        sa.Column("a", sa.Integer, sa.ForeignKey("parent.a", ondelete="CASCADE", onupdate="SET NULL")),
        sa.Column("b", sa.Integer, sa.ForeignKey("parent.b", deferrable=True, initially="DEFERRED", name="fk_b")),
        sa.Column("c", sa.Integer), sa.Column("status", sa.String(20)), sa.Column("name", sa.Text),
        sa.Column("data", pg.JSONB),
        sa.Column("doubled", sa.Integer, sa.Computed("a * 2", persisted=True)),
        # PostgreSQL computes when it reads since 18.
        sa.Column("virtual", sa.Integer, sa.Computed("a + b", persisted=server.major < 18)),
        sa.Column("kind", sa.Enum("x", "y", native_enum=False, create_constraint=True, name="kind_ck")),
        sa.ForeignKeyConstraint(["a", "c"], ["parent.a", "parent.c"], match="FULL", ondelete="SET NULL", name="fk_ac"),
        sa.CheckConstraint("a > 0 and b<5 or not c between 1 and 10", name="ck1"),
        sa.CheckConstraint("status IN ('a','b','it''s')", name="ck2"), sa.CheckConstraint("length(name) < 100"),
        sa.CheckConstraint("name NOT LIKE '%x%' AND status <> 'a:b'", name="ck3"),
        sa.UniqueConstraint("a", "b", postgresql_include=["c"], name="uq_nnd", **nulls),
        sa.UniqueConstraint("status", deferrable=True, name="uq_def"),
        sa.Index("ix_expression", sa.text("lower(name)"), sa.text("status DESC NULLS LAST")),
        sa.Index("ix_partial", "a", unique=True, postgresql_where=sa.text("status = 'open' AND c IS NOT NULL")),
        sa.Index("ix_gin", "data", postgresql_using="gin", postgresql_ops={"data": "jsonb_path_ops"}),
        sa.Index("ix_hash", "name", postgresql_using="hash"),
        sa.Index("ix_include", "a", postgresql_include=["b", "c"]),
        sa.Index("ix_with", "a", postgresql_with={"fillfactor": 70, "deduplicate_items": False}),
        sa.Index("ix_nnd", "b", unique=True, **nulls),
        sa.Index("ix_pattern", "status", postgresql_ops={"status": "varchar_pattern_ops"}),
        sa.Index("ix_collate", sa.text('name COLLATE "C" text_pattern_ops DESC')),
        sa.Index("ix_json", sa.text("(data ->> 'a')"), sa.text("((data -> 'b') ->> 'c')")),
    )  # fmt: skip
    table = metadata.tables["child"]
    sa.Index("ix_order", table.c.a.desc(), table.c.b.asc().nulls_first(), table.c.c.desc().nulls_last())
    sa.Index("ix_func", sa.func.coalesce(table.c.name, "x"), sa.func.lower(table.c.status).desc())
    return metadata


@pytest.mark.parametrize("driver", DRIVERS)
def test_constraints_indexes_and_generated_columns(postgres_database: PostgresDatabase, driver: str) -> None:
    metadata = constrained(postgres_database.server)

    def check(connection: sa.Connection) -> None:
        metadata.create_all(connection)
        connection.commit()
        assert differences(connection, metadata) == []

    run(postgres_database, check, driver)


def test_a_schema_of_ones_own_looks_like_the_default_one(postgres_database: PostgresDatabase) -> None:
    """Tenants: the same MetaData, another schema; expressions and enumerations are told without its name."""
    metadata = constrained(postgres_database.server)
    sa.Table(
        "tiers",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("tier", sa.Enum(Tier), server_default="GOLD"),
    )
    with connected(postgres_database) as connection:
        ddl(connection, 'CREATE SCHEMA "Tenant 1"', "CREATE TABLE stranger (id int)")
        translated = connection.execution_options(schema_translate_map={None: "Tenant 1"})
        metadata.create_all(translated)
        connection.commit()
    with connected(postgres_database) as connection:
        assert differences(connection, metadata, "Tenant 1") == []
        catalog = inspector(connection, "Tenant 1").read()
        assert {name.name for name in catalog.names} == {"parent", "child", "tiers"}
        assert all(name.schema is None for name in catalog.names)
        assert inspector(connection).read().names == {
            n for n in inspector(connection).read().names if n.name == "stranger"
        }
