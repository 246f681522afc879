"""Index keys and options as the server prints them (``pg_get_indexdef``), and as people write them."""

from __future__ import annotations

import re

from framework_m_migrations.adapters.sql.dialects.postgresql.identifiers import fold
from framework_m_migrations.adapters.sql.dialects.postgresql.typenames import canonical_collation
from framework_m_migrations.adapters.sql.dialects.postgresql.vocabulary import KEYWORDS

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
