"""The statements that PostgreSQL writes in its own way, and the locks they take, as pg_locks shows them."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.postgresql import PostgresqlDialect
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.plan import LockLevel
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
from scripts.waiting import join, wait_until
from tests._postgres import PostgresDatabase
from tests.postgres.support import DRIVERS, connected, ddl, executor, inspector, run

T, P, NEW = TableName("order"), TableName("Parent"), TableName("new table")
INT, TEXT = ColumnType("integer", "integer"), ColumnType("text", "text")
SETUP = (
    'CREATE TABLE "Parent" (id int PRIMARY KEY)',
    """CREATE TABLE "order" (id int PRIMARY KEY, "Na me" varchar(10), ref int, n int, "per%cent" int,
       CONSTRAINT later CHECK (n > 0) NOT VALID)""",
    'ALTER TABLE "order" ADD CONSTRAINT fk_later FOREIGN KEY (n) REFERENCES "Parent" (id) NOT VALID',
    'CREATE UNIQUE INDEX ready ON "order" (n)',
)
NAME = Column("Na me", ColumnType("character varying(10)", "character varying", 10))
KEY = ForeignKey("fk:ref", ("ref",), P, ("id",), on_delete="CASCADE", options=(("deferrable", "true"),))
LATER_KEY = ForeignKey("fk_later", ("n",), P, ("id",))
WIDE = replace(NAME, type=ColumnType("character varying(20)", "character varying", 20))
OPERATIONS: dict[str, o.AdditiveOperation] = {
    "create table": o.CreateTable(
        Table(NEW, (Column("id", INT, nullable=False), Column("ref", INT)), PrimaryKey(("id",))),
        (replace(KEY, name="fk_new"),),
    ),
    "add column": o.AddColumn(T, Column("added", INT, default="5")),
    "create index": o.CreateIndex(T, Index("ix plain", (IndexKey("Na me", None, "DESC"), IndexKey(None, "ref + n")))),
    "adopt index": o.AddUnique(T, Unique("ready", ("n",)), via_index="ready"),
    "adopt under another name": o.AddUnique(T, Unique("uq n", ("n",), (("deferrable", "true"),)), via_index="ready"),
    "add unique": o.AddUnique(T, Unique("uq", ("ref",))),
    "add check": o.AddCheck(T, Check("ck%1", '"per%cent" > 5 OR "Na me" <> \':x\'')),
    "add check later": o.AddCheck(T, Check("ck", "n > 5"), validate=False),
    "add key": o.AddForeignKey(T, KEY),
    "add key later": o.AddForeignKey(T, KEY, validate=False),
    "validate check": o.ValidateConstraint(T, Check("later", "n > 0")),
    "validate key": o.ValidateConstraint(T, LATER_KEY),
    "alter type": o.AlterType(T, NAME, WIDE),
    "set not null": o.SetNotNull(T, Column("n", INT, nullable=False)),
    "set default": o.SetDefault(T, NAME, replace(NAME, default="'it''s 100%'")),
    "no default": o.SetDefault(T, NAME, NAME),
    "comment on table": o.SetComment(T, None, "it's 100% \\ done"),
    "comment on column": o.SetComment(T, "Na me", "x"),
    "no comment": o.SetComment(T, "Na me", None),
    "create enum": o.CreateEnum(EnumType(TableName("Mood"), ("it's", "100%", "back\\slash"))),
}
MODES = {
    "AccessShareLock": LockLevel.ACCESS_SHARE,
    "RowShareLock": LockLevel.ROW_SHARE,
    "RowExclusiveLock": LockLevel.ROW_EXCLUSIVE,
    "ShareUpdateExclusiveLock": LockLevel.SHARE_UPDATE_EXCLUSIVE,
    "ShareLock": LockLevel.SHARE,
    "ShareRowExclusiveLock": LockLevel.SHARE_ROW_EXCLUSIVE,
    "AccessExclusiveLock": LockLevel.ACCESS_EXCLUSIVE,
}
LOCKS = (
    "SELECT c.relname, l.mode FROM pg_locks l JOIN pg_class c ON c.oid = l.relation "
    "WHERE l.pid = {} AND c.relname IN ('order', 'Parent') AND l.granted"
)


def strongest(rows: Iterable[Any]) -> dict[TableName, LockLevel]:
    order = list(LockLevel)
    found: dict[TableName, LockLevel] = {}
    for row in rows:
        table, level = TableName(row[0]), MODES[row[1]]
        if order.index(level) > order.index(found.get(table, LockLevel.NONE)):
            found[table] = level
    return found


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("name", OPERATIONS)
def test_each_operation_runs_and_locks_what_it_says(
    postgres_database: PostgresDatabase, name: str, driver: str
) -> None:
    operation = OPERATIONS[name]

    def check(connection: sa.Connection) -> None:
        ddl(connection, *SETUP)
        pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
        connection.rollback()
        with connection.begin():
            executor(connection).apply(operation)
            with connected(postgres_database) as other:
                held = strongest(other.exec_driver_sql(LOCKS.format(pid)))
        declared = dict(PostgresqlDialect().lock_levels(operation))
        # ACCESS SHARE stops nobody but who wants the table for himself, and is not declared.
        order = list(LockLevel)
        assert {t: h for t, h in held.items() if order.index(h) > order.index(LockLevel.ACCESS_SHARE)} == declared

    run(postgres_database, check, driver)


DESTRUCTIVE: dict[str, tuple[o.DestructiveOperation, str]] = {
    "drop table": (o.DropTable(P), 'DROP TABLE "Parent" CASCADE'),
    "drop column": (o.DropColumn(T, "n"), 'ALTER TABLE "order" DROP COLUMN n'),
    "drop index": (o.DropIndex(T, "ready"), "DROP INDEX ready"),
    "drop check": (o.DropConstraint(T, "later", "check"), 'ALTER TABLE "order" DROP CONSTRAINT later'),
    "drop not null": (o.DropNotNull(T, NAME), 'ALTER TABLE "order" ALTER COLUMN "Na me" DROP NOT NULL'),
}


@pytest.mark.parametrize("name", DESTRUCTIVE)
def test_drops_lock_what_they_say(postgres_database: PostgresDatabase, name: str) -> None:
    operation, sql = DESTRUCTIVE[name]
    with connected(postgres_database) as connection, connected(postgres_database) as other:
        ddl(connection, *SETUP)
        pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
        connection.exec_driver_sql(sql)
        held = strongest(other.exec_driver_sql(LOCKS.format(pid)))
        for table, level in PostgresqlDialect().lock_levels(operation):
            assert held[table] is level


ONLINE: dict[str, o.AdditiveOperation] = {
    "create": o.CreateIndex(T, Index("ix online", (IndexKey("Na me"),), where="n > 1"), online=True),
    "rebuild": o.RebuildIndex(T, Index("ready", (IndexKey("n"),), unique=True)),
}


@pytest.mark.parametrize("name", ONLINE)
def test_online_forms_hold_up_no_writer(postgres_database: PostgresDatabase, name: str) -> None:
    """While an old transaction makes the build wait, its lock is seen and rows are written."""
    operation = ONLINE[name]
    failures: list[BaseException] = []
    with connected(postgres_database) as old, connected(postgres_database) as writer:
        ddl(old, *SETUP)
        old.exec_driver_sql('INSERT INTO "order" (id) VALUES (1)')
        pids: list[int] = []

        def build() -> None:
            try:
                with connected(postgres_database) as connection:
                    pids.append(connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one())
                    connection.rollback()
                    with PostgresqlDialect().autocommit(connection):
                        executor(connection).apply(operation)
            except BaseException as error:  # noqa: BLE001 - told in the test's own thread
                failures.append(error)

        thread = threading.Thread(target=build)
        thread.start()
        level = dict(PostgresqlDialect().lock_levels(operation))[T]
        seen: dict[TableName, LockLevel] = {}

        def locked() -> bool:
            if pids:
                seen.clear()
                seen.update(strongest(writer.exec_driver_sql(LOCKS.format(pids[0]))))
                writer.rollback()
            return seen.get(T) is level or bool(failures)

        wait_until(locked, what=f"the build to hold {level}", seen=lambda: (seen, failures))
        writer.exec_driver_sql("SET statement_timeout = '60s'")
        writer.exec_driver_sql('INSERT INTO "order" (id) VALUES (2)')
        writer.commit()
        assert thread.is_alive()
        old.commit()
        join(thread, what="the build")
        assert failures == []
        assert seen == {T: level}
        indexes = {index.name: index.valid for index in inspector(old).read().tables[T].indexes}
        assert indexes[operation.index.name] is True  # type: ignore[union-attr]


def test_statements_work_in_a_schema_of_ones_own(postgres_database: PostgresDatabase) -> None:
    """Whatever the search_path says: every name is written with its schema."""
    with connected(postgres_database) as connection:
        ddl(connection, 'CREATE SCHEMA "My Tenant"')
        ddl(connection, 'SET search_path = "My Tenant"', *SETUP, "SET search_path = public")
        runner = executor(connection, "My Tenant")
        mood = EnumType(TableName("Mood"), ("a", "c"))
        tier = ColumnType('"Mood"', '"mood"', enum=TableName("Mood"))
        runner.apply(o.CreateEnum(mood))
        connection.commit()
        runner.apply(o.AddEnumValue(mood.name, "b", after="a"))
        runner.apply(o.AddEnumValue(mood.name, "b", after="a"))
        runner.apply(o.AddEnumValue(mood.name, "0", before="a"))
        connection.commit()
        for name in ("add key", "alter type", "comment on column", "add check", "adopt under another name"):
            runner.apply(OPERATIONS[name])
        runner.apply(o.AlterType(T, NAME, replace(NAME, type=TEXT)))
        connection.commit()
        catalog = inspector(connection, "My Tenant").read()
        assert catalog.enums[TableName("Mood")].values == ("0", "a", "b", "c")
        assert inspector(connection).read().names == frozenset()
        connection.rollback()
        with PostgresqlDialect().autocommit(connection):
            runner.apply(ONLINE["create"])
            runner.apply(o.RebuildIndex(T, Index("ix online", ())))
        ddl(connection, 'CREATE TABLE "My Tenant".moody (m text)')
        runner.apply(o.AlterType(TableName("moody"), Column("m", TEXT), Column("m", tier)))
        kind = connection.exec_driver_sql(
            "SELECT format_type(atttypid, atttypmod) FROM pg_attribute"
            " WHERE attrelid = '\"My Tenant\".moody'::regclass AND attname = 'm'"
        ).scalar()
        assert kind == '"My Tenant"."Mood"', "converted on purpose, to the type of this schema"


def test_what_is_made_from_values_reads_back_equal(postgres_database: PostgresDatabase) -> None:
    """Index by index: method, classes, order, included columns, predicate and storage parameters."""
    # NULLS NOT DISTINCT came with 15.
    nulls = (("nulls_not_distinct", "true"),) if postgres_database.server.major >= 15 else ()
    given = [
        Index("a", (IndexKey("Na me", None, "DESC NULLS LAST"), IndexKey("n", None, "NULLS FIRST"))),
        Index("b", (IndexKey("Na me", None, 'COLLATE "C" varchar_pattern_ops DESC'),)),
        Index("c", (IndexKey("n"),), unique=True, include=("per%cent", "Na me"), where='"per%cent" IS NOT NULL'),
        Index("d", (IndexKey("n"),), method="hash"),
        Index("e", (IndexKey("n"),), unique=True, options=(*nulls, ("with.fillfactor", "70"))),
        Index("f%x", (IndexKey(None, 'lower("Na me"::text)'), IndexKey(None, "(n + 1)"))),
    ]
    with connected(postgres_database) as connection:
        ddl(connection, *SETUP)
        for index in given:
            executor(connection).apply(o.CreateIndex(T, index))
        connection.commit()
        with PostgresqlDialect().autocommit(connection):
            for index in given:
                executor(connection).apply(o.CreateIndex(T, replace(index, name=f"{index.name} online"), online=True))
        found = {index.name: index for index in inspector(connection).read().tables[T].indexes}
        for index in given[:-1]:
            assert found[index.name] == index
            assert found[f"{index.name} online"] == replace(index, name=f"{index.name} online")
        assert found["f%x"] == replace(given[-1], keys=(given[-1].keys[0], IndexKey(None, "n + 1")))


def test_an_index_on_a_partitioned_table_is_built_online(postgres_database: PostgresDatabase) -> None:
    name = TableName("Parted")
    with connected(postgres_database) as connection:
        ddl(
            connection,
            'CREATE TABLE "Parted" (id int, kind text) PARTITION BY LIST (kind)',
            'CREATE TABLE "Part A" PARTITION OF "Parted" FOR VALUES IN (\'a\')',
            "CREATE TABLE part_b PARTITION OF \"Parted\" FOR VALUES IN ('b') PARTITION BY RANGE (id)",
            "CREATE TABLE part_b1 PARTITION OF part_b FOR VALUES FROM (0) TO (10)",
            f"CREATE TABLE {'p' * 60} PARTITION OF part_b FOR VALUES FROM (10) TO (20)",
            f"CREATE TABLE {'p' * 61} PARTITION OF part_b FOR VALUES FROM (20) TO (30)",
            "INSERT INTO \"Parted\" VALUES (1, 'a'), (5, 'b'), (15, 'b')",
        )
        index = Index("ix kind", (IndexKey("kind"), IndexKey("id", None, "DESC")))
        operation = o.CreateIndex(name, index, online=True)
        statements = executor(connection).render(operation)
        assert sum("CONCURRENTLY" in sql for sql in statements) == 4
        assert all("CONCURRENTLY" in sql or " ONLY " in sql or "ATTACH" in sql for sql in statements)
        connection.rollback()
        with PostgresqlDialect().autocommit(connection):
            executor(connection).apply(operation)
        assert inspector(connection).read().tables[name].indexes == (index,)
        invalid = "SELECT count(*) FROM pg_index WHERE NOT indisvalid"
        assert connection.exec_driver_sql(invalid).scalar() == 0
