"""Statements of other sessions, shown without the values in them: those may be nobody's business, or a password."""

from __future__ import annotations

import re

_PIECE = re.compile(
    r"""
    (?P<comment>--[^\n]*|/\*.*?(?:\*/|\Z))
  | (?P<escaped>(?<![\w$])[eE]'(?:[^'\\]|''|\\.)*(?:'|\Z))
  | (?P<string>(?:(?<![\w$])(?:[bBxXnN]|[uU]&))?'(?:[^']|'')*(?:'|\Z))
  | (?P<dollar>(?<![\w$])\$(?P<tag>[^\W\d]\w*)\$.*?(?:\$(?P=tag)\$|\Z)|(?<![\w$])\$\$.*?(?:\$\$|\Z))
  | (?P<quoted>"(?:[^"]|"")*(?:"|\Z))
  | (?P<number>(?<![\w$.])(?:\d[\w.]*|\.\d\w*))
  | (?P<word>[^\W\d][\w$]*|\$\d+)
    """,
    re.VERBOSE | re.DOTALL,
)
_HIDDEN = {"escaped", "string", "dollar", "number"}


def without_values(sql: str) -> str:
    """The statement with a question mark for each literal and without its comments.

    It may be cut anywhere, as the server cuts what it shows: a literal without an end is a literal to the end.
    """

    def replaced(match: re.Match[str]) -> str:
        kind = "dollar" if match.lastgroup == "tag" else match.lastgroup
        if kind == "comment":
            return " "
        return "?" if kind in _HIDDEN else match[0]

    return _PIECE.sub(replaced, sql)
