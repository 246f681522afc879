"""What stands on tables and columns that are to be dropped.

MariaDB refuses a drop for a foreign key or a computed column only. Views and triggers it leaves broken: the next query
of the view, or the next write to the trigger's table, fails (https://mariadb.com/kb/en/alter-table/#drop-column).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

import sqlalchemy as sa

from framework_m_migrations.domain.changes import Change, ColumnRemoved, TableRemoved
from framework_m_migrations.domain.risk.conflicts import Obstacle
from framework_m_migrations.domain.risk.drop_blockers import held_by_keys, stands
from framework_m_migrations.domain.schema import Catalog, TableName

_TEXTS = """
SELECT 'view', v.TABLE_NAME, v.TABLE_SCHEMA, NULL, v.VIEW_DEFINITION FROM information_schema.VIEWS v
WHERE v.TABLE_SCHEMA IN {schemas}
UNION ALL
SELECT 'trigger', t.TRIGGER_NAME, t.TRIGGER_SCHEMA, t.EVENT_OBJECT_TABLE, t.ACTION_STATEMENT
FROM information_schema.TRIGGERS t WHERE t.TRIGGER_SCHEMA IN {schemas}
ORDER BY 1 DESC, 3, 2
"""


def dependents(
    connection: sa.Connection, drops: Sequence[Change], catalog: Catalog, *, schema: str | None
) -> Mapping[Change, Obstacle]:
    """An obstacle for each drop that something would not survive; one statement.

    A trigger's text is searched for names as words: one that has another column of this name is taken for it.

    Args:
        connection: to read through.
        drops: in the order in which they would be made.
        catalog: all tables of their schemas.
        schema: of tables that name none; None for the connection's own.
    """
    found = held_by_keys(drops, ((name, key) for name, table in catalog.tables.items() for key in table.foreign_keys))
    gone = {change.table for change in drops if isinstance(change, TableRemoved)}
    texts = _texts(connection, {change.table.schema or schema for change in drops})
    earlier: set[tuple[TableName, str]] = set()
    for change in drops:
        if isinstance(change, ColumnRemoved):
            holder = _computed(change, catalog, earlier)
            earlier.add((change.table, change.column.name))
        elif isinstance(change, TableRemoved):
            holder = None
        else:
            continue
        for kind, name, place, on, body in texts:
            own = on is not None and (on, place) == (change.table.name, change.table.schema or schema or place)
            goes = own and isinstance(change, TableRemoved)
            goes = goes or (on is not None and any(on == table.name for table in gone - {change.table}))
            if holder is None and not goes and _mentions(kind, body, change, own=own):
                holder = f"the {kind} {name}"
        if holder is not None:
            found.setdefault(change, stands(holder))
    return found


def _texts(connection: sa.Connection, schemas: Collection[str | None]) -> list[tuple[str, str, str, str | None, str]]:
    given = {f"schema_{place}": name for place, name in enumerate(sorted(name for name in schemas if name))}
    names = [*(["DATABASE()"] if None in schemas else []), *(f":{name}" for name in given)]
    rows = connection.execute(sa.text(_TEXTS.format(schemas=f"({', '.join(names)})")), given)
    return [(kind, name, place, on, _decoded(body)) for kind, name, place, on, body in rows]


def _decoded(text: str | bytes | None) -> str:
    return text.decode("utf-8") if isinstance(text, bytes | bytearray) else text or ""


def _mentions(kind: str, body: str, change: TableRemoved | ColumnRemoved, *, own: bool) -> bool:
    """Whether a view or a trigger names what goes.

    In a view the server has written every name out itself: a column after its table or that table's alias.
    """
    table = _quoted(change.table.name)
    column = change.column.name if isinstance(change, ColumnRemoved) else None
    if kind == "view":
        if f".{table}" not in body or column is None:
            return f".{table}" in body
        aliases = re.findall(rf"\.{re.escape(table)} (`(?:[^`]|``)+`)", body)
        return any(f"{name}.{_quoted(column)}" in body for name in (table, *aliases))
    named = own or _word(change.table.name, body)
    return named and (column is None or _word(column, body))


def _computed(change: ColumnRemoved, catalog: Catalog, gone: Collection[tuple[TableName, str]]) -> str | None:
    table = catalog.tables.get(change.table)
    for column in () if table is None else table.columns:
        text = "" if column.generated is None else column.generated.expression or ""
        named = _quoted(change.column.name) in text or _word(change.column.name, text)
        if named and column.name != change.column.name and (change.table, column.name) not in gone:
            return f"the computed column {column.name}"
    return None


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _word(name: str, text: str) -> bool:
    return re.search(rf"(?<![\w$]){re.escape(name)}(?![\w$])", text, re.IGNORECASE) is not None
