"""Identifiers as PostgreSQL stores and writes them."""

from __future__ import annotations

import functools
import re

from framework_m_migrations.adapters.sql.dialects.postgresql.vocabulary import KEYWORDS
from framework_m_migrations.adapters.sql.guard import GUARDED_WORDS

NAME_LIMIT = 63
"""Bytes of UTF-8 that a stock server keeps of a name (NAMEDATALEN - 1)."""

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*\Z")
_UPPER = {letter: letter + 32 for letter in range(ord("A"), ord("Z") + 1)}


def cut(name: str) -> str:
    """The name as the server stores it: at most 63 bytes of UTF-8, cut on a character's border."""
    if len(name) * 4 <= NAME_LIMIT:
        return name
    encoded = name.encode()
    return name if len(encoded) <= NAME_LIMIT else encoded[:NAME_LIMIT].decode(errors="ignore")


def fold(name: str) -> str:
    """An unquoted name as the server reads it: ASCII letters in lower case, others as they are."""
    return name.translate(_UPPER)


@functools.lru_cache(maxsize=16384)
def quote(name: str) -> str:
    """The name as ``quote_ident`` writes it: quoted where it would not survive unquoted."""
    if _PLAIN.match(name) and name not in KEYWORDS:
        return name
    return '"' + name.replace('"', '""') + '"'


def written(name: str) -> str:
    """The name in a statement: as ``quote``, and what the additive path's guard looks for is never left bare."""
    return f'"{name}"' if name in GUARDED_WORDS else quote(name)


def unquote(text: str) -> str:
    """The name that an identifier in SQL stands for, quoted or not."""
    if text.startswith('"'):
        return text[1:-1].replace('""', '"')
    return fold(text)
