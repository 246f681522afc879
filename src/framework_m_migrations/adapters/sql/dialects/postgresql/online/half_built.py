"""Indexes that a killed revision left half built on PostgreSQL.

``CREATE INDEX CONCURRENTLY`` that is cut off leaves an index that nobody reads and every writer keeps up
(postgresql.org: CREATE INDEX, "Building Indexes Concurrently"). A revision that says ``IF NOT EXISTS``, so that it can
be run again, would take it for the one that it wants, and be recorded as done. So such an index goes first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

_NAME = r'(?:"(?:[^"]|"")+"|[^\W\d][\w$]*)'
_CREATE = re.compile(
    rf"\s*CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+IF\s+NOT\s+EXISTS\s+({_NAME})\s+ON\s+(?:ONLY\s+)?"
    rf"({_NAME}(?:\s*\.\s*{_NAME})?)",
    re.IGNORECASE,
)
# A build that somebody is at looks the same; it is found at work.
_HALF_BUILT = sa.text("""
SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(i.relname)
FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
JOIN pg_catalog.pg_namespace n ON n.oid = i.relnamespace
WHERE x.indrelid = pg_catalog.to_regclass(:table) AND i.relname = (pg_catalog.parse_ident(:index))[1]
AND NOT x.indisvalid AND i.relkind = 'i'
AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_progress_create_index p WHERE p.index_relid = i.oid)
""")


@contextmanager
def half_built_again(connection: sa.Connection) -> Iterator[None]:
    """Within the block, an index that is to be there is built anew where a killed build left it invalid.

    Args:
        connection: that on which the revision works; nothing happens unless it is one to PostgreSQL.
    """
    if connection.dialect.name != "postgresql":
        yield
        return

    def before(_connection: sa.Connection, _cursor: Any, statement: str, *_: Any) -> None:
        _gone(connection, statement)

    def after(_connection: sa.Connection, _cursor: Any, statement: str, *_: Any) -> None:
        # What was still being built, by a process whose client was killed, may have been given up meanwhile.
        if _gone(connection, statement):
            connection.exec_driver_sql(statement, execution_options={"no_parameters": True}).close()

    event.listen(connection, "before_cursor_execute", before)
    event.listen(connection, "after_cursor_execute", after)
    try:
        yield
    finally:
        event.remove(connection, "before_cursor_execute", before)
        event.remove(connection, "after_cursor_execute", after)


def _gone(connection: sa.Connection, statement: str) -> bool:
    """Drop what is left of the index that the statement makes; False where there is nothing of the kind."""
    found = _CREATE.match(statement)
    if found is None:
        return False
    index, table = found.groups()
    name = connection.execute(_HALF_BUILT, {"table": table, "index": index}).scalar()
    if name is None:
        return False
    connection.exec_driver_sql(f"DROP INDEX CONCURRENTLY {name}", execution_options={"no_parameters": True}).close()
    return True
