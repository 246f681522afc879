"""Keys and options of indexes, as people write them and as the server prints them."""

from __future__ import annotations

import re
from collections.abc import Collection

from framework_m_migrations.adapters.sql.dialects.postgresql.expressions import canonical_expression
from framework_m_migrations.adapters.sql.dialects.postgresql.text import KEYWORDS, canonical_collation, fold, unquote
from framework_m_migrations.domain.schema import Index, IndexKey

_NAME = r'(?:"(?:[^"]|"")+"|[A-Za-z_][\w$]*)'
_NULLS = re.compile(r"\s+NULLS\s+(FIRST|LAST)\s*\Z", re.IGNORECASE)
_ORDER = re.compile(r"\s+(ASC|DESC)\s*\Z", re.IGNORECASE)
_CLASS = re.compile(
    rf"(?P<body>.*[\w$\")\]'])\s+(?P<name>(?:{_NAME}\.)?[A-Za-z_][\w$]*)(?P<given>\s*\((?:[^()']|'[^']*')*=[^()]*\))?\s*\Z",
    re.DOTALL,
)
_COLLATE = re.compile(rf"(?P<body>.*\S)\s+COLLATE\s+(?P<name>{_NAME}(?:\.{_NAME})?)\s*\Z", re.IGNORECASE | re.DOTALL)
_LAST_WORD = re.compile(r"[A-Za-z_][\w$]*\Z")


def split_key(rendered: str, operator_class: str | None = None) -> tuple[str, str]:
    """Body and canonical modifiers of an index key.

    Args:
        rendered: ``lower(name) DESC``, ``name COLLATE "C" varchar_pattern_ops``.
        operator_class: one that is written elsewhere (``postgresql_ops``).

    Returns:
        The body as it was written, and ``COLLATE "x" class DESC NULLS LAST`` without what goes without saying.
    """
    body, nulls = _taken(_NULLS, rendered.strip())
    body, order = _taken(_ORDER, body)
    written = _CLASS.match(body)
    if written is not None and _is_class(written["body"], written["name"]):
        body = written["body"]
        operator_class = written["name"] + (written["given"] or "").strip()
    collation = None
    collate = _COLLATE.match(body)
    if collate is not None:
        body, collation = collate["body"], canonical_collation(collate["name"]) or '"default"'
    return body, modifiers(
        collation, operator_class, descending=order == "DESC", nulls_first=None if nulls is None else nulls == "FIRST"
    )


def modifiers(
    collation: str | None, operator_class: str | None, *, descending: bool = False, nulls_first: bool | None = None
) -> str:
    """Canonical modifiers. ``nulls_first`` None is what the order implies: last for ASC, first for DESC."""
    parts = []
    if collation is not None:
        parts.append(f"COLLATE {collation}")
    if operator_class:
        parts.append(re.sub(r"\s+", "", fold(operator_class)).removeprefix("pg_catalog."))
    if descending:
        parts.append("DESC")
    if nulls_first is not None and nulls_first is not descending:
        parts.append("NULLS FIRST" if nulls_first else "NULLS LAST")
    return " ".join(parts)


def canonical_storage(value: object) -> str:
    """The value of a storage parameter: booleans as on and off, everything else as text."""
    if isinstance(value, bool):
        return "on" if value else "off"
    text = str(value).strip().strip("'").lower()
    return {"true": "on", "false": "off"}.get(text, text)


def _taken(pattern: re.Pattern[str], text: str) -> tuple[str, str | None]:
    match = pattern.search(text)
    return (text, None) if match is None else (text[: match.start()], match[1].upper())


def _is_class(body: str, name: str) -> bool:
    if "." not in name and fold(name) in KEYWORDS:
        return False
    last = _LAST_WORD.search(body)
    # `varying` of `x::character varying` follows a keyword; a column of such a name would be quoted.
    return last is None or fold(last[0]) not in KEYWORDS


# Reads ``pg_get_indexdef``: the server's own word on an index that is more than a list of columns.


_WORD = r'(?:"(?:[^"]|"")+"|[^\s".()]+)'
_HEAD = re.compile(
    rf"(?:TABLESPACE (?P<space>{_WORD}) )?"
    rf"CREATE (?:UNIQUE )?INDEX {_WORD} ON (?:ONLY )?{_WORD}(?:\.{_WORD})? USING (?P<method>{_WORD}) \(",
    re.DOTALL,
)
_PIECE = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|[()\[\],]", re.DOTALL)
_IDENTIFIER = re.compile(rf"{_WORD}\Z")


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
