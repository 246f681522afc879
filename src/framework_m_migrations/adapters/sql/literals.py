"""Defaults that live in the application, as constant SQL literals.

Only values are rendered. A function that an application gives as a default is never called: it may count, read a
clock, or talk to somebody.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql import elements as sa_elements

from framework_m_migrations.adapters.sql.names import unsendable
from framework_m_migrations.adapters.sql.sqltext import SqlText

FILL_KEY = "fill"
"""Key of ``Column.info`` with a Python value that existing rows take, for sources that know it better."""

_FACTORIES: dict[object, Callable[[], object]] = {
    dict: dict,
    list: list,
    tuple: list,
    str: str,
    int: int,
    float: float,
    bool: bool,
    bytes: bytes,
    Decimal: Decimal,
}
"""Builtin callables whose result without arguments is known without calling anything of the application's."""

_NOTHING = object()


def constant_of(column: sa.Column[Any]) -> tuple[bool, object]:
    """(True, value) where a column's application default is a constant, else (False, None).

    SQL literals (``sa.true()``, ``sa.literal(5)``) count; functions, sequences and expressions do not.
    """
    info = column.__dict__.get("info")
    if info and FILL_KEY in info:
        return True, info[FILL_KEY]
    default: Any = column.default
    if default is None or default.is_sequence:
        return False, None
    value = default.arg
    if default.is_scalar:
        return True, value
    if default.is_callable:
        factory = _FACTORIES.get(_unwrapped(value), _NOTHING)
        return (False, None) if factory is _NOTHING else (True, factory())  # type: ignore[operator]
    if isinstance(value, sa_elements.True_):
        return True, True
    if isinstance(value, sa_elements.False_):
        return True, False
    if isinstance(value, sa_elements.BindParameter) and value.callable is None and not value.required:
        return True, value.value
    return False, None


def _unwrapped(function: object) -> object:
    # SQLAlchemy wraps functions without a context argument; a hashable builtin is found below.
    inner = getattr(function, "__wrapped__", function)
    return inner if isinstance(inner, type) else None


def literal_of(
    value: object, type_: sa.types.TypeEngine[Any], text: SqlText, binary: Callable[[bytes], str | None]
) -> str | None:
    """A value as a constant SQL literal of a type, None where there is none that is surely right.

    Args:
        value: str, bool, number, date, Enum member, UUID, bytes, or what a JSON or array column takes.
        type_: the column's type; its literal processor for the dialect writes the value.
        text: of the session's dialect.
        binary: Spelling.binary.
    """
    impl = type_.dialect_impl(text.dialect)
    if isinstance(impl, sa.types.TypeDecorator):
        impl = impl.impl_instance
    if value is None:
        return None
    if isinstance(value, (bytes, bytearray, memoryview)):
        return binary(bytes(value)) if isinstance(impl, sa.LargeBinary) else None
    if isinstance(value, enum.Enum) and not isinstance(impl, sa.Enum):
        value = value.value
    if isinstance(value, (float, Decimal)) and not math.isfinite(value):
        return None
    if isinstance(impl, sa.ARRAY) and not value:
        return "'{}'"
    try:
        written = text.literal(value, type_)
    except (sa.exc.SQLAlchemyError, TypeError, ValueError, LookupError, AttributeError, ArithmeticError):
        # A value that the type cannot take: the application would fail with it as well, so no row may get it.
        return None
    return None if unsendable(written) is not None else written
