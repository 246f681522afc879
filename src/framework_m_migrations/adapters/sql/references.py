"""What a foreign key names, without resolving it: SQLAlchemy 2.1 tells it, 2.0 keeps it to itself."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

_TELLS = hasattr(sa.ForeignKey, "target_tokens")


def given_column(element: sa.ForeignKey) -> sa.Column[Any] | None:
    """The target where it was given as a column; None where it was given by name."""
    return element.target_column if _TELLS else element._table_column  # noqa: SLF001


def table_key(element: sa.ForeignKey) -> str | None:
    """The key in ``MetaData.tables`` of the table that is referred to."""
    told: Any = element
    key: str | None = told.target_table_key if _TELLS else told._table_key()  # noqa: SLF001
    return key


def tokens(element: sa.ForeignKey) -> tuple[str | None, str, str | None]:
    """Schema, table and column, as they were given; the column is None where only the table was."""
    told: Any = element
    schema, table, column = told.target_tokens if _TELLS else told._column_tokens  # noqa: SLF001
    return schema, table, column
