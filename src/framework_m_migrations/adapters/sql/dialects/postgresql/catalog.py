"""Reads pg_catalog into schema values, with a constant number of statements."""

# ruff: noqa: S608 - names are quoted, values are parameters or quoted literals

from __future__ import annotations

import functools
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from framework_m_migrations.adapters.sql.dialects.postgresql.expressions import canonical_expression
from framework_m_migrations.adapters.sql.dialects.postgresql.indexes import parse_definition
from framework_m_migrations.adapters.sql.dialects.postgresql.options import found_options
from framework_m_migrations.adapters.sql.dialects.postgresql.spelling import canonical_default
from framework_m_migrations.adapters.sql.dialects.postgresql.text import (
    canonical_collation,
    named_type,
    parse_type,
    qualified,
    quote,
)
from framework_m_migrations.adapters.sql.objects import sequence_options
from framework_m_migrations.domain.schema import (
    Catalog,
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
    Table,
    TableName,
    Unique,
    plain_key,
)

TEXTS: sa.types.TypeEngine[Any] = pg.ARRAY(sa.Text())
# Of all arrays asyncpg knows only text[] and oid[] by itself. For another one it asks the catalog, with settings round
# it that stay with somebody else's session behind a proxy that pools transactions.
OIDS: sa.types.TypeEngine[Any] = pg.ARRAY(pg.OID())
MAIN = "COALESCE(CAST(:main AS text), current_schema()::text)"
IN_SCHEMAS = f"(n.nspname = ANY(:others) OR n.nspname = {MAIN})"
"""Over the alias ``n`` of pg_namespace."""


def text(sql: str, **types: sa.types.TypeEngine[Any]) -> sa.TextClause:
    """A statement with typed parameters, so that every driver casts them alike."""
    return sa.text(sql).bindparams(*(sa.bindparam(name, type_=type_) for name, type_ in types.items()))


@dataclass(frozen=True, slots=True)
class Queries:
    """The statements for one server version; see the functions of this module for their rows."""

    tables: sa.TextClause
    temporary: sa.TextClause
    columns: sa.TextClause
    indexes: sa.TextClause
    constraints: sa.TextClause
    types: sa.TextClause
    partitions: sa.TextClause


@functools.cache
def queries(version: tuple[int, ...]) -> Queries:
    """The statements for a server version (major, minor)."""
    own = f"c.relpersistence <> 't' AND {IN_SCHEMAS}"
    return Queries(
        tables=text(_tables(own), main=sa.Text(), others=TEXTS),
        temporary=text(
            _tables("n.oid = pg_catalog.pg_my_temp_schema() AND c.relname = ANY(:names)"), main=sa.Text(), names=TEXTS
        ),
        columns=text(_COLUMNS, tables=OIDS, beside=OIDS),
        indexes=text(_INDEXES.format(nulls="i.indnullsnotdistinct" if version >= (15,) else "false"), tables=OIDS),
        constraints=text(_constraints(version), tables=OIDS, main=sa.Text()),
        types=text(_TYPES, used=OIDS, modifiers=TEXTS, collations=OIDS, main=sa.Text(), others=TEXTS),
        partitions=text(_PARTITIONS, tables=OIDS, main=sa.Text()),
    )


def _tables(which: str) -> str:
    """Rows: oid, schema, in the main schema, name, kind, is a partition, comment, options as JSON (2 is the heap)."""
    return f"""
SELECT c.oid::bigint, n.nspname::text, n.nspname = {MAIN}, c.relname::text, c.relkind::text, c.relispartition,
       d.description,
       CASE WHEN c.relpersistence = 'u' OR c.reloptions IS NOT NULL OR o.reloptions IS NOT NULL OR c.reltablespace <> 0
              OR c.relkind = 'p' OR c.relam NOT IN (0, 2) OR (NOT c.relispartition AND h.names IS NOT NULL)
       THEN pg_catalog.json_build_object(
         'unlogged', c.relpersistence = 'u', 'with', c.reloptions, 'toast', o.reloptions, 'inherits', h.names,
         'tablespace', (SELECT s.spcname FROM pg_catalog.pg_tablespace s WHERE s.oid = c.reltablespace),
         'using', (SELECT m.amname FROM pg_catalog.pg_am m WHERE m.oid = c.relam),
         'partition_key', pg_catalog.pg_get_partkeydef(c.oid))::text END
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_class o ON o.oid = c.reltoastrelid AND o.reloptions IS NOT NULL
LEFT JOIN (
  SELECT e.inhrelid, pg_catalog.array_agg(p.relname::text ORDER BY e.inhseqno) AS names
  FROM pg_catalog.pg_inherits e JOIN pg_catalog.pg_class p ON p.oid = e.inhparent AND p.relkind = 'r' GROUP BY 1
) h ON h.inhrelid = c.oid
LEFT JOIN pg_catalog.pg_description d
  ON d.objoid = c.oid AND d.classoid = 'pg_catalog.pg_class'::regclass AND d.objsubid = 0
WHERE c.relkind IN ('r', 'p', 'f') AND {which}
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e
                  WHERE e.classid = 'pg_catalog.pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
ORDER BY c.oid"""


_OWNER = "s.refclassid = 'pg_catalog.pg_class'::regclass AND s.refobjid = ANY(CAST(:tables AS oid[]))"

# pg_get_expr opens the table it is given, and so waits while somebody has it locked against everything; a default names
# no column and needs none. The sequence is the one that the column owns: of an identity column, or of a serial one,
# whose default draws from it. What few columns have is joined, not looked up for each: a lookup for each makes the
# planner expect so much work that it compiles the statement first (JIT), which takes longer than to run it. Of tables
# beside those asked for only the names of columns are needed.
_COLUMNS = f"""
SELECT a.attrelid::bigint, a.attnum::int, a.attname::text, a.atttypid::bigint, a.atttypmod::int,
       a.attcollation::bigint, a.attnotnull, a.attidentity::text, a.attgenerated::text, d.description,
       CASE WHEN f.oid IS NOT NULL THEN
         pg_catalog.pg_get_expr(f.adbin, CASE WHEN a.attgenerated = '' THEN 0 ELSE f.adrelid END) END,
       CASE WHEN a.attidentity <> '' THEN q.options
            WHEN a.attgenerated = '' AND f.oid = ANY(q.defaults) THEN '' END,
       NOT a.attislocal
FROM pg_catalog.pg_attribute a
LEFT JOIN pg_catalog.pg_attrdef f
  ON a.atthasdef AND f.adrelid = a.attrelid AND f.adnum = a.attnum AND f.adrelid = ANY(CAST(:tables AS oid[]))
LEFT JOIN pg_catalog.pg_description d
  ON d.objoid = a.attrelid AND d.classoid = 'pg_catalog.pg_class'::regclass AND d.objsubid = a.attnum
LEFT JOIN (
  SELECT s.refobjid, s.refobjsubid, pg_catalog.array_agg(u.objid) AS defaults,
         pg_catalog.max(pg_catalog.concat_ws(' ', v.seqstart, v.seqincrement, v.seqmin, v.seqmax, v.seqcycle::int,
                                             v.seqcache)) FILTER (WHERE s.deptype = 'i') AS options
  FROM pg_catalog.pg_sequence v
  JOIN pg_catalog.pg_depend s ON s.classid = 'pg_catalog.pg_class'::regclass AND s.objid = v.seqrelid
                             AND s.deptype IN ('a', 'i') AND {_OWNER}
  LEFT JOIN pg_catalog.pg_depend u ON u.refclassid = 'pg_catalog.pg_class'::regclass AND u.refobjid = v.seqrelid
                                  AND u.classid = 'pg_catalog.pg_attrdef'::regclass
  GROUP BY s.refobjid, s.refobjsubid
) q ON q.refobjid = a.attrelid AND q.refobjsubid = a.attnum
WHERE a.attrelid = ANY(CAST(:beside AS oid[]) || CAST(:tables AS oid[])) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum"""

# The definition is printed only where it is more than a list of columns: printing all takes as long as all the rest.
# 403 is the B-tree, on every server.
_INDEXES = """
SELECT i.indrelid::bigint, c.relname::text, i.indexrelid::bigint, i.indisunique, i.indisvalid AND i.indisready,
       i.indkey::text, i.indcollation::text, i.indisexclusion,
       CASE WHEN i.indexprs IS NOT NULL OR i.indpred IS NOT NULL OR c.reloptions IS NOT NULL OR c.reltablespace <> 0
              OR c.relam <> 403 OR i.indnkeyatts <> i.indnatts OR 0 <> ANY (i.indoption::int2[])
              OR NOT i.indclass::oid[] <@ (SELECT pg_catalog.array_agg(o.oid) FROM pg_catalog.pg_opclass o
                                           WHERE o.opcdefault AND o.opcmethod = 403)
              OR NOT i.indcollation::oid[] <@ ARRAY[0, 100]::oid[] OR {nulls}
       THEN COALESCE((SELECT 'TABLESPACE ' || pg_catalog.quote_ident(s.spcname) || ' '
                      FROM pg_catalog.pg_tablespace s WHERE s.oid = c.reltablespace), '')
            || pg_catalog.pg_get_indexdef(i.indexrelid) END
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = ANY(CAST(:tables AS oid[])) AND i.indislive"""


def _constraints(version: tuple[int, ...]) -> str:
    """Rows of constraints.

    They hold table, name, kind, columns, validated, deferrable, deferred, match, on update, on delete, columns that
    ON DELETE sets, target schema, target in the main schema, target table, its oid, target columns, index, expression,
    enforced, over a period, oid, oid of the constraint it was cloned from, not inherited, comment; columns by their
    numbers, as text. The expression of an exclusion constraint is its definition.
    """
    numbers = "pg_catalog.array_to_string(k.{}, ' ')".format
    set_columns = numbers("confdelsetcols") if version >= (15,) else "NULL::text"
    enforced, period = ("k.conenforced", "k.conperiod") if version >= (18,) else ("true", "false")
    return f"""
SELECT k.conrelid::bigint, k.conname::text, k.contype::text, {numbers("conkey")}, k.convalidated, k.condeferrable,
       k.condeferred, k.confmatchtype::text, k.confupdtype::text, k.confdeltype::text, {set_columns},
       n.nspname::text, n.nspname = {MAIN}, r.relname::text, k.confrelid::bigint, {numbers("confkey")},
       k.conindid::bigint, CASE k.contype WHEN 'c' THEN pg_catalog.pg_get_expr(k.conbin, k.conrelid)
                                         WHEN 'x' THEN pg_catalog.pg_get_constraintdef(k.oid) END,
       {enforced}, {period}, k.oid::bigint, k.conparentid::bigint, k.connoinherit, d.description
FROM pg_catalog.pg_constraint k
LEFT JOIN pg_catalog.pg_class r ON r.oid = NULLIF(k.confrelid, 0)
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
LEFT JOIN pg_catalog.pg_description d ON d.objoid = k.oid AND d.classoid = 'pg_catalog.pg_constraint'::regclass
WHERE k.conrelid = ANY(CAST(:tables AS oid[])) AND k.contype IN ('p', 'u', 'f', 'c', 'x')
  AND (k.conislocal OR k.contype <> 'c' OR EXISTS (
    SELECT FROM pg_catalog.pg_class o WHERE o.oid = k.conrelid AND o.relispartition))"""


# pg_partition_tree() would wait for locks. A foreign table among the partitions has no index.
_PARTITIONS = f"""
WITH RECURSIVE tree AS (
  SELECT c.oid AS root, c.oid, 0::oid AS parent, 0 AS level FROM pg_catalog.pg_class c
  WHERE c.oid = ANY(CAST(:tables AS oid[]))
  UNION ALL
  SELECT t.root, h.inhrelid, h.inhparent, t.level + 1 FROM tree t JOIN pg_catalog.pg_inherits h ON h.inhparent = t.oid
)
SELECT t.root::bigint, n.nspname::text, n.nspname = {MAIN}, c.relname::text, c.relkind = 'r',
       u.nspname::text, u.nspname = {MAIN}, p.relname::text, i.relname::text, x.indisvalid, a.relname::text
FROM tree t
JOIN pg_catalog.pg_class c ON c.oid = t.oid AND c.relkind IN ('r', 'p')
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_class p ON p.oid = t.parent
JOIN pg_catalog.pg_namespace u ON u.oid = p.relnamespace
LEFT JOIN pg_catalog.pg_index x ON x.indrelid = c.oid AND x.indislive
LEFT JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
LEFT JOIN pg_catalog.pg_inherits h ON h.inhrelid = i.oid
LEFT JOIN pg_catalog.pg_class a ON a.oid = h.inhparent
ORDER BY t.root, t.level, c.oid, i.relname"""


# Types as columns have them, each combination once, and every enumeration of the schemas looked at. A collation is
# named only where it is not that of the type itself.
_TYPES = f"""
SELECT g.oid::bigint, g.modifier, g.collid::bigint, pg_catalog.format_type(g.oid, g.modifier),
       CASE WHEN l.oid IS NOT NULL THEN
         CASE WHEN pg_catalog.pg_collation_is_visible(l.oid) THEN '' ELSE pg_catalog.quote_ident(x.nspname) || '.' END
         || pg_catalog.quote_ident(l.collname) END,
       COALESCE(e.typname, t.typname)::text, n.nspname::text, n.nspname = {MAIN},
       pg_catalog.pg_type_is_visible(COALESCE(e.oid, t.oid)), COALESCE(e.typtype, t.typtype)::text, e.oid IS NOT NULL,
       pg_catalog.format_type(t.oid, NULL),
       CASE WHEN t.typtype = 'e' THEN
         (SELECT pg_catalog.array_agg(m.enumlabel::text ORDER BY m.enumsortorder)
          FROM pg_catalog.pg_enum m WHERE m.enumtypid = t.oid) END
FROM (
  SELECT u.oid, u.modifier, u.collid
  FROM ROWS FROM (pg_catalog.unnest(CAST(:used AS oid[])),
                  pg_catalog.unnest(CAST(CAST(:modifiers AS text[]) AS int[])),
                  pg_catalog.unnest(CAST(:collations AS oid[]))) AS u(oid, modifier, collid)
  UNION
  SELECT t.oid, -1, 0::oid
  FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
  WHERE t.typtype = 'e' AND {IN_SCHEMAS}
) g
JOIN pg_catalog.pg_type t ON t.oid = g.oid
LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND e.typarray = t.oid
JOIN pg_catalog.pg_namespace n ON n.oid = COALESCE(e.typnamespace, t.typnamespace)
LEFT JOIN pg_catalog.pg_collation l
  ON g.collid NOT IN (0, 100) AND l.oid = g.collid AND l.oid <> t.typcollation
LEFT JOIN pg_catalog.pg_namespace x ON x.oid = l.collnamespace
ORDER BY g.oid"""


# Rows of the catalog's statements as schema values, in the spelling that wanted ones have.


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


def columns_from(
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


def index_from(row: Any, names: Names) -> Index:
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


def constraints_from(found: Sequence[Any], numbers: Mapping[int, Names], backing: Mapping[int, Index]) -> Constraints:
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


def partitions_from(found: Iterable[Any], roots: Mapping[int, TableName]) -> dict[TableName, tuple[Partition, ...]]:
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


# Reads pg_catalog into schema values with a constant number of statements.


_PLACE = text("SELECT CAST(pg_catalog.to_regclass(:tab) AS oid)::bigint", tab=sa.Text())
_ATTEMPTS = 3
"""Readings of a catalog that others change meanwhile."""


@dataclass(frozen=True, slots=True)
class CatalogReader:
    """Reads over one connection.

    Args:
        connection: to the database; in which transaction it is does not matter.
        schema: the session's schema, None for the connection's own.
        ignored: tables of that schema that never show up.
        also: schemas that are looked at as well, whether or not a table of theirs is asked for.
    """

    connection: sa.Connection
    schema: str | None = None
    ignored: frozenset[str] = frozenset()
    also: frozenset[str] = frozenset()

    def read(self, tables: Collection[TableName] | None = None) -> Catalog:
        """See Inspector.read.

        Partitions and foreign tables are found by name, but are not in ``Catalog.names``: the first belong to their
        parent, the second to another server, and neither is a table that somebody forgot to declare.
        """
        for _ in range(_ATTEMPTS - 1):
            try:
                return self._read(tables)
            except KeyError:
                # Each statement sees a moment of its own. Somebody dropped a column between two of them.
                continue
        return self._read(tables)

    def _read(self, tables: Collection[TableName] | None) -> Catalog:
        others = set(self.also) if tables is None else self.also | {t.schema for t in tables if t.schema is not None}
        found = self._rows(self._queries.tables, main=self.schema, others=sorted(others))
        wanted = None if tables is None else set(tables)
        chosen: dict[int, tuple[TableName, str | None, str | None]] = {}
        parted: list[int] = []
        names: set[TableName] = set()
        for oid, schema, is_main, name, kind, is_partition, comment, options in found:
            table = TableName(name, None if is_main else schema)
            if is_main and name in self.ignored:
                continue
            if not is_partition and kind != "f":
                names.add(table)
            if wanted is None or table in wanted:
                chosen[oid] = (table, comment or None, options)
                parted += [oid] if kind == "p" else []
        read, enums = self._tables(chosen, sorted(others))
        if parted:
            part_rows = self._rows(self._queries.partitions, tables=parted, main=self.schema)
            parts = partitions_from(part_rows, {oid: chosen[oid][0] for oid in parted})
            read = [
                replace(table, partitioned=True, partitions=parts[table.name]) if table.name in parts else table
                for table in read
            ]
        return Catalog({table.name: table for table in read}, frozenset(names), enums)

    def column(self, table: TableName, name: str) -> Column | None:
        """One column of a table as it is; None where there is no such table or column. Three statements."""
        oid = self.connection.execute(_PLACE, {"tab": qualified(table, self.schema)}).scalar_one()
        found = [] if oid is None else self._rows(self._queries.columns, tables=[oid], beside=[])
        own = [row for row in found if row[2] == name]
        if not own:
            return None
        types = Types(self._types({own[0][3:6]}, ()))
        columns, _ = columns_from(own, types)
        return columns[own[0][0]][0]

    def read_temporary(self, names: Sequence[str]) -> dict[str, Table]:
        """The session's temporary tables of these names, by name."""
        found = self._rows(self._queries.temporary, main=self.schema, names=list(names))
        chosen: dict[int, tuple[TableName, str | None, str | None]] = {
            oid: (TableName(name), comment or None, None) for oid, _, _, name, _, _, comment, _ in found
        }
        tables, _ = self._tables(chosen, [])
        return {table.name.name: table for table in tables}

    @property
    def _queries(self) -> Queries:
        return queries(tuple(self.connection.dialect.server_version_info or ())[:1])

    def _rows(self, statement: sa.TextClause, **parameters: object) -> Sequence[Any]:
        return self.connection.execute(statement, parameters).all()

    def _tables(
        self, chosen: dict[int, tuple[TableName, str | None, str | None]], others: Sequence[str]
    ) -> tuple[list[Table], dict[TableName, EnumType]]:
        asked, statements = list(chosen), self._queries
        constraint_rows = self._rows(statements.constraints, tables=asked, main=self.schema) if asked else ()
        index_rows = self._rows(statements.indexes, tables=asked) if asked else ()
        constraints: defaultdict[int, list[Any]] = defaultdict(list)
        for row in _without_clones(constraint_rows):
            constraints[row[0]].append(row)
        constrained = {row[16] for row in constraint_rows if row[2] in {"p", "u"}}
        # Columns that foreign keys name are told by number, so those of tables that were not asked for are read too.
        beside = sorted({row[14] for row in constraint_rows if row[2] == "f"} - chosen.keys())
        column_rows = self._rows(statements.columns, tables=asked, beside=beside) if asked else ()
        types = Types(self._types({row[3:6] for row in column_rows}, others))
        columns, numbers = columns_from(column_rows, types)
        indexes, backing = _indexes(index_rows, numbers, constrained)
        read = []
        for oid, (name, comment, options) in chosen.items():
            found = constraints.get(oid)
            parts = constraints_from(found, numbers, backing) if found else Constraints()
            read.append(
                Table(
                    name=name,
                    columns=tuple(columns.get(oid, ())),
                    primary_key=parts.primary_key,
                    indexes=tuple(indexes[oid]),
                    uniques=parts.uniques,
                    checks=parts.checks,
                    foreign_keys=parts.foreign_keys,
                    comment=comment,
                    options=found_options(json.loads(options)) if options else (),
                )
            )
        return read, types.enums

    def _types(self, used: Collection[tuple[int, int, int]], others: Sequence[str]) -> Sequence[Any]:
        """Rows of the types that columns have, given by type, modifier and collation, and of every enumeration."""
        oids, modifiers, collations = [list(items) for items in zip(*used, strict=True)] if used else ([], [], [])
        return self._rows(
            self._queries.types,
            used=oids,
            modifiers=[str(modifier) for modifier in modifiers],
            collations=collations,
            main=self.schema,
            others=list(others),
        )


def _without_clones(found: Sequence[Any]) -> Iterable[Any]:
    """Rows of constraints without the copies that a foreign key has at its own table for partitions of its target."""
    if not any(row[21] for row in found):
        return found
    tables = {row[20]: row[0] for row in found}
    return [row for row in found if tables.get(row[21]) != row[0]]


def _indexes(
    found: Iterable[Any], numbers: Mapping[int, Names], constrained: Collection[int]
) -> tuple[defaultdict[int, list[Index]], dict[int, Index]]:
    """Indexes by table, and by their own oid those that a constraint stands on."""
    indexes: defaultdict[int, list[Index]] = defaultdict(list)
    backing: dict[int, Index] = {}
    for row in found:
        index = index_from(row, numbers.get(row[0], {}))
        if row[7] or row[2] in constrained:
            backing[row[2]] = index
        else:
            indexes[row[0]].append(index)
    for items in indexes.values():
        items.sort(key=_name)
    return indexes, backing


_name = attrgetter("name")
