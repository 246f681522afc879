"""Obstacles: names of foreign keys that are in use, and what depends on tables and columns to be dropped.

MariaDB refuses a drop for a foreign key or a computed column only. Views and triggers it leaves broken: the next query
of the view, or the next write to the trigger's table, fails (https://mariadb.com/kb/en/alter-table/#drop-column).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.base_inspector import Body
from framework_m_migrations.domain.changes import Change, ColumnRemoved, ForeignKeyAdded, TableRemoved
from framework_m_migrations.domain.risk.conflicts import Claim, Obstacle, rivals
from framework_m_migrations.domain.schema import TableName

_TEXTS = """
SELECT 'view', v.TABLE_NAME, v.TABLE_SCHEMA, NULL, v.VIEW_DEFINITION FROM information_schema.VIEWS v
WHERE v.TABLE_SCHEMA IN {schemas}
UNION ALL
SELECT 'trigger', t.TRIGGER_NAME, t.TRIGGER_SCHEMA, t.EVENT_OBJECT_TABLE, t.ACTION_STATEMENT
FROM information_schema.TRIGGERS t WHERE t.TRIGGER_SCHEMA IN {schemas}
ORDER BY 1 DESC, 3, 2
"""

_KEYS = """
SELECT NULLIF(CONSTRAINT_SCHEMA, {main}), LOWER(CONSTRAINT_NAME), TABLE_NAME
FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE CONSTRAINT_SCHEMA IN {schemas}
"""
_OWN_KEYS = (12, 1)
"""Since this version the name of a foreign key is its table's own; before, a schema has one of each."""


def taken_keys(
    connection: sa.Connection, changes: Sequence[Change], *, schema: str | None
) -> Mapping[Change, Obstacle]:
    """An obstacle for each new foreign key whose name another table's has, or takes first; one statement.

    Args:
        connection: to read through.
        changes: what is planned.
        schema: of tables that name none; None for the connection's own.
    """
    wanted = {
        change: (change.table.schema, change.foreign_key.name.lower())
        for change in changes
        if isinstance(change, ForeignKeyAdded) and change.foreign_key.name is not None
    }
    if not wanted or (connection.dialect.server_version_info or ()) >= _OWN_KEYS:
        return {}
    found = rivals(Claim(change, key[1], key) for change, key in wanted.items())
    rows = _in_schemas(connection, _KEYS, {place or schema for place, _ in wanted.values()}, main=schema)
    holders = {(place, name): TableName(table, place) for place, name, table in rows}
    for change, key in wanted.items():
        holder = holders.get(key)
        if holder is not None and holder != change.table:
            found[change] = Obstacle(f"The name {key[1]} is taken by a foreign key of table {holder}.", holder)
    return found


def _in_schemas(
    connection: sa.Connection, sql: str, schemas: Collection[str | None], *, main: str | None = None
) -> Any:
    """The rows of a question about schemas, of which None is the connection's own."""
    given = {f"schema_{place}": name for place, name in enumerate(sorted(name for name in schemas if name))}
    names = [*(["DATABASE()"] if None in schemas else []), *(f":{name}" for name in given)]
    own = "DATABASE()" if main is None else ":main"
    return connection.execute(sa.text(sql.format(schemas=f"({', '.join(names)})", main=own)), {**given, "main": main})


def bodies(connection: sa.Connection, schemas: Collection[str | None]) -> list[Body]:
    """The views and triggers of schemas, of which None is the connection's own; one statement."""
    rows = _in_schemas(connection, _TEXTS, schemas)
    return [Body(kind, name, place, on, _decoded(body)) for kind, name, place, on, body in rows]


def _decoded(text: str | bytes | None) -> str:
    return text.decode("utf-8") if isinstance(text, bytes | bytearray) else text or ""


def names_of_view(view: Body, change: TableRemoved | ColumnRemoved) -> bool:
    """Whether a view names what goes: a column stands after its table or that table's alias."""
    table, body = _quoted(change.table.name), view.text
    if not isinstance(change, ColumnRemoved) or f".{table}" not in body:
        return f".{table}" in body
    aliases = re.findall(rf"\.{re.escape(table)} (`(?:[^`]|``)+`)", body)
    return any(f"{name}.{_quoted(change.column.name)}" in body for name in (table, *aliases))


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def relations(names: Collection[str], schema: str | None) -> sa.Select[Any]:
    """See SqlDialect. By information_schema; schema and database are one there."""
    columns = ("table_name", "table_schema", "table_type")
    entry = sa.table("tables", *map(sa.column, columns), schema="information_schema")
    place = sa.func.database() if schema is None else schema
    kind = sa.case((entry.c.table_type == "BASE TABLE", "table"), else_=sa.func.lower(entry.c.table_type))
    return sa.select(sa.func.lower(entry.c.table_name).label("name"), kind.label("kind")).where(
        entry.c.table_name.in_(sorted(names)), entry.c.table_schema == place
    )
