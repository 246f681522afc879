"""Type names in the one spelling that ``format_type`` gives them (PostgreSQL 15 to 18)."""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

from framework_m_migrations.adapters.sql.dialects.postgresql.identifiers import quote, unquote


class ParsedType(NamedTuple):
    """See ColumnType for the fields. ``printed`` is the form in which casts to the type are written: no modifiers."""

    spelling: str
    base: str
    printed: str
    length: int | None = None
    precision: int | None = None
    scale: int | None = None
    collation: str | None = None


_ALIASES = {
    "int": "integer",
    "int4": "integer",
    "int2": "smallint",
    "int8": "bigint",
    "serial": "integer",
    "serial4": "integer",
    "bigserial": "bigint",
    "serial8": "bigint",
    "smallserial": "smallint",
    "serial2": "smallint",
    "bool": "boolean",
    "float4": "real",
    "float8": "double precision",
    "decimal": "numeric",
    "dec": "numeric",
    "varchar": "character varying",
    "char varying": "character varying",
    "nchar varying": "character varying",
    "national character varying": "character varying",
    "national char varying": "character varying",
    "char": "character",
    "nchar": "character",
    "national character": "character",
    "national char": "character",
    "varbit": "bit varying",
    "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone",
    "time": "time without time zone",
    "timetz": "time with time zone",
}
_COLLATE = re.compile(r'^(?P<type>.*?)\s+COLLATE\s+(?P<name>(?:"(?:[^"]|"")+"|[\w$]+|\.)+)$', re.IGNORECASE | re.DOTALL)
_ARRAY = re.compile(r"(?:\s*\[\s*\d*\s*\])+$|\s+ARRAY(?:\s*\[\s*\d+\s*\])?$", re.IGNORECASE)
_PLAIN = re.compile(r"^(?P<name>[a-z_][a-z0-9_ $]*?)\s*(?:\((?P<args>[^()]*)\))?(?P<rest> [a-z ]+)?$")
_INTERVAL = re.compile(
    r"^interval(?P<fields>(?: (?:year|month|day|hour|minute|second|to))*)\s*(?:\(\s*(?P<p>\d)\s*\))?$"
)
_NAMED = re.compile(
    r'^(?:(?P<schema>"(?:[^"]|"")+"|[^\s".()\[\]]+)\s*\.\s*)?(?P<name>"(?:[^"]|"")+"|[^\s".()\[\]]+)'
    r"\s*(?P<args>\([^()]*\))?$"
)
_FLOAT_REAL_LIMIT = 24  # FLOAT(p) of the SQL standard: up to 24 binary digits are a real.


@functools.lru_cache(maxsize=8192)
def parse_type(text: str) -> ParsedType:
    """A type as DDL or ``format_type`` writes it, in canonical form.

    What is not known is taken for a type that somebody defined: its name is kept, unquoted letters in lower case.
    """
    stripped = text.strip()
    collation = None
    collate = _COLLATE.match(stripped)
    if collate is not None:
        stripped = collate["type"]
        collation = canonical_collation(collate["name"])
    array = _ARRAY.search(stripped)
    element = _element(stripped[: array.start()].strip() if array is not None else stripped)
    if array is not None:
        element = ParsedType(
            f"{element.spelling}[]",
            f"{element.base}[]",
            f"{element.printed}[]",
            element.length,
            element.precision,
            element.scale,
        )
    if collation is None:
        return element
    return element._replace(spelling=f"{element.spelling} COLLATE {collation}", collation=collation)


def canonical_collation(text: str) -> str | None:
    """A collation's name, always quoted, without the schema of the built-in ones; None for the default one."""
    parts = re.findall(r'"(?:[^"]|"")+"|[^".]+', text)
    names = [unquote(part) for part in parts]
    if len(names) > 1 and names[0] == "pg_catalog":
        names = names[1:]
    if names == ["default"]:
        return None
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def named_type(name: str, schema: str | None, arguments: str = "", *, array: bool = False) -> str:
    """The spelling of a type that is not built in."""
    written = quote(name) if schema is None else f"{quote(schema)}.{quote(name)}"
    return f"{written}{arguments}{'[]' if array else ''}"


def _element(text: str) -> ParsedType:
    if '"' in text or "." in text.partition("(")[0]:
        return _user_type(text)
    lowered = " ".join(text.lower().split())
    interval = _INTERVAL.match(lowered)
    if interval is not None:
        precision = None if interval["p"] is None else int(interval["p"])
        spelling = f"interval{interval['fields']}" + ("" if precision is None else f"({precision})")
        return ParsedType(spelling, "interval", "interval", precision=precision)
    plain = _PLAIN.match(lowered)
    if plain is None:
        return _user_type(text)
    name = plain["name"] + (plain["rest"] or "")
    arguments = [] if plain["args"] is None else [part.strip() for part in plain["args"].split(",")]
    return _builtin(_ALIASES.get(name, name), arguments) or _user_type(lowered)


def _builtin(name: str, arguments: list[str]) -> ParsedType | None:
    numbers = [int(part) for part in arguments if re.fullmatch(r"-?\d+", part)]
    if len(numbers) != len(arguments):
        return None
    first = numbers[0] if numbers else None
    if name in {"character", "bit"}:
        return _sized(name, 1 if first is None else first, "bpchar" if name == "character" else '"bit"')
    if name in {"character varying", "bit varying"}:
        return _sized(name, first, name)
    if name == "numeric":
        return _numeric(first, numbers[1] if len(numbers) > 1 else 0)
    if name == "float":
        name = "real" if first is not None and first <= _FLOAT_REAL_LIMIT else "double precision"
        return ParsedType(name, name, name)
    if name.endswith(" time zone"):
        word, _, rest = name.partition(" ")
        shown = name if first is None else f"{word}({first}) {rest}"
        return ParsedType(shown, name, name, precision=first)
    return ParsedType(name, name, name) if first is None else None


def _sized(name: str, length: int | None, printed: str) -> ParsedType:
    return ParsedType(name if length is None else f"{name}({length})", name, printed, length=length)


def _numeric(precision: int | None, scale: int) -> ParsedType:
    if precision is None:
        return ParsedType("numeric", "numeric", "numeric")
    return ParsedType(f"numeric({precision},{scale})", "numeric", "numeric", precision=precision, scale=scale)


def _user_type(text: str) -> ParsedType:
    match = _NAMED.match(text)
    if match is None:
        shown = " ".join(text.split())
        return ParsedType(shown, shown.lower(), shown)
    schema = None if match["schema"] is None else unquote(match["schema"])
    arguments = re.sub(r"\s+", "", match["args"] or "").lower()
    if match["name"].startswith('"'):
        name = named_type(unquote(match["name"]), schema)
    else:
        # As it stands: "json" is a keyword, and still the plain name of a type.
        name = ("" if schema is None else f"{quote(schema)}.") + unquote(match["name"])
    if name.startswith("pg_catalog."):
        name = name.removeprefix("pg_catalog.")
    return ParsedType(name + arguments, name.lower(), name)
