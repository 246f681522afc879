"""The types that random schemas are made of, each with values and defaults for every adapter."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import sqlalchemy as sa


@dataclass(frozen=True, slots=True)
class Kind:
    """One type.

    Attributes:
        type: SQLAlchemy's.
        memory: as the memory adapter spells it.
        defaults: constants to choose a default from.
        keyable: it can be indexed and compared everywhere.
    """

    type: sa.types.TypeEngine[Any]
    memory: str
    defaults: tuple[object, ...]
    keyable: bool = True


TEXTS = ("it's", "100%s", ":x", "")
DAY = dt.date(2024, 2, 29)
MOMENT = dt.datetime(2024, 2, 29, 12, 30)  # noqa: DTZ001 - the columns have no zone either
KINDS: dict[str, Kind] = {
    "short": Kind(sa.String(12), "string(12)", TEXTS),
    "long": Kind(sa.String(60), "string(60)", TEXTS),
    "text": Kind(sa.Text(), "text", TEXTS),
    "small": Kind(sa.SmallInteger(), "smallint", (0, -7, 42)),
    "integer": Kind(sa.Integer(), "integer", (0, -7, 42)),
    "big": Kind(sa.BigInteger(), "bigint", (0, -7, 2**40)),
    "money": Kind(sa.Numeric(10, 2), "decimal(10,2)", (Decimal("1.50"), Decimal(0))),
    "fortune": Kind(sa.Numeric(14, 2), "decimal(14,2)", (Decimal("1.50"), Decimal(-3))),
    "float": Kind(sa.Double(), "float", (0.5, -2.0)),
    "flag": Kind(sa.Boolean(), "boolean", (True, False)),
    "day": Kind(sa.Date(), "date", (DAY,)),
    "moment": Kind(sa.DateTime(), "datetime", (MOMENT,)),
    "uuid": Kind(sa.Uuid(), "uuid", (uuid.UUID(int=7),)),
    "json": Kind(sa.JSON(), "json", ({"a": [1, "it's: %"]},), keyable=False),
}
NUMBERS = ("small", "integer", "big", "money", "fortune", "float")
WHOLE = ("integer", "big")


def value_text(base: str, number: int) -> str:
    """A value that ``number`` stands for, as a text that each database reads into a column of the type.

    Texts are digits, so that they fit what the column was, or will be, in another database of the same history.

    Args:
        base: the memory adapter's name of the type.
        number: from 0 to 9; equal numbers give equal values.
    """
    match base:
        case "date":
            return f"2024-01-0{number % 9 + 1}"
        case "datetime":
            return f"2024-01-0{number % 9 + 1} 00:00:00"
        case "uuid":
            return str(uuid.UUID(int=number))
        case "boolean":
            return str(number % 2)
        case _:
            return str(number)


def essence(value: object) -> object:
    """What a value means, so that those of different drivers can be compared."""
    match value:
        case bool() | int() | float() | Decimal():
            return float(value)
        case dt.datetime():
            return value.isoformat(" ")[:10] if value.time() == dt.time() else value.isoformat(" ")
        case dt.date():
            return value.isoformat()
        case uuid.UUID():
            return value.hex
        case dict():
            return json.dumps(value, sort_keys=True)
        case str():
            return _essence_of_text(value)
        case _:
            return value


def _essence_of_text(text: str) -> object:
    if text.startswith("{"):
        return json.dumps(json.loads(text), sort_keys=True)
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return uuid.UUID(text).hex
    except ValueError:
        pass
    try:
        return essence(dt.datetime.fromisoformat(text))
    except ValueError:
        return text
