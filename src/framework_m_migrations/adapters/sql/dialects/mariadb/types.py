"""Names of types in one spelling, and what a change from one to another does."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from framework_m_migrations.adapters.sql.dialects.mariadb.text import STRING, literal, lower, tokens
from framework_m_migrations.adapters.sql.verbatim import SqlType
from framework_m_migrations.domain.risk.facts import TypeChange
from framework_m_migrations.domain.schema import ColumnType

_TYPE = re.compile(r"\s*(?P<name>[A-Za-z_]\w*(?:\s+\w+)*)\s*(?:\((?P<arguments>.*)\))?\s*(?P<rest>[^()]*)\Z", re.DOTALL)
_SYNONYMS = {
    "integer": "int",
    "int1": "tinyint",
    "int2": "smallint",
    "int3": "mediumint",
    "middleint": "mediumint",
    "int4": "int",
    "int8": "bigint",
    "dec": "decimal",
    "numeric": "decimal",
    "fixed": "decimal",
    "number": "decimal",
    "double precision": "double",
    "real": "double",
    "float8": "double",
    "float4": "float",
    "character varying": "varchar",
    "char varying": "varchar",
    "varchar2": "varchar",
    "nvarchar": "varchar",
    "national varchar": "varchar",
    "character": "char",
    "nchar": "char",
    "national char": "char",
    "char byte": "binary",
    "raw": "varbinary",
    "clob": "longtext",
    "long": "mediumtext",
    "long varchar": "mediumtext",
}
_INTEGERS = frozenset({"tinyint", "smallint", "mediumint", "int", "bigint"})
_CHARSETS = {"ascii": "latin1", "unicode": "ucs2"}
"""What these words alone say of a type."""
_NATIONAL = frozenset({"nchar", "nvarchar", "national char", "national varchar"})
_ONE_BY_DEFAULT = frozenset({"char", "binary", "bit"})
_FRACTIONS = frozenset({"datetime", "timestamp", "time"})
_MODIFIERS = re.compile(
    r"(?P<unsigned>unsigned)|(?P<zerofill>zerofill)|(?:character set|charset)\s+(?P<charset>\w+)"
    r"|collate\s+[`'\"]?(?P<collate>\w+)[`'\"]?|\b(?P<short>ascii|unicode)\b|\b(?P<binary>binary)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class ParsedType:
    """A type: its parts, and ``bare``, its spelling without character set and collation."""

    bare: str
    base: str
    length: int | None = None
    precision: int | None = None
    scale: int | None = None
    charset: str | None = None
    collation: str | None = None
    binary: bool = False

    @property
    def spelling(self) -> str:
        """The canonical text."""
        if self.collation is not None:
            return f"{self.bare} collate {self.collation}"
        charset = "" if self.charset is None else f" character set {self.charset}"
        return f"{self.bare}{charset}{' binary' if self.binary else ''}"

    def column_type(self, native: object = None) -> ColumnType:
        """As a value of the domain."""
        return ColumnType(
            self.spelling, self.base, self.length, self.precision, self.scale, self.collation, None, native
        )


def parse_type(text: str) -> ParsedType:
    """Read a type as DDL or information_schema writes it. What is not understood is kept as it stands."""
    match = _TYPE.match(text)
    if match is None:
        return ParsedType(lower(text.strip()), lower(text.strip()))
    name, arguments = " ".join(lower(match["name"]).split()), match["arguments"]
    if arguments is None:
        # Modifiers have no parentheses before them to tell them apart from a name of several words.
        name, rest = _split_name(name)
    else:
        rest = match["rest"]
    found: dict[str, str] = {}
    for modifier in _MODIFIERS.finditer(rest):
        found |= {key: lower(value) for key, value in modifier.groupdict().items() if value is not None}
    base, bare, numbers = _canonical(_SYNONYMS.get(name, name), arguments)
    if "zerofill" in found:
        bare += " unsigned zerofill"
    elif "unsigned" in found:
        bare += " unsigned"
    charset = found.get("charset") or _CHARSETS.get(found.get("short", ""))
    if charset == "utf8" or name in _NATIONAL:
        charset = "utf8mb3"
    length = numbers[0] if numbers and base in {"char", "varchar", "binary", "varbinary", "bit"} else None
    precision = numbers[0] if numbers and base in {"decimal", *_FRACTIONS} else None
    scale = numbers[1] if base == "decimal" and len(numbers) > 1 else None
    return ParsedType(bare, base, length, precision, scale, charset, found.get("collate"), "binary" in found)


def _split_name(text: str) -> tuple[str, str]:
    # BINARY is a type, too.
    match = _MODIFIERS.search(text, 1)
    return (text, "") if match is None else (text[: match.start()].strip(), text[match.start() :])


def _canonical(name: str, arguments: str | None) -> tuple[str, str, tuple[int, ...]]:
    """Base, text and numbers of a type."""
    if name in {"bool", "boolean"}:
        return "tinyint", "tinyint(1)", ()
    if name in {"enum", "set"}:
        values = [literal(item.value) for item in tokens(arguments or "") if item.kind == STRING]
        return name, f"{name}({','.join(values)})", ()
    numbers = tuple(int(number) for number in re.findall(r"\d+", arguments or ""))
    if name in _INTEGERS:
        # The width of the others is a matter of display; the one of tinyint(1) says boolean to every driver.
        return name, "tinyint(1)" if name == "tinyint" and numbers == (1,) else name, ()
    if name == "decimal":
        numbers = (*numbers, *(10, 0)[len(numbers) :])
    elif name in _ONE_BY_DEFAULT and not numbers:
        numbers = (1,)
    elif name in _FRACTIONS and numbers == (0,):
        numbers = ()
    elif name == "float" and len(numbers) == 1:
        name, numbers = ("double" if numbers[0] > 24 else "float"), ()
    elif name == "year":
        numbers = ()
    return name, f"{name}({','.join(str(number) for number in numbers)})" if numbers else name, numbers


# What a change of type does, by rule; measured on MariaDB 10.11 (tests/mariadb/test_types.py asks the server).
#
# The server changes a type in place only where the bytes that are stored stay as they are: a varchar that grows
# on one side of the border of 255 bytes, where the length needs a second byte, and an enumeration that gets
# values at its end. Everything else copies the table while writers wait.


EQUAL, WIDENING, REWRITE = TypeChange.EQUAL, TypeChange.WIDENING, TypeChange.REWRITE
NARROWING, INCOMPATIBLE = TypeChange.NARROWING, TypeChange.INCOMPATIBLE

_DIGITS = {"tinyint": 3, "smallint": 5, "mediumint": 7, "int": 10, "bigint": 19}
_TEXT_BYTES = {"tinytext": 255, "text": 65535, "mediumtext": 16777215, "longtext": 4294967295}
_BLOB_BYTES = {"tinyblob": 255, "blob": 65535, "mediumblob": 16777215, "longblob": 4294967295}
_BYTES_OF = {"utf8mb4": 4, "utf8mb3": 3, "latin1": 1, "ascii": 1, "binary": 1}
_LENGTH_IN_ONE_BYTE = 255
_UNKNOWN_BYTES = 5


def type_change(before: ColumnType, after: ColumnType) -> TypeChange:
    """The class of a change.

    A conversion that keeps every value but changes the nature of the column is incompatible: code and queries would
    fail or compare otherwise, which nobody should get without asking for it.
    """
    if before.spelling == after.spelling or (_bare(before) == _bare(after) and _same_collation(before, after)):
        return EQUAL
    kind = _kind(before, after)
    if _same_collation(before, after) or kind in {NARROWING, INCOMPATIBLE}:
        return kind
    # Another character set may lack letters; another collation of the same one makes texts equal that were not.
    return NARROWING if _charset(before) != _charset(after) else REWRITE


def _bare(type_: ColumnType) -> str:
    bare = type_.spelling.partition(" collate ")[0].partition(" character set ")[0]
    return "tinyint" if bare == "tinyint(1)" else bare


def _same_collation(before: ColumnType, after: ColumnType) -> bool:
    """Whether the wanted type names no collation but the one there is, which its spelling may leave out."""
    return after.spelling.partition(" ")[2] == before.spelling.partition(" ")[2] or after.collation == before.collation


def _charset(type_: ColumnType) -> str | None:
    return None if type_.collation is None else type_.collation.partition("_")[0]


def _kind(before: ColumnType, after: ColumnType) -> TypeChange:
    old, new = before.base, after.base
    if ("unsigned" in before.spelling) != ("unsigned" in after.spelling):
        return NARROWING if old in _DIGITS or old == "decimal" else INCOMPATIBLE
    if old in {"enum", "set"} or new in {"enum", "set"}:
        return _enumerations(before, after)
    if old == "json" or new == "json":
        return NARROWING if old in _TEXT_BYTES else INCOMPATIBLE
    if old in _DIGITS and new in {*_DIGITS, "decimal"}:
        return _from_integer(before, after)
    if old == new == "decimal":
        return _decimals(before, after)
    if (old, new) == ("float", "double"):
        return REWRITE
    if old == new and old in _FRACTIONS:
        return REWRITE if (after.precision or 0) > (before.precision or 0) else NARROWING
    if (old, new) == ("date", "datetime"):
        return REWRITE
    if {old, new} <= {"datetime", "date", "timestamp"}:
        return NARROWING
    texts = {"char", "varchar", *_TEXT_BYTES}
    if old in texts and new in texts:
        return _texts(before, after, _TEXT_BYTES)
    binaries = {"binary", "varbinary", *_BLOB_BYTES}
    if old in binaries and new in binaries:
        return _texts(before, after, _BLOB_BYTES)
    return EQUAL if _bare(before) == _bare(after) else INCOMPATIBLE


def _enumerations(before: ColumnType, after: ColumnType) -> TypeChange:
    if before.base != after.base:
        return INCOMPATIBLE
    old, new = _values(before), _values(after)
    # Values count from one; up to 255 of them, or 8 of a set, fit in a byte.
    limit = 255 if before.base == "enum" else 8
    if new[: len(old)] == old:
        return WIDENING if (len(old) <= limit) == (len(new) <= limit) and before.base == "enum" else REWRITE
    return REWRITE if set(old) <= set(new) else INCOMPATIBLE


def _values(type_: ColumnType) -> list[str]:
    return [token.value for token in tokens(type_.spelling) if token.kind == STRING]


def _from_integer(before: ColumnType, after: ColumnType) -> TypeChange:
    digits = _DIGITS[before.base]
    if after.base == "decimal":
        return REWRITE if (after.precision or 0) - (after.scale or 0) >= digits else NARROWING
    return REWRITE if _DIGITS[after.base] > digits else NARROWING


def _decimals(before: ColumnType, after: ColumnType) -> TypeChange:
    old_scale, new_scale = before.scale or 0, after.scale or 0
    room = (after.precision or 0) - new_scale >= (before.precision or 0) - old_scale
    return REWRITE if new_scale >= old_scale and room else NARROWING


def _texts(before: ColumnType, after: ColumnType, sizes: dict[str, int]) -> TypeChange:
    fixed = {"char", "binary"}
    if before.base == after.base and before.base not in sizes:
        if (after.length or 0) <= (before.length or 0):
            return NARROWING
        return REWRITE if before.base in fixed else _grown(before, after)
    if after.base in sizes:
        held = sizes.get(before.base)
        needed = (before.length or 0) * bytes_of(before) if held is None else held
        return REWRITE if sizes[after.base] >= needed else NARROWING
    # Blanks at the end mean nothing in char(n) and something elsewhere.
    grows = (
        before.base in fixed
        and after.base not in fixed
        and before.length is not None
        and ((after.length or 0) >= before.length)
    )
    return REWRITE if grows else NARROWING


def _grown(before: ColumnType, after: ColumnType) -> TypeChange:
    small = (before.length or 0) * bytes_of(before) <= _LENGTH_IN_ONE_BYTE
    still = (after.length or 0) * bytes_of(before) <= _LENGTH_IN_ONE_BYTE
    if bytes_of(before) == _UNKNOWN_BYTES:
        # Whatever the letters take, it is between one byte and five.
        still = (after.length or 0) * _UNKNOWN_BYTES <= _LENGTH_IN_ONE_BYTE
        return WIDENING if still or (before.length or 0) > _LENGTH_IN_ONE_BYTE else REWRITE
    return WIDENING if small == still else REWRITE


def bytes_of(type_: ColumnType) -> int:
    """Bytes that a letter may take; more than any does where the character set is not known."""
    if type_.base in {"binary", "varbinary", *_BLOB_BYTES}:
        return 1
    return _BYTES_OF.get(_charset(type_) or "", _UNKNOWN_BYTES)


# SQLAlchemy's types for what the catalog says, so that a revision can give a column its former type back
# exactly.


# A parameter style in which a percent sign is one.
_COMPILER = mysql.dialect(paramstyle="named")
_PLAIN: dict[str, type[sa.types.TypeEngine[Any]]] = {
    "smallint": sa.SMALLINT,
    "int": sa.INTEGER,
    "bigint": sa.BIGINT,
    "date": sa.DATE,
    "datetime": sa.DATETIME,
    "timestamp": sa.TIMESTAMP,
    "time": sa.TIME,
    "text": sa.TEXT,
    "blob": sa.BLOB,
    "float": sa.FLOAT,
    "double": sa.DOUBLE,
    "json": sa.JSON,
    "uuid": sa.UUID,
}


@lru_cache(maxsize=4096)
def sqlalchemy_type(spelling: str) -> sa.types.TypeEngine[Any]:
    """The type of a canonical spelling: SQLAlchemy's where it says all of it, else SqlType."""
    try:
        made = _made(spelling)
        if made is not None and parse_type(made.compile(dialect=_COMPILER)).spelling == spelling:
            return made
    except (sa.exc.SQLAlchemyError, TypeError, ValueError):
        pass
    return SqlType(spelling)


def _made(spelling: str) -> sa.types.TypeEngine[Any] | None:
    parsed = parse_type(spelling)
    if parsed.bare == spelling and parsed.bare in _PLAIN:
        return _PLAIN[parsed.bare]()
    texts: dict[str, Any] = {} if parsed.collation is None else {"collation": parsed.collation}
    if parsed.base in {"enum", "set"}:
        members = [token.value for token in tokens(parsed.bare) if token.kind == STRING]
        return mysql.ENUM(*members, **texts) if parsed.base == "enum" else mysql.SET(*members, **texts)
    kind: Any = getattr(mysql, "INTEGER" if parsed.base == "int" else parsed.base.upper(), None)
    if kind is None:
        return None
    options = texts
    if parsed.length is not None:
        options["length"] = parsed.length
    if parsed.base == "decimal":
        options |= {"precision": parsed.precision, "scale": parsed.scale}
    elif parsed.precision is not None:
        options["fsp"] = parsed.precision
    if parsed.bare == "tinyint(1)":
        options["display_width"] = 1
    for word in ("unsigned", "zerofill"):
        if word in parsed.bare.split():
            options[word] = True
    made: sa.types.TypeEngine[Any] = kind(**options)
    return made


_ALIKE = {"char": "varchar", "binary": "varbinary"}


def key_fits(column: ColumnType, target: ColumnType) -> bool:
    """Whether InnoDB lets a column of a type refer to one of another: of texts the lengths may differ, else nothing."""
    own, other = (_ALIKE.get(one.base, one.base) for one in (column, target))
    same_sign = ("unsigned" in column.spelling) == ("unsigned" in target.spelling)
    collated = None in {column.collation, target.collation} or column.collation == target.collation
    return own == other and same_sign and collated
