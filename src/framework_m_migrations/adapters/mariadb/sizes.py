"""How large tables are, as the storage engine estimates it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import sqlalchemy as sa

from framework_m_migrations.domain.schema import TableName
from framework_m_migrations.domain.sizes import Size

_SIZES = sa.text(
    """
SELECT t.TABLE_SCHEMA, t.TABLE_NAME, t.TABLE_ROWS, t.DATA_LENGTH + t.INDEX_LENGTH,
       t.TABLE_SCHEMA = COALESCE(:main, DATABASE())
FROM information_schema.TABLES t
WHERE (t.TABLE_SCHEMA = COALESCE(:main, DATABASE()) OR t.TABLE_SCHEMA IN :others) AND t.TABLE_NAME IN :tables
  AND t.TABLE_TYPE <> 'VIEW'
"""
).bindparams(sa.bindparam("others", expanding=True), sa.bindparam("tables", expanding=True))


def sizes(connection: sa.Connection, tables: Collection[TableName], *, schema: str | None) -> Mapping[TableName, Size]:
    """The sizes of the tables that exist; one statement.

    Args:
        connection: to read through.
        tables: to look at.
        schema: of those that name none; None for the connection's own.
    """
    if not tables:
        return {}
    given = {
        "main": schema,
        "others": sorted({name.schema for name in tables if name.schema is not None}),
        "tables": sorted({name.name for name in tables}),
    }
    found: dict[TableName, Size] = {}
    for place, name, rows, taken, own in connection.execute(_SIZES, given):
        table = TableName(str(name), None if own else str(place))
        if table in tables:
            found[table] = Size(None if rows is None else int(rows), None if taken is None else int(taken))
    return found
