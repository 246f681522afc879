"""Identifiers as PostgreSQL stores and writes them."""

from __future__ import annotations

import functools
import re

NAME_LIMIT = 63
"""Bytes of UTF-8 that a stock server keeps of a name (NAMEDATALEN - 1)."""

# pg_get_keywords() of PostgreSQL 18 without the unreserved ones: these PostgreSQL quotes as names.
KEYWORDS = frozenset(
    """
    all analyse analyze and any array as asc asymmetric authorization between bigint binary bit boolean both case cast
    char character check coalesce collate collation column concurrently constraint create cross current_catalog
    current_date current_role current_schema current_time current_timestamp current_user dec decimal default deferrable
    desc distinct do else end except exists extract false fetch float for foreign freeze from full grant greatest group
    grouping having ilike in initially inner inout int integer intersect interval into is isnull join json json_array
    json_arrayagg json_exists json_object json_objectagg json_query json_scalar json_serialize json_table json_value
    lateral leading least left like limit localtime localtimestamp merge_action national natural nchar none normalize
    not notnull null nullif numeric offset on only or order out outer overlaps overlay placing position precision
    primary real references returning right row select session_user setof similar smallint some substring symmetric
    system_user table tablesample then time timestamp to trailing treat trim true union unique user using values
    varchar variadic verbose when where window with xmlattributes xmlconcat xmlelement xmlexists xmlforest
    xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable
    """.split()
)

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


def unquote(text: str) -> str:
    """The name that an identifier in SQL stands for, quoted or not."""
    if text.startswith('"'):
        return text[1:-1].replace('""', '"')
    return fold(text)
