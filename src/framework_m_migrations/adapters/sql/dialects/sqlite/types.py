"""SQLite's types, and what becomes of a stored value when a column's type changes."""

from __future__ import annotations

import functools
import re
from enum import Enum

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.sqlite.text import quoted, unquoted, upper
from framework_m_migrations.domain.risk.facts import TypeChange
from framework_m_migrations.domain.schema import ColumnType

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


# What becomes of a stored value when the type of its column changes: one SQL expression for each pair of types.
#
# SQLite stores what it is given, and a declared type is an affinity, no more. SQLAlchemy stores a DATE as
# 'YYYY-MM-DD', a DATETIME as 'YYYY-MM-DD HH:MM:SS.ffffff', a TIME as 'HH:MM:SS.ffffff', a BOOLEAN as 0 or 1, a
# UUID as 32 hexadecimal digits, JSON as its text (numbers as numbers) and bytes as a blob. ``CAST('2020-01-02'
# AS DATE)`` is 2020.
#
# The rule: the new form holds all that the old one says, or the value is lost. '007' is no INTEGER, 1.5
# neither, and a DATETIME is a DATE at midnight only. Which form a value has is seen from the value
# (``typeof``), not from the column, so that values which a revision converted by itself before are taken as
# they are.
#
# | from, to | text | INTEGER, NUMERIC, REAL | BOOLEAN | DATE, DATETIME, TIME | BLOB | JSON | UUID |
# |---|---|---|---|---|---|---|---| | text | | digits that say the same | 0, 1, true, false | ISO 8601 | its
# bytes | valid JSON | its digits | | number | its digits | the same number | 0 and 1 | lost | bytes of its
# digits | the number | lost | | BOOLEAN | 0, 1 | 0, 1 | | lost | bytes of 0, 1 | true, false | lost | | DATE,
# DATETIME, TIME | ISO 8601 | lost | lost | a day is its midnight | bytes of its text | a string | lost | | BLOB
# | ASCII only | as its text | as its text | as its text | | as its text | as its text | | JSON | its text | a
# number | true, false | from a string | bytes of its text | | from a string | | UUID | with hyphens | lost |
# lost | lost | bytes of its text | a string | |


class Kind(Enum):
    """How values of a type are stored. ANY takes every value as it is; of OTHER types nothing is known."""

    TEXT = "text"
    INTEGER = "integer"
    NUMERIC = "numeric"
    REAL = "real"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"
    TIME = "time"
    BLOB = "blob"
    JSON = "json"
    UUID = "uuid"
    ANY = "any"
    OTHER = "other"


_NAMED = {
    "numeric": Kind.NUMERIC,
    "decimal": Kind.NUMERIC,
    "boolean": Kind.BOOLEAN,
    "bool": Kind.BOOLEAN,
    "date": Kind.DATE,
    "datetime": Kind.DATETIME,
    "timestamp": Kind.DATETIME,
    "time": Kind.TIME,
    "blob": Kind.BLOB,
    "binary": Kind.BLOB,
    "varbinary": Kind.BLOB,
    "json": Kind.JSON,
    "jsonb": Kind.JSON,
    "uuid": Kind.UUID,
    "any": Kind.ANY,
    "": Kind.ANY,
}
_BY_AFFINITY = {"TEXT": Kind.TEXT, "INTEGER": Kind.INTEGER, "REAL": Kind.REAL, "BLOB": Kind.ANY, "NUMERIC": Kind.OTHER}
_STRINGS_IN_JSON = frozenset({Kind.DATE, Kind.DATETIME, Kind.TIME, Kind.UUID})


def kind_of(type_: ColumnType) -> Kind:
    """How values of a type are stored.

    A CHAR(32) is a UUID only where SQLAlchemy's type, which came along, says so: it may be any text.
    """
    native = type_.native
    if type_.base == "char" and type_.length == _UUID_LENGTH and _uuid_sql(native):
        return Kind.UUID
    return _NAMED.get(type_.base) or _BY_AFFINITY[affinity(bare_spelling(type_))]


def _uuid_sql(native: object) -> bool:
    if isinstance(native, sa.types.TypeDecorator):
        return _uuid_sql(native.impl_instance)
    return isinstance(native, sa.Uuid)


def stays_as_it_is(before: ColumnType, after: ColumnType) -> bool:
    """Whether stored values, and the order of indexes over them, are right under the new type without being touched."""
    if compare_types(before, after) in {TypeChange.EQUAL, TypeChange.WIDENING} and kind_of(before) == kind_of(after):
        return True
    if (before.collation or DEFAULT_COLLATION) != (after.collation or DEFAULT_COLLATION):
        return False
    if {kind_of(before), kind_of(after)} == {Kind.INTEGER, Kind.NUMERIC}:
        return compare_types(before, after) is TypeChange.WIDENING
    same = affinity(bare_spelling(before)) == affinity(bare_spelling(after))
    return kind_of(before) == kind_of(after) and same


def conversion(before: ColumnType, after: ColumnType, value: str) -> str | None:
    """The expression that gives a value its new form, NULL where it has none; None where every value stays as it is.

    Args:
        before: the type that the values have.
        after: the type to be.
        value: SQL that gives the value: a column's name. It is written more than once.
    """
    source, target = kind_of(before), kind_of(after)
    numeric = affinity(bare_spelling(after)) in {"INTEGER", "NUMERIC", "REAL"}
    guarded = target is Kind.UUID and numeric
    if target is Kind.ANY or (source is target and not guarded):
        return None
    text = _text(source, target, value)
    from_text = _from_text(source, target, text)
    from_blob = _from_text(source, target, _ascii(value))
    if target in {Kind.BLOB, Kind.OTHER}:
        from_blob = value
    if target is Kind.OTHER or guarded:
        # A text that looks like a number would become one.
        from_text = f"CASE WHEN CAST(({from_text}) AS NUMERIC) <> CAST(({from_text}) AS TEXT) THEN {from_text} END"
    return (
        f"CASE typeof({value}) WHEN 'integer' THEN {_from_integer(source, target, value)}"
        f" WHEN 'real' THEN {_from_real(target, value)} WHEN 'text' THEN {from_text} WHEN 'blob' THEN {from_blob} END"
    )


def lost(converted: str, value: str) -> str:
    """The condition of a row whose value has no form in the new type."""
    return f"{value} IS NOT NULL AND ({converted}) IS NULL"


def _from_integer(source: Kind, target: Kind, value: str) -> str:
    match target:
        case Kind.TEXT:
            return f"CAST({value} AS TEXT)"
        case Kind.BLOB:
            return f"CAST(CAST({value} AS TEXT) AS BLOB)"
        case Kind.REAL:
            return f"CASE WHEN CAST({value} AS REAL) = {value} THEN CAST({value} AS REAL) END"
        case Kind.BOOLEAN:
            return f"CASE WHEN {value} IN (0, 1) THEN {value} END"
        case Kind.JSON if source is Kind.BOOLEAN:
            return f"CASE {value} WHEN 0 THEN 'false' WHEN 1 THEN 'true' ELSE {value} END"
        case Kind.INTEGER | Kind.NUMERIC | Kind.JSON | Kind.OTHER | Kind.ANY:
            return value
        case Kind.DATE | Kind.DATETIME | Kind.TIME | Kind.UUID:
            return "NULL"


def _from_real(target: Kind, value: str) -> str:
    match target:
        case Kind.TEXT:
            return _digits(value)
        case Kind.BLOB:
            return f"CAST({_digits(value)} AS BLOB)"
        case Kind.INTEGER:
            return f"CASE WHEN CAST({value} AS INTEGER) = {value} THEN CAST({value} AS INTEGER) END"
        case Kind.BOOLEAN:
            return f"CASE WHEN {value} IN (0, 1) THEN CAST({value} AS INTEGER) END"
        case Kind.JSON:
            return f"CASE WHEN abs({value}) < 9e999 THEN {value} END"
        case Kind.NUMERIC | Kind.REAL | Kind.OTHER | Kind.ANY:
            return value
        case Kind.DATE | Kind.DATETIME | Kind.TIME | Kind.UUID:
            return "NULL"


def _from_text(source: Kind, target: Kind, text: str) -> str:
    match target:
        case Kind.TEXT | Kind.OTHER | Kind.ANY:
            return text
        case Kind.BLOB:
            return f"CAST({text} AS BLOB)"
        case Kind.INTEGER:
            return f"CASE WHEN CAST(CAST({text} AS INTEGER) AS TEXT) = {text} THEN CAST({text} AS INTEGER) END"
        case Kind.NUMERIC:
            return _number(text, "NUMERIC")
        case Kind.REAL:
            return _number(text, "REAL")
        case Kind.BOOLEAN:
            return f"CASE lower({text}) WHEN '1' THEN 1 WHEN 'true' THEN 1 WHEN '0' THEN 0 WHEN 'false' THEN 0 END"
        case Kind.DATE:
            midnight = "(' 00:00:00.000000', ' 00:00:00', 'T00:00:00.000000', 'T00:00:00')"
            day = f"substr({text}, 1, 10)"
            return (
                f"CASE WHEN {_is_date(text)} THEN {text}"
                f" WHEN {_is_date(day)} AND substr({text}, 11) IN {midnight} THEN {day} END"
            )
        case Kind.TIME:
            return f"CASE WHEN {_is_time(text)} THEN {_time(text)} END"
        case Kind.DATETIME:
            day, rest = f"substr({text}, 1, 10)", f"substr({text}, 12)"
            return (
                f"CASE WHEN {_is_date(text)} THEN {text} || ' 00:00:00.000000'"
                f" WHEN {_is_date(day)} AND substr({text}, 11, 1) IN (' ', 'T') AND {_is_time(rest)}"
                f" THEN {day} || ' ' || {_time(rest)} END"
            )
        case Kind.JSON if source in _STRINGS_IN_JSON:
            return f"json_quote({text})"
        case Kind.JSON:
            number = _number(text, "NUMERIC")
            return (
                f"CASE WHEN json_valid({text}) THEN"
                f" CASE WHEN json_type({text}) IN ('integer', 'real') THEN {number} ELSE {text} END END"
            )
        case Kind.UUID:
            return f"CASE WHEN {_is_uuid_text(text)} THEN {_uuid_digits(text)} END"


def _text(source: Kind, target: Kind, value: str) -> str:
    """A stored text, NULL where it cannot be a form of the target."""
    if source is Kind.UUID and target in {Kind.TEXT, Kind.BLOB, Kind.JSON}:
        groups = " || '-' || ".join(f"substr({value}, {start}, {size})" for start, size in _GROUPS)
        return f"CASE WHEN {_is_uuid_text(value)} AND length({value}) = 32 THEN {groups} ELSE {value} END"
    if source is Kind.JSON and target in _STRINGS_IN_JSON:
        string = f"CASE json_type({value}) WHEN 'text' THEN json_extract({value}, '$') END"
        return f"CASE WHEN json_valid({value}) THEN {string} END"
    if target in {Kind.TEXT, Kind.BLOB, Kind.OTHER}:
        return value
    # Functions read a text up to its first NUL only.
    return f"CASE instr({value}, char(0)) WHEN 0 THEN {value} END"


_GROUPS = ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))


def _ascii(value: str) -> str:
    """Bytes as a text, NULL where they are not plain ASCII: SQL cannot see whether bytes are UTF-8."""
    text = f"CAST({value} AS TEXT)"
    plain = f"instr({value}, x'00') = 0 AND {text} NOT GLOB '*[^' || char(1) || '-' || char(127) || ']*'"
    return f"CASE WHEN {plain} THEN {text} END"


def _digits(value: str) -> str:
    """A real number in as few digits as give it back, NULL for an infinite one."""
    short, long = f"CAST({value} AS TEXT)", f"printf('%!.17g', {value})"
    return f"CASE WHEN CAST({short} AS REAL) = {value} THEN {short} WHEN CAST({long} AS REAL) = {value} THEN {long} END"


def _number(text: str, type_: str) -> str:
    """A number in its usual digits, zeros at the end of a fraction aside."""
    read = f"CAST(CAST({text} AS {type_}) AS TEXT)"
    short = f"CASE WHEN instr({text}, '.') THEN rtrim(rtrim({text}, '0'), '.') ELSE {text} END"
    long = f"printf('%!.17g', CAST({text} AS REAL))"
    says = f"{read} IN ({text}, {short}, ({short}) || '.0') OR {long} = {text}"
    return f"CASE WHEN {says} THEN CAST({text} AS {type_}) END"


def _is_date(text: str) -> str:
    digits = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]"
    # Without a modifier SQLite gives 30 February back as it is.
    return f"({text} GLOB '{digits}' AND date({text}, '+0 days') = {text} AND {text} >= '0001')"


def _is_time(text: str) -> str:
    fraction = f"substr({text}, 9, 1) = '.' AND length({text}) BETWEEN 10 AND 15 AND substr({text}, 10)"
    return (
        f"(substr({text}, 1, 8) GLOB '[0-2][0-9]:[0-5][0-9]:[0-5][0-9]' AND substr({text}, 1, 2) <= '23'"
        f" AND (length({text}) = 8 OR ({fraction} NOT GLOB '*[^0-9]*')))"
    )


def _time(text: str) -> str:
    return f"substr({text}, 1, 8) || '.' || substr(substr({text}, 10) || '000000', 1, 6)"


def _uuid_digits(text: str) -> str:
    return f"lower(replace({text}, '-', ''))"


def _is_uuid_text(text: str) -> str:
    digits = _uuid_digits(text)
    hyphens = " || ".join(f"substr({text}, {place}, 1)" for place in (9, 14, 19, 24))
    return (
        f"(length({digits}) = 32 AND {digits} NOT GLOB '*[^0-9a-f]*'"
        f" AND (length({text}) = 32 OR (length({text}) = 36 AND {hyphens} = '----')))"
    )
