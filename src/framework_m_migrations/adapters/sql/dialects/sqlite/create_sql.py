"""Reads the CREATE TABLE and CREATE INDEX texts that SQLite stores, with the place of each part.

The grammar is that of parse.y (https://www.sqlite.org/lang_createtable.html): what SQLite accepted once is read here,
whoever wrote it. Table constraints need no commas between them, names may be strings, types may be any words.
"""

from __future__ import annotations

import functools
import re

from framework_m_migrations.adapters.sql.dialects.sqlite.create_text import (
    CheckText,
    ColumnText,
    ForeignKeyText,
    IndexText,
    KeyText,
    TableText,
    UniqueText,
)
from framework_m_migrations.adapters.sql.dialects.sqlite.cursor import Cursor, UnreadableSql
from framework_m_migrations.adapters.sql.dialects.sqlite.tokens import NAME, NUMBER, STRING, WORD, lower, unquoted

__all__ = ["UnreadableSql", "parse_index", "parse_key", "parse_table", "read_table"]

_TABLE_CONSTRAINTS = frozenset({"CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"})
_COLUMN_CONSTRAINTS = _TABLE_CONSTRAINTS - {"FOREIGN"} | {"DEFAULT", "NULL", "NOT", "REFERENCES", "COLLATE", "AS"}
_NAME = r'([A-Za-z_][A-Za-z0-9_]*|"(?:[^"]|"")*")'
_SIMPLE_HEAD = re.compile(rf"CREATE TABLE {_NAME}\s*\(")
_NO_TYPE = "CONSTRAINT|PRIMARY|UNIQUE|CHECK|FOREIGN|DEFAULT|NULL|NOT|REFERENCES|COLLATE|AS|GENERATED"
_SIMPLE_COLUMN = re.compile(
    rf"\s*(?!(?:CONSTRAINT|PRIMARY|UNIQUE|CHECK|FOREIGN)\b){_NAME}[ \t]+(?!(?:{_NO_TYPE})\b)[A-Za-z_]+"
    r"(?:[ ]?\([0-9]+(?:,[ ]?[0-9]+)?\))?(?:[ ]DEFAULT[ ](?:'(?:[^']|'')*'|-?[0-9]+(?:\.[0-9]+)?))?"
    r"(?:[ ]NOT[ ]NULL)?\s*,",
    re.IGNORECASE,
)
_ACTIONS = {"SET": 2, "NO": 2, "CASCADE": 1, "RESTRICT": 1}


@functools.lru_cache(maxsize=2048)
def parse_table(sql: str) -> TableText:
    """What a stored CREATE TABLE says. The answer is shared: callers must not change it.

    Raises:
        UnreadableSql: it is no CREATE TABLE that this grammar knows.
    """
    cursor = Cursor(sql)
    cursor.expect("CREATE")
    if not cursor.take("TEMP"):
        cursor.take("TEMPORARY")
    cursor.expect("TABLE")
    table = TableText(_qualified_name(cursor), body_end=0)
    cursor.expect("(")
    _body(cursor, table)
    return table


@functools.lru_cache(maxsize=2048)
def read_table(sql: str) -> TableText:
    """As parse_table, but quicker, for readers: columns that say nothing special come with their names alone.

    Such columns (a name, a type, perhaps a literal default and NOT NULL) are all that most tables have.
    """
    head = _SIMPLE_HEAD.match(sql)
    if head is None:
        return parse_table(sql)
    table = TableText(unquoted(head[1]), body_end=0)
    position = head.end()
    while (column := _SIMPLE_COLUMN.match(sql, position)) is not None:
        table.columns.append(ColumnText(unquoted(column[1]), column.span(), (0, 0), ""))
        position = column.end()
    if not table.columns:
        return parse_table(sql)
    _body(Cursor(sql[position:]), table)
    return table


def _body(cursor: Cursor, table: TableText) -> None:
    """The columns and constraints up to the parenthesis that closes them, and the options after it."""
    while not cursor.at(")"):
        if table.columns and cursor.at_any(_TABLE_CONSTRAINTS):
            _table_constraint(cursor, table)
        else:
            _column(cursor, table)
        cursor.take(",")
    table.body_end = cursor.here
    cursor.expect(")")
    while not cursor.done:
        if cursor.take("WITHOUT"):
            cursor.expect("ROWID")
            table.without_rowid = True
        else:
            cursor.expect("STRICT")
            table.strict = True
        cursor.take(",")


def _qualified_name(cursor: Cursor) -> str:
    if cursor.at("IF") and cursor.at("NOT", 1):
        cursor.skip(3)
    name = cursor.name()
    return cursor.name() if cursor.take(".") else name


def _column(cursor: Cursor, table: TableText) -> None:
    start = cursor.here
    name = cursor.name()
    end = cursor.last_end
    type_start = type_end = end
    while cursor.kind in {WORD, NAME, STRING} and not _starts_column_constraint(cursor):
        type_start = type_start if type_end > end else cursor.here
        cursor.skip()
        type_end = cursor.last_end
    if type_end > end and cursor.at("("):
        cursor.balanced()
        type_end = cursor.last_end
    column = ColumnText(
        name,
        (start, type_end),
        (type_start, type_end),
        " ".join(unquoted(piece) for piece in cursor.pieces(type_start, type_end)) if type_end > type_start else "",
    )
    table.columns.append(column)
    constraint: str | None = None
    begun = cursor.here
    while not (cursor.at(",") or cursor.at(")")):
        if cursor.take("CONSTRAINT"):
            if constraint is None:
                begun = cursor.last_start
            constraint = cursor.name()
            continue
        begun = begun if constraint is not None else cursor.here
        _column_constraint(cursor, table, column, constraint, begun)
        constraint = None
    column.span = (start, cursor.last_end)


def _starts_column_constraint(cursor: Cursor) -> bool:
    if cursor.at("GENERATED"):
        return cursor.at("ALWAYS", 1)
    return cursor.at_any(_COLUMN_CONSTRAINTS)


def _column_constraint(cursor: Cursor, table: TableText, column: ColumnText, name: str | None, begun: int) -> None:
    if cursor.take("DEFAULT"):
        column.default = _default(cursor)
        column.default_span = (begun, cursor.last_end)
    elif cursor.take("NOT"):
        if cursor.take("DEFERRABLE"):
            _initially(cursor)
            return
        cursor.expect("NULL")
        column.conflict = _conflict(cursor)
        column.not_null = True
        column.not_null_span = (begun, cursor.last_end)
    elif cursor.take("NULL"):
        _conflict(cursor)
        column.null_span = (begun, cursor.last_end)
    elif cursor.take("PRIMARY"):
        cursor.expect("KEY")
        _order(cursor)
        table.primary_key_conflict = _conflict(cursor)
        column.autoincrement = cursor.take("AUTOINCREMENT")
        table.primary_key, table.primary_key_name = (column.name,), name
        table.primary_key_span = (begun, cursor.last_end)
    elif cursor.take("UNIQUE"):
        conflict = _conflict(cursor)
        table.uniques.append(UniqueText(name, (column.name,), conflict, (begun, cursor.last_end)))
    elif cursor.take("CHECK"):
        table.checks.append(_check(cursor, name, begun))
    elif cursor.take("REFERENCES"):
        table.foreign_keys.append(_references(cursor, name, (column.name,), begun))
    elif cursor.take("COLLATE"):
        column.collation = cursor.name()
        column.collate_span = (begun, cursor.last_end)
    else:
        if cursor.take("GENERATED"):
            cursor.expect("ALWAYS")
        cursor.expect("AS")
        column.expression = cursor.balanced()
        column.stored = cursor.take("STORED")
        if not column.stored:
            cursor.take("VIRTUAL")
        column.expression_span = (begun, cursor.last_end)


def _default(cursor: Cursor) -> str:
    if cursor.at("("):
        return cursor.balanced()
    start = cursor.here
    if not cursor.take("-"):
        cursor.take("+")
    if cursor.kind not in {WORD, NAME, STRING, NUMBER, "blob"}:
        raise UnreadableSql(cursor.complaint("a default"))
    cursor.skip()
    return cursor.text(start, cursor.last_end)


def _table_constraint(cursor: Cursor, table: TableText) -> None:
    name: str | None = None
    begun = cursor.here
    while cursor.take("CONSTRAINT"):
        begun = cursor.last_start
        name = cursor.name()
    if cursor.take("PRIMARY"):
        cursor.expect("KEY")
        written, autoincrement = _key_columns(cursor)
        table.primary_key = _as_declared(table, written)
        table.primary_key_name = name
        for column in table.columns:
            column.autoincrement |= autoincrement and table.primary_key == (column.name,)
        table.primary_key_conflict = _conflict(cursor)
        table.primary_key_span = (begun, cursor.last_end)
    elif cursor.take("UNIQUE"):
        columns, _ = _key_columns(cursor)
        conflict = _conflict(cursor)
        table.uniques.append(UniqueText(name, _as_declared(table, columns), conflict, (begun, cursor.last_end)))
    elif cursor.take("CHECK"):
        table.checks.append(_check(cursor, name, begun))
    elif cursor.take("FOREIGN"):
        cursor.expect("KEY")
        columns, _ = _key_columns(cursor)
        cursor.expect("REFERENCES")
        table.foreign_keys.append(_references(cursor, name, _as_declared(table, columns), begun))
    elif not (cursor.at(",") or cursor.at(")")):
        raise UnreadableSql(cursor.complaint("a table constraint"))


def _as_declared(table: TableText, columns: tuple[str, ...]) -> tuple[str, ...]:
    """Columns by the names of their definitions: SQLite does not look at the case of ASCII letters."""
    if {column.name for column in table.columns}.issuperset(columns):
        return columns
    declared = {lower(column.name): column.name for column in table.columns}
    return tuple(declared.get(lower(column), column) for column in columns)


def _key_columns(cursor: Cursor) -> tuple[tuple[str, ...], bool]:
    """``(a, b COLLATE x DESC)``, with AUTOINCREMENT at its end told."""
    cursor.expect("(")
    columns: list[str] = []
    autoincrement = False
    while not cursor.at(")"):
        columns.append(cursor.name())
        if cursor.take("COLLATE"):
            cursor.name()
        _order(cursor)
        autoincrement |= cursor.take("AUTOINCREMENT")
        cursor.take(",")
    cursor.expect(")")
    return tuple(columns), autoincrement


def _check(cursor: Cursor, name: str | None, begun: int) -> CheckText:
    expression = cursor.balanced()
    _conflict(cursor)
    return CheckText(name, expression, (begun, cursor.last_end))


def _references(cursor: Cursor, name: str | None, columns: tuple[str, ...], begun: int) -> ForeignKeyText:
    target = cursor.name()
    target_columns: tuple[str, ...] = _key_columns(cursor)[0] if cursor.at("(") else ()
    actions: dict[str, str] = {}
    match: str | None = None
    deferrable, initially = False, None
    while True:
        if cursor.take("ON"):
            event = cursor.word()
            actions[event] = " ".join(cursor.word() for _ in range(_ACTIONS.get(cursor.upper, 1)))
        elif cursor.take("MATCH"):
            match = cursor.name().upper()
        elif cursor.at("DEFERRABLE") or (cursor.at("NOT") and cursor.at("DEFERRABLE", 1)):
            deferrable = not cursor.take("NOT")
            cursor.expect("DEFERRABLE")
            initially = _initially(cursor)
        else:
            break
    return ForeignKeyText(
        name,
        columns,
        target,
        target_columns,
        on_delete=_action(actions.get("DELETE")),
        on_update=_action(actions.get("UPDATE")),
        match=None if match == "SIMPLE" else match,
        deferrable=deferrable,
        initially=initially if deferrable else None,
        span=(begun, cursor.last_end),
    )


def _action(words: str | None) -> str | None:
    return None if words == "NO ACTION" else words


def _initially(cursor: Cursor) -> str | None:
    """The word after INITIALLY, None for IMMEDIATE, which is the default."""
    if not cursor.take("INITIALLY"):
        return None
    word = cursor.word()
    return None if word == "IMMEDIATE" else word


def _conflict(cursor: Cursor) -> str | None:
    if not (cursor.at("ON") and cursor.at("CONFLICT", 1)):
        return None
    cursor.skip(2)
    word = cursor.word()
    return None if word == "ABORT" else word


def _order(cursor: Cursor) -> bool:
    """Skips ASC or DESC and NULLS FIRST or LAST; True for DESC."""
    descending = cursor.take("DESC")
    if not descending:
        cursor.take("ASC")
    if cursor.take("NULLS"):
        cursor.skip()
    return descending


@functools.lru_cache(maxsize=16384)
def parse_index(sql: str) -> IndexText:
    """What a stored CREATE INDEX says; raises UnreadableSql."""
    cursor = Cursor(sql)
    cursor.expect("CREATE")
    unique = cursor.take("UNIQUE")
    cursor.expect("INDEX")
    name = _qualified_name(cursor)
    cursor.expect("ON")
    table = cursor.name()
    inner = cursor.parts()
    where = cursor.rest() if cursor.take("WHERE") else None
    if not cursor.done:
        raise UnreadableSql(cursor.complaint("WHERE"))
    return IndexText(name, table, unique, tuple(parse_key(part) for part in inner), where)


@functools.lru_cache(maxsize=8192)
def parse_key(text: str) -> KeyText:
    """A key of an index, with COLLATE and DESC taken off its end."""
    cursor = Cursor(text)
    found = cursor.remaining()
    descending = bool(found) and found[-1].upper == "DESC"
    if found and found[-1].upper in {"ASC", "DESC"}:
        found = found[:-1]
    collation: str | None = None
    if len(found) > 2 and found[-2].upper == "COLLATE" and found[-1].kind in {WORD, NAME, STRING}:
        collation = unquoted(found[-1].text)
        found = found[:-2]
    if not found:
        raise UnreadableSql(f"{text!r} is no key of an index.")
    body = text[found[0].start : found[-1].end]
    column = unquoted(body) if len(found) == 1 and found[0].kind in {WORD, NAME} else None
    return KeyText(column, body, collation, descending)
