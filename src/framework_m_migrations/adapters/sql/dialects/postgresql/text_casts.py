"""Strings that the server casts to text by way of ``character varying``.

A list of strings compared with a varchar column is printed as ``(ARRAY['a'::character varying])::text[]``, and, once
that print has been read again (by pg_dump, or by a change of the column's type), as
``ARRAY[('a'::character varying)::text]``. Without a length the detour changes nothing: both are ``ARRAY['a'::text]``.
"""

from __future__ import annotations

from framework_m_migrations.adapters.sql.dialects.postgresql.tokens import Token

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
