"""What the stages of a column with values of its own lock, as pg_locks shows it."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.postgresql import PostgresqlDialect
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.errors import DatabaseError
from framework_m_migrations.domain.plan import LockLevel
from framework_m_migrations.domain.schema import Column, ColumnType, Index, IndexKey, TableName
from tests._postgres import PostgresDatabase
from tests.postgres.support import connected, ddl, executor
from tests.postgres.test_statements import LOCKS, strongest

T = TableName("order")
INT, TEXT = ColumnType("integer", "integer"), ColumnType("text", "text")
KEY = (Column("id", INT, nullable=False), Column("Na me", TEXT, nullable=False))
DRAW = Column("dr%aw", ColumnType("double precision", "double precision"), default="random()", volatile_default=True)
MARK = Column("mark", TEXT, nullable=False, default="'it''s 100%'")
SETUP = (
    """CREATE TABLE "order" (id int, "Na me" text, "dr%aw" double precision, mark text, PRIMARY KEY (id, "Na me"))""",
    """INSERT INTO "order" SELECT g / 2, 'it''s ' || g %% 2, CASE WHEN g %% 3 = 0 THEN 5 END, 'x'
       FROM generate_series(1, 25) g""".replace("%%", "%"),
)
STAGED: dict[str, o.AdditiveOperation] = {
    "column": o.AddColumn(T, Column("new", TEXT, default="gen_random_uuid()::text"), staged=True),
    "first pass": o.FillColumn(T, DRAW, KEY, 10),
    "second pass": o.FillColumn(T, DRAW, KEY, 10, late=True),
    "not null": o.SetNotNull(T, MARK, validate=False),
    "validated": o.ValidateNotNull(T, Column("id", INT, nullable=False)),
    "index of the whole": o.CreateIndex(T, Index("ix", (IndexKey("id"),)), only=True),
    "index of a part": o.AttachIndex(T, "ix_part", TableName("ix_whole")),
}
PARTED = {
    "index of the whole": (
        'CREATE TABLE "order" (id int) PARTITION BY RANGE (id)',
        'CREATE TABLE part PARTITION OF "order" FOR VALUES FROM (0) TO (9)',
    ),
    "index of a part": (
        "CREATE TABLE whole (id int) PARTITION BY RANGE (id)",
        'CREATE TABLE "order" PARTITION OF whole FOR VALUES FROM (0) TO (9)',
        "CREATE INDEX ix_whole ON ONLY whole (id)",
        'CREATE INDEX ix_part ON "order" (id)',
    ),
}


@pytest.mark.parametrize("name", STAGED)
def test_each_stage_locks_what_it_says(postgres_database: PostgresDatabase, name: str) -> None:
    operation = STAGED[name]
    with connected(postgres_database) as connection, connected(postgres_database) as other:
        ddl(connection, *PARTED.get(name, SETUP))
        pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
        connection.rollback()
        if name in {"not null", "validated"} and connection.dialect.server_version_info < (18,):  # type: ignore[operator]
            with pytest.raises(DatabaseError):
                executor(connection).apply(operation)
            return
        executor(connection).apply(operation)
        held = strongest(other.exec_driver_sql(LOCKS.format(pid)))
        assert held == dict(PostgresqlDialect().lock_levels(operation))
        connection.rollback()


def test_batches_follow_the_key_and_take_only_what_is_null(postgres_database: PostgresDatabase) -> None:
    """Two columns of key, names that need quotes, a percent sign, values with quotes in them."""
    with connected(postgres_database) as connection:
        ddl(connection, *SETUP)
        first = STAGED["first pass"]
        assert isinstance(first, o.FillColumn)
        batches: list[tuple[int, int]] = []
        after: str | None = None
        while not batches or batches[-1][0] == 10:
            batch = executor(connection).fill(first, after)
            batches.append((batch.seen, batch.changed))
            after = batch.last
            connection.commit()
        assert batches == [(10, 7), (10, 7), (5, 3)]
        rows = 'SELECT count(*), count(DISTINCT "dr%aw"), count(*) FILTER (WHERE "dr%aw" = 5) FROM "order"'
        assert connection.execute(sa.text(rows)).all() == [(25, 18, 8)]
        ddl(connection, 'UPDATE "order" SET "dr%aw" = NULL WHERE id IN (3, 9)')
        late = STAGED["second pass"]
        assert isinstance(late, o.FillColumn)
        batch = executor(connection).fill(late, None)
        assert (batch.seen, batch.changed) == (4, 4)
        assert executor(connection).fill(late, batch.last).seen == 0


def test_not_null_without_a_look_holds_for_new_rows_and_then_for_all(postgres_database: PostgresDatabase) -> None:
    with connected(postgres_database) as connection:
        ddl(connection, *SETUP)
        if connection.dialect.server_version_info < (18,):  # type: ignore[operator]
            assert not PostgresqlDialect().capabilities(connection.dialect).unvalidated_not_null
            return
        draw = Column(DRAW.name, DRAW.type, nullable=False)
        executor(connection).apply(o.SetNotNull(T, draw, validate=False))
        connection.commit()
        with pytest.raises(sa.exc.IntegrityError):
            ddl(connection, "INSERT INTO \"order\" VALUES (100, 'x')")
        connection.rollback()
        # Renamed by hand in between: it is the constraint on the column that counts.
        ddl(connection, 'ALTER TABLE "order" RENAME CONSTRAINT "order_dr%aw_not_null" TO other')
        with pytest.raises(DatabaseError, match="contains null values"):
            executor(connection).apply(o.ValidateNotNull(T, draw))
        connection.rollback()
        ddl(connection, 'UPDATE "order" SET "dr%aw" = 1 WHERE "dr%aw" IS NULL')
        executor(connection).apply(o.ValidateNotNull(T, draw))
        connection.commit()
        valid = (
            "SELECT bool_and(convalidated) FROM pg_constraint WHERE contype = 'n' AND conrelid = '\"order\"'::regclass"
        )
        assert connection.exec_driver_sql(valid).scalar() is True
    assert LockLevel.ACCESS_EXCLUSIVE in dict(PostgresqlDialect().lock_levels(STAGED["not null"])).values()
