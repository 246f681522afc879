"""What the catalog reader shows, what it leaves out, and what that costs."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from framework_m_migrations.domain.schema import Generated, TableName
from tests._postgres import PostgresDatabase
from tests.postgres.support import DRIVERS, connected, counted, ddl, inspector, run


def names(connection: sa.Connection, schema: str | None = None) -> set[str]:
    return {str(name) for name in inspector(connection, schema).read().names}


def test_only_the_tables_of_the_schema_show_up(postgres_database: PostgresDatabase) -> None:
    with connected(postgres_database) as connection:
        ddl(
            connection,
            "CREATE TABLE plain (id int)",
            "CREATE TEMP TABLE fleeting (id int)",
            "CREATE VIEW seen AS SELECT * FROM plain",
            "CREATE MATERIALIZED VIEW stored AS SELECT * FROM plain",
            "CREATE UNLOGGED TABLE unlogged (id int)",
            "CREATE TABLE base (id int)",
            "CREATE TABLE heir (more int) INHERITS (base)",
            "CREATE TABLE nothing ()",
            "CREATE TABLE __schema_versions__ (id int)",
            "CREATE SCHEMA other",
            "CREATE TABLE other.plain (id int, extra int)",
            "CREATE EXTENSION earthdistance CASCADE",
            "CREATE TABLE of_extension (id int)",
            "ALTER EXTENSION cube ADD TABLE of_extension",
        )
        reader = inspector(connection, ignored=frozenset({"__schema_versions__"}))
        catalog = reader.read()
        assert {str(name) for name in catalog.names} == {"plain", "unlogged", "base", "heir", "nothing"}
        assert set(catalog.tables) == set(catalog.names)
        assert [column.name for column in catalog.tables[TableName("heir")].columns] == ["id", "more"]
        assert catalog.tables[TableName("nothing")].columns == ()
        elsewhere = reader.read([TableName("plain", "other"), TableName("missing")])
        assert set(elsewhere.tables) == {TableName("plain", "other")}
        assert TableName("plain", "other") in elsewhere.names
        assert TableName("plain") in elsewhere.names
        also = inspector(connection, also=frozenset({"other"})).read()
        assert TableName("plain", "other") in also.tables
        assert names(connection, "other") == {"plain"}


def test_partitions_belong_to_their_parent(postgres_database: PostgresDatabase) -> None:
    with connected(postgres_database) as connection:
        ddl(
            connection,
            "CREATE TABLE target (id int PRIMARY KEY) PARTITION BY RANGE (id)",
            "CREATE TABLE target_1 PARTITION OF target FOR VALUES FROM (0) TO (10)",
            "CREATE TABLE target_2 PARTITION OF target FOR VALUES FROM (10) TO (20)",
            "CREATE TABLE pointing (id int REFERENCES target (id))",
            "CREATE INDEX ix_target ON target (id)",
        )
        catalog = inspector(connection).read()
        assert {str(name) for name in catalog.names} == {"target", "pointing"}
        parent = catalog.tables[TableName("target")]
        assert [index.name for index in parent.indexes] == ["ix_target"]
        # The server keeps a clone of the key for each partition of the target.
        assert len(catalog.tables[TableName("pointing")].foreign_keys) == 1
        assert TableName("target_1") in inspector(connection).read([TableName("target_1")]).tables


def test_states_of_indexes_and_constraints(postgres_database: PostgresDatabase) -> None:
    with connected(postgres_database) as connection:
        ddl(
            connection,
            "CREATE TABLE other (id int PRIMARY KEY)",
            "CREATE TABLE states (id int, twice int, ref int)",
            "INSERT INTO states VALUES (1, 1, 1), (2, 1, 2)",
            "ALTER TABLE states ADD CONSTRAINT ck CHECK (id > 5) NOT VALID",
            "ALTER TABLE states ADD CONSTRAINT fk FOREIGN KEY (ref) REFERENCES other (id) NOT VALID",
            "CREATE INDEX sound ON states (id)",
        )
    engine = sa.create_engine(postgres_database.sync_url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection, pytest.raises(sa.exc.IntegrityError):
        connection.exec_driver_sql("CREATE UNIQUE INDEX CONCURRENTLY broken ON states (twice)")
    with connected(postgres_database) as connection:
        table = inspector(connection).read().tables[TableName("states")]
        assert {index.name: index.valid for index in table.indexes} == {"sound": True, "broken": False}
        assert [(check.name, check.valid) for check in table.checks] == [("ck", False)]
        assert [(key.name, key.valid) for key in table.foreign_keys] == [("fk", False)]


def test_how_columns_are_filled(postgres_database: PostgresDatabase) -> None:
    with connected(postgres_database) as connection:
        ddl(
            connection,
            "CREATE SEQUENCE loose",
            "CREATE TABLE filled (s serial, b bigserial, d int GENERATED BY DEFAULT AS IDENTITY, "
            "a int GENERATED ALWAYS AS IDENTITY (START 5), n int DEFAULT nextval('loose'), p int NOT NULL)",
            "CREATE SEQUENCE kept OWNED BY filled.p",
        )
        table = inspector(connection).read().tables[TableName("filled")]
        generated = {column.name: column.generated for column in table.columns}
        assert generated == {
            "s": Generated("serial"),
            "b": Generated("serial"),
            "d": Generated("identity"),
            "a": Generated("identity", always=True, options=(("start", "5"),)),
            "n": None,
            "p": None,
        }
        assert {c.name: c.default for c in table.columns if c.default} == {"n": "nextval('loose'::regclass)"}
        # NOT NULL is a constraint of its own from version 18 on; it must not look like a check.
        assert table.checks == ()


@pytest.mark.parametrize("driver", DRIVERS)
def test_the_number_of_statements_is_constant(postgres_database: PostgresDatabase, driver: str) -> None:
    def check(connection: sa.Connection) -> None:
        reader = inspector(connection)
        counts = []
        for number in range(1, 41):
            ddl(connection, f"CREATE TABLE t{number} (id serial PRIMARY KEY, name text DEFAULT 'x' CHECK (name <> ''))")
            if number in {1, 40}:
                with counted(connection) as sent:
                    assert len(reader.read().tables) == number
                counts.append(len(sent))
                with counted(connection) as sent:
                    reader.read([TableName("t1")])
                counts.append(len(sent))
                with counted(connection) as sent:
                    reader.catalog_token()
                assert len(sent) == 1
                connection.rollback()
        assert counts == [5, 5, 5, 5]

    run(postgres_database, check, driver)


def test_reading_waits_for_nobody(postgres_database: PostgresDatabase) -> None:
    """Even while a table is locked against everything, unless it has more than plain columns in an index or check."""
    with connected(postgres_database) as connection, connected(postgres_database) as other:
        ddl(
            connection,
            "CREATE TABLE busy (id int PRIMARY KEY, e text DEFAULT lower('A'), f int UNIQUE REFERENCES busy)",
        )
        ddl(connection, "CREATE INDEX ix_busy ON busy (e)", "COMMENT ON COLUMN busy.e IS 'x'")
        ddl(connection, "CREATE TABLE computing (id int CHECK (id > 0), t int GENERATED ALWAYS AS (id * 2) STORED)")
        other.exec_driver_sql("LOCK TABLE busy IN ACCESS EXCLUSIVE MODE")
        connection.exec_driver_sql("SET statement_timeout = '2s'")
        assert TableName("busy") in inspector(connection).read().tables
        assert inspector(connection).catalog_token() is not None
        held = connection.exec_driver_sql(
            "SELECT c.relname FROM pg_locks l JOIN pg_class c ON c.oid = l.relation "
            "WHERE l.pid = pg_backend_pid() AND c.relname IN ('busy', 'ix_busy', 'computing')"
        ).all()
        assert held == []


CHANGES = [
    "ALTER TABLE t ADD COLUMN extra int",
    "ALTER TABLE t DROP COLUMN name",
    "ALTER TABLE t RENAME COLUMN name TO nom",
    "ALTER TABLE t ALTER COLUMN name TYPE varchar(50)",
    "ALTER TABLE t ALTER COLUMN name SET DEFAULT 'y'",
    "ALTER TABLE t ALTER COLUMN name DROP DEFAULT",
    "ALTER TABLE t ALTER COLUMN name SET NOT NULL",
    "ALTER TABLE t RENAME TO u",
    "ALTER TABLE t SET SCHEMA elsewhere",
    "ALTER TABLE t ADD CHECK (id > 0)",
    "ALTER TABLE t DROP CONSTRAINT uq",
    "ALTER TABLE t RENAME CONSTRAINT uq TO uq2",
    "ALTER TABLE t ADD FOREIGN KEY (id) REFERENCES t (id)",
    "ALTER TABLE t VALIDATE CONSTRAINT later",
    "CREATE INDEX ix_new ON t (id)",
    "DROP INDEX ix",
    "ALTER INDEX ix RENAME TO ix2",
    "ALTER INDEX ix SET (fillfactor = 50)",
    "DROP TABLE t",
    "CREATE TABLE another (id int)",
    "CREATE TABLE t2 (LIKE t)",
    "ALTER TYPE mood ADD VALUE 'meh'",
    "ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'",
    "CREATE TYPE colour AS ENUM ('red')",
    "DROP TYPE unused",
    "COMMENT ON TABLE t IS 'new'",
    "COMMENT ON COLUMN t.name IS 'new'",
    "COMMENT ON TABLE t IS NULL",
    "ALTER TABLE t ALTER COLUMN number SET GENERATED ALWAYS",
    "ALTER TABLE t ALTER COLUMN number SET INCREMENT 5",
    "ALTER TABLE t ALTER COLUMN id TYPE bigint",
    "ALTER TABLE parted ATTACH PARTITION p2 FOR VALUES IN (2)",
]
SETUP = (
    "CREATE SCHEMA elsewhere",
    "CREATE TYPE mood AS ENUM ('sad', 'glad')",
    "CREATE TYPE unused AS ENUM ('a')",
    (
        "CREATE TABLE t (id int PRIMARY KEY, name varchar(10) DEFAULT 'x', m mood, j int CONSTRAINT uq UNIQUE, "
        "number int GENERATED BY DEFAULT AS IDENTITY)"
    ),
    "ALTER TABLE t ADD CONSTRAINT later CHECK (id < 1000000) NOT VALID",
    "CREATE INDEX ix ON t (name)",
    "COMMENT ON TABLE t IS 'old'",
    "CREATE TABLE ignored (id int)",
    "CREATE TABLE parted (id int) PARTITION BY LIST (id)",
    "CREATE TABLE p2 (id int)",
)


@pytest.mark.parametrize("change", CHANGES)
def test_the_token_changes_with_every_ddl(postgres_database: PostgresDatabase, change: str) -> None:
    with connected(postgres_database) as connection:
        ddl(connection, *SETUP)
        reader = inspector(connection, ignored=frozenset({"ignored"}))
        before = reader.catalog_token()
        assert reader.catalog_token() == before
        ddl(connection, change)
        assert reader.catalog_token() != before


def test_the_token_stays_otherwise(postgres_database: PostgresDatabase) -> None:
    with connected(postgres_database) as connection:
        ddl(connection, *SETUP)
        reader = inspector(connection, ignored=frozenset({"ignored"}))
        before = reader.catalog_token()
        for statement in (
            "INSERT INTO t (id, name) SELECT n, 'a' FROM generate_series(1, 5000) n",
            "UPDATE t SET name = 'b'",
            "DELETE FROM t WHERE id > 2000",
            "SELECT setval(pg_get_serial_sequence('t', 'number'), 500)",
            "CREATE TEMP TABLE mine (id int)",
            "ALTER TABLE ignored ADD COLUMN x int",
            "CREATE INDEX ix_ignored ON ignored (id)",
            "CREATE TABLE elsewhere.there (id int)",
            "GRANT SELECT ON t TO PUBLIC",
            "TRUNCATE t",
        ):
            ddl(connection, statement)
            assert reader.catalog_token() == before, statement
        with connection.begin_nested() as undone:
            connection.exec_driver_sql("ALTER TABLE t ADD COLUMN gone int")
            undone.rollback()
        assert reader.catalog_token() == before
    engine = sa.create_engine(postgres_database.sync_url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        for statement in ("ANALYZE", "VACUUM ANALYZE t", "VACUUM FREEZE", "VACUUM FULL t", "REINDEX TABLE t"):
            connection.exec_driver_sql(statement)
            assert inspector(connection, ignored=frozenset({"ignored"})).catalog_token() == before, statement


def test_tokens_of_two_schemas_are_their_own(postgres_database: PostgresDatabase) -> None:
    with connected(postgres_database) as connection:
        ddl(connection, "CREATE SCHEMA a", "CREATE SCHEMA b")
        mine: Callable[[], str | None] = inspector(connection, "a").catalog_token
        both = inspector(connection, "a", also=frozenset({"b"})).catalog_token
        first, first_both = mine(), both()
        ddl(connection, "CREATE TABLE b.x (id int)")
        assert mine() == first
        assert both() != first_both


def test_missing_privileges_are_named(postgres_database: PostgresDatabase) -> None:
    with connected(postgres_database) as connection:
        assert inspector(connection).missing_privileges() == ()
        ddl(connection, "CREATE TABLE theirs (id int)", "DROP ROLE IF EXISTS weak", "CREATE ROLE weak")
        # As it is since 15.
        ddl(connection, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        ddl(connection, "SET ROLE weak")
        told = inspector(connection).missing_privileges()
        assert any("CREATE on schema public" in sentence for sentence in told)
        assert any("theirs" in sentence for sentence in told)
        ddl(connection, "RESET ROLE", "DROP ROLE weak")
        assert "does not exist" in inspector(connection, "nowhere").missing_privileges()[0]


def test_a_column_dropped_while_the_catalog_is_read_is_read_without(postgres_database: PostgresDatabase) -> None:
    with connected(postgres_database) as connection, connected(postgres_database) as other:
        ddl(connection, "CREATE TABLE torn (id int PRIMARY KEY, gone int UNIQUE, kept int UNIQUE)")
        dropped: list[str] = []

        def drop(_c: object, _cursor: object, statement: str, *_: object) -> None:
            if "FROM pg_catalog.pg_constraint k" in statement and not dropped:
                dropped.append(statement)
                ddl(other, "ALTER TABLE torn DROP COLUMN gone")

        sa.event.listen(connection, "after_cursor_execute", drop)
        table = inspector(connection).read().tables[TableName("torn")]
        assert dropped
        assert [column.name for column in table.columns] == ["id", "kept"]
        assert [unique.columns for unique in table.uniques] == [("kept",)]


def test_targets_of_foreign_keys_that_were_not_asked_for_are_named(postgres_database: PostgresDatabase) -> None:
    with connected(postgres_database) as connection:
        ddl(
            connection,
            "CREATE TABLE target (a int, b text, c int, PRIMARY KEY (c, a))",
            "CREATE TABLE pointing (x int, y int, FOREIGN KEY (y, x) REFERENCES target (c, a))",
        )
        read = inspector(connection).read([TableName("pointing")])
        assert list(read.tables) == [TableName("pointing")]
        (key,) = read.tables[TableName("pointing")].foreign_keys
        assert (key.columns, key.target_columns) == (("y", "x"), ("c", "a"))


def test_sequences_are_told_by_who_draws_from_them(postgres_database: PostgresDatabase) -> None:
    with connected(postgres_database) as connection:
        ddl(
            connection,
            "CREATE SEQUENCE lent",
            "CREATE TABLE numbered (a serial, b int DEFAULT nextval('lent'), c int GENERATED BY DEFAULT AS IDENTITY, "
            "d int DEFAULT 7, e int)",
            "CREATE SEQUENCE owned OWNED BY numbered.c",
            "CREATE SEQUENCE first OWNED BY numbered.d",
            "ALTER SEQUENCE numbered_c_seq INCREMENT 5",
            "CREATE SEQUENCE second OWNED BY numbered.e",
            "ALTER TABLE numbered ALTER e SET DEFAULT nextval('second') + nextval('second')",
        )
        columns = inspector(connection).read().tables[TableName("numbered")].columns
        assert [column.generated and column.generated.kind for column in columns] == [
            "serial",
            None,
            "identity",
            None,
            "serial",
        ]
        assert columns[2].generated == Generated("identity", options=(("increment", "5"),))
