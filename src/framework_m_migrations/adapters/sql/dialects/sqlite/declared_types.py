"""SQLite's types: declared texts that decide an affinity, and what a change from one to another means for rows.

A declared text means an affinity (https://www.sqlite.org/datatype3.html, 3.1). A change of it rewrites no row, so it is
a WIDENING only where every stored value stays right, the affinity (which decides how values compare and how indexes
are ordered) stays the same, and the meaning of the values stays too. Where SQLite would let anything pass (BIGINT to
INTEGER), the classes follow PostgreSQL, so that a schema judged safe here is safe there. The rules:

* same words, other parameters: longer or without limit is WIDENING, shorter is NARROWING;
* text: CHAR to VARCHAR to TEXT is WIDENING by the same measure; back is NARROWING;
* integers: SMALLINT to INTEGER to BIGINT is WIDENING, back is NARROWING;
* integers to NUMERIC: WIDENING where every digit fits, else NARROWING; integers to a float: REWRITE;
* floats among themselves: WIDENING, they are all of eight bytes; floats to or from NUMERIC: NARROWING;
* DATE to DATETIME: REWRITE, as the stored text has another form; DATETIME to DATE: NARROWING;
* another collation: REWRITE, as indexes are ordered by it;
* CHAR(32), which is how SQLAlchemy stores a UUID, to or from any other text: INCOMPATIBLE, as PostgreSQL's uuid is;
* everything else (numbers and text, booleans and integers, text and dates, JSON): INCOMPATIBLE.
"""

from __future__ import annotations

import functools
import re

from framework_m_migrations.adapters.sql.dialects.sqlite.tokens import quoted, unquoted, upper
from framework_m_migrations.domain.schema import ColumnType
from framework_m_migrations.domain.type_change import TypeChange

_DECLARED = re.compile(r"(?P<words>.*?)(?:\(\s*(?P<parameters>[^()]*?)\s*\)\s*)?\Z", re.DOTALL)
_NUMBERS = re.compile(r"([+-]?\d+)(?:\s*,\s*([+-]?\d+))?\Z")
_PLAIN_NAME = re.compile(r"[A-Z_][A-Z0-9_]*\Z")
DEFAULT_COLLATION = "BINARY"

_TEXTS = {"char": 0, "nchar": 0, "character": 0, "native character": 0}
_TEXTS |= dict.fromkeys(("varchar", "nvarchar", "character varying", "varying character", "varchar2"), 1)
_TEXTS |= dict.fromkeys(("text", "clob"), 2)
_INTEGERS = {"tinyint": 1, "smallint": 2, "int2": 2, "mediumint": 3, "int": 4, "integer": 4, "int4": 4}
_INTEGERS |= {"bigint": 8, "int8": 8}
_DIGITS = {1: 3, 2: 5, 3: 7, 4: 10, 8: 19}
_FLOATS = frozenset({"float", "real", "double", "double precision"})
_DECIMALS = frozenset({"numeric", "decimal"})
_SYNONYMS = {
    "nchar": "char",
    "character": "char",
    "native character": "char",
    "nvarchar": "varchar",
    "character varying": "varchar",
    "varying character": "varchar",
    "varchar2": "varchar",
    "clob": "text",
    "int": "integer",
    "int4": "integer",
    "int2": "smallint",
    "int8": "bigint",
    "decimal": "numeric",
    "double precision": "double",
    "bool": "boolean",
    "timestamp": "datetime",
}
_UUID_LENGTH = 32


def affinity(declared: str) -> str:
    """TEXT, NUMERIC, INTEGER, REAL or BLOB, by the five rules of datatype3.html, 3.1."""
    name = upper(declared)
    if "INT" in name:
        return "INTEGER"
    if "CHAR" in name or "CLOB" in name or "TEXT" in name:
        return "TEXT"
    if not name or "BLOB" in name:
        return "BLOB"
    if "REAL" in name or "FLOA" in name or "DOUB" in name:
        return "REAL"
    return "NUMERIC"


def collation_name(name: str) -> str:
    """A collation's canonical name: SQLite compares them without regard to case."""
    return upper(unquoted(name))


def collate_clause(collation: str) -> str:
    """``COLLATE X``."""
    return f"COLLATE {collation if _PLAIN_NAME.match(collation) else quoted(collation)}"


@functools.lru_cache(maxsize=4096)
def declared_type(text: str, collation: str | None = None) -> ColumnType:
    """The type that a column declares.

    Args:
        text: as written in CREATE TABLE, '' where the column declares none.
        collation: the name after COLLATE; None or BINARY is the default one.
    """
    folded = " ".join(upper(text).split())
    match = _DECLARED.match(folded)
    words = folded if match is None else match["words"].strip()
    parameters = None if match is None else match["parameters"]
    numbers = None if parameters is None else _NUMBERS.match(parameters)
    first = int(numbers[1]) if numbers is not None else None
    second = int(numbers[2]) if numbers is not None and numbers[2] is not None else None
    if numbers is not None:
        spelling = f"{words}({first})" if second is None else f"{words}({first}, {second})"
    else:
        spelling = folded
        words = words if parameters is None else folded
    named = None if collation is None or collation_name(collation) == DEFAULT_COLLATION else collation_name(collation)
    base = words.lower()
    exact = base in _DECIMALS or base in _FLOATS
    return ColumnType(
        spelling=spelling if named is None else f"{spelling} {collate_clause(named)}".strip(),
        base=base,
        length=None if exact else first,
        precision=first if exact else None,
        scale=second,
        collation=named,
    )


def bare_spelling(type_: ColumnType) -> str:
    """The declared text alone, without the collation."""
    if type_.collation is None:
        return type_.spelling
    return type_.spelling.removesuffix(collate_clause(type_.collation)).rstrip()


def compare_types(before: ColumnType, after: ColumnType) -> TypeChange:
    """What a change of the declared type means; see the rules at the top of this module."""
    if before.spelling == after.spelling:
        return TypeChange.EQUAL
    change = _compare_values(before, after)
    if (before.collation or DEFAULT_COLLATION) == (after.collation or DEFAULT_COLLATION):
        return change
    return TypeChange.REWRITE if change in {TypeChange.EQUAL, TypeChange.WIDENING} else change


def _compare_values(before: ColumnType, after: ColumnType) -> TypeChange:
    old, new = before.base, after.base
    if _SYNONYMS.get(old, old) == _SYNONYMS.get(new, new) and _parameters(before) == _parameters(after):
        return TypeChange.EQUAL
    if old in _TEXTS and new in _TEXTS:
        return _compare_texts(before, after)
    if old in _INTEGERS and new in _INTEGERS:
        return TypeChange.WIDENING if _INTEGERS[new] >= _INTEGERS[old] else TypeChange.NARROWING
    if old in _DECIMALS and new in _DECIMALS:
        return _compare_decimals(before, after)
    if old in _INTEGERS and new in _DECIMALS:
        return _fits(_DIGITS[_INTEGERS[old]], after)
    if old in _FLOATS and new in _FLOATS:
        return TypeChange.WIDENING
    if old in _INTEGERS and new in _FLOATS:
        return TypeChange.REWRITE
    if (old in _FLOATS and new in _DECIMALS) or (old in _DECIMALS and new in _FLOATS | _INTEGERS.keys()):
        return TypeChange.NARROWING
    if old == new and affinity(before.spelling) == affinity(after.spelling):
        return _longer(before.length, after.length)
    return _DATES.get((_SYNONYMS.get(old, old), _SYNONYMS.get(new, new)), TypeChange.INCOMPATIBLE)


_DATES = {("date", "datetime"): TypeChange.REWRITE, ("datetime", "date"): TypeChange.NARROWING}


def _parameters(type_: ColumnType) -> tuple[int | None, int | None, int | None]:
    return type_.length, type_.precision, type_.scale


def _longer(old: int | None, new: int | None) -> TypeChange:
    return TypeChange.WIDENING if new is None or (old is not None and new >= old) else TypeChange.NARROWING


def _is_uuid(type_: ColumnType) -> bool:
    return _TEXTS.get(type_.base) == 0 and type_.length == _UUID_LENGTH


def _compare_texts(before: ColumnType, after: ColumnType) -> TypeChange:
    if _is_uuid(before) != _is_uuid(after) and (_TEXTS[before.base] or _TEXTS[after.base]):
        return TypeChange.INCOMPATIBLE
    change = _longer(before.length, after.length)
    return TypeChange.NARROWING if _TEXTS[after.base] < _TEXTS[before.base] and after.length is not None else change


def _compare_decimals(before: ColumnType, after: ColumnType) -> TypeChange:
    if after.precision is None:
        return TypeChange.WIDENING
    if before.precision is None or (after.scale or 0) < (before.scale or 0):
        return TypeChange.NARROWING
    return _fits(before.precision - (before.scale or 0), after)


def _fits(digits: int, after: ColumnType) -> TypeChange:
    """Whether so many digits before the point fit."""
    enough = after.precision is None or after.precision - (after.scale or 0) >= digits
    return TypeChange.WIDENING if enough else TypeChange.NARROWING
