"""The executor on real databases: what it renders is what it sends, and it never drops."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from framework_m_migrations.adapters.sql.desired.tables import Target, wanted_table
from framework_m_migrations.adapters.sql.executor import SqlExecutor
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.errors import DatabaseError, DropRefused
from framework_m_migrations.domain.schema import (
    Check,
    Column,
    ColumnType,
    EnumType,
    ForeignKey,
    Index,
    IndexKey,
    PrimaryKey,
    Table,
    TableName,
    Unique,
)
from tests._postgres import PostgresDatabase
from tests.sql.plain import PlainDialect

NASTY = [
    "it's",
    ":x :y",
    "100%",
    "%s %(a)s %%",
    "back\\slash \\' \\n",
    "new\nline\ttab",
    "ünï😀",
    '"quoted"',
    "$1 $$",
    "",
]
NAMES = [
    "order",
    "group",
    "user",
    "select",
    "drop",
    "MiXed",
    "with blank",
    "with.dot",
    "ünï",
    "50%",
    ":x",
    'quo"te',
    "a" * 63,
]


def create(table: sa.Table, connection: sa.Connection, plain: PlainDialect, *, native: bool = True) -> None:
    """Create a table and those that it refers to, each from its SQLAlchemy object or from domain values alone."""
    target = Target.of(connection.dialect, plain)
    executor = SqlExecutor(connection, plain)
    for item in table.metadata.sorted_tables:
        made = wanted_table(item, target)
        for enum in made.enums:
            executor.apply(o.CreateEnum(enum))
        wanted = made.table if native else bare(made.table)
        executor.apply(o.CreateTable(wanted, wanted.foreign_keys))


def bare(table: Table) -> Table:
    """The same values with no SQLAlchemy object left in them."""

    def strip(items: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(replace(item, native=None) for item in items)

    columns = tuple(replace(c, native=None, type=replace(c.type, native=None)) for c in table.columns)
    return replace(
        table,
        native=None,
        columns=columns,
        indexes=strip(table.indexes),
        uniques=strip(table.uniques),
        checks=strip(table.checks),
        foreign_keys=strip(table.foreign_keys),
    )


def index_names(connection: sa.Connection) -> set[str]:
    """Indexes on expressions included, which SQLAlchemy does not reflect on SQLite."""
    catalog = "SELECT name FROM sqlite_master WHERE type = 'index'"
    if connection.dialect.name == "postgresql":
        catalog = "SELECT indexname FROM pg_indexes"
    return set(connection.execute(sa.text(catalog)).scalars())


@pytest.mark.parametrize("native", [True, False], ids=["native", "bare"])
def test_tables_with_awkward_names_and_texts_are_created(
    connection: sa.Connection, plain: PlainDialect, native: bool
) -> None:
    metadata = sa.MetaData()
    parent = sa.Table("Parent order", metadata, sa.Column("select", sa.Integer, primary_key=True, autoincrement=False))
    child = sa.Table(
        "child.with 'quote' 100%",
        metadata,
        *(sa.Column(name, sa.String(99), server_default=NASTY[n % len(NASTY)]) for n, name in enumerate(NAMES)),
        sa.Column("parent", sa.ForeignKey(parent.c.select, ondelete="CASCADE", name="fk 100%")),
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.UniqueConstraint("order", "MiXed", name="uq :x"),
        sa.CheckConstraint("\"50%\" <> ':never 50%'", name="ck %s"),
    )
    sa.Index("ix % :x", child.c["with blank"], sa.func.lower(child.c.select))
    create(child, connection, plain, native=native)
    connection.execute(sa.insert(parent).values(select=1))
    connection.execute(sa.insert(child).values(id=1, parent=1))
    row = connection.execute(sa.select(child)).mappings().one()
    assert [row[name] for name in NAMES] == [NASTY[n % len(NASTY)] for n in range(len(NAMES))]
    inspector = sa.inspect(connection)
    assert "ix % :x" in index_names(connection)
    assert inspector.get_foreign_keys(child.name)[0]["options"] == {"ondelete": "CASCADE"}
    assert inspector.get_check_constraints(child.name)[0]["name"] == "ck %s"


def test_what_is_rendered_is_what_is_sent(connection: sa.Connection, plain: PlainDialect) -> None:
    table = sa.Table("t", sa.MetaData(), sa.Column("a", sa.String, server_default="100% :x"), sa.Column("b", sa.String))
    sa.Index("i", sa.func.lower(table.c.b), postgresql_where=table.c.a == "50%", sqlite_where=table.c.a == "50%")
    wanted = wanted_table(table, Target.of(connection.dialect, plain)).table
    executor = SqlExecutor(connection, plain)
    sent: list[str] = []
    sa.event.listen(connection, "before_cursor_execute", lambda *args: sent.append(args[2]))
    operations: list[o.AdditiveOperation]
    operations = [o.CreateTable(wanted, ()), o.AddColumn(TableName("t"), Column("c", ColumnType("INTEGER"), fill="7"))]
    for operation in operations:
        executor.apply(operation)
    rendered = [sql for operation in operations for sql in executor.render(operation)]
    assert sent == rendered
    assert any("'100% :x'" in sql for sql in rendered)
    assert any("'50%'" in sql for sql in rendered)
    assert not any("%%" in sql for sql in rendered)


def test_nothing_that_drops_is_ever_sent(connection: sa.Connection, plain: PlainDialect) -> None:
    connection.exec_driver_sql("CREATE TABLE keep (a integer)")
    sent: list[str] = []
    sa.event.listen(connection, "before_cursor_execute", lambda *args: sent.append(args[2]))
    executor = SqlExecutor(connection, plain)
    with pytest.raises(DropRefused):
        executor.send("DROP TABLE keep")
    hostile = Column("b", ColumnType("INTEGER"), default="1; DROP TABLE keep")
    with pytest.raises(DropRefused):
        executor.apply(o.AddColumn(TableName("keep"), hostile))
    with pytest.raises(DropRefused):
        executor.apply(o.AddCheck(TableName("keep"), Check("c", "1=1); DROP TABLE keep --")))
    assert sent == []
    executor.apply(o.AddColumn(TableName("keep"), Column("drop", ColumnType("INTEGER"))))
    assert [c["name"] for c in sa.inspect(connection).get_columns("keep")] == ["a", "drop"]


class Dropping(PlainDialect):
    """A dialect whose own form of an operation drops."""

    def statements(self, operation: Any, connection: sa.Connection, *, schema: str | None) -> tuple[str, ...]:
        return ("CREATE TABLE copy (a integer)", "DROP TABLE keep")


def test_a_dialects_own_statements_are_guarded_too(connection: sa.Connection) -> None:
    connection.exec_driver_sql("CREATE TABLE keep (a integer)")
    with pytest.raises(DropRefused):
        SqlExecutor(connection, Dropping(connection.dialect.name)).apply(o.SetComment(TableName("keep"), None, "x"))
    assert "keep" in sa.inspect(connection).get_table_names()


def test_a_refused_statement_is_shown_without_secrets_and_with_its_cause(
    connection: sa.Connection, plain: PlainDialect
) -> None:
    with pytest.raises(DatabaseError) as caught:
        SqlExecutor(connection, plain).send("CREATE TABLE a (b text DEFAULT 'password=hunter2', b text)")
    assert "hunter2" not in str(caught.value)
    assert "CREATE TABLE a" in str(caught.value)
    assert isinstance(caught.value.__cause__, sa.exc.DBAPIError)
    assert "statement" in caught.value.details


@pytest.mark.postgres
def test_tables_that_exist_are_changed_in_place(postgres: sa.Connection) -> None:
    plain = PlainDialect("postgresql")
    executor = SqlExecutor(postgres, plain)
    metadata = sa.MetaData()
    sa.Table("p", metadata, sa.Column("id", sa.Integer, primary_key=True))
    long = "c" * 80
    table = sa.Table("t", metadata, sa.Column("Order", sa.String(10)), sa.Column("n", sa.Integer))
    create(table, postgres, plain)
    name = TableName("t")
    column = Column("Order", ColumnType("VARCHAR(20)"), nullable=False, default="'it''s 50%'")
    executor.apply(o.CreateIndex(name, Index("ix", (IndexKey("Order", modifiers="DESC"),), where="n > 0"), online=True))
    executor.apply(o.RebuildIndex(name, Index("ix", ())))
    executor.apply(o.AddUnique(name, Unique(long, ("n", "Order"))))
    executor.apply(o.AddCheck(name, Check("ck 50%", "n > 0"), validate=False))
    executor.apply(o.ValidateConstraint(name, Check("ck 50%", "n > 0")))
    key = ForeignKey("fk", ("n",), TableName("p"), ("id",), "SET NULL", None, (("deferrable", "true"),))
    executor.apply(o.AddForeignKey(name, key, validate=False))
    executor.apply(o.ValidateConstraint(name, key))
    executor.apply(o.AlterType(name, column, column))
    executor.apply(o.SetNotNull(name, column))
    executor.apply(o.SetDefault(name, column, column))
    executor.apply(o.SetComment(name, None, "it's 100%"))
    executor.apply(o.SetComment(name, "Order", ":x"))
    inspector = sa.inspect(postgres)
    found = inspector.get_columns("t")[0]
    assert (found["type"].length, found["nullable"], found["comment"]) == (20, False, ":x")  # type: ignore[attr-defined]
    assert found["default"] == "'it''s 50%'::character varying"
    assert inspector.get_table_comment("t") == {"text": "it's 100%"}
    assert inspector.get_unique_constraints("t")[0]["name"] == "c" * 63
    assert inspector.get_foreign_keys("t")[0]["options"] == {"ondelete": "SET NULL", "deferrable": True}
    executor.apply(o.SetDefault(name, column, Column("Order", ColumnType("text"))))
    executor.apply(o.SetComment(name, "Order", None))
    found = sa.inspect(postgres).get_columns("t")[0]
    assert found["comment"] is None
    with pytest.raises(sa.exc.IntegrityError), postgres.begin_nested():
        postgres.exec_driver_sql('INSERT INTO t (n, "Order") VALUES (NULL, DEFAULT)')
    executor.apply(o.CreateIndex(name, Index("adopted", (IndexKey("n"),), unique=True)))
    executor.apply(o.AddUnique(name, Unique(None, ("n",)), via_index="adopted"))
    assert {u["name"] for u in sa.inspect(postgres).get_unique_constraints("t")} == {"c" * 63, "adopted"}


@pytest.mark.postgres
def test_enumerations_grow_in_their_order(postgres: sa.Connection) -> None:
    executor = SqlExecutor(postgres, PlainDialect("postgresql"))
    name = TableName("mood 50%")
    executor.apply(o.CreateEnum(EnumType(name, ("b", "it's"))))
    executor.apply(o.AddEnumValue(name, "a", before="b"))
    executor.apply(o.AddEnumValue(name, "50%", after="it's"))
    executor.apply(o.AddEnumValue(name, "50%"))
    assert sa.inspect(postgres).get_enums()[0]["labels"] == ["a", "b", "it's", "50%"]  # type: ignore[attr-defined]


@pytest.mark.postgres
def test_everything_goes_to_the_sessions_schema(postgres: sa.Connection) -> None:
    plain = PlainDialect("postgresql")
    postgres.exec_driver_sql('CREATE SCHEMA "Tenant 1"')
    metadata = sa.MetaData()
    sa.Table("p", metadata, sa.Column("id", sa.Integer, sa.Sequence("seq"), primary_key=True))
    sa.Table(
        "t",
        metadata,
        sa.Column("e", sa.Enum("a", name="e"), server_default="a", index=True),
        sa.Column("p", sa.ForeignKey("p.id")),
        comment="said",
    )
    target = Target.of(postgres.dialect, plain, schema="Tenant 1")
    executor = SqlExecutor(postgres, plain, schema="Tenant 1")
    for table in metadata.sorted_tables:
        made = wanted_table(table, target)
        executor.apply(*map(o.CreateEnum, made.enums), *map(o.CreateObject, made.objects))
        assert made.table.name.schema is None
        executor.apply(o.CreateTable(made.table, made.table.foreign_keys))
    executor.apply(o.AddColumn(TableName("t"), Column("n", ColumnType("INTEGER"), nullable=False, fill="1")))
    inspector = sa.inspect(postgres)
    assert inspector.get_table_names() == []
    assert set(inspector.get_table_names("Tenant 1")) == {"p", "t"}
    assert inspector.get_foreign_keys("t", "Tenant 1")[0]["referred_schema"] == "Tenant 1"
    assert inspector.get_sequence_names("Tenant 1") == ["seq"]
    assert inspector.get_enums("Tenant 1")[0]["name"] == "e"  # type: ignore[attr-defined]


@pytest.mark.postgres
def test_sequences_use_alter_and_concurrent_indexes_fit_into_a_transaction(postgres: sa.Connection) -> None:
    metadata = sa.MetaData()
    a = sa.Table("a", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("b", sa.Integer))
    sa.Table("b", metadata, sa.Column("id", sa.Integer, sa.Sequence("own 50%"), primary_key=True))
    a.append_constraint(sa.ForeignKeyConstraint(["b"], ["b.id"], name="later", use_alter=True))
    sa.Index("ix", a.c.b, postgresql_concurrently=True)
    plain = PlainDialect("postgresql")
    for table in (metadata.tables["b"], a):
        made = wanted_table(table, Target.of(postgres.dialect, plain))
        create = o.CreateTable(made.table, made.table.foreign_keys)
        SqlExecutor(postgres, plain).apply(*map(o.CreateObject, made.objects), create)
    assert sa.inspect(postgres).get_foreign_keys("a")[0]["name"] == "later"
    assert postgres.execute(sa.insert(metadata.tables["b"]).returning(metadata.tables["b"].c.id)).scalar_one() == 1


@pytest.mark.postgres
@pytest.mark.asyncio
async def test_asyncpg_gets_the_same_text(postgres_database: PostgresDatabase) -> None:
    def work(connection: sa.Connection) -> None:
        test_tables_with_awkward_names_and_texts_are_created(connection, PlainDialect("postgresql"), True)

    engine = create_async_engine(postgres_database.url)
    async with engine.connect() as connection:
        await connection.run_sync(work)
    await engine.dispose()


def test_a_long_name_is_cut_as_it_is_compared(connection: sa.Connection, plain: PlainDialect) -> None:
    long = "n" * 100
    table = sa.Table(
        long,
        sa.MetaData(naming_convention={"ix": "ix_%(table_name)s_%(column_0_name)s"}),
        sa.Column("a", sa.Integer),
        sa.UniqueConstraint("a", name="u" * 90),
    )
    sa.Index(None, table.c.a)
    wanted = wanted_table(table, Target.of(connection.dialect, plain)).table
    SqlExecutor(connection, plain).apply(o.CreateTable(wanted, ()))
    inspector = sa.inspect(connection)
    assert inspector.get_table_names() == [wanted.name.name]
    names = {index["name"] for index in inspector.get_indexes(wanted.name.name)}
    assert wanted.indexes[0].name in names
    assert inspector.get_unique_constraints(wanted.name.name)[0]["name"] == wanted.uniques[0].name


def test_a_bare_table_has_its_primary_key(connection: sa.Connection, plain: PlainDialect) -> None:
    columns = (Column("b", ColumnType("INTEGER"), nullable=False), Column("a", ColumnType("INTEGER"), nullable=False))
    table = Table(TableName("t"), columns, PrimaryKey(("a", "b"), "pk 50%"))
    SqlExecutor(connection, plain).apply(o.CreateTable(table, ()))
    assert sa.inspect(connection).get_pk_constraint("t")["constrained_columns"] == ["a", "b"]
