"""The pruner on real databases."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from framework_m_migrations.adapters.sql.pruner import SqlPruner
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.errors import DatabaseError, InvalidMetadata
from framework_m_migrations.domain.schema import Column, ColumnType, TableName
from tests.sql.plain import PlainDialect

T = TableName("the order 50%")


@pytest.fixture
def pruner(connection: sa.Connection, plain: PlainDialect) -> SqlPruner:
    for sql in (
        "CREATE TABLE parent (id integer PRIMARY KEY)",
        'CREATE TABLE "the order 50%" (id integer PRIMARY KEY, "dr op" text NOT NULL, a text, parent integer)',
        'CREATE INDEX "ix one" ON "the order 50%" ("dr op")',
        'CREATE UNIQUE INDEX ix_two ON "the order 50%" (a, "dr op")',
        'CREATE INDEX ix_other ON "the order 50%" (a)',
        "INSERT INTO \"the order 50%\" VALUES (1, 'lost', 'kept', NULL)",
    ):
        connection.exec_driver_sql(sql, execution_options={"no_parameters": True})
    return SqlPruner(connection, plain)


def test_a_column_goes_with_its_indexes_and_the_rows_stay(connection: sa.Connection, pruner: SqlPruner) -> None:
    rendered = pruner.render(o.DropColumn(T, "dr op"))
    sent: list[str] = []
    sa.event.listen(connection, "before_cursor_execute", lambda *args: sent.append(args[2]))
    pruner.apply(o.DropColumn(T, "dr op"))
    assert [sql for sql in sent if sql.startswith(("DROP", "ALTER"))] == list(rendered)
    inspector = sa.inspect(connection)
    assert [column["name"] for column in inspector.get_columns(T.name)] == ["id", "a", "parent"]
    assert [index["name"] for index in inspector.get_indexes(T.name)] == ["ix_other"]
    table = sa.table(T.name, sa.column("id"), sa.column("a"))
    assert list(connection.execute(sa.select(table.c.id, table.c.a))) == [(1, "kept")]


def test_a_column_that_is_not_there_is_no_success(pruner: SqlPruner) -> None:
    with pytest.raises(InvalidMetadata):
        pruner.apply(o.DropColumn(T, "nothing"))


def test_an_index_and_a_table_go(connection: sa.Connection, pruner: SqlPruner) -> None:
    pruner.apply(o.DropIndex(T, "ix one"))
    assert {index["name"] for index in sa.inspect(connection).get_indexes(T.name)} == {"ix_two", "ix_other"}
    pruner.apply(o.DropTable(T))
    assert sa.inspect(connection).get_table_names() == ["parent"]


def test_what_others_stand_on_is_not_forced_away(connection: sa.Connection, pruner: SqlPruner) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(
            'ALTER TABLE "the order 50%" ADD FOREIGN KEY (parent) REFERENCES parent'.replace("%", "%%")
        )
        with pytest.raises(DatabaseError) as caught:
            pruner.apply(o.DropTable(TableName("parent")))
        assert "DROP TABLE parent" in str(caught.value)
    else:
        connection.exec_driver_sql('CREATE VIEW v AS SELECT a FROM "the order 50%"')
        with pytest.raises(DatabaseError):
            pruner.apply(o.DropColumn(T, "a"))


@pytest.mark.postgres
def test_constraints_go_on_postgres(postgres: sa.Connection) -> None:
    postgres.exec_driver_sql("CREATE TABLE t (a integer NOT NULL, CONSTRAINT u UNIQUE (a), CONSTRAINT c CHECK (a > 0))")
    pruner = SqlPruner(postgres, PlainDialect("postgresql"))
    pruner.apply(o.DropConstraint(TableName("t"), "u", "unique"))
    pruner.apply(o.DropConstraint(TableName("t"), "c", "check"))
    pruner.apply(o.DropNotNull(TableName("t"), Column("a", ColumnType("INTEGER"))))
    inspector = sa.inspect(postgres)
    assert (inspector.get_unique_constraints("t"), inspector.get_check_constraints("t")) == ([], [])
    assert inspector.get_columns("t")[0]["nullable"] is True
