"""What SQLAlchemy 2.0 and 2.1 tell in different ways.

2.1 tells what a foreign key names without resolving it, which 2.0 keeps to itself, and has views.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

CREATE_VIEW: Any = getattr(sa.schema, "CreateView", ())
"""The class of what creates a view; no class at all in 2.0."""
wait_for: Any = getattr(sa.util, "await_", None) or sa.util.await_only
"""Waits for an awaitable within ``run_sync``; 2.0 has it under its former name only."""
_TELLS = hasattr(sa.ForeignKey, "target_tokens")


def given_column(element: sa.ForeignKey) -> sa.Column[Any] | None:
    """The target where it was given as a column; None where it was given by name."""
    return element.target_column if _TELLS else element._table_column  # noqa: SLF001


def table_key(element: sa.ForeignKey) -> str:
    """The key in ``MetaData.tables`` of the table that is referred to, in the MetaData's schema if none is named."""
    schema, table, _ = tokens(element)
    place = schema or element.parent.table.metadata.schema
    return table if place is None else f"{place}.{table}"


def tokens(element: sa.ForeignKey) -> tuple[str | None, str, str | None]:
    """Schema, table and column, as they were given; the column is None where only the table was."""
    told: Any = element
    schema, table, column = told.target_tokens if _TELLS else told._column_tokens  # noqa: SLF001
    return schema, table, column


def query_behind(table: sa.Table) -> Any:
    """What creates the table from a query, as a view or once: a CreateView or CreateTableAs; None for a plain table."""
    creator: Any = getattr(table, "_creator_ddl", None)
    return creator if getattr(creator, "selectable", None) is not None else None
