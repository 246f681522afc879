"""Expressions and defaults in one canonical form, without a connection."""

from __future__ import annotations

import functools
import re

from framework_m_migrations.adapters.sql.dialects.postgresql.text import (
    CAPITALS,
    STABLE_FUNCTIONS,
    Token,
    Unreadable,
    parse_type,
    string_literal,
    string_value,
    tokenize,
)

_CAST, _OPEN, _CLOSE = Token("cast", "::"), Token("punctuation", "("), Token("punctuation", ")")
_LEFT, _RIGHT, _COMMA = Token("punctuation", "["), Token("punctuation", "]"), Token("punctuation", ",")
_ARRAY, _TEXT = Token("keyword", "array"), Token("name", "text")
_VARYING = [_CAST, Token("keyword", "character"), Token("name", "varying")]
_STRING_TAIL = [*_VARYING, _CLOSE, _CAST, _TEXT]
_ARRAY_TAIL = [_RIGHT, _CLOSE, _CAST, _TEXT, _LEFT, _RIGHT]


def texts_folded(tokens: list[Token]) -> list[Token]:
    """The tokens with strings cast to text at once."""
    folded: list[Token] = []
    position = 0
    while position < len(tokens):
        taken, replacement = _array(tokens, position)
        if not taken:
            taken, replacement = _string(tokens, position)
        folded.extend(replacement or tokens[position : position + 1])
        position += taken or 1
    return folded


def _string(tokens: list[Token], start: int) -> tuple[int, list[Token]]:
    """``('a'::character varying)::text``."""
    end = start + 2 + len(_STRING_TAIL)
    if tokens[start] != _OPEN or _called(tokens, start) or tokens[start + 2 : end] != _STRING_TAIL:
        return 0, []
    if tokens[start + 1].kind != "string" or tokens[end : end + 1] in ([_LEFT], [_OPEN], [Token("punctuation", ".")]):
        return 0, []
    return end - start, [tokens[start + 1], _CAST, _TEXT]


def _array(tokens: list[Token], start: int) -> tuple[int, list[Token]]:
    """``(ARRAY['a'::character varying, 'b'::character varying])::text[]``."""
    if tokens[start : start + 3] != [_OPEN, _ARRAY, _LEFT] or _called(tokens, start):
        return 0, []
    found: list[Token] = [_ARRAY, _LEFT]
    position = start + 3
    while position < len(tokens) and tokens[position].kind == "string":
        found += [tokens[position], _CAST, _TEXT]
        position += 1
        if tokens[position : position + len(_VARYING)] != _VARYING:
            return 0, []
        position += len(_VARYING)
        if tokens[position : position + 1] != [_COMMA]:
            break
        found.append(_COMMA)
        position += 1
    if tokens[position : position + len(_ARRAY_TAIL)] != _ARRAY_TAIL:
        return 0, []
    return position + len(_ARRAY_TAIL) - start, [*found, _RIGHT]


def _called(tokens: list[Token], opening: int) -> bool:
    """Whether the parenthesis holds the arguments of a function: then it is needed, and its content one of them."""
    before = tokens[opening - 1] if opening else None
    return before is not None and before.kind == "name"


# Expressions and defaults in canonical form, without a connection.
#
# The server prints an expression in its own way (``pg_get_expr``): constants with their type, parentheses round
# every operator. What is done here is only what cannot change a meaning; the rest is left to ``normalise``,
# which asks.


_INTEGER = re.compile(r"-?\d+\Z")
_NUMBER = re.compile(r"-?(?:\d+\.?\d*|\.\d+)\Z")
_NEGATIVE_ZERO = re.compile(r"-[0.]+\Z")
_TRUE = frozenset({"t", "tr", "tru", "true", "y", "ye", "yes", "on", "1"})
_FALSE = frozenset({"f", "fa", "fal", "fals", "false", "n", "no", "of", "off", "0"})
_INTEGERS = frozenset({"smallint", "integer", "bigint"})
_NUMBERS = _INTEGERS | {"numeric", "real", "double precision"}
_TEXTS = frozenset({"text", "character varying"})
_OPENS_OPERAND = frozenset(
    {"and", "or", "not", "then", "else", "when", "case", "between", "like", "ilike", "any", "all", "some"}
)
_OPENING, _CLOSING = Token("punctuation", "("), Token("punctuation", ")")
_TAKES_LIST = frozenset({"any", "all", "some", "in"})


@functools.lru_cache(maxsize=16384)
def canonical_expression(sql: str) -> str:
    """An expression with canonical names, numbers, strings and white space, and without needless parentheses."""
    try:
        tokens = _without_needless_parentheses(texts_folded(_numbers_folded(tokenize(sql))))
    except Unreadable:
        return sql.strip()
    return _joined(tokens)


@functools.lru_cache(maxsize=16384)
def canonical_default(sql: str, base: str, accepted: frozenset[str]) -> str | None:
    """A default in canonical form, None for NULL.

    Args:
        sql: as written by a person, SQLAlchemy or ``pg_get_expr``.
        base: of the column's type (ColumnType.base).
        accepted: spellings of the column's own type, to which a cast changes nothing.
    """
    try:
        tokens = _without_needless_parentheses(tokenize(sql))
    except Unreadable:
        return sql.strip()
    if not tokens:
        return sql.strip()
    value, casts = _constant(tokens)
    if value == Token("keyword", "null") and len(casts) <= 1:
        # SET DEFAULT NULL leaves one of these for a type with a length, and in the words of the type below a domain.
        return None
    if value is None or not all(_is_idle(cast, base, accepted) for cast in casts):
        return canonical_expression(sql)
    if value.kind == "keyword":
        if value.text == "null":
            return None
        return value.text if base == "boolean" else canonical_expression(sql)
    if value.kind == "number":
        return _number(value.text) if base in _NUMBERS and not casts else canonical_expression(sql)
    return _string_default(value.text, base)


def is_volatile(sql: str) -> bool:
    """True unless the expression is surely evaluated once for all rows."""
    try:
        tokens = tokenize(sql)
    except Unreadable:
        return True
    for position, token in enumerate(tokens):
        following = tokens[position + 1] if position + 1 < len(tokens) else None
        if token.kind in {"name", "keyword"} and following is not None and following.text == "(":
            before = tokens[position - 1] if position else None
            if before is not None and before.kind == "cast":
                continue  # the length of a type
            is_foreign = before is not None and before.text == "." and tokens[position - 2].text != "pg_catalog"
            known = token.text in STABLE_FUNCTIONS or token.text in _OPENS_OPERAND or _is_type_part(tokens, position)
            if is_foreign or not known:
                return True
        if token.kind == "keyword" and token.text == "select":
            return True
    return False


def _is_type_part(tokens: list[Token], position: int) -> bool:
    """``::character varying(3)``: a parenthesis after the second word of a type."""
    while position > 0 and tokens[position].kind in {"name", "keyword"}:
        position -= 1
    return tokens[position].kind == "cast" or tokens[position + 1].text in {"in", "array"}


def _constant(tokens: list[Token]) -> tuple[Token | None, tuple[str, ...]]:
    """A constant and the types it is cast to, innermost first; (None, ()) for anything else."""
    sign = ""
    if len(tokens) > 1 and tokens[0] == ("operator", "-") and tokens[1].kind == "number":
        sign, tokens = "-", tokens[1:]
    first = tokens[0]
    literal = first.kind in {"string", "number"} or first.text in {"true", "false", "null"}
    if not literal or (sign and len(tokens) > 1):
        return None, ()
    casts: list[str] = []
    words: list[str] = []
    for token in tokens[1:]:
        if token.kind == "cast":
            casts.append(" ".join(words))
            words = []
        elif not casts and not words and token is tokens[1]:
            return None, ()
        elif token.kind in {"name", "keyword", "number"} or token.text in "()[],.":
            words.append(token.text)
        else:
            return None, ()
    casts.append(" ".join(words))
    return Token(first.kind, sign + first.text), tuple(_cast_name(cast) for cast in casts[1:])


def _cast_name(words: str) -> str:
    return words.replace(" . ", ".").replace(" (", "(").replace("( ", "(").replace(" )", ")").replace(" [ ]", "[]")


def _is_idle(cast: str, base: str, accepted: frozenset[str]) -> bool:
    if cast in accepted:
        return True
    if cast == "bpchar":
        return base == "character"
    spelling = parse_type(cast).spelling
    if base in _TEXTS and spelling in _TEXTS:
        return True
    return spelling in accepted


def _string_default(text: str, base: str) -> str:
    if not text.startswith("'"):
        return text
    value = string_value(text)
    if base == "boolean":
        word = value.strip().lower()
        if word in _TRUE:
            return "true"
        if word in _FALSE:
            return "false"
    if base in _NUMBERS and (_INTEGER if base in _INTEGERS else _NUMBER).match(value):
        # Floating point tells '-0' from -0, which is the integer 0.
        return string_literal(value) if _NEGATIVE_ZERO.match(value) and base not in _INTEGERS else _number(value)
    return string_literal(value)


def _number(text: str) -> str:
    return str(int(text)) if _INTEGER.match(text) else text


def _numbers_folded(tokens: list[Token]) -> list[Token]:
    """``'-1'::integer``, as the server prints negative constants, and ``-1`` become one token."""
    folded: list[Token] = []
    position = 0
    while position < len(tokens):
        token = tokens[position]
        rest = tokens[position + 1 : position + 3]
        if token.kind == "string" and len(rest) == 2 and rest[0].kind == "cast" and not _is_signed(folded):
            number = _typed_number(token, rest[1], tokens[position + 3] if position + 3 < len(tokens) else None)
            if number is not None:
                folded.append(number)
                position += 3
                continue
        if token == ("operator", "-") and _is_prefix(folded) and _is_bare_number(rest):
            folded.append(Token("number", f"-{rest[0].text}"))
            position += 2
            continue
        folded.append(token)
        position += 1
    return folded


def _is_bare_number(rest: list[Token]) -> bool:
    """A number that no cast follows, which would bind more tightly than its sign."""
    if not rest or rest[0].kind != "number":
        return False
    return len(rest) < 2 or (rest[1].kind != "cast" and rest[1].text != "[")


def _typed_number(token: Token, type_: Token, following: Token | None) -> Token | None:
    value = string_value(token.text) if token.text.startswith("'") else ""
    if not _NUMBER.match(value) or (following is not None and (following.kind == "cast" or following.text in "[(.")):
        return None
    if type_.text == "numeric" and "." in value:
        return Token("number", value)
    if type_.text in {"integer", "bigint"} and _INTEGER.match(value):
        fits = -(2**31) <= int(value) < 2**31
        if fits == (type_.text == "integer"):
            return Token("number", value)
    return None


def _is_prefix(before: list[Token]) -> bool:
    if not before:
        return True
    last = before[-1]
    return last.kind == "operator" or last.text in {"(", "[", ","} or last.text in _OPENS_OPERAND


def _is_signed(before: list[Token]) -> bool:
    """After a sign that belongs to what follows: ``- '-1'::integer`` is no subtraction."""
    return bool(before) and before[-1].text in {"-", "+"} and _is_prefix(before[:-1])


def _without_needless_parentheses(tokens: list[Token]) -> list[Token]:
    """Parentheses round the whole, doubled ones, and those round one constant or name go.

    Raises:
        Unreadable: an opening or closing one is missing.
    """
    kept: list[Token] = []
    openings: list[int] = []
    last = (-1, -1)  # the pair that was kept last, by its places
    for position, token in enumerate(tokens):
        if token == _OPENING:
            openings.append(len(kept))
            kept.append(token)
        elif token == _CLOSING:
            if not openings:
                raise Unreadable("unbalanced parentheses")
            opening = openings.pop()
            doubled = last == (opening + 1, len(kept) - 1)
            following = tokens[position + 1] if position + 1 < len(tokens) else None
            if _needless(kept, opening, following, doubled=doubled):
                del kept[opening]
                last = (opening, len(kept) - 1) if doubled else (-1, -1)
            else:
                kept.append(token)
                last = (opening, len(kept) - 1)
        else:
            kept.append(token)
    if openings:
        raise Unreadable("unbalanced parentheses")
    if last == (0, len(kept) - 1) and not _is_list(kept):
        return kept[1:-1]
    return kept


def _needless(kept: list[Token], opening: int, following: Token | None, *, doubled: bool) -> bool:
    before = kept[opening - 1] if opening else None
    if before is not None and (not _is_prefix([before]) or before.text in _TAKES_LIST):
        return False  # the arguments of a call, a list, the length of a type
    if before is not None and before.text in {"-", "+"}:
        return False  # a sign would become part of a number
    if doubled:
        return True
    if len(kept) != opening + 2 or (following is not None and following.text == "."):
        return False  # (composite).field is not composite.field
    inner = kept[-1]
    return inner.kind in {"string", "name"} or (inner.kind == "number" and not inner.text.startswith("-"))


def _is_list(tokens: list[Token]) -> bool:
    """Whether the outermost parentheses hold several values: a row."""
    depth = 0
    for token in tokens:
        depth -= token.kind == "punctuation" and token.text in {")", "]"}
        if depth == 1 and token.text == ",":
            return True
        depth += token.kind == "punctuation" and token.text in {"(", "["}
    return False


def _joined(tokens: list[Token]) -> str:
    """The tokens as SQL that reads well; the same tokens always give the same text."""
    parts: list[str] = []
    before: Token | None = None
    for token in tokens:
        text = token.text.upper() if token.kind == "keyword" and token.text in CAPITALS else token.text
        if before is not None and _spaced(before, token):
            parts.append(" ")
        parts.append(text)
        before = token
    return "".join(parts)


def _spaced(before: Token, token: Token) -> bool:
    if "cast" in {before.kind, token.kind} or before.text in {"(", "[", "."} or token.text in {")", "]", ",", ".", "["}:
        return False
    if token.text == "(" and token.kind == "punctuation":
        return before.kind == "operator" or before.text == "," or before.text in CAPITALS
    return True
