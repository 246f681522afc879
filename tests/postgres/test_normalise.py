"""The server settles what is spelled differently, leaves nothing behind, and is not needed for all to go on."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from framework_m_migrations.domain.schema import Column, Table, TableName
from tests._postgres import PostgresDatabase
from tests.postgres.support import DRIVERS, connected, counted, ddl, inspector, run, wanted


def tables(connection: sa.Connection) -> set[str]:
    sql = "SELECT relname FROM pg_class WHERE relpersistence = 't'"
    return {row[0] for row in connection.exec_driver_sql(sql)}


def many(count: int) -> sa.MetaData:
    metadata = sa.MetaData()
    for number in range(count):
        sa.Table(
            f"t{number}",
            metadata,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("state", sa.String(20), server_default=sa.text("lower('X')")),
            sa.CheckConstraint("state IN ('x', 'y')", name="ck"),
            sa.Index(f"ix{number}", sa.text("lower(state)"), postgresql_where=sa.text("state LIKE 'a%'")),
        )
    return metadata


@pytest.mark.parametrize("driver", DRIVERS)
def test_many_tables_cost_few_statements(postgres_database: PostgresDatabase, driver: str) -> None:
    metadata = many(60)

    def check(connection: sa.Connection) -> None:
        metadata.create_all(connection)
        connection.commit()
        reader = inspector(connection)
        actual = reader.read().tables
        pairs = [(table, actual[table.name]) for table in wanted(metadata, connection)]
        connection.rollback()
        with counted(connection) as sent:
            respelt = reader.normalise(pairs)
        assert [r == a for r, (_, a) in zip(respelt, pairs, strict=True)] == [True] * 60
        assert [w == a for w, a in pairs] == [False] * 60
        assert len(sent) <= 8
        assert tables(connection) == set()

    run(postgres_database, check, driver)


def test_it_leaves_the_callers_transaction_alone(postgres_database: PostgresDatabase) -> None:
    metadata = many(1)
    with connected(postgres_database) as connection:
        metadata.create_all(connection)
        connection.commit()
        connection.exec_driver_sql("INSERT INTO t0 (id) VALUES (1)")
        connection.exec_driver_sql("SET LOCAL lock_timeout = '77ms'")
        reader = inspector(connection)
        actual = reader.read().tables[TableName("t0")]
        [wanted_table] = wanted(metadata, connection)
        assert reader.normalise([(wanted_table, actual)]) == [actual]
        assert connection.exec_driver_sql("SHOW lock_timeout").scalar() == "77ms"
        connection.commit()
        assert connection.exec_driver_sql("SELECT count(*) FROM t0").scalar() == 1
        assert tables(connection) == set()


def one(connection: sa.Connection, table: sa.Table) -> tuple[Table, Table]:
    [wanted_table] = wanted(table.metadata, connection)
    return wanted_table, inspector(connection).read().tables[wanted_table.name]


def test_what_the_server_refuses_stays_and_the_rest_is_settled(postgres_database: PostgresDatabase) -> None:
    metadata = sa.MetaData()
    table = sa.Table(
        "t",
        metadata,
        sa.Column("new", sa.Enum("a", name="not_there_yet"), server_default="a"),
        sa.Column("odd", sa.Integer, server_default=sa.text("no_such_function()")),
        sa.Column("day", sa.Date, server_default="2020-1-2"),
        sa.CheckConstraint("missing_function(odd) > 1", name="bad"),
        sa.CheckConstraint("odd IN (1, 2)", name="good"),
    )
    with connected(postgres_database) as connection:
        ddl(
            connection,
            "CREATE TABLE t (new text, odd int DEFAULT 1, day date DEFAULT '2020-01-02', "
            "CONSTRAINT good CHECK (odd IN (1, 2)), CONSTRAINT bad CHECK (odd > 1))",
        )
        before, actual = one(connection, table)
        [after] = inspector(connection).normalise([(before, actual)])
        new, odd, day = after.columns
        assert new == before.columns[0]
        assert odd == before.columns[1]
        assert day == actual.columns[2]
        assert {c.name: c.expression for c in after.checks} == {
            "bad": "missing_function(odd) > 1",
            "good": {c.name: c.expression for c in actual.checks}["good"],
        }


def test_a_read_only_server_changes_nothing(postgres_database: PostgresDatabase) -> None:
    metadata = many(1)
    with connected(postgres_database) as connection:
        metadata.create_all(connection)
        connection.commit()
    with connected(postgres_database) as connection:
        connection.exec_driver_sql("SET default_transaction_read_only = on")
        connection.commit()
        pair = one(connection, metadata.tables["t0"])
        assert inspector(connection).normalise([pair]) in ([pair[0]], [pair[1]])
        assert inspector(connection).read().names == {TableName("t0")}


def test_two_tables_of_one_name_in_two_schemas(postgres_database: PostgresDatabase) -> None:
    with connected(postgres_database) as connection:
        ddl(connection, "CREATE SCHEMA s", "CREATE TABLE t (d date DEFAULT '2020-01-02')")
        ddl(connection, "CREATE TABLE s.t (d text DEFAULT lower('A'))")
        metadata = sa.MetaData()
        sa.Table("t", metadata, sa.Column("d", sa.Date, server_default="2020-1-2"))
        sa.Table("t", metadata, sa.Column("d", sa.Text, server_default=sa.text("LOWER ('A')")), schema="s")
        reader = inspector(connection, also=frozenset({"s"}))
        actual = reader.read().tables
        pairs = [(table, actual[table.name]) for table in wanted(metadata, connection)]
        assert reader.normalise(pairs) == [table for _, table in pairs]


def test_a_real_difference_survives(postgres_database: PostgresDatabase) -> None:
    with connected(postgres_database) as connection:
        ddl(
            connection,
            "CREATE TABLE t (a varchar(10) DEFAULT 'x', b int CHECK (b > 0), c jsonb DEFAULT '{\"a\": 1}')",
            "CREATE INDEX ix ON t (lower(a)) WHERE b > 1",
        )
        metadata = sa.MetaData()
        table = sa.Table(
            "t",
            metadata,
            sa.Column("a", sa.String(20), server_default=sa.text("upper('x')")),
            sa.Column("b", sa.Integer),
            sa.Column("c", pg.JSONB, server_default='{"a":2}'),
            sa.CheckConstraint("b >= 0", name="t_b_check"),
            sa.Index("ix", sa.text("lower(a)"), postgresql_where=sa.text("b > 2")),
        )
        before, actual = one(connection, table)
        [after] = inspector(connection).normalise([(before, actual)])
        assert [w == a for w, a in zip(after.columns, actual.columns, strict=True)] == [False, True, False]
        assert after.checks != actual.checks
        assert after.indexes != actual.indexes
        assert str(after.columns[0].type) == "character varying(20)"
        assert after.columns[0].native is not None


def test_what_is_lost_in_the_trial_is_not_taken_for_equal(postgres_database: PostgresDatabase) -> None:
    """A wanted default that the server refuses must not become no default at all."""
    with connected(postgres_database) as connection:
        ddl(connection, "CREATE TABLE t (a int)")
        actual = inspector(connection).read().tables[TableName("t")]
        column = actual.columns[0]
        wanted_table = replace(actual, columns=(replace(column, default="nextval('no_such_sequence')"),))
        [after] = inspector(connection).normalise([(wanted_table, actual)])
        assert after.columns == (Column("a", column.type, default="nextval('no_such_sequence')"),)


def test_a_restored_database_looks_the_same(postgres_database: PostgresDatabase) -> None:
    """What pg_dump writes is read and printed anew: no difference may come of that."""
    metadata = sa.MetaData()
    table = sa.Table(
        "t",
        metadata,
        sa.Column("a", sa.String(20), server_default=sa.text("CASE WHEN 'x' IN ('a', 'b') THEN 'x' ELSE 'y' END")),
        sa.Column("kind", sa.Enum("x", "y", native_enum=False, create_constraint=True, name="kind")),
        sa.Column("c", sa.CHAR(3)),
        sa.Column("either", sa.Boolean, sa.Computed("a IN ('p', 'q') AND c NOT IN ('r', 's')", persisted=True)),
        sa.CheckConstraint("a IN ('one', 'two') OR c NOT IN ('u', 'v')", name="ck"),
        sa.CheckConstraint("a NOT IN ('three', 'four')"),
        sa.CheckConstraint("c NOT IN ('three', 'four')"),
        sa.Index("ix", "a", postgresql_where=sa.text("a IN ('m', 'n')")),
        sa.Index("ix2", sa.text("(a IN ('m', 'n'))")),
    )
    with connected(postgres_database) as connection:
        metadata.create_all(connection)
        connection.commit()
        stored = inspector(connection).read().tables[TableName("t")]
        script = [
            f"ALTER TABLE t DROP CONSTRAINT {check.name}, ADD CONSTRAINT {check.name} CHECK ({definition})"
            for check in stored.checks
            for definition in connection.exec_driver_sql(
                f"SELECT pg_get_expr(conbin, conrelid) FROM pg_constraint WHERE conname = '{check.name}'"
            ).scalars()
        ]
        for name in ("ix", "ix2"):
            definition = connection.exec_driver_sql(f"SELECT pg_get_indexdef('{name}'::regclass)").scalar()
            script += [f"DROP INDEX {name}", str(definition)]
        computed, default = (
            connection.exec_driver_sql(
                f"SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adnum = {number}"
            ).scalar()
            for number in (4, 1)
        )
        script += [f"ALTER TABLE t ALTER a SET DEFAULT {default}", "ALTER TABLE t DROP COLUMN either"]
        script += [f"ALTER TABLE t ADD COLUMN either boolean GENERATED ALWAYS AS ({computed}) STORED"]
        ddl(connection, *script)
        before, actual = one(connection, table)
        [after] = inspector(connection).normalise([(before, actual)])
        assert after.columns == actual.columns
        assert {check.expression for check in after.checks} == {check.expression for check in actual.checks}
        assert after.indexes == actual.indexes


def test_a_check_outlives_the_widening_of_its_column(postgres_database: PostgresDatabase) -> None:
    """Neither before the type is changed nor after it does the check look different."""
    metadata = sa.MetaData()
    table = sa.Table("t", metadata, sa.Column("a", sa.Text), sa.CheckConstraint("a IN ('x', 'y')", name="ck"))
    with connected(postgres_database) as connection:
        ddl(connection, "CREATE TABLE t (a varchar(9), CONSTRAINT ck CHECK (a IN ('x', 'y')))")
        for statement in (None, "ALTER TABLE t ALTER COLUMN a TYPE text", "ALTER TABLE t ADD COLUMN b int"):
            if statement is not None:
                ddl(connection, statement)
            before, actual = one(connection, table)
            [after] = inspector(connection).normalise([(before, actual)])
            assert after.checks == actual.checks


def test_checks_are_not_mixed_up(postgres_database: PostgresDatabase) -> None:
    """Two without a name, one of them changed: the change is still seen."""
    metadata = sa.MetaData()
    table = sa.Table(
        "t",
        metadata,
        sa.Column("a", sa.String(9)),
        sa.CheckConstraint("a IN ('x', 'y')"),
        sa.CheckConstraint("a NOT IN ('p', 'changed')"),
    )
    with connected(postgres_database) as connection:
        ddl(connection, "CREATE TABLE t (a varchar(9), CHECK (a NOT IN ('p', 'q')), CHECK (a IN ('x', 'y')))")
        before, actual = one(connection, table)
        [after] = inspector(connection).normalise([(before, actual)])
        here, there = ({check.expression for check in side.checks} for side in (after, actual))
        assert len(here & there) == 1
        assert "changed" in next(iter(here - there))
