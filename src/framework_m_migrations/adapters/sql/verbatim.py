"""A type given by its SQL; public as framework_m_migrations.types.SqlType."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa


class SqlType(sa.types.UserDefinedType[Any]):
    """A column type in the database's own words, for what SQLAlchemy has no class for.

    Args:
        sql: as DDL writes it, for example ``inet6`` or ``point``. No other database needs to know it.
    """

    # Revision files name the public place, whatever module the class moves to.
    __module__ = "framework_m_migrations.types"
    cache_ok = True

    def __init__(self, sql: str) -> None:
        self.sql = sql

    def get_col_spec(self, **options: Any) -> str:
        """The SQL as it was given."""
        del options
        return self.sql
