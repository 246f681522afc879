"""Rows of the catalog's statements as schema values, in the spelling that wanted ones have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from framework_m_migrations.adapters.sql.dialects.postgresql.expressions import canonical_expression
from framework_m_migrations.adapters.sql.dialects.postgresql.identifiers import quote
from framework_m_migrations.adapters.sql.dialects.postgresql.index_definitions import parse_definition
from framework_m_migrations.adapters.sql.dialects.postgresql.sequences import sequence_options
from framework_m_migrations.adapters.sql.dialects.postgresql.spelling import canonical_default
from framework_m_migrations.adapters.sql.dialects.postgresql.typenames import (
    canonical_collation,
    named_type,
    parse_type,
)
from framework_m_migrations.domain.schema import (
    Check,
    Column,
    ColumnType,
    EnumType,
    ForeignKey,
    Generated,
    Index,
    IndexKey,
    PrimaryKey,
    TableName,
    Unique,
)

Names = Mapping[int, tuple[str, int]]
"""Column numbers of one table to names and collations."""

_ACTIONS = {"a": None, "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}


@dataclass(slots=True)
class _Known:
    """A type that is not built in: how casts to it are printed here, and its own canonical name."""

    printed: str
    name: TableName
    kind: str
    is_array: bool
    visible: bool


class Types:
    """The types of one reading.

    Args:
        found: rows of Queries.types.
    """

    def __init__(self, found: Iterable[Any]) -> None:
        self.enums: dict[TableName, EnumType] = {}
        self._known: dict[int, _Known] = {}
        self._made: dict[tuple[int, int, str | None], tuple[ColumnType, str | None]] = {}
        self._defaults: dict[tuple[str, int, int, str | None], str | None] = {}
        for oid, type_name, schema, is_main, visible, kind, is_array, printed, labels in found:
            name = TableName(type_name, None if is_main else schema)
            self._known[oid] = _Known(printed, name, kind, is_array, visible)
            if kind == "e" and not is_array:
                self.enums[name] = EnumType(name, tuple(labels or ()))

    def of(self, oid: int, modifier: int, printed: str, collation: str | None) -> tuple[ColumnType, str | None]:
        """The type of a column, and how the server prints casts to it where that is not told by the type itself."""
        key = (oid, modifier, collation)
        made = self._made.get(key)
        if made is None:
            made = self._made[key] = self._make(oid, printed, collation)
        return made

    def default(self, sql: str, oid: int, modifier: int, printed: str, collation: str | None) -> str | None:
        """A default in canonical form; most tables share theirs."""
        key = (sql, oid, modifier, collation)
        if key not in self._defaults:
            type_, cast = self.of(oid, modifier, printed, collation)
            self._defaults[key] = canonical_default(sql, type_, cast)
        return self._defaults[key]

    def _make(self, oid: int, printed: str, collation: str | None) -> tuple[ColumnType, str | None]:
        known = self._known.get(oid)
        collate = None if collation is None else canonical_collation(collation)
        suffix = "" if collate is None else f" COLLATE {collate}"
        if known is None or (known.kind != "e" and known.name.schema is not None and known.name.schema == "pg_catalog"):
            parsed = parse_type(printed)
            return ColumnType(
                parsed.spelling + suffix, parsed.base, parsed.length, parsed.precision, parsed.scale, collate
            ), None
        arguments = "".join(printed[len(known.printed.removesuffix("[]")) :].removesuffix("[]").split()).lower()
        schema = known.name.schema if known.kind == "e" or not known.visible else None
        plain = named_type(known.name.name, schema, array=known.is_array)
        spelling = named_type(known.name.name, schema, arguments, array=known.is_array)
        enum = known.name if known.kind == "e" else None
        return ColumnType(spelling + suffix, plain.lower(), collation=collate, enum=enum), known.printed


def column(row: Any, types: Types) -> Column:
    """A row of Queries.columns."""
    (
        _, _, name, type_oid, modifier, printed, not_null, identity, computed, _, collation, comment, default, sequence,
    ) = row  # fmt: skip
    type_, _cast = types.of(type_oid, modifier, printed, collation)
    generated, canonical = None, None
    if identity:
        generated = Generated("identity", always=identity == "a", options=_options(sequence, type_.base))
    elif computed:
        generated = Generated("computed", canonical_expression(default or ""), stored=computed == "s", always=True)
    elif sequence is not None:
        generated = Generated("serial")
    elif default is not None:
        canonical = types.default(default, type_oid, modifier, printed, collation)
    return Column(name, type_, not not_null, canonical, generated, comment or None)


def _options(sequence: str | None, base: str) -> tuple[tuple[str, str], ...]:
    if not sequence:
        return ()
    start, increment, minimum, maximum, cycle, cache = (int(part) for part in sequence.split())
    return sequence_options(
        base, start=start, increment=increment, minimum=minimum, maximum=maximum, cycle=bool(cycle), cache=cache
    )


def index(row: Any, names: Names) -> Index:
    """A row of Queries.indexes."""
    _, name, _, unique, valid, keys, collations, _, definition = row
    if definition is not None:
        return parse_definition(definition, name, unique=unique, valid=valid, columns={n for n, _ in names.values()})
    made = []
    # Vectors come as text: they count from 0, which not every driver can read as an array.
    for number, collation in zip(keys.split(), collations.split(), strict=True):
        column_name, own = names[int(number)]
        # Only an index under the default collation over a column with another one gets here with a difference.
        made.append(IndexKey(column_name, None, 'COLLATE "default"' if own not in (0, int(collation)) else ""))
    return Index(name, tuple(made), unique=unique, valid=valid)


@dataclass(slots=True)
class Constraints:
    """The constraints of one table, sorted as wanted ones are."""

    primary_key: PrimaryKey | None = None
    uniques: tuple[Unique, ...] = ()
    checks: tuple[Check, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = field(default=())


def constraints(found: Sequence[Any], names: Names, backing: Mapping[int, Index]) -> Constraints:
    """Rows of Queries.constraints of one table; ``backing`` are the indexes of unique constraints by oid."""
    made = Constraints()
    uniques, checks, keys = [], [], []
    for row in found:
        kind = row[2]
        if kind == "c":
            checks.append(Check(row[1], canonical_expression(row[16]), valid=row[4]))
            continue
        columns = tuple(names[int(number)][0] for number in row[3])
        if kind == "p":
            made.primary_key = PrimaryKey(columns, row[1])
        elif kind == "u":
            uniques.append(Unique(row[1], columns, _unique_options(row, backing.get(row[15]))))
        else:
            keys.append(_foreign_key(row, columns))
    if uniques:
        made.uniques = tuple(sorted(uniques, key=lambda item: (item.name or "", item.columns, item.options)))
    if checks:
        made.checks = tuple(sorted(checks, key=lambda item: (item.name or "", item.expression)))
    if keys:
        made.foreign_keys = tuple(
            sorted(keys, key=lambda item: (item.name or "", item.columns, item.target, item.target_columns))
        )
    return made


def _unique_options(row: Any, index_: Index | None) -> tuple[tuple[str, str], ...]:
    options = _deferral(row)
    if index_ is not None:
        if index_.include:
            options["include"] = ", ".join(index_.include)
        options.update(pair for pair in index_.options if pair[0] == "nulls_not_distinct")
    return tuple(sorted(options.items()))


def _deferral(row: Any) -> dict[str, str]:
    options: dict[str, str] = {}
    if row[5]:
        options["deferrable"] = "true"
    if row[6]:
        options["initially"] = "DEFERRED"
    if row[18]:
        options["period"] = "true"
    return options


def _foreign_key(row: Any, columns: tuple[str, ...]) -> ForeignKey:
    options = _deferral(row)
    if row[7] == "f":
        options["match"] = "FULL"
    if not row[17]:
        options["enforced"] = "false"
    on_delete = _ACTIONS[row[9]]
    if row[10] and on_delete is not None:
        on_delete = f"{on_delete} ({', '.join(quote(name) for name in row[10])})"
    return ForeignKey(
        name=row[1],
        columns=columns,
        target=TableName(row[13], None if row[12] else row[11]),
        target_columns=tuple(row[14]),
        on_delete=on_delete,
        on_update=_ACTIONS[row[8]],
        options=tuple(sorted(options.items())),
        valid=row[4],
    )
