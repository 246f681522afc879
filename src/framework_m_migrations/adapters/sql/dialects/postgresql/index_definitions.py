"""Reads ``pg_get_indexdef``: the server's own word on an index that is more than a list of columns."""

from __future__ import annotations

import re
from collections.abc import Collection

from framework_m_migrations.adapters.sql.dialects.postgresql.expressions import canonical_expression
from framework_m_migrations.adapters.sql.dialects.postgresql.identifiers import unquote
from framework_m_migrations.adapters.sql.dialects.postgresql.index_keys import canonical_storage, split_key
from framework_m_migrations.domain.schema import Index, IndexKey

_NAME = r'(?:"(?:[^"]|"")+"|[^\s".()]+)'
_HEAD = re.compile(
    rf"(?:TABLESPACE (?P<space>{_NAME}) )?"
    rf"CREATE (?:UNIQUE )?INDEX {_NAME} ON (?:ONLY )?{_NAME}(?:\.{_NAME})? USING (?P<method>{_NAME}) \(",
    re.DOTALL,
)
_PIECE = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|[()\[\],]", re.DOTALL)
_IDENTIFIER = re.compile(rf"{_NAME}\Z")


def parse_definition(definition: str, name: str, *, unique: bool, valid: bool, columns: Collection[str]) -> Index:
    """An index from its definition.

    Args:
        definition: what ``pg_get_indexdef`` returned, behind ``TABLESPACE name`` where the index is in one of its own.
        name: of the index.
        unique: the index is unique.
        valid: the index can be used.
        columns: of the table, to tell names from expressions.

    Raises:
        ValueError: the definition does not have the form that servers up to version 18 give it.
    """
    head = _HEAD.match(definition)
    if head is None:
        raise ValueError(f"not an index definition: {definition}")
    keys, position = _list(definition, head.end())
    include: tuple[str, ...] = ()
    options = {"tablespace": unquote(head["space"])} if head["space"] else {}
    where = None
    while position < len(definition):
        rest = definition[position:]
        if rest.startswith(" INCLUDE ("):
            items, position = _list(definition, position + len(" INCLUDE ("))
            include = tuple(unquote(item) for item in items)
        elif rest.startswith(" NULLS NOT DISTINCT"):
            options["nulls_not_distinct"] = "true"
            position += len(" NULLS NOT DISTINCT")
        elif rest.startswith(" WITH ("):
            items, position = _list(definition, position + len(" WITH ("))
            for item in items:
                parameter, _, value = item.partition("=")
                options[f"with.{unquote(parameter.strip()).lower()}"] = canonical_storage(value)
        elif rest.startswith(" WHERE "):
            where = canonical_expression(rest.removeprefix(" WHERE "))
            position = len(definition)
        else:
            raise ValueError(f"an unknown part in {definition}")
    method = unquote(head["method"])
    return Index(
        name=name,
        keys=tuple(_key(key, columns) for key in keys),
        unique=unique,
        where=where,
        method=None if method == "btree" else method,
        include=include,
        options=tuple(sorted(options.items())),
        valid=valid,
    )


def _key(text: str, columns: Collection[str]) -> IndexKey:
    body, modifiers = split_key(text)
    if _IDENTIFIER.match(body) and unquote(body) in columns:
        return IndexKey(unquote(body), None, modifiers)
    return IndexKey(None, canonical_expression(body), modifiers)


def _list(text: str, start: int) -> tuple[list[str], int]:
    """The items of a list up to its closing parenthesis, and where it ends."""
    items: list[str] = []
    depth, begin = 0, start
    for piece in _PIECE.finditer(text, start):
        match piece[0]:
            case "(" | "[":
                depth += 1
            case ")" | "]" if depth:
                depth -= 1
            case ")":
                items.append(text[begin : piece.start()].strip())
                return items, piece.end()
            case "," if depth == 0:
                items.append(text[begin : piece.start()].strip())
                begin = piece.end()
            case _:
                continue
    raise ValueError(f"no end of a list in {text}")
