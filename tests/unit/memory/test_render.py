from __future__ import annotations

import pytest

from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.schema import (
    Check,
    Column,
    EnumType,
    ForeignKey,
    Generated,
    Index,
    IndexKey,
    PrimaryKey,
    Table,
    TableName,
    Unique,
)
from tests.fakes.memory.render import render_additive, render_destructive
from tests.fakes.memory.types import memory_type

TASK = TableName('it\'s a "task"', "tenant")
QUOTED = '"tenant"."it\'s a ""task"""'
TITLE = Column("title", memory_type("string(50)"), nullable=False, default="'it''s'")
KEY = ForeignKey("fk", ("id",), TableName("user"), ("id",), "CASCADE", "SET NULL")
CHECK, UNIQUE = Check("ck", "id > 0"), Unique("uq", ("title", "id"))
INDEX = Index("ix", (IndexKey("title", None, "DESC"), IndexKey(None, "lower(x)")), True, "id > 1", include=("id",))


def test_a_table_is_shown_with_all_that_belongs_to_it() -> None:
    columns = (
        Column("id", memory_type("integer"), nullable=False, generated=Generated("identity"), comment="c"),
        TITLE,
    )
    table = Table(
        TASK, columns, PrimaryKey(("id",)), indexes=(INDEX,), uniques=(UNIQUE,), checks=(CHECK,), comment="it's"
    )
    assert render_additive(o.CreateTable(table, (KEY,))) == (
        (
            f"CREATE TABLE {QUOTED} (\"id\" integer GENERATED IDENTITY NOT NULL, \"title\" string(50) DEFAULT 'it''s' "
            'NOT NULL, PRIMARY KEY ("id"), CONSTRAINT "uq" UNIQUE ("title", "id"), CONSTRAINT "ck" CHECK (id > 0), '
            'CONSTRAINT "fk" FOREIGN KEY ("id") REFERENCES "user" ("id") ON DELETE CASCADE ON UPDATE SET NULL)'
        ),
        f'CREATE UNIQUE INDEX "ix" ON {QUOTED} ("title" DESC, (lower(x))) INCLUDE ("id") WHERE id > 1',
        f"COMMENT ON TABLE {QUOTED} IS 'it''s'",
        f"COMMENT ON COLUMN {QUOTED}.\"id\" IS 'c'",
    )


ALTER = f"ALTER TABLE {QUOTED} "


@pytest.mark.parametrize(
    ("operation", "statement"),
    [
        (o.CreateEnum(EnumType(TASK, ("a", "it's"))), f"CREATE TYPE {QUOTED} AS ENUM ('a', 'it''s')"),
        (o.AddEnumValue(TASK, "b", after="a"), f"ALTER TYPE {QUOTED} ADD VALUE IF NOT EXISTS 'b' AFTER 'a'"),
        (o.AddEnumValue(TASK, "b", before="a"), f"ALTER TYPE {QUOTED} ADD VALUE IF NOT EXISTS 'b' BEFORE 'a'"),
        (o.AddColumn(TASK, TITLE), ALTER + "ADD COLUMN \"title\" string(50) DEFAULT 'it''s' NOT NULL"),
        (
            o.AddColumn(TASK, Column("n", memory_type("integer"), nullable=False, fill="3")),
            ALTER + 'ADD COLUMN "n" integer DEFAULT 3 NOT NULL',
        ),
        (
            o.CreateIndex(TASK, Index("ix", (IndexKey("id"),)), online=True),
            f'CREATE INDEX CONCURRENTLY "ix" ON {QUOTED} ("id")',
        ),
        (o.RebuildIndex(TASK, INDEX), 'REINDEX INDEX "ix"'),
        (o.AddUnique(TASK, UNIQUE), ALTER + 'ADD CONSTRAINT "uq" UNIQUE ("title", "id")'),
        (o.AddUnique(TASK, UNIQUE, "ix"), ALTER + 'ADD CONSTRAINT "uq" UNIQUE USING INDEX "ix"'),
        (o.AddCheck(TASK, CHECK, validate=False), ALTER + 'ADD CONSTRAINT "ck" CHECK (id > 0) NOT VALID'),
        (o.ValidateConstraint(TASK, CHECK), ALTER + 'VALIDATE CONSTRAINT "ck"'),
        (o.AlterType(TASK, TITLE, TITLE), ALTER + 'ALTER COLUMN "title" TYPE string(50)'),
        (o.SetNotNull(TASK, TITLE), ALTER + 'ALTER COLUMN "title" SET NOT NULL'),
        (o.SetDefault(TASK, TITLE, TITLE), ALTER + "ALTER COLUMN \"title\" SET DEFAULT 'it''s'"),
        (o.SetComment(TASK, None, None), f"COMMENT ON TABLE {QUOTED} IS NULL"),
    ],
)
def test_additive_operations_are_shown(operation: o.AdditiveOperation, statement: str) -> None:
    assert render_additive(operation) == (statement,)


@pytest.mark.parametrize(
    ("operation", "statement"),
    [
        (o.DropTable(TASK), f"DROP TABLE {QUOTED}"),
        (o.DropColumn(TASK, "title"), ALTER + 'DROP COLUMN "title"'),
        (o.DropIndex(TASK, "ix"), 'DROP INDEX "ix"'),
        (o.DropConstraint(TASK, "uq", "unique"), ALTER + 'DROP CONSTRAINT "uq"'),
        (o.DropNotNull(TASK, TITLE), ALTER + 'ALTER COLUMN "title" DROP NOT NULL'),
    ],
)
def test_destructive_operations_are_shown(operation: o.DestructiveOperation, statement: str) -> None:
    assert render_destructive(operation) == (statement,)
