"""Expressions and defaults in one spelling, close to what the server itself prints (Item::print).

It is for comparison first, but stays SQL that the server takes: names that it reserves keep their backticks.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

from sqlalchemy.dialects.mysql.reserved_words import RESERVED_WORDS_MARIADB

from framework_m_migrations.adapters.sql.dialects.mariadb.text import (
    NAME,
    NUMBER,
    OPERATOR,
    STRING,
    WORD,
    Token,
    closing,
    literal,
    lower,
    quoted,
    tokens,
)
from framework_m_migrations.domain.schema import ColumnType

_BITS = re.compile(r"0[xX]|[xXbB]'")
_SIMPLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
# Names that stand for a value where they are bare.
_VALUES = frozenset({"true", "false", "null", "current_user", "current_date", "current_time", "current_timestamp"})
_KEPT_QUOTED = {word.lower() for word in RESERVED_WORDS_MARIADB} | _VALUES
_NOW = frozenset({"now", "current_timestamp", "localtime", "localtimestamp"})
_SAME = {"!=": "<>", "&&": "and"}
_INTEGERS = frozenset({"tinyint", "smallint", "mediumint", "int", "bigint"})
_TEXTS = frozenset({"char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set", "json"})
_FLOATS = frozenset({"float", "double"})
_NO_SPACE_BEFORE = frozenset({")", ",", "."})
_NO_SPACE_AFTER = frozenset({"(", ".", ","})  # the server writes no blank after a comma


def canonical_expression(sql: str) -> str:
    """A check, index or computed expression in canonical form; what is quoted differently is written in one way."""
    return _written(_unwrapped(tokens(sql)))


def canonical_default(sql: str, type_: ColumnType) -> str | None:
    """A default in canonical form, None for NULL and for no default at all.

    ``ON UPDATE`` is a part of it, as it is of SQLAlchemy's server_default; ``NULL`` stands before it for no default.
    """
    value, on_update = split_default(sql)
    canonical = _canonical_default(value, type_)
    if on_update is None:
        return canonical
    return f"{canonical or 'NULL'} on update {_canonical_default(on_update, type_)}"


def split_default(sql: str) -> tuple[str, str | None]:
    """A default, and what the column gets when its row changes: the expression behind ``ON UPDATE``, None for nothing.

    Parentheses round the whole are taken off where there is an ``ON UPDATE`` within them.
    """
    items = _unwrapped(tokens(sql))
    depth = 0
    for place, item in enumerate(items[:-1]):
        if item.kind == OPERATOR:
            depth += {"(": 1, ")": -1}.get(item.text, 0)
        follower = items[place + 1]
        words = (item.kind, lower(item.text), follower.kind, lower(follower.text))
        if depth == 0 and words == (WORD, "on", WORD, "update"):
            return sql[items[0].start : item.start].strip(), sql[follower.end : items[-1].end].strip()
    return sql, None


def _canonical_default(sql: str, type_: ColumnType) -> str | None:
    items = _unwrapped(tokens(sql))
    if not items or (len(items) == 1 and lower(items[0].text) == "null" and items[0].kind == WORD):
        return None
    if items[0].kind == WORD and lower(items[0].text) in _NOW:
        return _now(items)
    value = _constant(items)
    if value is not None:
        return _as_type(value, items[0].kind == STRING, type_)
    return _written(items)


def is_constant_default(sql: str) -> bool:
    """A literal, or the time at which the statement begins: the same value for every row that exists."""
    items = _unwrapped(tokens(split_default(sql)[0]))
    if items and items[0].kind == WORD and lower(items[0].text) in _NOW:
        return len(items) <= 1 or closing(items, 1) == len(items) - 1
    return _constant(items) is not None or (len(items) == 1 and items[0].kind == NUMBER)


def _now(items: list[Token]) -> str:
    rest = items[1:]
    digits = rest[1].text if len(rest) == 3 and rest[1].kind == NUMBER and rest[1].text != "0" else ""
    end = 0 if not rest or rest[0].text != "(" else closing(items, 1) + 1
    if (end or 1) != len(items):
        return _written(items)
    return f"current_timestamp({digits})"


def _constant(items: list[Token]) -> str | None:
    """The value of a literal, a sign included."""
    sign = ""
    if len(items) == 2 and items[0].kind == OPERATOR and items[0].text in {"-", "+"}:
        sign, items = items[0].text.strip("+"), items[1:]
        if items[0].kind != NUMBER:
            return None
    if len(items) != 1:
        return None
    item = items[0]
    if item.kind == STRING or (item.kind == NUMBER and not _BITS.match(item.text)):
        return sign + item.value
    if item.kind == WORD and lower(item.text) in {"true", "false"}:
        return "1" if lower(item.text) == "true" else "0"
    return None


def _as_type(value: str, was_text: bool, type_: ColumnType) -> str:
    """A constant as the server prints it for a column of this type; left alone where that is not surely known."""
    if type_.base in _TEXTS or (was_text and type_.base not in _INTEGERS | _FLOATS | {"decimal"}):
        return literal(value)
    try:
        number = Decimal(value)
    except InvalidOperation:
        return literal(value) if was_text else value
    if type_.base in _INTEGERS and number == number.to_integral_value():
        return str(int(number))
    if type_.base == "decimal" and type_.scale is not None:
        places = Decimal(1).scaleb(-type_.scale)
        rounded = number.quantize(places) if abs(number) < Decimal(10) ** 20 else number
        return f"{rounded:f}" if rounded == number else value
    if type_.base in _FLOATS and abs(number) < Decimal(10) ** 15 and number == number.quantize(Decimal("1e-9")):
        return f"{number.normalize():f}"
    return literal(value) if was_text else value


def _unwrapped(items: list[Token]) -> list[Token]:
    """Without parentheses round the whole."""
    while len(items) > 2 and items[0].text == "(" and items[0].kind == OPERATOR and closing(items, 0) == len(items) - 1:
        items = items[1:-1]
    return items


def _written(items: list[Token]) -> str:
    parts: list[str] = []
    before = ""
    for place, item in enumerate(items):
        text = _word(item)
        opens_call = (
            item.text == "("
            and item.kind == OPERATOR
            and place > 0
            and items[place - 1].kind in {WORD, NAME}
            and items[place - 1].end == item.start
        )
        if before and not (text in _NO_SPACE_BEFORE or before in _NO_SPACE_AFTER or opens_call):
            parts.append(" ")
        parts.append(text)
        before = text if item.kind == OPERATOR else "x"
    return "".join(parts)


def spelt(name: str) -> str:
    """A column as canonical expressions name it."""
    name = lower(name)
    return name if _SIMPLE.match(name) and name not in _KEPT_QUOTED else quoted(name)


def _word(item: Token) -> str:
    if item.kind == STRING:
        return literal(item.value)
    if item.kind == NAME:
        return spelt(item.value)
    if item.kind == OPERATOR:
        return _SAME.get(item.text, item.text)
    return lower(item.text)
