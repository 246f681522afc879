"""Rows of the catalog's statements as schema values, in the spelling that wanted ones have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from framework_m_migrations.adapters.sql.dialects.postgresql.expressions import canonical_expression
from framework_m_migrations.adapters.sql.dialects.postgresql.identifiers import quote
from framework_m_migrations.adapters.sql.dialects.postgresql.index_definitions import parse_definition
from framework_m_migrations.adapters.sql.dialects.postgresql.spelling import canonical_default
from framework_m_migrations.adapters.sql.dialects.postgresql.typenames import (
    canonical_collation,
    named_type,
    parse_type,
)
from framework_m_migrations.adapters.sql.object_options import sequence_options
from framework_m_migrations.domain.schema import (
    Check,
    Column,
    ColumnType,
    EnumType,
    ForeignKey,
    Generated,
    Index,
    IndexKey,
    PartIndex,
    Partition,
    PrimaryKey,
    TableName,
    Unique,
    plain_key,
)

Names = Mapping[int, tuple[str, int]]
"""Column numbers of one table to names and collations."""

FIRST_USER_OID = 16384
"""Below are the objects that the server brings itself."""

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
        self._made: dict[tuple[int, int, int], tuple[ColumnType, str | None]] = {}
        self._defaults: dict[tuple[str, int, int, int], str | None] = {}
        for (
            oid,
            modifier,
            collation,
            printed,
            collate,
            name,
            schema,
            is_main,
            visible,
            kind,
            is_array,
            cast,
            labels,
        ) in found:
            known = None
            if oid >= FIRST_USER_OID:
                known = _Known(cast, TableName(name, None if is_main else schema), kind, is_array, visible)
                if kind == "e" and not is_array:
                    self.enums[known.name] = EnumType(known.name, tuple(labels or ()))
            self._made[oid, modifier, collation] = _type(printed, collate, known)

    def of(self, oid: int, modifier: int, collation: int) -> tuple[ColumnType, str | None]:
        """The type of a column, and how the server prints casts to it where that is not told by the type itself."""
        return self._made[oid, modifier, collation]

    def default(self, sql: str, oid: int, modifier: int, collation: int) -> str | None:
        """A default in canonical form; most tables share theirs."""
        key = (sql, oid, modifier, collation)
        if key not in self._defaults:
            self._defaults[key] = canonical_default(sql, *self._made[oid, modifier, collation])
        return self._defaults[key]


def _type(printed: str, collation: str | None, known: _Known | None) -> tuple[ColumnType, str | None]:
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


def columns(
    found: Iterable[Any], types: Types
) -> tuple[dict[int, list[Column]], dict[int, dict[int, tuple[str, int]]]]:
    """Rows of Queries.columns: columns by the oid of their table, and ``Names`` by the same."""
    made: dict[int, list[Column]] = {}
    numbers: dict[int, dict[int, tuple[str, int]]] = {}
    # The tables of an application have many columns in common; equal ones are one object.
    known: dict[tuple[Any, ...], Column] = {}
    table, listed, named = None, [], {}
    for row in found:
        if row[0] != table:
            table = row[0]
            listed = made[table] = []
            named = numbers[table] = {}
        says = row[2:]
        column = known.get(says)
        if column is None:
            column = known[says] = _column(says, types)
        listed.append(column)
        named[row[1]] = (column.name, says[3])
    return made, numbers


def _column(says: tuple[Any, ...], types: Types) -> Column:
    name, type_oid, modifier, collation, not_null, identity, computed, comment, default, sequence, inherited = says
    type_, _cast = types.of(type_oid, modifier, collation)
    generated, canonical = None, None
    if identity:
        generated = Generated("identity", always=identity == "a", options=_options(sequence, type_.base))
    elif computed:
        generated = Generated("computed", canonical_expression(default or ""), stored=computed == "s", always=True)
    elif sequence is not None:
        generated = Generated("serial")
    elif default is not None:
        canonical = types.default(default, type_oid, modifier, collation)
    return Column(name, type_, not not_null, canonical, generated, comment or None, inherited=inherited)


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
        differs = own != 0 and own != int(collation)
        made.append(IndexKey(column_name, None, 'COLLATE "default"') if differs else plain_key(column_name))
    return Index(name, tuple(made), unique, valid=valid)


@dataclass(slots=True)
class Constraints:
    """The constraints of one table, sorted as wanted ones are."""

    primary_key: PrimaryKey | None = None
    uniques: tuple[Unique, ...] = ()
    checks: tuple[Check, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = field(default=())


def constraints(found: Sequence[Any], numbers: Mapping[int, Names], backing: Mapping[int, Index]) -> Constraints:
    """Rows of Queries.constraints of one table.

    Args:
        found: at least one row.
        numbers: column numbers by oid of the table and of those that its foreign keys name.
        backing: the indexes of unique constraints by oid.
    """
    names = numbers[found[0][0]]
    made = Constraints()
    uniques, checks, keys = [], [], []
    for row in found:
        kind = row[2]
        if kind == "c":
            inherited = () if not row[22] else (("no_inherit", "true"),)
            expression = canonical_expression(row[17])
            checks.append(Check(row[1], expression, valid=row[4], options=inherited, comment=row[23] or None))
            continue
        if kind == "x":
            checks.append(Check(row[1], " ".join(row[17].split()), exclusion=True, comment=row[23] or None))
            continue
        columns = _named(row[3], names)
        if kind == "p":
            options = _unique_options(row, backing.get(row[16]))
            made.primary_key = PrimaryKey(columns, row[1], options, comment=row[23] or None)
        elif kind == "u":
            options = _unique_options(row, backing.get(row[16]))
            uniques.append(Unique(row[1], columns, options, comment=row[23] or None))
        else:
            keys.append(_foreign_key(row, columns, numbers))
    if uniques:
        made.uniques = tuple(sorted(uniques, key=lambda item: (item.name or "", item.columns, item.options)))
    if checks:
        made.checks = tuple(sorted(checks, key=lambda item: (item.name or "", item.expression)))
    if keys:
        made.foreign_keys = tuple(
            sorted(keys, key=lambda item: (item.name or "", item.columns, item.target, item.target_columns))
        )
    return made


def _named(keys: str, names: Names) -> tuple[str, ...]:
    """Columns by their numbers, which come as text: asyncpg would ask the catalog how to read an array of them."""
    return tuple([names[int(number)][0] for number in keys.split()])


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
    if row[19]:
        options["period"] = "true"
    return options


def _foreign_key(row: Any, columns: tuple[str, ...], numbers: Mapping[int, Names]) -> ForeignKey:
    options = _deferral(row)
    if row[7] == "f":
        options["match"] = "FULL"
    if not row[18]:
        options["enforced"] = "false"
    on_delete = _ACTIONS[row[9]]
    if row[10] and on_delete is not None:
        on_delete = f"{on_delete} ({', '.join(quote(name) for name in _named(row[10], numbers[row[0]]))})"
    target = numbers[row[14]]
    return ForeignKey(
        name=row[1],
        columns=columns,
        target=TableName(row[13], None if row[12] else row[11]),
        target_columns=_named(row[15], target),
        on_delete=on_delete,
        on_update=_ACTIONS[row[8]],
        options=tuple(sorted(options.items())) if options else (),
        valid=row[4],
        comment=row[23] or None,
    )


def partitions(found: Iterable[Any], roots: Mapping[int, TableName]) -> dict[TableName, tuple[Partition, ...]]:
    """The partitions of each partitioned table, those without any included.

    Args:
        found: rows of the statement, one for each index of a partition.
        roots: the tables asked for, by oid.
    """
    made: dict[TableName, dict[TableName, Partition]] = {name: {} for name in roots.values()}
    for root, schema, is_main, name, holds_rows, above_schema, above_is_main, above, index, valid, parent in found:
        parts, table = made[roots[root]], TableName(name, None if is_main else schema)
        part = parts.get(table)
        if part is None:
            part = Partition(table, TableName(above, None if above_is_main else above_schema), holds_rows)
        own = () if index is None else (PartIndex(index, valid, parent),)
        parts[table] = part._replace(indexes=(*part.indexes, *own))
    return {name: tuple(parts.values()) for name, parts in made.items()}
