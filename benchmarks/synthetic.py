"""A schema like that of a business application: every table has 23 columns, 7 or 8 indexes and up to two foreign keys.

The columns are those that Framework M gives every DocType, and the kinds of fields that DocTypes usually have.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

COLUMNS = 23
TABLE = "tab_{:04d}"

Parts = list[Any]
Edit = Callable[[int, Parts], str | None]
"""Changes the parts of a table in place; returns another name for it, or "" to leave the table out."""


def parts_of(number: int, name: str) -> Parts:
    """Columns, constraints and indexes of one table, fresh objects on each call."""
    parts: Parts = [
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("name", sa.String(140), nullable=False),
        sa.Column("creation", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_by", sa.String(140)),
        sa.Column("owner", sa.String(140)),
        sa.Column("deleted_at", sa.DateTime(timezone=True)),
        sa.Column("custom_fields", sa.JSON()),
        sa.Column("title", sa.String(140), nullable=False),
        sa.Column("status", sa.String(40), nullable=False, server_default="Draft"),
        sa.Column("description", sa.Text()),
        sa.Column("amount", sa.Numeric(18, 6), nullable=False, server_default=sa.text("0")),
        sa.Column("rate", sa.Numeric(10, 4)),
        sa.Column("quantity", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("position", sa.Integer()),
        sa.Column("enabled", sa.Boolean(), nullable=False, server_default=sa.true()),
        sa.Column("posted_on", sa.Date()),
        sa.Column("posted_at", sa.Time()),
        sa.Column("email", sa.String(140)),
        sa.Column("score", sa.Double()),
        sa.Column("settings", sa.JSON()),
        sa.Column("parent_id", sa.Uuid()),
        sa.Column("related_id", sa.Uuid()),
        sa.Index(f"ix_{name}_creation", "creation"),
        sa.Index(f"ix_{name}_modified", "modified"),
        sa.Index(f"ix_{name}_parent_id", "parent_id"),
        sa.Index(f"ix_{name}_related_id", "related_id"),
        sa.Index(f"ix_{name}_status", "status"),
        sa.Index(f"ix_{name}_title_name", "title", "name", unique=True),
        sa.Index(f"ix_{name}_owner_modified", "owner", "modified"),
    ]
    if number % 2:
        where = sa.text("email IS NOT NULL")
        parts.append(sa.Index(f"ix_{name}_email", "email", sqlite_where=where, postgresql_where=where))
    if number:
        # A tree: SQLAlchemy's reflection follows a chain of 700 tables into a RecursionError.
        parts.append(reference(name, "parent_id", TABLE.format((number - 1) // 3)))
    if number % 3 == 2:
        parts.append(reference(name, "related_id", TABLE.format(number // 2), ondelete="SET NULL"))
    return parts


def reference(name: str, column: str, target: str, **options: Any) -> sa.ForeignKeyConstraint:
    """A named foreign key to another table's id."""
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=f"fk_{name}_{column}", **options)


def build(tables: int, *, added_columns: int = 0, edit: Edit | None = None) -> sa.MetaData:
    """The MetaData.

    Args:
        tables: how many.
        added_columns: nullable columns that the table in the middle has on top.
        edit: called for each table with its number and parts, before it is made.
    """
    metadata = sa.MetaData()
    for number in range(tables):
        name = TABLE.format(number)
        parts = parts_of(number, name)
        if number == tables // 2:
            parts += [sa.Column(f"added_{position}", sa.String(80)) for position in range(added_columns)]
        if edit is not None:
            chosen = edit(number, parts)
            if chosen == "":
                continue
            name = chosen or name
        sa.Table(name, metadata, *parts)
    return metadata
