"""What SQLAlchemy 2.0 and 2.1 tell in different ways, and the one thing that its drivers do not offer through it.

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


def send_script(connection: sa.Connection, sql: str) -> None:
    """Send a text of one or more statements, whose answers nobody reads, in the transaction of the connection.

    SQLAlchemy has asyncpg prepare every statement, and one that is prepared is one alone.

    Raises:
        sqlalchemy.exc.DBAPIError: as SQLAlchemy itself would raise it.
    """
    pooled = connection.connection
    raw: Any = pooled.dbapi_connection
    dialect: Any = connection.dialect
    try:
        if dialect.driver == "asyncpg":
            wait_for(_asyncpg_script(raw, sql))
        else:
            cursor: Any = pooled.cursor()
            try:
                # What psycopg has seen often it prepares, as asyncpg does; psycopg2 never does.
                cursor.execute(sql, **({"prepare": False} if dialect.driver == "psycopg" else {}))
            finally:
                cursor.close()
    except dialect.loaded_dbapi.Error as error:
        ended = bool(dialect.is_disconnect(error, pooled, None))
        if ended:
            connection.invalidate(error)
        raise sa.exc.DBAPIError.instance(
            sql, None, error, dialect.loaded_dbapi.Error, connection_invalidated=ended, dialect=dialect
        ) from error


async def _asyncpg_script(adapted: Any, sql: str) -> None:
    async with adapted._execute_mutex:  # noqa: SLF001 - as SQLAlchemy's own cursor does
        try:
            if adapted._transaction is None:  # noqa: SLF001
                await adapted._start_transaction()  # noqa: SLF001
            await adapted.driver_connection.execute(sql)
        except Exception as error:  # noqa: BLE001 - told by the one who knows the driver's errors
            adapted._handle_exception(error)  # noqa: SLF001
