"""A unique constraint takes over a unique index that is there only where the index is what the constraint would be."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from framework_m_migrations import MigrationManager, MigrationSettings
from framework_m_migrations.domain.options import LockOptions
from tests._postgres import PostgresDatabase

Made = Callable[[], sa.UniqueConstraint | sa.Index]


def wanted(*made: sa.UniqueConstraint | sa.Index) -> sa.MetaData:
    metadata = sa.MetaData()
    columns = (sa.Column("a", sa.Text), sa.Column("b", sa.Text))
    sa.Table("t", metadata, sa.Column("id", sa.Integer, primary_key=True), *columns, *made)
    return metadata


def plain() -> sa.UniqueConstraint:
    return sa.UniqueConstraint("a", name="uq")


@pytest.mark.parametrize(
    ("index", "made", "rejects"),
    [
        ("CREATE UNIQUE INDEX i ON t (a)", plain, "equal"),
        ("CREATE UNIQUE INDEX i ON t (a DESC)", plain, "equal"),
        ("CREATE UNIQUE INDEX i ON t (a text_pattern_ops)", plain, "equal"),
        ('CREATE UNIQUE INDEX i ON t (a COLLATE "C")', plain, "equal"),
        ("CREATE UNIQUE INDEX i ON t (a) NULLS NOT DISTINCT", plain, "equal"),
        ("CREATE UNIQUE INDEX i ON t (a) INCLUDE (b)", plain, "equal"),
        ("CREATE UNIQUE INDEX i ON t (a) WITH (fillfactor = 70)", plain, "equal"),
        ("CREATE UNIQUE INDEX i ON t (a)", lambda: sa.UniqueConstraint("a", name="uq", deferrable=True), "equal"),
        (
            "CREATE UNIQUE INDEX i ON t (a)",
            lambda: sa.UniqueConstraint("a", name="uq", postgresql_nulls_not_distinct=True),
            "nulls",
        ),
        (
            "CREATE UNIQUE INDEX i ON t (a) NULLS NOT DISTINCT",
            lambda: sa.UniqueConstraint("a", name="uq", postgresql_nulls_not_distinct=True),
            "nulls",
        ),
        (
            "CREATE UNIQUE INDEX i ON t (a)",
            lambda: sa.UniqueConstraint("a", name="uq", postgresql_include=["b"]),
            "equal",
        ),
        (
            "ALTER TABLE t ADD CONSTRAINT theirs UNIQUE (a)",
            lambda: sa.Index("ix", "a", unique=True, postgresql_nulls_not_distinct=True),
            "nulls",
        ),
        ("ALTER TABLE t ADD CONSTRAINT theirs UNIQUE (a)", lambda: sa.Index("ix", "a", unique=True), "equal"),
        (
            "ALTER TABLE t ADD CONSTRAINT theirs UNIQUE (a) DEFERRABLE",
            lambda: sa.Index("ix", "a", unique=True),
            "equal",
        ),
    ],
)
def test_it_is_made_as_it_is_wanted_whatever_index_is_there(
    postgres_database: PostgresDatabase, index: str, made: Made, rejects: str
) -> None:
    engine = sa.create_engine(postgres_database.sync_url)
    try:
        MigrationManager(_settings(postgres_database, wanted())).sync()
        with engine.begin() as connection:
            connection.exec_driver_sql(index)
        manager = MigrationManager(_settings(postgres_database, wanted(made())))
        result = manager.sync()
        assert not result.withheld, result.to_dict()
        assert manager.plan(force=True).to_dict()["changes"] == []
        value = None if rejects == "nulls" else "x"
        with pytest.raises(sa.exc.IntegrityError), engine.begin() as connection:
            connection.execute(sa.text("INSERT INTO t (id, a) VALUES (1, :a), (2, :a)"), {"a": value})
    finally:
        engine.dispose()


def _settings(database: PostgresDatabase, metadata: sa.MetaData) -> MigrationSettings:
    return MigrationSettings(database_url=database.sync_url, metadata=(metadata,), locks=LockOptions(wait=20.0))


def test_one_that_a_build_left_invalid_is_not_taken_over(postgres_database: PostgresDatabase) -> None:
    engine = sa.create_engine(postgres_database.sync_url)
    try:
        MigrationManager(_settings(postgres_database, wanted())).sync()
        with engine.begin() as connection:
            connection.exec_driver_sql("INSERT INTO t VALUES (1, 'x'), (2, 'x')")
        builder = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        with builder, pytest.raises(sa.exc.IntegrityError):
            builder.exec_driver_sql("CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)")
        manager = MigrationManager(_settings(postgres_database, wanted(plain())))
        assert manager.sync().withheld, "two rows are equal, whatever index there is"
        with engine.begin() as connection:
            connection.exec_driver_sql("DELETE FROM t WHERE id = 2")
        assert not manager.sync().withheld
        assert manager.plan(force=True).to_dict()["changes"] == []
    finally:
        engine.dispose()


@pytest.mark.parametrize("late", [True, False])
def test_rows_with_null_agree_where_the_constraint_says_so(postgres_database: PostgresDatabase, late: bool) -> None:
    """Such a constraint is built beside writers like any other, and not tried where two rows have NULL."""
    engine = sa.create_engine(postgres_database.sync_url)
    try:
        MigrationManager(_settings(postgres_database, wanted())).sync()
        with engine.begin() as connection:
            connection.exec_driver_sql("INSERT INTO t VALUES (1), (2)")
        made = sa.UniqueConstraint("a", name="uq", postgresql_nulls_not_distinct=True, deferrable=late or None)
        manager = MigrationManager(_settings(postgres_database, wanted(made)))
        assert [p.judgement.rule for p in manager.sync().withheld] == ["unique-duplicates"]
        with engine.begin() as connection:
            connection.exec_driver_sql("UPDATE t SET a = 'x' WHERE id = 1")
        [step, adopts] = manager.plan().plan.steps
        assert (step.transactional, adopts.scans) == (False, False)
        assert not manager.sync().withheld
        assert manager.plan(force=True).to_dict()["changes"] == []
        with pytest.raises(sa.exc.IntegrityError), engine.begin() as connection:
            connection.exec_driver_sql("INSERT INTO t VALUES (3, NULL)")
    finally:
        engine.dispose()


def test_what_a_killed_build_of_its_own_left_is_built_again(postgres_database: PostgresDatabase) -> None:
    """CREATE INDEX CONCURRENTLY that fails half way leaves an index of the constraint's name that is not valid."""
    engine = sa.create_engine(postgres_database.sync_url)
    try:
        MigrationManager(_settings(postgres_database, wanted())).sync()
        with engine.begin() as connection:
            connection.exec_driver_sql("INSERT INTO t VALUES (1, 'x'), (2, 'x')")
        builder = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        with builder, pytest.raises(sa.exc.IntegrityError):
            builder.exec_driver_sql("CREATE UNIQUE INDEX CONCURRENTLY uq ON t (a)")
        manager = MigrationManager(_settings(postgres_database, wanted(plain())))
        told = {type(p.change).__name__: p.judgement.rule for p in manager.sync().withheld}
        assert told == {"IndexInvalid": "unique-duplicates", "UniqueAdded": "waits"}
        with engine.begin() as connection:
            connection.exec_driver_sql("DELETE FROM t WHERE id = 2")
        assert not manager.sync().withheld
        assert manager.plan(force=True).to_dict()["changes"] == []
        assert [one["name"] for one in sa.inspect(engine).get_unique_constraints("t")] == ["uq"]
    finally:
        engine.dispose()


@pytest.mark.parametrize(
    "taken",
    [
        "CREATE UNIQUE INDEX uq ON t (a DESC)",
        "CREATE INDEX uq ON t (b)",
        "CREATE UNIQUE INDEX i ON t (a); CREATE INDEX uq ON t (b)",
        "ALTER TABLE t RENAME CONSTRAINT t_pkey TO uq",
    ],
)
def test_a_name_that_the_table_itself_has_given_away_is_told(postgres_database: PostgresDatabase, taken: str) -> None:
    engine = sa.create_engine(postgres_database.sync_url)
    try:
        MigrationManager(_settings(postgres_database, wanted())).sync()
        with engine.begin() as connection:
            connection.exec_driver_sql(taken)
        result = MigrationManager(_settings(postgres_database, wanted(plain()))).sync()
        assert [(type(p.change).__name__, p.judgement.rule) for p in result.withheld] == [("UniqueAdded", "obstructed")]
    finally:
        engine.dispose()
