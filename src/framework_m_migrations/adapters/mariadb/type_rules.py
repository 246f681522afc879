"""What a change of type does, by rule; measured on MariaDB 10.11 (tests/mariadb/test_types.py asks the server).

The server changes a type in place only where the bytes that are stored stay as they are: a varchar that grows on one
side of the border of 255 bytes, where the length needs a second byte, and an enumeration that gets values at its end.
Everything else copies the table while writers wait.
"""

from __future__ import annotations

from framework_m_migrations.adapters.mariadb.tokens import STRING, tokens
from framework_m_migrations.domain.schema import ColumnType
from framework_m_migrations.domain.type_change import TypeChange

EQUAL, WIDENING, REWRITE = TypeChange.EQUAL, TypeChange.WIDENING, TypeChange.REWRITE
NARROWING, INCOMPATIBLE = TypeChange.NARROWING, TypeChange.INCOMPATIBLE

_DIGITS = {"tinyint": 3, "smallint": 5, "mediumint": 7, "int": 10, "bigint": 19}
_TEXT_BYTES = {"tinytext": 255, "text": 65535, "mediumtext": 16777215, "longtext": 4294967295}
_BLOB_BYTES = {"tinyblob": 255, "blob": 65535, "mediumblob": 16777215, "longblob": 4294967295}
_BYTES_OF = {"utf8mb4": 4, "utf8mb3": 3, "latin1": 1, "ascii": 1, "binary": 1}
_FRACTIONS = frozenset({"datetime", "timestamp", "time"})
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
