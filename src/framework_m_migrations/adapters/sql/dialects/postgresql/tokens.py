"""SQL text cut into tokens, after PostgreSQL's lexer (scan.l), as far as default and check expressions need it."""

from __future__ import annotations

import re
from typing import NamedTuple

from framework_m_migrations.adapters.sql.dialects.postgresql.identifiers import fold, unquote, written
from framework_m_migrations.adapters.sql.dialects.postgresql.vocabulary import KEYWORDS


class Token(NamedTuple):
    """``kind`` is one of ``string``, ``number``, ``name``, ``keyword``, ``cast``, ``operator``, ``punctuation``.

    ``text`` is canonical SQL: names and keywords unquoted in lower case, quoted names only where they need it,
    strings with doubled quotes and without escapes where that is possible.
    """

    kind: str
    text: str


_TOKEN = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<escaped>[eE]'(?:[^'\\]|''|\\.)*')
  | (?P<prefixed>[bBxX]'[^']*')
  | (?P<string>'(?:[^']|'')*')
  | (?P<quoted>"(?:[^"]|"")+")
  | (?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
  | (?P<word>[^\W\d][\w$]*(?!['"]))
  | (?P<cast>::)
  | (?P<operator>[-+*/<>=~!@\#%^&|`?]+)
  | (?P<punctuation>[()\[\],.])
    """,
    re.VERBOSE | re.DOTALL,
)
_MAY_END_IN_SIGN = frozenset("~!@#%^&|`?")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


class Unreadable(ValueError):
    """The text holds something that is better left alone: a comment, dollar quotes, Unicode escapes."""


def tokenize(sql: str) -> list[Token]:
    """The tokens of a SQL text without white space.

    Raises:
        Unreadable: the text holds what this lexer does not cover.
    """
    tokens: list[Token] = []
    position, end = 0, len(sql)
    while position < end:
        match = _TOKEN.match(sql, position)
        if match is None:
            raise Unreadable(sql)
        position = match.end()
        text = match[0]
        match match.lastgroup:
            case "space":
                continue
            case "operator":
                if "--" in text or "/*" in text:
                    raise Unreadable(sql)
                tokens.extend(_operators(text))
            case "word":
                tokens.append(_word(fold(text)))
            case "quoted":
                tokens.append(Token("name", written(unquote(text))))
            case "string":
                tokens.append(Token("string", text))
            case "escaped":
                tokens.append(Token("string", _plain_string(text, sql)))
            case "prefixed":
                tokens.append(Token("string", text[0].upper() + text[1:]))
            case kind:
                tokens.append(Token(str(kind), text))
    return tokens


def _word(folded: str) -> Token:
    return Token("keyword", folded) if folded in KEYWORDS else Token("name", written(folded))


def _operators(text: str) -> list[Token]:
    """A run of operator characters: PostgreSQL lets one end in a sign only if it holds an unusual character."""
    signs: list[Token] = []
    while len(text) > 1 and text[-1] in "+-" and not _MAY_END_IN_SIGN.intersection(text):
        signs.insert(0, Token("operator", text[-1]))
        text = text[:-1]
    return [Token("operator", "<>" if text == "!=" else text), *signs]


def _plain_string(text: str, sql: str) -> str:
    """``E'...'`` without its escapes, where they are none but backslashes and quotes."""
    body = text[2:-1]

    def replaced(match: re.Match[str]) -> str:
        if match[1] == "'":
            return "''"
        if match[1] == "\\":
            return "\\"
        raise Unreadable(sql)

    return f"'{_ESCAPE.sub(replaced, body)}'"


def string_value(token: str) -> str:
    """The characters that a canonical string token stands for."""
    return token[1:-1].replace("''", "'")


def escaped_literal(value: str) -> str:
    """A string as a literal that reads the same whatever ``standard_conforming_strings`` is."""
    return "E'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def string_literal(value: str) -> str:
    """A string as a canonical literal, under ``standard_conforming_strings``."""
    return "'" + value.replace("'", "''") + "'"
