"""What a SQLite database looks like, by its own pragmas: SQLAlchemy reads texts, and stumbles over quotes in names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import sqlalchemy as sa

from tests.histories.kinds import essence

if TYPE_CHECKING:
    from tests.histories.traits import Traits

TABLES = r"""(SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\_\_schema\_%' ESCAPE '\'
              AND name NOT LIKE 'sqlite%') t"""
# In the order of the columns: there is no pragma for it. None of the names in these expressions has a parenthesis.
COMPUTED = re.compile(r"GENERATED ALWAYS AS \((.+?)\)")
TEXTS = f"SELECT t.name, s.sql FROM {TABLES} JOIN sqlite_master s ON s.type = 'table' AND s.name = t.name"
COLUMNS = f"""SELECT t.name, c.name, c.type, c."notnull", c.dflt_value, c.pk, c.hidden
              FROM {TABLES}, pragma_table_xinfo(t.name) c"""
REFERENCES = f"""SELECT t.name, f."from", f."table", f.on_delete FROM {TABLES}, pragma_foreign_key_list(t.name) f"""
KEYS = f"""SELECT t.name, l.name, l."unique", l.partial, s.sql, k.name
           FROM {TABLES}, pragma_index_list(t.name) l, pragma_index_info(l.name) k
           LEFT JOIN sqlite_master s ON s.type = 'index' AND s.name = l.name
           WHERE l.origin <> 'pk' ORDER BY l.name, k.seqno"""


def facts_of_sqlite(connection: sa.Connection) -> Traits:
    """The facts of a database but for its checks, the engine's ledger left out."""
    found: Traits = {}
    computed = {table: iter(COMPUTED.findall(text)) for table, text in connection.exec_driver_sql(TEXTS)}
    for table, name, type_, required, default, key, hidden in connection.exec_driver_sql(COLUMNS):
        found["type", table, name] = type_.replace('"', "")
        found["null", table, name] = not required
        found["default", table, name] = _meaning(default)
        found["generated", table, name] = next(computed[table]).replace('"', "") if hidden else None
        if key:
            found["primary", table] = (*found.get(("primary", table), ()), name)  # type: ignore[misc]
    for table, column, target, action in connection.exec_driver_sql(REFERENCES):
        found["reference", table, column] = target, None if action == "NO ACTION" else action
    indexes: dict[tuple[str, str, bool, str | None], list[str | None]] = {}
    for table, name, unique, partial, text, column in connection.exec_driver_sql(KEYS):
        indexes.setdefault((table, name, bool(unique), text if partial else None), []).append(column)
        if column is None:
            indexes[table, name, bool(unique), text if partial else None][-1] = text
    for (table, name, is_unique, text), columns in indexes.items():
        _note_index(found, table, name, [str(one) for one in columns], is_unique, text)
    return found


def _note_index(found: Traits, table: str, name: str, columns: list[str], unique: bool, text: str | None) -> None:
    by_expression = any(column.startswith("CREATE ") for column in columns)
    if by_expression or text is not None:
        found["index", table, name] = (unique, " ".join((text or "".join(columns)).replace('"', "").split()))
    elif unique:
        # What keeps columns unique counts as such, whether it is called an index or a constraint.
        found["unique", table, *sorted(columns)] = True
    else:
        found["index", table, name] = tuple(columns)


def _meaning(default: str | None) -> object:
    """SQLite converts a default to the column's type: a number is the same in quotes, TRUE is 1."""
    if default is None:
        return None
    if default.lower() in {"true", "false"}:
        return essence(default.lower() == "true")
    return essence(default.removeprefix("'").removesuffix("'"))
