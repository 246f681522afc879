"""The memory database's types: one canonical spelling each, and what a change from one to another does."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Callable
from decimal import Decimal, InvalidOperation

from framework_m_migrations.domain.errors import DatabaseError
from framework_m_migrations.domain.risk.facts import TypeChange
from framework_m_migrations.domain.schema import ColumnType, TableName

_PATTERN = re.compile(r"(?P<base>[a-z][a-z ]*[a-z]|[a-z])\s*(?:\(\s*(?P<one>\d+)\s*(?:,\s*(?P<two>\d+)\s*)?\))?")
_ALIASES = {
    "varchar": "string",
    "character varying": "string",
    "int": "integer",
    "bool": "boolean",
    "numeric": "decimal",
    "timestamp": "datetime",
    "jsonb": "json",
}
_INTEGERS = ("smallint", "integer", "bigint")
_NUMBERS = (*_INTEGERS, "decimal", "float")


def memory_type(text: str) -> ColumnType:
    """The type that ``text`` means: ``string(50)``, ``decimal(10, 2)``, ``integer`` and so on.

    Common SQL names are understood too (``VARCHAR(50)``), so that equal meaning gives an equal spelling. A name that
    is not known is a type of its own.

    Raises:
        DatabaseError: the text is no type at all.
    """
    found = _PATTERN.fullmatch(text.strip().lower())
    if found is None:
        raise DatabaseError(f"{text!r} is no type.")
    base = _ALIASES.get(found["base"], found["base"])
    one = int(found["one"]) if found["one"] else None
    two = int(found["two"]) if found["two"] else None
    if base == "decimal" and one is not None:
        return ColumnType(f"decimal({one},{two or 0})", base=base, precision=one, scale=two or 0)
    if one is not None:
        return ColumnType(f"{base}({one})", base=base, length=one)
    return ColumnType(base, base=base)


def enum_type(name: TableName) -> ColumnType:
    """The type of a column that holds a label of the enumeration ``name``."""
    return ColumnType(str(name), base="enum", enum=name)


def respell(type_: ColumnType) -> ColumnType:
    """The same type in canonical spelling."""
    return type_ if type_.enum is not None else memory_type(type_.spelling)


def compare_types(before: ColumnType, after: ColumnType) -> TypeChange:
    """What turning one type into another does to the rows."""
    old, new = respell(before), respell(after)
    if old == new:
        return TypeChange.EQUAL
    if old.enum is not None or new.enum is not None:
        return TypeChange.INCOMPATIBLE
    if old.base == new.base == "decimal":
        return _compare_decimals(old, new)
    if old.base in _INTEGERS and new.base in _INTEGERS:
        wider = _INTEGERS.index(new.base) > _INTEGERS.index(old.base)
        return TypeChange.REWRITE if wider else TypeChange.NARROWING
    if {old.base, new.base} <= {"string", "text"}:
        longer = new.length is None or (old.length is not None and new.length >= old.length)
        return TypeChange.WIDENING if longer else TypeChange.NARROWING
    return _ACROSS.get((old.base, new.base), TypeChange.INCOMPATIBLE)


_ACROSS = {
    **{(number, "text"): TypeChange.REWRITE for number in _NUMBERS},
    **{(number, "float"): TypeChange.REWRITE for number in ("smallint", "integer")},
    **{(number, "decimal"): TypeChange.NARROWING for number in _INTEGERS},
    **{("decimal", number): TypeChange.NARROWING for number in _INTEGERS},
    ("date", "datetime"): TypeChange.REWRITE,
    ("datetime", "date"): TypeChange.NARROWING,
    ("uuid", "text"): TypeChange.REWRITE,
    ("boolean", "integer"): TypeChange.REWRITE,
}


def _compare_decimals(old: ColumnType, new: ColumnType) -> TypeChange:
    if new.precision is None:
        return TypeChange.WIDENING
    if old.precision is None:
        return TypeChange.NARROWING
    old_scale, new_scale = old.scale or 0, new.scale or 0
    if new_scale < old_scale or new.precision - new_scale < old.precision - old_scale:
        return TypeChange.NARROWING
    return TypeChange.WIDENING if new_scale == old_scale else TypeChange.REWRITE


def coerce(value: object, type_: ColumnType) -> object:
    """``value`` as a column of this type stores it.

    Raises:
        DatabaseError: it does not fit.
    """
    if value is None or type_.enum is not None:
        return value
    convert = _CONVERT.get(type_.base)
    try:
        stored = value if convert is None else convert(value)
    except (ValueError, TypeError, InvalidOperation) as error:
        raise DatabaseError(f"{value!r} is no {type_.spelling}.") from error
    if type_.length is not None and isinstance(stored, str) and len(stored) > type_.length:
        raise DatabaseError(f"{stored!r} is too long for {type_.spelling}.")
    if isinstance(stored, Decimal) and type_.precision is not None:
        return _fit(stored, type_.precision, type_.scale or 0)
    return stored


def _fit(value: Decimal, precision: int, scale: int) -> Decimal:
    if not value.is_finite() or abs(value) >= Decimal(10) ** (precision - scale):
        raise DatabaseError(f"{value} is too large for decimal({precision},{scale}).")
    return value.quantize(Decimal(1).scaleb(-scale))


def _integer(value: object) -> int:
    if isinstance(value, bool | int):
        return int(value)
    if isinstance(value, float | Decimal):
        return round(value)
    return int(str(value))


_TRUTH = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}


def _boolean(value: object) -> bool:
    if isinstance(value, str):
        if value.lower() not in _TRUTH:
            raise ValueError(value)
        return _TRUTH[value.lower()]
    return bool(value)


def _datetime(value: object) -> dt.datetime:
    if isinstance(value, dt.datetime):
        return value
    if isinstance(value, dt.date):
        return dt.datetime(value.year, value.month, value.day)  # noqa: DTZ001 - the column has no zone either
    return dt.datetime.fromisoformat(str(value))


def _date(value: object) -> dt.date:
    if isinstance(value, dt.datetime):
        return value.date()
    return value if isinstance(value, dt.date) else dt.date.fromisoformat(str(value))


_CONVERT: dict[str, Callable[[object], object]] = {
    **dict.fromkeys(_INTEGERS, _integer),
    "text": str,
    "string": str,
    "decimal": lambda value: Decimal(str(value)),
    "float": lambda value: float(str(value)),
    "boolean": _boolean,
    "date": _date,
    "datetime": _datetime,
    "uuid": lambda value: value if isinstance(value, uuid.UUID) else uuid.UUID(str(value)),
}
