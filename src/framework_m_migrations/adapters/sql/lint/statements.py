"""SQL cut into statements, and an ALTER TABLE into what it does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_PIECE = re.compile(
    r"""
    (?P<comment>--[^\n]*|/\*.*?(?:\*/|\Z))
  | (?P<text>(?<![\w$])[eE]'(?:[^'\\]|''|\\.)*(?:'|\Z)|'(?:[^']|'')*(?:'|\Z)|"(?:[^"]|"")*(?:"|\Z)
      |(?<![\w$])\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?(?:\$(?P=tag)\$|\Z))
  | (?P<space>\s+)
  | (?P<mark>[;(),])
  | (?P<rest>[^\s;(),'"$/-]+|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_NAME = r'(?:"(?:[^"]|"")+"|[\w$]+)'
NAME = rf"{_NAME}(?:\.{_NAME})*"
"""A pattern for names, with their schema or without."""
LITERAL = r"""(?:[eE]'(?:[^'\\]|''|\\.)*'|'(?:[^']|'')*')"""
"""A pattern for texts in single quotes."""
_ALTER = re.compile(
    rf"ALTER TABLE (?:IF EXISTS )?(?:ONLY )?(?P<table>{NAME})(?: ?\*)? (?P<rest>.*)",
    re.IGNORECASE | re.DOTALL,
)


def pieces(sql: str) -> Iterator[tuple[str, str]]:
    """The words of a text: (kind, text); kinds are comment, text (what is quoted), space, mark and rest."""
    for match in _PIECE.finditer(sql):
        yield match.lastgroup or "rest", match[0]


def split(sql: str) -> list[str]:
    """The statements of a text, each in one line without comments; what is quoted stays as it is."""
    found: list[str] = []
    current = ""
    for match in _PIECE.finditer(sql):
        kind, text = match.lastgroup, match[0]
        if kind in {"comment", "space"}:
            current = current if current.endswith(" ") else f"{current} "
        elif text == ";":
            found.append(current.strip())
            current = ""
        else:
            current += text
    return [one for one in (*found, current.strip()) if one]


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that an ALTER TABLE does: ``ADD COLUMN x int``."""

    table: str
    text: str


def actions(statement: str) -> Iterator[Action]:
    """What an ALTER TABLE does, one after the other; nothing for another statement."""
    match = _ALTER.fullmatch(statement)
    if match is None:
        return
    depth = 0
    current = ""
    for piece in _PIECE.finditer(match["rest"]):
        text = piece[0]
        depth += (text == "(") - (text == ")")
        if text == "," and depth == 0:
            yield Action(match["table"], current.strip())
            current = ""
        else:
            current += text
    if current.strip():
        yield Action(match["table"], current.strip())


def bare(name: str) -> str:
    """The last part of a name, unquoted, as the server stores it."""
    last: str = re.findall(r'"(?:[^"]|"")+"|[^.]+', name)[-1]
    return last[1:-1].replace('""', '"') if last.startswith('"') else last.lower()
