"""MariaDB's tokens in its default SQL mode: backticks quote names, both quotes make strings, backslashes escape."""

from __future__ import annotations

import re
from typing import NamedTuple

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
