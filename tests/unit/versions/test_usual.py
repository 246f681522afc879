"""What is written without Alembic's renderer reads as Alembic would write it."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic.operations import ops

from framework_m_migrations.adapters.sql.desired.constraints import wanted_indexes
from framework_m_migrations.adapters.sql.desired.tables import Target
from framework_m_migrations.adapters.sql.dialects.sqlite import SqliteDialect
from framework_m_migrations.adapters.sql.revisions.writer import usual
from framework_m_migrations.adapters.sql.revisions.writer.files import Renderer
from framework_m_migrations.adapters.sql.revisions.writer.source import Directive
from framework_m_migrations.domain.schema import TableName

FINAL = sa.schema.conv


def declared() -> sa.Table:
    return sa.Table(
        "line of 'it'",
        sa.MetaData(),
        sa.Column("id", sa.BigInteger(), autoincrement=False),
        sa.Column("amount", sa.Numeric(18, 6), nullable=False, server_default=sa.text("0"), comment='of "all"'),
        sa.Column("state", sa.Enum("a", "it's", name="mood"), server_default=sa.text("'it''s :x'")),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.func.now()),
        sa.Column("on", sa.Boolean(), server_default=sa.true()),
        sa.Column("kind", sa.ARRAY(sa.String(9)), server_default=sa.text("coalesce('a:b', 'c')")),
        sa.PrimaryKeyConstraint("id", name=FINAL("pk")),
        sa.UniqueConstraint("amount", "at"),
        sa.CheckConstraint(sa.text(r"amount > 0 AND kind <> '\:x'"), name=FINAL("ck")),
        sa.ForeignKeyConstraint(["id"], ["other.id"], name=FINAL("fk"), ondelete="CASCADE", onupdate="SET NULL"),
        schema="part",
        comment="it's",
    )


def test_a_table_and_its_indexes() -> None:
    engine = sa.create_engine("sqlite://")
    with engine.connect() as connection:
        renderer, target = Renderer(connection), Target.of(connection.dialect, SqliteDialect())
        table = declared()
        said = usual.create_table(table)
        assert said is not None
        assert renderer.body([said]) == renderer.body([Directive(ops.CreateTableOp.from_table(table))])
        sa.Index("ix of 'it'", table.c.at, table.c.id)
        sa.Index("iy", table.c.amount, unique=True, sqlite_where=sa.text(r"state = 'a\:b'"))
        for wanted in wanted_indexes(table, target):
            written = usual.create_index(TableName(table.name, "part"), wanted)
            assert written is not None
            made: Any = wanted.native
            assert renderer.body([written]) == renderer.body([Directive(ops.CreateIndexOp.from_index(made))])
    engine.dispose()


def test_what_alembic_must_say() -> None:
    """A type of a dialect's own options, a computed column, a constraint with options."""
    metadata = sa.MetaData()
    unusual: list[list[Any]] = [
        [sa.Column("a", sa.Integer, sa.Computed("1 + 1"))],
        [sa.Column("a", sa.Integer, nullable=False, sqlite_on_conflict_not_null="IGNORE")],
        [sa.Column("a", sa.Integer), sa.UniqueConstraint("a", deferrable=True)],
    ]
    for number, parts in enumerate(unusual):
        assert usual.create_table(sa.Table(f"t{number}", metadata, *parts)) is None
    assert usual.create_table(sa.Table("u", metadata, sa.Column("a", sa.Integer), sqlite_strict=True)) is None
