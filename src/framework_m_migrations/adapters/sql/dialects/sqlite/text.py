"""SQLite's tokens, after https://www.sqlite.org/lang.html and sqlite3's tokenize.c: quotes, brackets, comments."""

from __future__ import annotations

import re
from typing import NamedTuple

from framework_m_migrations.domain.risk.conflicts import folded

WORD, NAME, STRING, NUMBER, BLOB, OPERATOR, PARAMETER = "word", "name", "string", "number", "blob", "operator", "param"

_PIECES = re.compile(
    r"""
      [\ \t\n\f\r]+                                         # white space
    | --[^\n]*                                              # comment to the end of the line
    | /\*.*?(?:\*/|\Z)                                      # comment, which may stay open
    | '(?:[^']|'')*'                                        # string
    | "(?:[^"]|"")*" | `(?:[^`]|``)*` | \[[^\]]*\]          # quoted name
    | [xX]'[0-9a-fA-F]*'                                    # blob
    | 0[xX][0-9a-fA-F_]+ | (?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9]+)?
    | [?][0-9]* | [:@$][A-Za-z0-9_$\x80-\U0010ffff]+        # parameter
    | [A-Za-z_\x80-\U0010ffff][A-Za-z0-9_$\x80-\U0010ffff]* # word: all beyond ASCII counts as letters
    | ->>|->|\|\||<<|>>|<=|>=|<>|!=|==
    | .
    """,
    re.VERBOSE | re.DOTALL,
)
_FIRST = {"'": STRING, '"': NAME, "`": NAME, "[": NAME}

# https://www.sqlite.org/lang_keywords.html
_KEYWORDS = """
    ABORT ACTION ADD AFTER ALL ALTER ALWAYS ANALYZE AND AS ASC ATTACH AUTOINCREMENT BEFORE BEGIN BETWEEN BY CASCADE
    CASE CAST CHECK COLLATE COLUMN COMMIT CONFLICT CONSTRAINT CREATE CROSS CURRENT CURRENT_DATE CURRENT_TIME
    CURRENT_TIMESTAMP DATABASE DEFAULT DEFERRABLE DEFERRED DELETE DESC DETACH DISTINCT DO DROP EACH ELSE END ESCAPE
    EXCEPT EXCLUDE EXCLUSIVE EXISTS EXPLAIN FAIL FILTER FIRST FOLLOWING FOR FOREIGN FROM FULL GENERATED GLOB GROUP
    GROUPS HAVING IF IGNORE IMMEDIATE IN INDEX INDEXED INITIALLY INNER INSERT INSTEAD INTERSECT INTO IS ISNULL JOIN KEY
    LAST LEFT LIKE LIMIT MATCH MATERIALIZED NATURAL NO NOT NOTHING NOTNULL NULL NULLS OF OFFSET ON OR ORDER OTHERS OUTER
    OVER PARTITION PLAN PRAGMA PRECEDING PRIMARY QUERY RAISE RANGE RECURSIVE REFERENCES REGEXP REINDEX RELEASE RENAME
    REPLACE RESTRICT RETURNING RIGHT ROLLBACK ROW ROWS SAVEPOINT SELECT SET TABLE TEMP TEMPORARY THEN TIES TO
    TRANSACTION TRIGGER UNBOUNDED UNION UNIQUE UPDATE USING VACUUM VALUES VIEW VIRTUAL WHEN WHERE WINDOW WITH WITHIN
    WITHOUT
    """
KEYWORDS = frozenset(_KEYWORDS.split())


class Token(NamedTuple):
    """A token; ``text`` is as written, ``upper`` in ASCII upper case for words, else as written."""

    kind: str
    text: str
    upper: str
    start: int
    end: int


def upper(text: str) -> str:
    """ASCII letters in upper case, as SQLite folds names: letters beyond ASCII stay."""
    return text.upper() if text.isascii() else "".join(c.upper() if c.isascii() else c for c in text)


lower = folded
"""ASCII letters in lower case."""


def tokens(sql: str) -> list[Token]:
    """The tokens of a text without white space and comments; what is no token comes as an operator."""
    found: list[Token] = []
    position = 0
    for piece in _PIECES.findall(sql):
        start = position
        position += len(piece)
        first = piece[0]
        if first in " \t\n\f\r" or (position - start > 1 and piece[:2] in {"--", "/*"}):
            continue
        kind = _FIRST.get(first) if position - start > 1 else None
        text = piece
        if kind is None:
            if first in "xX" and piece[1:2] == "'":
                kind = BLOB
            elif first > "\x7f" or first == "_" or first.isalpha():
                kind, text = WORD, upper(piece)
            elif first.isdigit() or (first == "." and position - start > 1):
                kind = NUMBER
            elif first == "?" or (first in ":@$" and position - start > 1):
                kind = PARAMETER
            else:
                kind = OPERATOR
        found.append(Token(kind, piece, text, start, position))
    return found


def unquoted(text: str) -> str:
    """The name in a word, a quoted name, or a string where SQLite takes one for a name."""
    first = text[:1]
    if first == "[":
        return text[1:-1]
    if first in {'"', "'", "`"}:
        return text[1:-1].replace(first * 2, first)
    return text


def quoted(name: str) -> str:
    """A name in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A string as a SQL literal. NUL cannot stand in SQL text; SQLite stores none in names or definitions."""
    return "'" + text.replace("'", "''") + "'"
