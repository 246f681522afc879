"""As much of SQL's expressions as a memory database needs: constants, and conditions over one row.

A condition may use comparisons, IS [NOT] NULL, [NOT] IN, NOT, AND, OR and parentheses over columns and constants.
Whatever else it holds makes it one that cannot be told, which is said, never guessed.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

_TOKEN = re.compile(
    r"""\s*(?:(?P<string>'(?:[^']|'')*')|(?P<quoted>"(?:[^"]|"")*")|(?P<number>-?\d+(?:\.\d+)?)"""
    r"""|(?P<word>[^\W\d]\w*)|(?P<symbol><=|>=|<>|!=|=|<|>|\(|\)|,))"""
)
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_KEYWORDS = {"and", "or", "not", "is", "in", "null", "true", "false"}

type Truth = bool | None
"""SQL's three values: None is unknown."""


class CannotTell(Exception):
    """The expression is beyond this evaluator."""


class _Opaque:
    """A value that is computed by functions this database does not have."""

    def __repr__(self) -> str:
        return "OPAQUE"


OPAQUE: Final = _Opaque()


def constant(sql: str) -> object:
    """The value of a constant: a quoted text, a number, TRUE, FALSE or NULL; OPAQUE for anything else."""
    text = sql.strip()
    while text.startswith("(") and text.endswith(")"):
        text = text[1:-1].strip()
    found = _TOKEN.fullmatch(text)
    if found is None:
        return OPAQUE
    if found["string"] is not None:
        return found["string"][1:-1].replace("''", "'")
    if found["number"] is not None:
        return _number(found["number"])
    return {"null": None, "true": True, "false": False}.get((found["word"] or "").lower(), OPAQUE)


def tidy(sql: str) -> str:
    """An expression in canonical white space, with its keywords in upper case.

    One that is not understood has its white space evened out; texts in quotes always stay as they are.
    """
    try:
        tokens = _tokens(sql)
    except CannotTell:
        parts = re.split(r"""('(?:[^']|'')*'|"(?:[^"]|"")*")""", sql.strip())
        return "".join(part if number % 2 else re.sub(r"\s+", " ", part) for number, part in enumerate(parts))
    text, before = "", ("symbol", "(")
    for kind, written in tokens:
        is_call = written == "(" and before[0] == "word"
        if text and before[1] != "(" and written not in {")", ","} and not is_call:
            text += " "
        text += written.upper() if kind == "keyword" else written
        before = (kind, written)
    return text


def holds(condition: str, row: Mapping[str, object]) -> Truth:
    """Whether a row meets a condition; None where SQL's answer is unknown, which lets a check pass.

    Raises:
        CannotTell: the condition uses what this evaluator does not know.
    """
    reader = _Reader(_tokens(condition), row)
    answer = reader.either()
    reader.finish()
    return answer


def _number(text: str) -> object:
    return Decimal(text) if "." in text else int(text)


def _tokens(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    position = 0
    while text[position:].strip():
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            raise CannotTell(text)
        value = match[match.lastgroup]
        is_keyword = match.lastgroup == "word" and value.lower() in _KEYWORDS
        found.append(("keyword", value.lower()) if is_keyword else (match.lastgroup, value))
        position = match.end()
    return found


class _Reader:
    """A recursive descent over the tokens, evaluating as it goes."""

    def __init__(self, tokens: list[tuple[str, str]], row: Mapping[str, object]) -> None:
        self._tokens = tokens
        self._row = row
        self._at = 0

    def finish(self) -> None:
        if self._at != len(self._tokens):
            raise CannotTell

    def either(self) -> Truth:
        answer = self._both()
        while self._take("keyword", "or"):
            other = self._both()
            answer = True if answer or other else (None if answer is None or other is None else False)
        return answer

    def _both(self) -> Truth:
        answer = self._negation()
        while self._take("keyword", "and"):
            other = self._negation()
            answer = False if answer is False or other is False else (None if None in {answer, other} else True)
        return answer

    def _negation(self) -> Truth:
        if self._take("keyword", "not"):
            answer = self._negation()
            return None if answer is None else not answer
        if self._take("symbol", "("):
            answer = self.either()
            self._need("symbol", ")")
            return answer
        return self._predicate()

    def _predicate(self) -> Truth:
        left = self._operand()
        if self._take("keyword", "is"):
            negated = self._take("keyword", "not")
            self._need("keyword", "null")
            return (left is None) is not negated
        negated = self._take("keyword", "not")
        if self._take("keyword", "in"):
            return self._member(left, negated)
        if negated:
            raise CannotTell
        for symbol, compare in _COMPARISONS.items():
            if self._take("symbol", symbol):
                return _compare(compare, left, self._operand())
        raise CannotTell

    def _member(self, left: object, negated: bool) -> Truth:
        self._need("symbol", "(")
        values = [self._operand()]
        while self._take("symbol", ","):
            values.append(self._operand())
        self._need("symbol", ")")
        if left is None:
            return None
        if left in values:
            return not negated
        return None if None in values else negated

    def _operand(self) -> object:
        if self._at >= len(self._tokens):
            raise CannotTell
        kind, text = self._tokens[self._at]
        self._at += 1
        if kind == "string":
            return text[1:-1].replace("''", "'")
        if kind == "number":
            return _number(text)
        if kind == "keyword" and text in {"null", "true", "false"}:
            return {"null": None, "true": True, "false": False}[text]
        name = text[1:-1].replace('""', '"') if kind == "quoted" else text
        if kind in {"quoted", "word"} and name in self._row:
            return self._row[name]
        raise CannotTell(text)

    def _take(self, kind: str, text: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at] == (kind, text):
            self._at += 1
            return True
        return False

    def _need(self, kind: str, text: str) -> None:
        if not self._take(kind, text):
            raise CannotTell(text)


def _compare(compare: Callable[[Any, Any], bool], left: object, right: object) -> Truth:
    if left is None or right is None:
        return None
    try:
        return compare(left, right)
    except TypeError as error:
        raise CannotTell from error
