"""What SQLite says of its objects (sqlite_master), and a scratch database with the same ones."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.base import Play
from framework_m_migrations.adapters.sql.dialects.sqlite.ddl import stored_text
from framework_m_migrations.adapters.sql.dialects.sqlite.driver import control, in_transaction, server_version
from framework_m_migrations.adapters.sql.dialects.sqlite.edits import ADDITIONS, TableEdit
from framework_m_migrations.adapters.sql.dialects.sqlite.text import (
    NAME,
    OPERATOR,
    WORD,
    Token,
    quoted,
    tokens,
    unquoted,
    upper,
)
from framework_m_migrations.domain.defined import Definition, Dump
from framework_m_migrations.domain.plan import DefinitionEdit
from framework_m_migrations.domain.schema import TableName

_OBJECTS = """
SELECT m.type, m.name, m.tbl_name, m.sql FROM sqlite_master m
WHERE m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
  AND m.name NOT IN (SELECT name FROM pragma_table_list WHERE type = 'shadow')
ORDER BY CASE m.type WHEN 'table' THEN 0 WHEN 'index' THEN 1 WHEN 'view' THEN 2 ELSE 3 END, m.rowid
"""
_MACHINERY = re.compile(r'PRAGMA (writable_schema|"\w+"\.schema_version) = |UPDATE "\w+"\.sqlite_master SET sql = ')
"""The statements of an edit that say how, not what."""
_CONSTRAINTS = frozenset({"CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"})


@contextmanager
def rehearsed(operations: Sequence[Any], connection: sa.Connection) -> Iterator[sa.Connection | None]:
    """A copy in memory, without rows, where several operations are about one table and one edits its definition."""
    tables = Counter(getattr(operation, "table", None) for operation in operations)
    if in_transaction(connection) or not any(tables[table] > 1 for table in _edited(operations)):
        yield None
        return
    with _copied(connection) as copy:
        yield copy


def edits(operations: Sequence[Any], connection: sa.Connection, play: Play) -> tuple[DefinitionEdit, ...]:
    """The texts that operations change, found by changing those of a copy without rows."""
    tables = _edited(operations)
    if not tables or in_transaction(connection):
        return ()
    with _copied(connection) as copy:
        before = {table: stored_text(copy, table.name, "main") for table in tables}
        sent = tuple(sql for statements in play(copy) for sql in statements if _MACHINERY.match(sql))
        after = {table: stored_text(copy, table.name, "main") for table in tables}
    return tuple(
        DefinitionEdit(table, laid_out(old), laid_out(new), sent)
        for table in sorted(tables, key=str)
        if (old := before[table]) is not None and (new := after[table]) is not None and old != new
    )


def _edited(operations: Sequence[Any]) -> set[TableName]:
    return {operation.table for operation in operations if isinstance(operation, (*ADDITIONS, TableEdit))}


@contextmanager
def _copied(connection: sa.Connection) -> Iterator[sa.Connection]:
    engine = sa.create_engine("sqlite://", isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as copy:
            SqliteRehearsal().copy(connection, copy)
            [(version,)] = control(connection, "PRAGMA main.schema_version")
            copy.exec_driver_sql(f"PRAGMA main.schema_version = {version}")
            yield copy
    finally:
        engine.dispose()


class SqliteRehearsal:
    """Implements dialects.base.Rehearsal. A scratch database is a file, which the caller makes and removes."""

    title = "SQLite"

    def url(self, folder: Path) -> sa.URL:
        """See Rehearsal."""
        return sa.URL.create("sqlite", database=str(folder / "scratch.db"))

    def product(self, connection: sa.Connection) -> str:
        """See Rehearsal."""
        return f"SQLite {'.'.join(str(part) for part in server_version(connection.dialect)[:2])}"

    def make(self, connection: sa.Connection, name: str) -> None:
        """A file needs no making."""

    def drop(self, connection: sa.Connection, name: str) -> None:
        """A file is removed by who made it."""

    def schema(self, connection: sa.Connection, name: str) -> None:
        """There are none."""

    def clear(self, connection: sa.Connection) -> None:
        """See Rehearsal."""
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
        for kind, name, _, _ in connection.exec_driver_sql(_OBJECTS).all():
            if kind in {"table", "view"}:
                connection.exec_driver_sql(f"DROP {kind} {quoted(name)}")

    def copy(self, source: sa.Connection, target: sa.Connection) -> tuple[str, ...]:
        """See Rehearsal. The stored texts are run as they are."""
        failed: list[str] = []
        for kind, name, _, sql in source.exec_driver_sql(_OBJECTS).all():
            if sql is None:
                continue
            try:
                target.exec_driver_sql(sql)
            except sa.exc.DBAPIError as error:
                failed.append(f"{kind} {name}: {error.orig}")
        return tuple(failed)

    def dump(self, connection: sa.Connection) -> Dump:
        """See Rehearsal. Texts are compared by their tokens: white space, comments and quotes mean nothing."""
        found: dict[str, Definition] = {}
        for kind, name, _, sql in connection.exec_driver_sql(_OBJECTS).all():
            if sql is not None:
                found[f"{kind} {name}"] = _table(sql) if kind == "table" else Definition(rest=(_text(tokens(sql)),))
        return found

    def rows(self, connection: sa.Connection, table: TableName) -> list[dict[str, object]]:
        """See Rehearsal."""
        result = connection.exec_driver_sql(f"SELECT * FROM {quoted(table.name)}")  # noqa: S608 - quoted
        return [dict(row) for row in result.mappings()]


def laid_out(sql: str) -> str:
    """A CREATE TABLE with each column and constraint on a line of its own, which the comma after it does not change."""
    lines: list[str] = []
    depth = start = 0
    for token in tokens(sql):
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if token.text == "(" and depth == 1:
            lines.append(sql[: token.end])
        elif (token.text, depth) not in {(",", 1), (")", 0)}:
            continue
        else:
            lines.append("  " + " ".join(sql[start : token.start].split()))
        start = token.end
    return "\n".join([*lines, f"){sql[start:].rstrip()}"])


def _table(sql: str) -> Definition:
    items = tokens(sql)
    start = next((place for place, item in enumerate(items) if _is(item, "(")), None)
    if start is None or "VIRTUAL" in {item.upper for item in items[:2]}:
        return Definition(rest=(_text(items),))
    columns: list[tuple[str, str]] = []
    rest: list[str] = []
    for part in _parts(items, start):
        if part[0].kind == WORD and part[0].upper in _CONSTRAINTS:
            rest.append(_text(part))
        else:
            columns.append((upper(unquoted(part[0].text)).lower(), _text(part[1:])))
    options = _text(items[_closing(items, start) + 1 :])
    return Definition(tuple(columns), tuple(sorted([*rest, *([options] if options else [])])))


def _parts(items: list[Token], start: int) -> Iterator[list[Token]]:
    """What is between the commas of the outermost parentheses."""
    part: list[Token] = []
    depth = 0
    for place in range(start, len(items)):
        item = items[place]
        depth += 1 if _is(item, "(") else -1 if _is(item, ")") else 0
        if place == start:
            continue
        if depth == 0 or (depth == 1 and _is(item, ",")):
            if part:
                yield part
            part = []
            if depth == 0:
                return
        else:
            part.append(item)


def _closing(items: list[Token], start: int) -> int:
    depth = 0
    for place in range(start, len(items)):
        depth += 1 if _is(items[place], "(") else -1 if _is(items[place], ")") else 0
        if depth == 0:
            return place
    return len(items)


def _is(item: Token, text: str) -> bool:
    return item.kind == OPERATOR and item.text == text


def _text(items: list[Token]) -> str:
    """Tokens with one blank between them. Names lose their quotes and the case of their letters."""
    return " ".join(upper(unquoted(item.text)) if item.kind in {NAME, WORD} else item.text for item in items)
