"""One canonical spelling for SQL expressions, as far as the text alone tells.

White space, comments, the case of keywords and of bare names, needless quotes and outer parentheses do not matter; all
else does. Texts that mean different things stay different: a quoted name keeps its case, because SQLite takes
``"Abc"`` for a string where no column has that name.
"""

from __future__ import annotations

import functools
import re

from framework_m_migrations.adapters.sql.dialects.sqlite.text import (
    KEYWORDS,
    NAME,
    NUMBER,
    OPERATOR,
    PARAMETER,
    STRING,
    WORD,
    Token,
    lower,
    quoted,
    tokens,
    unquoted,
)

_CONSTANT_WORDS = frozenset({"TRUE", "FALSE"})
_SIMPLE_NAME = re.compile(r"[a-z_][a-z0-9_]*\Z")
_OPERATORS = {"!=": "<>", "==": "="}
_TIGHT_AFTER = frozenset({"(", ".", "~"})
_TIGHT_BEFORE = frozenset({")", ",", "."})
_INTEGER = re.compile(r"(?:0|-?[1-9][0-9]{0,17})\Z")
_VOLATILE_WORDS = frozenset({"CURRENT_TIME", "CURRENT_DATE", "CURRENT_TIMESTAMP"})
_LITERAL_WORDS = frozenset({"NULL", "TRUE", "FALSE"})


@functools.lru_cache(maxsize=8192)
def canonical_expression(sql: str) -> str:
    """The canonical spelling of an expression; valid SQL of the same meaning."""
    return _joined(_without_outer_parentheses(tokens(sql)))


def _without_outer_parentheses(found: list[Token]) -> list[Token]:
    while len(found) > 2 and found[0].text == "(" and _closing(found, 0) == len(found) - 1:
        found = found[1:-1]
    return found


def _closing(found: list[Token], opening: int) -> int:
    """The position of the parenthesis that closes the one at ``opening``, or -1."""
    depth = 0
    for position in range(opening, len(found)):
        text = found[position].text
        if text == "(":
            depth += 1
        elif text == ")":
            depth -= 1
            if depth == 0:
                return position
    return -1


def _spelled(token: Token) -> str:
    if token.kind == WORD:
        return token.upper if token.upper in KEYWORDS or token.upper in _CONSTANT_WORDS else lower(token.text)
    if token.kind == NAME:
        name = unquoted(token.text)
        reserved = name.upper() in KEYWORDS or name.upper() in _CONSTANT_WORDS
        return name if _SIMPLE_NAME.match(name) and not reserved else quoted(name)
    if token.kind in {STRING, PARAMETER}:
        return token.text
    return _OPERATORS.get(token.text, lower(token.text))


def _joined(found: list[Token]) -> str:
    parts: list[str] = []
    previous: Token | None = None
    tight = True
    for token in found:
        if token.text == "-" and previous is not None and previous.text == "-":
            tight = False  # Two of them would begin a comment.
        if not (tight or token.text in _TIGHT_BEFORE or (token.text == "(" and _is_callable(previous))):
            parts.append(" ")
        parts.append(_spelled(token))
        tight = token.text in _TIGHT_AFTER or (token.text in {"-", "+"} and _is_prefix(previous))
        previous = token
    return "".join(parts)


def _is_callable(token: Token | None) -> bool:
    return token is not None and (token.kind == NAME or (token.kind == WORD and token.upper not in KEYWORDS))


def _is_prefix(before: Token | None) -> bool:
    """Whether a sign after ``before`` belongs to the operand that follows."""
    if before is None:
        return True
    if before.kind == OPERATOR:
        return before.text != ")"
    return before.kind == WORD and before.upper in KEYWORDS and before.upper not in (_LITERAL_WORDS | _VOLATILE_WORDS)


@functools.lru_cache(maxsize=4096)
def names_folded(expression: str, columns: frozenset[str]) -> str:
    """An expression with the quoted names of columns spelled without case and quotes, to compare, not to execute.

    Args:
        expression: canonical.
        columns: names of the table's columns in lower case: only of these it is certain that they are no strings.
    """
    parts: list[str] = []
    for token in tokens(expression):
        name = lower(unquoted(token.text)) if token.kind in {WORD, NAME} else None
        parts.append(f"<{name}>" if name in columns else _spelled(token))
    return " ".join(parts)


@functools.lru_cache(maxsize=8192)
def canonical_default(sql: str, affinity: str) -> str | None:
    """The canonical spelling of what stands after DEFAULT; None for NULL, which is no default.

    Args:
        sql: the default, with or without the parentheses of an expression.
        affinity: of the column, which turns ``'0'`` into ``0`` for numbers and the reverse for text.
    """
    found = _without_outer_parentheses(tokens(sql))
    if len(found) == 1 and found[0].kind in {WORD, NAME, STRING}:
        token = found[0]
        if token.upper == "NULL":
            return None
        if token.kind == WORD and token.upper in _CONSTANT_WORDS:
            return _literal("1" if token.upper == "TRUE" else "0", affinity)
        if token.kind == STRING:
            return _literal(token.text, affinity)
        if token.upper not in _VOLATILE_WORDS:
            # SQLite takes a name after DEFAULT for a string.
            return _literal("'" + unquoted(token.text).replace("'", "''") + "'", affinity)
    if len(found) == 2 and found[0].text == "+" and found[1].kind == NUMBER:
        found = found[1:]
    text = _joined(found)
    return _literal(text, affinity) if len(found) <= 2 else text


def _literal(text: str, affinity: str) -> str:
    """A literal as the column stores it: SQLite converts it on every insert, so both spellings mean the same."""
    if affinity == "TEXT":
        return f"'{text}'" if _INTEGER.match(text) else text
    if affinity in {"INTEGER", "NUMERIC", "REAL"} and text[:1] == "'" and _INTEGER.match(text[1:-1]):
        return text[1:-1]
    return text


@functools.lru_cache(maxsize=4096)
def is_constant_default(sql: str) -> bool:
    """True for what SQLite takes as the default of a column added to a table with rows: one literal, perhaps signed."""
    found = _without_outer_parentheses(tokens(sql))
    if found and found[0].text in {"+", "-"}:
        return len(found) == 2 and found[1].kind == NUMBER
    return len(found) == 1 and found[0].kind != PARAMETER and found[0].upper not in _VOLATILE_WORDS


def default_clause(default: str) -> str:
    """A default as it must stand after DEFAULT: expressions in parentheses."""
    found = tokens(default)
    bare = is_constant_default(default) or (len(found) == 1 and found[0].upper in _VOLATILE_WORDS)
    bare = bare or len(_without_outer_parentheses(found)) < len(found)
    return default if bare else f"({default})"
