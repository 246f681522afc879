"""MariaDB's tokens, and the parts of what SHOW CREATE TABLE prints."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import sqlalchemy as sa

from framework_m_migrations.domain.errors import DatabaseError

WORD, NAME, STRING, NUMBER, OPERATOR = "word", "name", "string", "number", "operator"

_PIECES = re.compile(
    r"""
      \s+
    | --[\ \t\n][^\n]* | --$ | \#[^\n]* | /\*.*?\*/
    | '(?:[^'\\]|''|\\.)*' | "(?:[^"\\]|""|\\.)*"
    | `(?:[^`]|``)*`
    | [xXbB]'[0-9a-fA-F]*' | 0[xX][0-9a-fA-F]+
    | (?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?![A-Za-z0-9_$])
    | [A-Za-z0-9_$@\x80-\U0010ffff]+
    | <=>|->>|->|<>|!=|<=|>=|<<|>>|\|\||&&|:=
    | .
    """,
    re.VERBOSE | re.DOTALL,
)
_NUMBER = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\Z|0[xX][0-9a-fA-F]+\Z|[xXbB]'")
_ESCAPES = {"0": "\0", "b": "\b", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a"}
_ESCAPE = re.compile(r"\\(.)|''|\"\"", re.DOTALL)


class Token(NamedTuple):
    """A token. ``text`` is as written; ``value`` the decoded name or string, the text itself for others."""

    kind: str
    text: str
    value: str
    start: int
    end: int


def tokens(sql: str) -> list[Token]:
    """The tokens of a text, white space and comments left out; what is no token comes as an operator."""
    found: list[Token] = []
    position = 0
    for piece in _PIECES.findall(sql):
        start = position
        position += len(piece)
        first = piece[0]
        if first.isspace() or (len(piece) > 1 and (first == "#" or piece[:2] in {"--", "/*"})):
            continue
        if len(piece) > 1 and first in "'\"":
            found.append(Token(STRING, piece, _decoded(piece), start, position))
        elif len(piece) > 1 and first == "`":
            found.append(Token(NAME, piece, piece[1:-1].replace("``", "`"), start, position))
        elif _NUMBER.match(piece):
            found.append(Token(NUMBER, piece, piece, start, position))
        elif first.isalnum() or first in "_$@" or first > "\x7f":
            found.append(Token(WORD, piece, piece, start, position))
        else:
            found.append(Token(OPERATOR, piece, piece, start, position))
    return found


def _decoded(text: str) -> str:
    quote = text[0]

    def plain(match: re.Match[str]) -> str:
        escaped: str | None = match[1]
        if escaped is None:
            return match[0] if match[0][0] != quote else quote
        # \% and \_ keep their backslash: they mean something to LIKE only.
        return match[0] if escaped in "%_" else _ESCAPES.get(escaped, escaped)

    return _ESCAPE.sub(plain, text[1:-1])


def literal(value: str) -> str:
    """A text as a string literal, for a session whose backslashes escape."""
    escaped = value.replace("\\", "\\\\").replace("'", "''")
    return "'" + escaped.replace("\0", "\\0") + "'"


def quoted(name: str) -> str:
    """A name in backticks."""
    return "`" + name.replace("`", "``") + "`"


def lower(text: str) -> str:
    """ASCII letters in lower case; the server folds others by its own tables."""
    return text.lower() if text.isascii() else "".join(c.lower() if c.isascii() else c for c in text)


def closing(items: list[Token], start: int) -> int:
    """The place of the parenthesis that closes the one at ``start``; the end of the list where there is none."""
    depth = 0
    for place in range(start, len(items)):
        if items[place].kind == OPERATOR and items[place].text == "(":
            depth += 1
        elif items[place].kind == OPERATOR and items[place].text == ")":
            depth -= 1
            if depth == 0:
                return place
    return len(items)


# What SHOW CREATE TABLE prints, cut into its parts.
#
# A column is changed by saying all of it again (MODIFY COLUMN); what is left out is lost. So the server's own
# words are taken, and only the clause in question is put in their place.


TYPE, NULLITY, DEFAULT, ON_UPDATE, GENERATED, CHECK, COMMENT, OTHER = (
    *("type", "nullity", "default", "on update", "generated", "check", "comment", "other"),
)
_STARTS = {
    "NOT": NULLITY,
    "NULL": NULLITY,
    "DEFAULT": DEFAULT,
    "ON": ON_UPDATE,
    "GENERATED": GENERATED,
    "CHECK": CHECK,
    "COMMENT": COMMENT,
    "AUTO_INCREMENT": OTHER,
    "INVISIBLE": OTHER,
    "COMPRESSED": OTHER,
    "WITHOUT": OTHER,
}
_ORDER = (TYPE, GENERATED, NULLITY, DEFAULT, ON_UPDATE, OTHER, COMMENT, CHECK)
# Of a clause that has begun: these words belong to it.
_CONTINUE = frozenset({("NOT", "NULL"), ("DEFAULT", "NULL")})


@dataclass(frozen=True, slots=True)
class ColumnDefinition:
    """A column's clauses as the server prints them, by kind."""

    clauses: Mapping[str, str]

    def sql(self) -> str:
        """The definition as DDL writes it, without the column's name."""
        return " ".join(text for kind in _ORDER if (text := self.clauses.get(kind)))


@dataclass(frozen=True, slots=True)
class TableDefinition:
    """A table's columns by name in their order, its named checks' expressions, and the columns of plain indexes.

    ``indexes`` leaves out what is unique, of another kind, or over a part of a column; ``keys`` are the columns of what
    is unique, ``indexed`` those of all indexes and unique constraints.
    """

    columns: Mapping[str, ColumnDefinition]
    checks: Mapping[str, str]
    engine: str
    indexes: Mapping[str, tuple[str, ...]]
    indexed: frozenset[str] = frozenset()
    keys: tuple[tuple[str, ...], ...] = ()

    def column(self, name: str) -> ColumnDefinition | None:
        """The column of this name, whatever its case."""
        found = self.columns.get(name)
        if found is not None:
            return found
        return next((definition for key, definition in self.columns.items() if key.lower() == name.lower()), None)


def read_definition(connection: sa.Connection, table: str) -> TableDefinition:
    """Ask the server; ``table`` is quoted already.

    Raises:
        sqlalchemy.exc.DBAPIError: there is no such table.
        DatabaseError: what the server printed could not be read.
    """
    row = connection.exec_driver_sql(f"SHOW CREATE TABLE {table}", execution_options={"no_parameters": True}).one()
    return parse_definition(str(row[1]))


def parse_definition(sql: str) -> TableDefinition:
    """Read the text of SHOW CREATE TABLE."""
    items = tokens(sql)
    start = next((place for place, item in enumerate(items) if item.kind == OPERATOR and item.text == "("), None)
    if start is None:
        raise DatabaseError("SHOW CREATE TABLE told of no columns.")
    end = closing(items, start)
    columns: dict[str, ColumnDefinition] = {}
    checks: dict[str, str] = {}
    indexes: dict[str, tuple[str, ...]] = {}
    indexed: set[str] = set()
    keys: list[tuple[str, ...]] = []
    for part in _split(items[start + 1 : end]):
        if part[0].kind == NAME:
            columns[part[0].value] = ColumnDefinition(_clauses(sql, part[1:]))
            continue
        if "KEY" in [item.text for item in part[:2]]:
            indexed |= {item.value for item in part if item.kind == NAME}
        if part[0].text in {"PRIMARY", "UNIQUE"} and all(item.kind in {NAME, OPERATOR} for item in part[2:]):
            names = [item.value for item in part if item.kind == NAME]
            keys.append(tuple(names[part[0].text == "UNIQUE" :]))
        if len(part) > 3 and part[0].text == "CONSTRAINT" and part[2].text == "CHECK":
            checks[part[1].value] = sql[part[3].start + 1 : part[-1].start]
        elif len(part) > 3 and part[0].text == "KEY" and all(item.kind in {NAME, OPERATOR} for item in part[1:]):
            indexes[part[1].value] = tuple(item.value for item in part[3:] if item.kind == NAME)
    engine = next(
        (items[place + 2].text for place in range(end, len(items) - 2) if items[place].text.upper() == "ENGINE"), ""
    )
    return TableDefinition(columns, checks, engine, indexes, frozenset(indexed), tuple(keys))


def _split(items: list[Token]) -> list[list[Token]]:
    """The parts between the commas outside of parentheses."""
    parts: list[list[Token]] = [[]]
    depth = 0
    for item in items:
        if item.kind == OPERATOR:
            depth += {"(": 1, ")": -1}.get(item.text, 0)
            if item.text == "," and depth == 0:
                parts.append([])
                continue
        parts[-1].append(item)
    return [part for part in parts if part]


def _clauses(sql: str, items: list[Token]) -> dict[str, str]:
    starts = [(TYPE, 0)]
    depth = 0
    for place, item in enumerate(items):
        if item.kind == OPERATOR:
            depth += {"(": 1, ")": -1}.get(item.text, 0)
        if depth or item.kind != WORD or place == 0:
            continue
        kind = _STARTS.get(item.text.upper())
        if kind is not None and (items[place - 1].text.upper(), item.text.upper()) not in _CONTINUE:
            starts.append((kind, place))
    found: dict[str, str] = {}
    for number, (kind, place) in enumerate(starts):
        last = starts[number + 1][1] if number + 1 < len(starts) else len(items)
        # Up to the next clause: what the server prints as a comment (COMPRESSED) belongs to the column too.
        end = items[last].start if last < len(items) else items[last - 1].end
        text = sql[items[place].start : end].rstrip()
        found[kind] = f"{found[kind]} {text}" if kind in found else text
    return found
