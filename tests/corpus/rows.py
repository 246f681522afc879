"""Rows for any table: the same ones on every run, and none of them harmless."""

from __future__ import annotations

import datetime as dt
import zlib
from collections.abc import Iterator
from decimal import Decimal

from tests.corpus.databases import ActualColumn

PER_STEP = 3
UGLY = (
    "O'Hara'; DROP TABLE users; --",
    "100% %s %(name)s :x ::y",
    "Zoë ✓ 猫 \N{SNAKE}",
    "two\nlines\tand a tab ",
    'back\\slash \\n "double" `tick`',
    "",
    " lead and trail ",
    "NULL",
    "0",
)
_DAY = dt.date(2015, 1, 1)
_INTEGERS = {"SMALLINT": 2**15, "INTEGER": 2**31, "BIGINT": 2**63}


def rows_for(
    table: str, columns: dict[str, ActualColumn], step: int, unique: frozenset[str], *, native: bool
) -> list[dict[str, object]]:
    """A handful of rows for one step of a history.

    Args:
        table: its name; in every second table all strings differ, in the others columns repeat themselves.
        columns: as they are in the database.
        step: number of the step, so that no key comes twice.
        unique: columns in which no two rows may agree, whatever the table.
        native: the driver takes Decimal, date and time, as psycopg does and sqlite3 does not.
    """
    distinct = _seed(table) % 2 == 0
    made = []
    for number in range(step * PER_STEP + 1, (step + 1) * PER_STEP + 1):
        row: dict[str, object] = {}
        for name, column in columns.items():
            keyed = name == "name" or name in unique or distinct
            value = _value(column, number, _seed(f"{table}.{name}"), keyed=keyed)
            if column.nullable and name not in unique and (number + _seed(name)) % 4 == 0:
                value = None
            row[name] = value if native else _plain(value)
        made.append(row)
    return made


def _seed(text: str) -> int:
    return zlib.crc32(text.encode())


def _value(column: ActualColumn, number: int, seed: int, *, keyed: bool) -> object:
    kind, size = column.type, column.size
    if kind in {"VARCHAR", "TEXT"}:
        length = size[0] if size else None
        ugly = UGLY[(seed + number) % len(UGLY)]
        return (f"{number} {ugly}" if keyed else ugly)[:length]
    if kind in _INTEGERS:
        if keyed:
            return number
        limit = _INTEGERS[kind]
        return (0, 1, -1, limit - 1, -limit)[(seed + number) % 5]
    if kind == "NUMERIC":
        precision, scale = (part or 0 for part in (size or (21, 9)))
        whole = min(precision - scale, 4)
        return Decimal(number % 10**whole) + Decimal((seed + number) % 97) / Decimal(128 if scale >= 7 else 10**scale)
    if kind == "DATE":
        return _DAY + dt.timedelta(days=number * 31 + seed % 400)
    if kind == "TIME":
        return dt.time(seed % 24, number % 60, seed % 60)
    if kind == "DATETIME":
        return dt.datetime.combine(_DAY, dt.time(seed % 24, number % 60, 59, 123456)) + dt.timedelta(days=number)
    assert kind == "JSON", kind
    return '{"it\'s": [1, null, "100% :x"], "number": ' + str(number) + "}"


def _plain(value: object) -> object:
    """The value as SQLAlchemy's SQLite dialect stores it."""
    match value:
        case Decimal():
            return float(value)
        case dt.datetime():
            return value.isoformat(" ")
        case dt.date() | dt.time():
            return value.isoformat()
        case _:
            return value


def typed(rows: list[dict[str, object]], columns: Iterator[str] | list[str]) -> list[tuple[tuple[str, object], ...]]:
    """Rows so that 1, 1.0, True and '1' are four different values."""
    names = list(columns)
    return [tuple((type(row[name]).__name__, row[name]) for name in names) for row in rows]
