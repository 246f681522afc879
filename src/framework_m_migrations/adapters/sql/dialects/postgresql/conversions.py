"""How the values of a column become those of another type: on purpose, or not at all.

A rule gives the expression that converts a value and the conditions under which a value would be lost. Where the
server's assignment cast is what is wanted there is no expression, as ``ALTER COLUMN TYPE`` applies that cast itself. A
timestamp gets a time zone, or gives it up, in UTC, whatever the session's setting is. A text is read as the value that
it spells.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from framework_m_migrations.adapters.sql.dialects.postgresql.text import string_literal, type_sql
from framework_m_migrations.domain.schema import ColumnType

ZONE = "'UTC'"
"""The time zone of values that name none."""

_NAMES_A_ZONE = r"':[0-9]{2}([.][0-9]+)?\s*([+-][0-9]|(?![AaPp][Mm]\M)[A-Za-z])'"
"""A regular expression for the text of a moment: a time of day with an offset or the name of a time zone behind it."""

_VALIDATING = 16
"""The first server version with ``pg_input_is_valid``; earlier ones reject a text only by an error."""

_FAMILIES = {
    "smallint": "integer",
    "integer": "integer",
    "bigint": "integer",
    "numeric": "numeric",
    "real": "float",
    "double precision": "float",
    "text": "text",
    "character varying": "text",
    "character": "text",
    "timestamp without time zone": "timestamp",
    "timestamp with time zone": "timestamptz",
    "time without time zone": "time",
    "time with time zone": "timetz",
} | {name: name for name in ("boolean", "date", "interval", "uuid", "json", "jsonb", "bytea")}
_BITS = {"smallint": 15, "integer": 31, "bigint": 63}
_FLOAT_RANGE = {"real": ("1e-37", "3.4e38"), "double precision": ("1e-307", "1.7e308")}
# The largest integer below 2^63 that the type holds: turned into one and back again it is still a bigint.
_LARGEST = {"real": "9223371487098961920", "double precision": "9223372036854774784"}


@dataclass(frozen=True, slots=True)
class Conversion:
    """A way from one type to another.

    Attributes:
        using: the expression that converts a value; None for the server's assignment cast.
        fails: a condition that holds for values which have no counterpart; None for none.
        changes: a condition that holds for values which would become others; asked of those that do not fail.
        assignment: the server has an assignment cast, by which it converts the column's default too.
    """

    using: str | None = None
    fails: str | None = None
    changes: str | None = None
    assignment: bool = True

    def loses(self, *, explicit: bool = False) -> str | None:
        """A condition over a value that is not NULL: it would be lost. None where no value can be.

        Args:
            explicit: somebody wrote the expression down; what it changes, it changes on purpose.
        """
        changes = None if explicit else self.changes
        if self.fails is None or changes is None:
            return self.fails or changes
        return f"CASE WHEN {self.fails} THEN true ELSE {changes} END"


@dataclass(frozen=True, slots=True)
class _Pair:
    """What a rule looks at: ``v`` is the value and ``t`` the new type, both in SQL."""

    before: ColumnType
    after: ColumnType
    v: str
    t: str
    version: tuple[int, ...]

    def cast(self, through: str = "") -> str:
        return f"{self.v}{through}::{self.t}"


def conversion(
    before: ColumnType, after: ColumnType, value: str, *, schema: str | None, version: tuple[int, ...]
) -> Conversion | None:
    """The way from one type to the other; None where no rule covers it.

    Args:
        before: of the column; a domain's values are those of the type that it is made of.
        after: as wanted.
        value: SQL: the column, or another value of its type.
        schema: the session's.
        version: of the server.
    """
    bare = replace(after, spelling=after.spelling.partition(" COLLATE ")[0])
    pair = _Pair(before, after, value, type_sql(bare, schema), version)
    if before.spelling.partition(" COLLATE ")[0] == bare.spelling:
        return Conversion()
    old, new = family(before), family(after)
    if new == "text":
        return _to_text(pair, old)
    if old == "text":
        # A text without the blanks that character(n) fills itself up with.
        bare_text = replace(pair, v=f"{value}::text") if before.base == "character" else pair
        return _from_text(bare_text, new)
    if old == new == "array":
        return _arrays(pair, schema)
    if old == new == "enum":
        return Conversion(pair.cast("::text"), fails=_no_label(pair), assignment=False)
    rule = _RULES.get((old, new))
    return None if rule is None else rule(pair)


def family(type_: ColumnType) -> str:
    """The kind of a type, whatever its size; ``other`` for one that no rule knows."""
    if type_.base.endswith("[]"):
        return "array"
    if type_.enum is not None:
        return "enum"
    return _FAMILIES.get(type_.base, "other")


def _to_text(pair: _Pair, old: str) -> Conversion:
    """Every type has an assignment cast to the texts: what it is printed as."""
    length = pair.after.length
    fails = None if length is None else f"length({pair.v}::text) > {length}"
    changes = None
    if pair.after.base == "character" and old == "text" and pair.before.base != "character":
        changes = f"{pair.v}::text LIKE '% '"  # blanks at the end mean nothing in character(n)
    return Conversion(fails=fails, changes=changes)


def _from_text(pair: _Pair, new: str) -> Conversion:
    v, after = pair.v, pair.after
    if new == "enum":
        return Conversion(pair.cast(), fails=_no_label(pair), assignment=False)
    fails = None
    if pair.version >= (_VALIDATING,):
        fails = f"NOT pg_input_is_valid({v}, {string_literal(pair.t)})"
    using, changes = pair.cast(), None
    match new:
        case "numeric":
            changes = None if after.precision is None else f"{v}::numeric <> {pair.cast()}"
        case "float":
            changes = f"{pair.cast()}::text::numeric <> {v}::numeric"
        case "timestamp":
            changes = f"{v} ~ {_NAMES_A_ZONE}"
        case "timestamptz":
            using = f"CASE WHEN {v} ~ {_NAMES_A_ZONE} THEN {pair.cast()} ELSE {v}::timestamp AT TIME ZONE {ZONE} END"
        case "date":
            changes = f"{pair.cast()}::timestamp <> {v}::timestamp"
        case "time" | "timetz":
            changes = rf"{v} !~ '^\s*[0-9]{{1,2}}:'"
        case "array" if "(" in after.spelling:
            changes = f"{v}::{after.base} IS DISTINCT FROM {pair.cast()}"
        case _:
            pass
    if after.precision is not None and new in {"timestamp", "timestamptz", "time", "timetz", "interval"}:
        full = f"{v}::{after.base} <> {pair.cast()}"
        changes = full if changes is None else f"({changes} OR {full})"
    return Conversion(using, fails=fails, changes=changes, assignment=False)


def _no_label(pair: _Pair) -> str:
    element = pair.t
    return f"{pair.v}::text <> ALL (enum_range(NULL::{element})::text[])"


def _arrays(pair: _Pair, schema: str | None) -> Conversion | None:
    """Each element as a column would be. What takes more than a cast cannot be written for a whole array."""
    before, after = _element(pair.before), _element(pair.after)
    element = conversion(before, after, "e.v", schema=schema, version=pair.version)
    if element is None or element.using not in {None, f"e.v::{type_sql(after, schema)}"}:
        return None

    def any_of(condition: str | None) -> str | None:
        if condition is None:
            return None
        return f"EXISTS (SELECT FROM unnest({pair.v}) AS e(v) WHERE e.v IS NOT NULL AND {condition})"

    return Conversion(
        None if element.using is None else pair.cast(),
        fails=any_of(element.fails),
        changes=any_of(element.changes),
        assignment=element.assignment,
    )


def _element(array: ColumnType) -> ColumnType:
    return replace(array, spelling=array.spelling.replace("[]", "", 1), base=array.base.removesuffix("[]"))


def _to_integer(pair: _Pair) -> Conversion:
    v, bits = pair.v, _BITS[pair.after.base]
    low, high, above = -(2**bits), 2**bits - 1, 2**bits
    match family(pair.before):
        case "integer":
            return Conversion(fails=f"{v} NOT BETWEEN {low} AND {high}" if _BITS[pair.before.base] > bits else None)
        case "numeric":
            return Conversion(fails=f"round({v}) NOT BETWEEN {low} AND {high}", changes=f"{v} <> trunc({v})")
        case _:
            # NaN counts as larger than all numbers.
            return Conversion(fails=f"NOT ({v} >= {low} AND {v} < {above})", changes=f"{v} <> trunc({v})")


def _to_numeric(pair: _Pair) -> Conversion:
    v, old = pair.v, family(pair.before)
    # The server's own cast of a float keeps 15 digits, or 6.
    exact = f"{v}::text::numeric" if old == "float" else f"{v}::numeric" if old == "integer" else v
    using = f"{exact}::{pair.t}" if old == "float" else None
    precision, scale = pair.after.precision, pair.after.scale or 0
    if precision is None:
        endless = f"{v} IN ('Infinity', '-Infinity')" if old == "float" and pair.version < (14,) else None
        return Conversion(using, fails=endless)
    too_large = f"abs(round({exact}, {scale})) >= 1e{precision - scale}"
    if old == "float":
        fails = f"{v} <> 'NaN' AND ({v} IN ('Infinity', '-Infinity') OR {too_large})"
    else:
        fails = too_large if old == "integer" else f"{v} <> 'NaN' AND {too_large}"
    changes = None if old == "integer" and scale >= 0 else f"round({exact}, {scale}) <> {exact}"
    return Conversion(using, fails=fails, changes=changes)


def _to_float(pair: _Pair) -> Conversion:
    v, new = pair.v, pair.after.base
    smallest, largest = _FLOAT_RANGE[new]
    in_range = f"abs({v}) BETWEEN {smallest} AND {largest}"
    match family(pair.before):
        case "integer":
            if pair.before.base == "smallint" or (pair.before.base, new) == ("integer", "double precision"):
                return Conversion()
            back = f"{v}::{new}::bigint <> {v}"
            limit = _LARGEST[new]
            return Conversion(changes=f"CASE WHEN {v} BETWEEN -{limit} AND {limit} THEN {back} ELSE true END")
        case "numeric":
            return Conversion(
                fails=f"{v} <> 'NaN' AND {v} <> 0 AND NOT {in_range}", changes=f"{v}::{new}::text::numeric <> {v}"
            )
        case _ if new == "double precision":
            return Conversion()
        case _:
            special = f"{v} IN (0, 'NaN', 'Infinity', '-Infinity')"
            return Conversion(fails=f"NOT ({special} OR {in_range})", changes=f"{v}::real::double precision <> {v}")


def _from_boolean(pair: _Pair) -> Conversion:
    through = "" if pair.t == "integer" else f"::{pair.t}"
    return Conversion(f"{pair.v}::integer{through}", assignment=False)


def _to_boolean(pair: _Pair) -> Conversion:
    return Conversion(f"({pair.v} <> 0)", changes=f"{pair.v} NOT IN (0, 1)", assignment=False)


def _same_kind(pair: _Pair) -> Conversion:
    """One type with another precision."""
    return Conversion(changes=f"{pair.cast()} <> {pair.v}" if _cuts(pair) else None)


def _cuts(pair: _Pair) -> bool:
    """Whether digits of a second, or fields of an interval, may get lost."""
    old, new = pair.before.precision, pair.after.precision
    fields = pair.after.spelling.partition("(")[0] != pair.after.base and pair.after.base == "interval"
    return fields or (new is not None and (old is None or new < old))


def _zone_added(pair: _Pair) -> Conversion:
    return _cut(pair, Conversion(f"{pair.v} AT TIME ZONE {ZONE}"))


def _cut(pair: _Pair, found: Conversion) -> Conversion:
    """The same, where the new type has fewer digits of a second."""
    if not _cuts(pair) or family(pair.before) == "date":
        return found
    own = pair.before.base.replace(" ", f"({pair.after.precision}) ", 1)
    return replace(found, changes=f"{pair.v}::{own} <> {pair.v}")


def _date_with_zone(pair: _Pair) -> Conversion:
    return Conversion(f"{pair.v}::timestamp AT TIME ZONE {ZONE}")


def _day_with_zone(pair: _Pair) -> Conversion:
    local = f"{pair.v} AT TIME ZONE {ZONE}"
    return Conversion(f"({local})::date", changes=f"({local})::date::timestamp <> {local}")


def _as_assigned(pair: _Pair) -> Conversion:
    """The server's assignment cast keeps every value."""
    del pair
    return Conversion()


def _cast_away(pair: _Pair) -> Conversion:
    """The server's assignment cast gives a part of every value up."""
    del pair
    return Conversion(changes="true")


_RULES: dict[tuple[str, str], Callable[[_Pair], Conversion]] = {
    **{(old, "integer"): _to_integer for old in ("integer", "numeric", "float")},
    **{(old, "numeric"): _to_numeric for old in ("integer", "numeric", "float")},
    **{(old, "float"): _to_float for old in ("integer", "numeric", "float")},
    **{("boolean", new): _from_boolean for new in ("integer", "numeric", "float")},
    **{(old, "boolean"): _to_boolean for old in ("integer", "numeric", "float")},
    **{(kind, kind): _same_kind for kind in ("timestamp", "timestamptz", "time", "timetz", "interval")},
    ("timestamp", "timestamptz"): _zone_added,
    ("timestamptz", "timestamp"): _zone_added,
    ("date", "timestamp"): _as_assigned,
    ("date", "timestamptz"): _date_with_zone,
    ("timestamp", "date"): lambda pair: Conversion(changes=f"{pair.v}::date::timestamp <> {pair.v}"),
    ("timestamptz", "date"): _day_with_zone,
    ("timestamp", "time"): _cast_away,
    ("timestamptz", "time"): lambda pair: Conversion(f"({pair.v} AT TIME ZONE {ZONE})::{pair.t}", changes="true"),
    ("time", "timetz"): lambda pair: _cut(pair, Conversion(f"({pair.v}::text || '+00')::{pair.t}")),
    ("timetz", "time"): lambda pair: Conversion(
        f"({pair.v} AT TIME ZONE {ZONE})::{pair.t}", changes=f"extract(timezone FROM {pair.v}) <> 0"
    ),
    ("time", "interval"): _as_assigned,
    ("interval", "time"): lambda pair: Conversion(changes=f"{pair.cast()}::interval <> {pair.v}"),
    ("json", "jsonb"): _as_assigned,
    ("jsonb", "json"): _as_assigned,
    ("uuid", "bytea"): lambda pair: Conversion(f"uuid_send({pair.v})", assignment=False),
    ("bytea", "uuid"): lambda pair: Conversion(
        f"encode({pair.v}, 'hex')::uuid", fails=f"length({pair.v}) <> 16", assignment=False
    ),
}
