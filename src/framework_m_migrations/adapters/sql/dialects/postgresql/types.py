"""What a change of type does: by rule, or tried on an empty table."""

from __future__ import annotations

from dataclasses import replace

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.postgresql.text import execute, type_sql
from framework_m_migrations.adapters.sql.dialects.postgresql.transactions import is_inside_autocommit_block, taken_back
from framework_m_migrations.domain.risk.facts import TypeChange
from framework_m_migrations.domain.schema import ColumnType

EQUAL, WIDENING, REWRITE = TypeChange.EQUAL, TypeChange.WIDENING, TypeChange.REWRITE
NARROWING, INCOMPATIBLE = TypeChange.NARROWING, TypeChange.INCOMPATIBLE

_INTEGERS = frozenset({"smallint", "integer", "bigint"})
_FLOATS = frozenset({"real", "double precision"})
_NUMBERS = _INTEGERS | _FLOATS | {"numeric"}
_TEXTS = frozenset({"text", "character varying", "character"})
_TIMES = frozenset(
    {
        "timestamp without time zone",
        "timestamp with time zone",
        "time without time zone",
        "time with time zone",
        "interval",
    }
)
_FULL_PRECISION = 6
# Digits before the point that every value of an integer type may have.
_DIGITS = {"smallint": 5, "integer": 10, "bigint": 19}
_KNOWN = (
    _TEXTS
    | _TIMES
    | _NUMBERS
    | {"boolean", "date", "uuid", "json", "jsonb", "bytea", "bit", "bit varying", "inet", "cidr", "xml", "money"}
    | {"macaddr", "macaddr8", "tsvector", "tsquery", "point", "oid"}
)
_LOSSLESS = {
    ("json", "jsonb"): REWRITE,
    ("cidr", "inet"): WIDENING,
    ("inet", "cidr"): NARROWING,
    ("date", "timestamp without time zone"): REWRITE,
    ("date", "timestamp with time zone"): REWRITE,
    ("timestamp without time zone", "date"): NARROWING,
    ("timestamp with time zone", "date"): NARROWING,
    ("timestamp without time zone", "timestamp with time zone"): REWRITE,
    ("timestamp with time zone", "timestamp without time zone"): REWRITE,
    ("timestamp without time zone", "time without time zone"): NARROWING,
    ("time without time zone", "time with time zone"): REWRITE,
    ("time without time zone", "interval"): REWRITE,
    ("macaddr", "macaddr8"): REWRITE,
}


def type_change(before: ColumnType, after: ColumnType) -> TypeChange | None:
    """The class of a change, None where no rule covers it and the server must be asked.

    A conversion that keeps every value but changes the nature of the column (a number that becomes a text) is
    incompatible: code and queries would fail or compare otherwise, which nobody should get without asking for it.
    """
    if before.spelling == after.spelling:
        return EQUAL
    if before.enum is not None or after.enum is not None:
        return INCOMPATIBLE
    if before.base.endswith("[]") or after.base.endswith("[]"):
        return _arrays(before, after)
    kind = _without_collation(before, after)
    if kind is None or before.collation == after.collation:
        return kind
    # The order of texts changes, so that every index over the column is built again.
    return REWRITE if kind in {EQUAL, WIDENING} else kind


def _arrays(before: ColumnType, after: ColumnType) -> TypeChange | None:
    """As the elements, but that the server rewrites an array whatever its elements would need."""
    if not (before.base.endswith("[]") and after.base.endswith("[]")):
        return INCOMPATIBLE
    kind = type_change(_element(before), _element(after))
    return REWRITE if kind is WIDENING else kind


def _element(array: ColumnType) -> ColumnType:
    return replace(array, spelling=array.spelling.replace("[]", "", 1), base=array.base.removesuffix("[]"))


def _without_collation(before: ColumnType, after: ColumnType) -> TypeChange | None:
    old, new = before.base, after.base
    if old in _TEXTS and new in _TEXTS:
        return _texts(before, after)
    if old in _TIMES and old == new:
        return _times(before, after)
    if old in {"bit", "bit varying"} and new in {"bit", "bit varying"}:
        return _bits(before, after)
    if old in _NUMBERS and new in _NUMBERS:
        return _numbers(before, after)
    known = _LOSSLESS.get((old, new))
    if known is not None:
        return _less_precise(known, after)
    if old in _KNOWN and new in _KNOWN:
        return EQUAL if _bare(before) == _bare(after) else INCOMPATIBLE
    return None


def _bare(type_: ColumnType) -> str:
    return type_.spelling.partition(" COLLATE ")[0]


def _less_precise(kind: TypeChange, after: ColumnType) -> TypeChange:
    return kind if after.precision is None or after.base == "date" else NARROWING


def _texts(before: ColumnType, after: ColumnType) -> TypeChange:
    if before.base == "character" or after.base == "character":
        if before.base == after.base:
            return REWRITE if (after.length or 1) > (before.length or 1) else _same(before, after)
        # Blanks at the end mean nothing in character(n) and something elsewhere.
        return NARROWING if after.base == "character" or _shorter(before, after) else REWRITE
    if after.length is None:
        return EQUAL if before.base == after.base and before.length is None else WIDENING
    if before.length is None:
        return NARROWING
    return _same(before, after) if after.length <= before.length else WIDENING


def _same(before: ColumnType, after: ColumnType) -> TypeChange:
    return EQUAL if before.length == after.length and before.base == after.base else NARROWING


def _shorter(before: ColumnType, after: ColumnType) -> bool:
    return after.length is not None and (before.length is None or after.length < before.length)


def _times(before: ColumnType, after: ColumnType) -> TypeChange | None:
    if before.base == "interval" and _fields(before) != _fields(after):
        return WIDENING if _fields(after) == "" and after.precision is None else None
    old = _FULL_PRECISION if before.precision is None else before.precision
    new = _FULL_PRECISION if after.precision is None else after.precision
    if new == old:
        # timestamp(6) and timestamp are one in all but name.
        return WIDENING if before.precision != after.precision else EQUAL
    return WIDENING if new > old else NARROWING


def _fields(type_: ColumnType) -> str:
    return type_.spelling.partition("(")[0].removeprefix("interval").strip()


def _bits(before: ColumnType, after: ColumnType) -> TypeChange:
    if before.base == after.base == "bit":
        return NARROWING
    if before.base == "bit" and after.base == "bit varying":
        return NARROWING if _shorter(before, after) else REWRITE
    if after.base == "bit":
        return NARROWING
    if after.length is None:
        return WIDENING if before.length is not None else EQUAL
    return WIDENING if before.length is not None and after.length > before.length else NARROWING


def _numbers(before: ColumnType, after: ColumnType) -> TypeChange:
    old, new = before.base, after.base
    if old in _DIGITS:
        return _from_integer(old, after)
    if old in _FLOATS:
        wider = (old, new) == ("real", "double precision")
        return REWRITE if wider else NARROWING
    if new != "numeric":
        return NARROWING
    return _numerics(before, after)


def _from_integer(old: str, after: ColumnType) -> TypeChange:
    new = after.base
    if new in _DIGITS:
        return REWRITE if _DIGITS[new] > _DIGITS[old] else NARROWING
    if new == "numeric":
        fits = after.precision is None or after.precision - (after.scale or 0) >= _DIGITS[old]
        return REWRITE if fits else NARROWING
    # A double holds every integer of 53 bits, a real those of 24.
    exact = old == "smallint" or (old == "integer" and new == "double precision")
    return REWRITE if exact else NARROWING


def _numerics(before: ColumnType, after: ColumnType) -> TypeChange:
    if after.precision is None:
        return WIDENING
    if before.precision is None:
        return NARROWING
    old_scale, new_scale = before.scale or 0, after.scale or 0
    if new_scale == old_scale:
        return WIDENING if after.precision >= before.precision else NARROWING
    room = after.precision - new_scale >= before.precision - old_scale
    return REWRITE if new_scale > old_scale and room else NARROWING


# What a change of type does where no rule knows: it is tried on an empty table, which is taken away again.


_TABLE = "pg_temp.m_migrate_trial"
_FILES = "SELECT pg_catalog.pg_relation_filenode(c.oid)::text FROM pg_catalog.pg_class c WHERE c.oid = '{}'::regclass"


def try_type_change(
    connection: sa.Connection, before: ColumnType, after: ColumnType, *, schema: str | None
) -> TypeChange:
    """The class of a change.

    A change that the server makes without a rewrite of table or index widens: it looks at no value, so that every
    value must fit. One that it makes by a rewrite may refuse values, and counts as narrowing.
    """
    if is_inside_autocommit_block(connection):
        return TypeChange.INCOMPATIBLE
    old, new = type_sql(before, schema), type_sql(after, schema)
    try:
        with taken_back(connection):
            execute(connection, f"CREATE TEMPORARY TABLE m_migrate_trial (c {old})")
            indexed = _index(connection)
            files = _files(connection, indexed=indexed)
            execute(connection, f"ALTER TABLE {_TABLE} ALTER COLUMN c TYPE {new}")
            kept = files == _files(connection, indexed=indexed)
    except sa.exc.DBAPIError:
        if connection.invalidated:
            raise
        return TypeChange.INCOMPATIBLE
    if kept:
        return TypeChange.WIDENING
    return TypeChange.NARROWING


def _index(connection: sa.Connection) -> bool:
    """Index the column, where its type has an order."""
    nested = connection.begin_nested()
    try:
        execute(connection, f"CREATE INDEX m_migrate_trial_index ON {_TABLE} (c)")
    except sa.exc.DBAPIError:
        nested.rollback()
        return False
    nested.commit()
    return True


def _files(connection: sa.Connection, *, indexed: bool) -> list[object]:
    names = [_TABLE, "pg_temp.m_migrate_trial_index"] if indexed else [_TABLE]
    return [execute(connection, _FILES.format(name)).scalar_one() for name in names]


_RANKS = {"smallint": 0, "integer": 0, "bigint": 0, "numeric": 1, "real": 2, "double precision": 3}
_GROUPS = {
    "character varying": "text", "character": "text", "text": "text", "name": "text", "uuid": "uuid", "bytea": "bytea",
    "boolean": "boolean", "date": "date", "timestamp without time zone": "date", "timestamp with time zone": "date",
    "time without time zone": "time", "time with time zone": "timetz", "interval": "interval", "inet": "inet",
    "cidr": "inet", "macaddr": "macaddr",
} | dict.fromkeys(_RANKS, "number")  # fmt: skip


def key_fits(column: ColumnType, target: ColumnType) -> bool:
    """Whether a column of a type may refer to one of another: they have an operator ``=`` in common."""
    own, other = (f"enum {one.enum}" if one.enum else _GROUPS.get(one.base) for one in (column, target))
    if own is None or other is None or column.spelling == target.spelling:
        return True
    # A smaller number is taken for a larger one, and not the other way round.
    return own == other and (own != "number" or _RANKS[column.base] <= _RANKS[target.base])
