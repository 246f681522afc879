"""The classes of change that are measured under load: each by this engine, and the same by plain Alembic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa
from alembic.operations import Operations

type Change = Callable[[sa.MetaData], None]


@dataclass(frozen=True, slots=True)
class LoadCase:
    """One class of change on the table ``item``.

    Attributes:
        name: for the table of results.
        wanted: turns the metadata from before into the one wanted.
        plain: the same with Alembic's operations.
        revisions: it is made by ``create --online`` and ``run``, not by sync.
        late_write: what the application of the new release writes once the first half is applied.
        late_table: the name under which it knows the table.
    """

    name: str
    wanted: Change
    plain: Callable[[Operations], object]
    revisions: bool = False
    late_write: str = "UPDATE item SET qty = qty + 1 WHERE id = %(id)s"
    late_table: str = "item"


def base() -> sa.MetaData:
    """The tables from before."""
    metadata = sa.MetaData()
    sa.Table("kind", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.Text))
    sa.Table(
        "item",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("qty", sa.Integer, nullable=False),
        sa.Column("kind", sa.Integer),
        sa.Column("title", sa.String(40)),
        sa.Column("code", sa.String(40)),
        sa.Column("spare", sa.Text),
        sa.Column("mood", _mood("good", "bad")),
    )
    return metadata


def _mood(*labels: str) -> sa.Enum:
    return sa.Enum(*labels, name="mood")


def _item(metadata: sa.MetaData) -> sa.Table:
    return metadata.tables["item"]


def _renamed(metadata: sa.MetaData) -> None:
    table = _item(metadata)
    columns = [_copied(one) for one in table.columns]
    metadata.remove(table)
    sa.Table("article", metadata, *columns, info={"renamed_from": "item"})


def _referring(metadata: sa.MetaData) -> None:
    target = sa.ForeignKey("item.id", name="fk_note_item")
    sa.Table("note", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("item", sa.Integer, target))


def _replace(metadata: sa.MetaData, column: sa.Column[object], old: str | None = None) -> None:
    table = _item(metadata)
    columns = [_copied(one) for one in table.columns if one.name not in {column.name, old}]
    metadata.remove(table)
    sa.Table("item", metadata, *columns, column)


def _copied(column: sa.Column[object]) -> sa.Column[object]:
    return sa.Column(
        column.name, column.type, primary_key=column.primary_key, nullable=column.nullable, autoincrement=False
    )


def _indexed(metadata: sa.MetaData) -> None:
    sa.Index("ix_code", _item(metadata).c.code)


def _without(metadata: sa.MetaData, name: str) -> None:
    table = _item(metadata)
    columns = [_copied(one) for one in table.columns if one.name != name]
    metadata.remove(table)
    sa.Table("item", metadata, *columns)


def _label(op: Operations) -> None:
    op.execute("ALTER TYPE mood ADD VALUE 'none'")


def _refer(op: Operations) -> None:
    target = sa.ForeignKey("item.id", name="fk_note_item")
    op.create_table("note", sa.Column("id", sa.Integer, primary_key=True), sa.Column("item", sa.Integer, target))


def _not_null(op: Operations) -> None:
    op.execute("UPDATE item SET code = 'none' WHERE code IS NULL")
    op.alter_column("item", "code", nullable=False)


CASES = (
    LoadCase(
        "nullable column",
        lambda m: _item(m).append_column(sa.Column("extra", sa.Text)),
        lambda op: op.add_column("item", sa.Column("extra", sa.Text)),
    ),
    LoadCase(
        "column with a constant default",
        lambda m: _item(m).append_column(sa.Column("flag", sa.Boolean, nullable=False, server_default=sa.true())),
        lambda op: op.add_column("item", sa.Column("flag", sa.Boolean, nullable=False, server_default=sa.true())),
    ),
    LoadCase(
        "index",
        _indexed,
        lambda op: op.create_index("ix_code", "item", ["code"]),
    ),
    LoadCase(
        "unique constraint",
        lambda m: _item(m).append_constraint(sa.UniqueConstraint("title", "id", name="uq_title")),
        lambda op: op.create_unique_constraint("uq_title", "item", ["title", "id"]),
    ),
    LoadCase(
        "check constraint",
        lambda m: _item(m).append_constraint(sa.CheckConstraint("qty >= 0", name="ck_qty")),
        lambda op: op.create_check_constraint("ck_qty", "item", "qty >= 0"),
    ),
    LoadCase(
        "foreign key",
        lambda m: _item(m).append_constraint(sa.ForeignKeyConstraint(["kind"], ["kind.id"], name="fk_kind")),
        lambda op: op.create_foreign_key("fk_kind", "item", "kind", ["kind"], ["id"]),
    ),
    LoadCase(
        "wider varchar",
        lambda m: _replace(m, sa.Column("title", sa.String(80))),
        lambda op: op.alter_column("item", "title", type_=sa.String(80)),
    ),
    LoadCase("new table that refers to it", _referring, _refer),
    LoadCase("label of an enumeration", lambda m: _replace(m, sa.Column("mood", _mood("good", "bad", "none"))), _label),
    LoadCase(
        "NOT NULL",
        lambda m: _replace(m, sa.Column("code", sa.String(40), nullable=False, default="none")),
        _not_null,
        revisions=True,
    ),
    LoadCase(
        "volatile default",
        lambda m: _item(m).append_column(
            sa.Column("token", sa.Uuid, nullable=False, server_default=sa.text("gen_random_uuid()"))
        ),
        lambda op: op.add_column(
            "item", sa.Column("token", sa.Uuid, nullable=False, server_default=sa.text("gen_random_uuid()"))
        ),
    ),
    LoadCase(
        "int to bigint",
        lambda m: _replace(m, sa.Column("qty", sa.BigInteger, nullable=False)),
        lambda op: op.alter_column("item", "qty", type_=sa.BigInteger),
        revisions=True,
    ),
    LoadCase(
        "rename of a column",
        lambda m: _replace(m, sa.Column("label", sa.String(40), info={"renamed_from": "title"}), "title"),
        lambda op: op.alter_column("item", "title", new_column_name="label"),
        revisions=True,
        late_write="UPDATE item SET qty = qty + 1, label = 'new' WHERE id = %(id)s",
    ),
    LoadCase(
        "rename of the table",
        _renamed,
        lambda op: op.rename_table("item", "article"),
        revisions=True,
        late_write="UPDATE article SET qty = qty + 1 WHERE id = %(id)s",
        late_table="article",
    ),
    LoadCase(
        "drop of a column",
        lambda m: _without(m, "spare"),
        lambda op: op.drop_column("item", "spare"),
        revisions=True,
    ),
)
