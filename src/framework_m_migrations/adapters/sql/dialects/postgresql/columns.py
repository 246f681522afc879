"""Statements about columns.

Values for rows, identities and sequences, labels of enumerations, a new type with all that changes along with it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.base import server_version
from framework_m_migrations.adapters.sql.dialects.postgresql.catalog import text
from framework_m_migrations.adapters.sql.dialects.postgresql.conversions import Conversion, conversion, family
from framework_m_migrations.adapters.sql.dialects.postgresql.expressions import canonical_expression
from framework_m_migrations.adapters.sql.dialects.postgresql.text import (
    NAME_LIMIT,
    computed_sql,
    cut,
    execute,
    parse_type,
    qualified,
    string_literal,
    type_sql,
    unquote,
    written,
)
from framework_m_migrations.adapters.sql.dialects.postgresql.transactions import taken_back
from framework_m_migrations.adapters.sql.objects import identity_sql, sequence_clauses
from framework_m_migrations.adapters.sql.scopes import is_autocommit
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.errors import ValuesWouldBeLost
from framework_m_migrations.domain.schema import Column, ColumnType, Generated, TableName

_PAGES = 100
"""Pages of the table in a transaction of the script."""


@dataclass(frozen=True, slots=True)
class Window:
    """What a backfill does.

    Args:
        table: whose rows.
        values: column to SQL expression.
        where: SQL condition, None for all rows.
        size: keys in a batch.
        narrow: only the rows that meet the condition count as rows of a batch.
    """

    table: TableName
    values: dict[str, str]
    where: str | None
    size: int
    narrow: bool = False

    def statement(self, key: Sequence[Column], position: Sequence[str] | None, kept: tuple[str, str] | None) -> str:
        """One batch. Its row: keys seen, rows changed, the last key as a JSON array of texts (NULL without any).

        The names of its parts begin with ``m_migrate_``, so that expressions over the row find their columns.

        Args:
            key: the columns to go by.
            position: the last key of the batch before, None for the first batch.
            kept: the table of cursors and the literal of the name in it, None where no cursor is kept.
        """
        table = qualified(self.table, None)
        keys = [written(column.name) for column in key]
        aliases = [f"m_migrate_k{number}" for number in range(len(keys))]
        picked = ", ".join(f"{name} AS {alias}" for name, alias in zip(keys, aliases, strict=True))
        limits = [] if position is None else [f"({', '.join(keys)}) > ({', '.join(_values(key, position))})"]
        limits += [f"({self.where})"] if self.narrow and self.where is not None else []
        after = f"WHERE {' AND '.join(limits)} " if limits else ""
        condition = "" if self.where is None else f" AND ({self.where})"
        joined = " AND ".join(f"{table}.{name} = {alias}" for name, alias in zip(keys, aliases, strict=True))
        last = ", ".join(f"{alias}::text" for alias in aliases)
        down = ", ".join(f"{alias} DESC" for alias in aliases)
        moved = "" if kept is None else _moved(*kept)
        return (
            f"WITH m_migrate_window AS MATERIALIZED (SELECT {picked} FROM {table} {after}"  # noqa: S608 - names are quoted
            f"ORDER BY {', '.join(keys)} LIMIT {self.size}), "
            f"m_migrate_locked AS MATERIALIZED (SELECT {picked} FROM {table} WHERE ({', '.join(keys)}) IN "
            f"(SELECT {', '.join(aliases)} FROM m_migrate_window){condition} "
            f"ORDER BY {', '.join(keys)} FOR NO KEY UPDATE), "
            f"m_migrate_changed AS (UPDATE {table} SET {_assignments(self.values)} FROM m_migrate_locked "
            f"WHERE {joined}{condition} RETURNING 1), "
            f"m_migrate_counts AS MATERIALIZED (SELECT (SELECT count(*) FROM m_migrate_window) AS seen, "
            f"(SELECT count(*) FROM m_migrate_changed) AS changed, "
            f"(SELECT jsonb_build_array({last}) FROM m_migrate_window ORDER BY {down} LIMIT 1) AS last)"
            f"{moved} SELECT seen, changed, last::text FROM m_migrate_counts"
        )


def script(window: Window, pause: float) -> str:
    """The backfill for a script: a DO block that goes over the pages of the table and commits each hundred of them.

    A row that is changed gets a new place, perhaps one that is still to be visited. So without a condition that tells
    what is done it is one plain UPDATE.
    """
    table = qualified(window.table, None)
    assignments = _assignments(window.values)
    if window.where is None:
        return f"UPDATE {table} SET {assignments}"  # noqa: S608 - of the author's revision
    name = string_literal(table)
    update = string_literal(
        f"UPDATE %s AS {written(window.table.name)} SET {_escaped(assignments)} "  # noqa: S608 - of the author's revision
        f"WHERE ctid >= %L::tid AND ctid < %L::tid AND ({_escaped(window.where)})"
    )
    body = (
        "DECLARE leaf regclass; pages bigint; page bigint;\n"  # noqa: S608 - of the author's revision
        "BEGIN\n"
        "  FOR leaf IN SELECT c.oid FROM pg_catalog.pg_class c WHERE c.relkind = 'r' AND (c.oid = "
        f"{name}::regclass OR c.oid IN (SELECT relid FROM pg_catalog.pg_partition_tree({name}))) LOOP\n"
        "    pages := pg_catalog.pg_relation_size(leaf) / current_setting('block_size')::bigint;\n"
        "    page := 0;\n"
        "    WHILE page <= pages LOOP\n"
        f"      EXECUTE format({update}, leaf, format('(%s,0)', page), format('(%s,0)', page + {_PAGES}));\n"
        "      COMMIT;\n"
        f"      PERFORM pg_catalog.pg_sleep({pause});\n"
        f"      page := page + {_PAGES};\n"
        "    END LOOP;\n"
        "  END LOOP;\n"
        "END"
    )
    tag = "$m_migrate$"
    while tag in body:
        tag = f"{tag[:-1]}_$"
    return f"DO {tag}\n{body}\n{tag}"


def _escaped(sql: str) -> str:
    """For the first argument of ``format``."""
    return sql.replace("%", "%%")


def _assignments(values: dict[str, str]) -> str:
    return ", ".join(f"{written(column)} = {value}" for column, value in values.items())


def _values(key: Sequence[Column], position: Sequence[str]) -> list[str]:
    """The last key as values of the columns' types; which collation compares them is the columns' affair."""
    types = [type_sql(column.type, None).partition(" COLLATE ")[0] for column in key]
    return [f"CAST({string_literal(text)} AS {type_})" for type_, text in zip(types, position, strict=True)]


def _moved(table: str, name: str) -> str:
    return (
        f", m_migrate_moved AS (UPDATE {table} AS kept SET position = COALESCE(counts.last, kept.position), "  # noqa: S608 - quoted
        "done = kept.done + counts.seen, changed = kept.changed + counts.changed, touched = now() "
        f"FROM m_migrate_counts AS counts WHERE kept.name = {name})"
    )


# A new column's default for the rows from before it, and NOT NULL that is validated later.


ALL_ROWS = "SET LOCAL row_security = off"
"""A policy would hide rows from an owner who is bound by it, and they would never get a value: rather an error."""

# PostgreSQL 18 keeps NOT NULL as constraints with names.
_NAMED = """
SELECT k.conname::text FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND k.conkey = ARRAY[a.attnum]
WHERE k.conrelid = pg_catalog.to_regclass({table}) AND k.contype = 'n' AND a.attname = {column}
"""


def batch(operation: o.FillColumn, after: str | None, *, schema: str | None) -> tuple[str, ...]:
    """See SqlDialect.batch."""
    table = TableName(operation.table.name, operation.table.schema or schema)
    column = operation.column
    # The rows are locked and changed only while they hold NULL: what another session wrote in the meantime stays.
    window = Window(
        table,
        {column.name: column.default or "NULL"},
        f"{written(column.name)} IS NULL",
        operation.size,
        narrow=operation.late,
    )
    position = None if after is None else [str(value) for value in json.loads(after)]
    return ALL_ROWS, window.statement(operation.key, position, None)


def settled(
    operation: o.FillColumn | o.SetNotNull | o.ValidateNotNull, connection: sa.Connection | None, schema: str | None
) -> str:
    """The statement of an operation about the NULLs in a column; without a connection the database is not asked."""
    match operation:
        case o.FillColumn():
            return _whole(operation, schema)
        case o.ValidateNotNull():
            return _validated(operation, connection, schema)
        case o.SetNotNull(validate=False):
            return _not_null(operation, schema)
        case o.SetNotNull(table=table, column=column):
            return f"ALTER TABLE {qualified(table, schema)} ALTER COLUMN {written(column.name)} SET NOT NULL"


def _whole(operation: o.FillColumn, schema: str | None) -> str:
    """The same for all rows at once, as it is shown: sync sends it in batches."""
    name = written(operation.column.name)
    order = ", ".join(column.name for column in operation.key).replace("*/", "* /")
    way = "whatever rows still need it" if operation.late else f"by {order}"
    note = f"/* {operation.size} rows at a time, {way}, each time in a transaction of its own */"
    table = qualified(operation.table, schema)
    return f"{note} UPDATE {table} SET {name} = {operation.column.default} WHERE {name} IS NULL"  # noqa: S608 - quoted


def _not_null(operation: o.SetNotNull, schema: str | None) -> str:
    """NOT NULL for rows written from now on; the name is the one that PostgreSQL itself would give it, as a rule."""
    name = written(_name(operation.table.name, operation.column.name))
    table = qualified(operation.table, schema)
    return f"ALTER TABLE {table} ADD CONSTRAINT {name} NOT NULL {written(operation.column.name)} NOT VALID"


def _validated(operation: o.ValidateNotNull, connection: sa.Connection | None, schema: str | None) -> str:
    """The look at the other rows. The constraint's name is the database's word: somebody may have renamed it."""
    table, column = qualified(operation.table, schema), operation.column.name
    name = _name(operation.table.name, column)
    if connection is not None:
        sql = _NAMED.format(table=string_literal(table), column=string_literal(column))
        if connection.in_transaction():
            found = execute(connection, sql).scalar()
        else:
            with taken_back(connection):
                found = execute(connection, sql).scalar()
        name = str(found) if found is not None else name
    return f"ALTER TABLE {table} VALIDATE CONSTRAINT {written(name)}"


def _name(table: str, column: str) -> str:
    name = f"{table}_{column}_not_null"
    if len(name.encode()) <= NAME_LIMIT:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{cut(f'{table}_{column}').encode()[:40].decode(errors='ignore')}_{digest}_not_null"


# How the database fills a column: an identity, a sequence of its own, a computed expression, or a plain
# default.
#
# Where PostgreSQL can change the one into the other it does; a computed expression is changed in place from
# version 17 on. Otherwise the column is dropped and added, and what stood on it is made again from the
# catalog's own definitions.


SET_EXPRESSION = 17
"""The first server version that changes a computed expression in place."""

_STANDING = text(
    """
WITH place AS (
    SELECT a.attrelid, a.attnum FROM pg_catalog.pg_attribute a
    WHERE a.attrelid = CAST(CAST(:tab AS text) AS regclass) AND a.attname = CAST(:col AS text)
)
SELECT d.sql FROM place p, LATERAL (
    SELECT 1, i.indexrelid, pg_catalog.pg_get_indexdef(i.indexrelid)
    FROM pg_catalog.pg_index i
    WHERE i.indrelid = p.attrelid
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = i.indexrelid AND k.conrelid = p.attrelid
                      AND k.contype IN ('p', 'u', 'x'))
      AND EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = 'pg_catalog.pg_class'::regclass
                  AND e.objid = i.indexrelid AND e.refclassid = 'pg_catalog.pg_class'::regclass
                  AND e.refobjid = p.attrelid AND e.refobjsubid = p.attnum)
    UNION ALL
    SELECT CASE k.contype WHEN 'p' THEN 2 WHEN 'u' THEN 3 ELSE 4 END, k.oid,
           pg_catalog.format('ALTER TABLE %s ADD CONSTRAINT %I %s', CAST(:tab AS text), k.conname,
                             pg_catalog.pg_get_constraintdef(k.oid))
    FROM pg_catalog.pg_constraint k
    WHERE k.conrelid = p.attrelid AND k.conparentid = 0 AND k.contype IN ('p', 'u', 'x', 'f', 'c')
      AND EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = 'pg_catalog.pg_constraint'::regclass
                  AND e.objid = k.oid AND e.refclassid = 'pg_catalog.pg_class'::regclass
                  AND e.refobjid = p.attrelid AND e.refobjsubid = p.attnum)
    UNION ALL
    SELECT 5, k.oid,
           pg_catalog.format('COMMENT ON CONSTRAINT %I ON %s IS %L', k.conname, CAST(:tab AS text), c.description)
    FROM pg_catalog.pg_constraint k
    JOIN pg_catalog.pg_description c ON c.objoid = k.oid AND c.classoid = 'pg_catalog.pg_constraint'::regclass
    WHERE k.conrelid = p.attrelid AND p.attnum = ANY (k.conkey)
    UNION ALL
    SELECT 6, s.oid, pg_catalog.pg_get_statisticsobjdef(s.oid)
    FROM pg_catalog.pg_statistic_ext s WHERE s.stxrelid = p.attrelid AND p.attnum = ANY (s.stxkeys::int2[])
    UNION ALL
    SELECT 7, 0, pg_catalog.format('COMMENT ON COLUMN %s.%I IS %L', CAST(:tab AS text), CAST(:col AS text),
                                   c.description)
    FROM pg_catalog.pg_description c
    WHERE c.objoid = p.attrelid AND c.classoid = 'pg_catalog.pg_class'::regclass AND c.objsubid = p.attnum
) AS d(place, object, sql)
ORDER BY d.place, d.object
""",
    tab=sa.Text(),
    col=sa.Text(),
)
"""What goes with a column, as statements that make it again."""


_HAS_CHECKS = text(
    "SELECT EXISTS (SELECT FROM pg_catalog.pg_constraint "
    "WHERE conrelid = pg_catalog.to_regclass(CAST(:tab AS text)) AND contype = 'c')",
    tab=sa.Text(),
)
_IS_UNLOGGED = text(
    "SELECT relpersistence = 'u' FROM pg_catalog.pg_class WHERE oid = pg_catalog.to_regclass(CAST(:tab AS text))",
    tab=sa.Text(),
)


def set_generated(operation: o.SetGenerated, connection: sa.Connection | None, schema: str | None) -> tuple[str, ...]:
    """The statements that change how the database fills a column.

    Args:
        operation: the change.
        connection: to look up sequences and what stands on a column; None for a script.
        schema: the session's.
    """
    return tuple(_Change(operation, connection, schema).statements())


class _Change:
    def __init__(self, operation: o.SetGenerated, connection: sa.Connection | None, schema: str | None) -> None:
        self._table = operation.table
        self._before = operation.before
        self._after = operation.column
        self._connection = connection
        self._schema = schema
        self._name = qualified(operation.table, schema)
        self._column = written(operation.column.name)
        self._alter = f"ALTER TABLE {self._name} ALTER COLUMN {self._column}"

    def statements(self) -> Iterator[str]:
        old, new = self._before.generated, self._after.generated
        if old == new:
            return
        if new is not None and new.kind == "computed":
            yield from self._computed(old, new)
        elif old is not None and new is not None and (old.kind, new.kind) == ("identity", "identity"):
            yield from self._options(old, new)
        elif old is not None and new is not None and {old.kind, new.kind} == {"serial", "identity"}:
            yield from self._identity_for_serial(new) if new.kind == "identity" else self._serial_for_identity()
        elif old is not None and new is not None and (old.kind, new.kind) == ("serial", "serial"):
            yield f"ALTER SEQUENCE {self._sequence()} AS {self._after.type.base}"
        else:
            yield from self._without(old)
            yield from self._with(new)

    def _without(self, old: Generated | None) -> Iterator[str]:
        """Take away what fills the column; its values stay."""
        match None if old is None else old.kind:
            case "identity":
                yield f"{self._alter} DROP IDENTITY"
            case "serial":
                sequence = self._sequence()
                yield f"{self._alter} DROP DEFAULT"
                yield f"DROP SEQUENCE {sequence}"
            case "computed" if old is not None and not old.stored:
                yield from self._replaced(bare=True)
            case "computed":
                yield f"{self._alter} DROP EXPRESSION"
            case _:
                if self._before.default is not None:
                    yield f"{self._alter} DROP DEFAULT"

    def _with(self, new: Generated | None) -> Iterator[str]:
        """Fill a column that nothing fills."""
        if new is None:
            if self._after.default is not None:
                yield f"{self._alter} SET DEFAULT {self._after.default}"
            return
        if self._before.nullable:
            yield f"{self._alter} SET NOT NULL"
        if new.kind == "identity":
            yield f"{self._alter} ADD {identity_sql(new)}"
            yield self._continued(self._owned(), dict(new.options))
            return
        sequence = sequence_name(self._table, self._after.name, self._schema)
        owner = f"{self._name}.{self._column}"
        yield f"CREATE {self._unlogged}SEQUENCE {sequence} AS {self._after.type.base} OWNED BY {owner}"
        yield self._continued(regclass(sequence), {})
        yield f"{self._alter} SET DEFAULT nextval({regclass(sequence)})"

    def _continued(self, sequence: str, options: dict[str, str]) -> str:
        """Numbers go on behind those of the rows."""
        down = options.get("increment", "1").startswith("-")
        furthest, compared = (f"min({self._column})", "<=") if down else (f"max({self._column})", ">=")
        start = options.get("start", options.get("maxvalue", "-1") if down else options.get("minvalue", "1"))
        return f"SELECT setval({sequence}, {furthest}) FROM {self._name} HAVING {furthest} {compared} {start}"  # noqa: S608 - names are quoted

    def _owned(self) -> str:
        return f"pg_get_serial_sequence({string_literal(self._name)}, {string_literal(self._after.name)})"

    @property
    def _unlogged(self) -> str:
        """From PostgreSQL 15 on the sequence of a column is as its table is."""
        if self._connection is None or server_version(self._connection.dialect) < (15,):
            return ""
        unlogged = self._connection.execute(_IS_UNLOGGED, {"tab": self._name}).scalar_one_or_none()
        return "UNLOGGED " if unlogged else ""

    def _sequence(self) -> str:
        found = sequence_of(self._table, self._before.name, self._connection, self._schema)
        return found or sequence_name(self._table, self._before.name, self._schema)

    def _options(self, old: Generated, new: Generated) -> Iterator[str]:
        parts = []
        if old.always is not new.always:
            parts.append(f"SET GENERATED {'ALWAYS' if new.always else 'BY DEFAULT'}")
        clauses = sequence_clauses(dict(old.options), dict(new.options))
        parts += [clause if clause == "RESTART" else f"SET {clause}" for clause in clauses]
        if parts:
            yield f"{self._alter} {' '.join(parts)}"

    def _identity_for_serial(self, new: Generated) -> Iterator[str]:
        """The identity's sequence takes the place, and the position, of the one that the column owned."""
        sequence = self._sequence()
        *place, name = _parts(sequence)
        former = ".".join([*place, written(cut(f"{unquote(name)[:40]}_former"))])
        yield f"ALTER SEQUENCE {sequence} OWNED BY NONE"
        yield f"{self._alter} DROP DEFAULT"
        yield f"ALTER SEQUENCE {sequence} RENAME TO {_parts(former)[-1]}"
        if self._before.nullable:
            yield f"{self._alter} SET NOT NULL"
        yield f"{self._alter} ADD {identity_sql(new)}"
        yield f"SELECT setval({self._owned()}, last_value, is_called) FROM {former}"  # noqa: S608 - names are quoted
        yield f"DROP SEQUENCE {former}"

    def _serial_for_identity(self) -> Iterator[str]:
        sequence = self._sequence()
        *place, name = _parts(sequence)
        later = ".".join([*place, written(cut(f"{unquote(name)[:40]}_later"))])
        yield f"CREATE {self._unlogged}SEQUENCE {later} AS {self._after.type.base}"
        yield f"SELECT setval({regclass(later)}, last_value, is_called) FROM {sequence}"  # noqa: S608 - names are quoted
        yield f"{self._alter} DROP IDENTITY"
        yield f"ALTER SEQUENCE {later} RENAME TO {name}"
        yield f"ALTER SEQUENCE {sequence} OWNED BY {self._name}.{self._column}"
        yield f"{self._alter} SET DEFAULT nextval({regclass(sequence)})"

    def _computed(self, old: Generated | None, new: Generated) -> Iterator[str]:
        in_place = old is not None and old.kind == "computed" and old.stored is new.stored
        version = () if self._connection is None else tuple(self._connection.dialect.server_version_info or ())
        # Of a virtual column in a table with checks the server refuses it; such a column has no values to write anew.
        if in_place and (self._connection is None or (version >= (SET_EXPRESSION,) and not self._is_refused(new))):
            yield f"{self._alter} SET EXPRESSION AS ({new.expression})"
        else:
            yield from self._replaced(bare=False)

    def _is_refused(self, new: Generated) -> bool:
        if new.stored or self._connection is None:
            return False
        return bool(self._connection.execute(_HAS_CHECKS, {"tab": self._name}).scalar_one())

    def _replaced(self, *, bare: bool) -> Iterator[str]:
        """The column dropped and added, and what stood on it made again; ``bare`` keeps the values it had."""
        standing = self._standing()
        type_ = type_sql(self._after.type, self._schema)
        required = "" if self._after.nullable else " NOT NULL"
        if bare:
            copied = written(cut(f"{self._after.name[:40]}_computed"))
            yield f"ALTER TABLE {self._name} RENAME COLUMN {self._column} TO {copied}"
            yield f"ALTER TABLE {self._name} ADD COLUMN {self._column} {type_}"
            yield f"UPDATE {self._name} SET {self._column} = {copied}"  # noqa: S608 - names are quoted
            yield f"ALTER TABLE {self._name} DROP COLUMN {copied}"
            if required:
                yield f"{self._alter} SET NOT NULL"
        else:
            generated = self._after.generated
            clause = "" if generated is None else f" {computed_sql(generated)}"
            yield f"ALTER TABLE {self._name} DROP COLUMN {self._column}"
            yield f"ALTER TABLE {self._name} ADD COLUMN {self._column} {type_}{clause}{required}"
        yield from standing

    def _standing(self) -> list[str]:
        if self._connection is None:
            return []
        found = self._connection.execute(_STANDING, {"tab": self._name, "col": self._before.name})
        return [sql for (sql,) in found]


def _parts(name: str) -> list[str]:
    """The quoted parts of a qualified name."""
    parts, quoted = [""], False
    for letter in name:
        quoted = quoted is not (letter == '"')
        if letter == "." and not quoted:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


# Labels of an enumeration, taken away or put in another order.
#
# PostgreSQL adds labels only. So another type takes the place of the one there is, for each column of it, in
# the revision's transaction: values go over by their labels, and what is said in the former type (defaults,
# checks, indexes) is said again in the new one.


_LABELS = text(
    """
SELECT t.typname::text, e.enumlabel::text FROM pg_catalog.pg_type t
LEFT JOIN pg_catalog.pg_enum e ON e.enumtypid = t.oid
WHERE t.oid = pg_catalog.to_regtype(:type) ORDER BY e.enumsortorder
""",
    type=sa.Text(),
)
_COLUMNS = text(
    """
SELECT c.oid::regclass::text, pg_catalog.quote_ident(a.attname), t.typelem <> 0,
       CASE WHEN a.attgenerated = '' THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) END
FROM pg_catalog.pg_type e
JOIN pg_catalog.pg_type t ON t.oid IN (e.oid, e.typarray)
JOIN pg_catalog.pg_attribute a ON a.atttypid = t.oid AND NOT a.attisdropped AND a.attinhcount = 0
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p')
LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE e.oid = pg_catalog.to_regtype(:type) ORDER BY 1, a.attnum
""",
    type=sa.Text(),
)
"""The columns of a type, or of arrays of it: table, name, whether it is an array, default."""
_DEFAULTS = text(
    """
SELECT DISTINCT k.oid IS NULL,
       CASE WHEN k.oid IS NULL THEN 'DROP INDEX ' || i.oid::regclass
            ELSE 'ALTER TABLE ' || k.conrelid::regclass || ' DROP CONSTRAINT ' || pg_catalog.quote_ident(k.conname) END,
       CASE WHEN k.oid IS NULL THEN pg_catalog.pg_get_indexdef(i.oid)
            ELSE 'ALTER TABLE ' || k.conrelid::regclass || ' ADD CONSTRAINT ' || pg_catalog.quote_ident(k.conname)
                 || ' ' || pg_catalog.pg_get_constraintdef(k.oid) END
FROM pg_catalog.pg_type e
JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_type'::regclass AND d.refobjid IN (e.oid, e.typarray)
LEFT JOIN pg_catalog.pg_constraint k ON d.classid = 'pg_catalog.pg_constraint'::regclass AND k.oid = d.objid
  AND k.contype = 'c' AND k.conrelid <> 0 AND k.coninhcount = 0
LEFT JOIN pg_catalog.pg_class i ON d.classid = 'pg_catalog.pg_class'::regclass AND i.oid = d.objid
  AND i.relkind IN ('i', 'I') AND NOT i.relispartition
WHERE e.oid = pg_catalog.to_regtype(:type) AND (k.oid IS NOT NULL OR i.oid IS NOT NULL) ORDER BY 1
""",
    type=sa.Text(),
)
"""Checks and indexes that name a label; how each goes, and comes back."""
_COMMENT = text(
    "SELECT pg_catalog.obj_description(pg_catalog.to_regtype(:type), 'pg_type')",
    type=sa.Text(),
)


@dataclass(frozen=True, slots=True)
class _Column:
    table: str
    name: str
    array: bool
    default: str | None


def labels_of(connection: sa.Connection, type_: str) -> tuple[str, ...] | None:
    """The labels that an enumeration has now, in their order; None where there is none of this name, which is SQL."""
    rows = connection.execute(_LABELS, {"type": type_}).all()
    return tuple(label for _, label in rows if label is not None) if rows else None


def set_labels(operation: o.SetLabels, connection: sa.Connection | None, schema: str | None) -> Iterator[str]:
    """The statements that put another type in the place of an enumeration.

    Args:
        operation: which labels it gets.
        connection: tells which columns, checks and indexes there are; without it only the type itself is written.
        schema: the session's.
    """
    enum = operation.enum
    type_ = qualified(enum.name, schema)
    former = cut(f"{enum.name.name[:40]}_former")
    gone = qualified(enum.name._replace(name=former), schema)
    columns = [] if connection is None else _columns(connection, type_)
    standing = (
        [] if connection is None else [(row[1], row[2]) for row in connection.execute(_DEFAULTS, {"type": type_})]
    )
    comment = None if connection is None else connection.execute(_COMMENT, {"type": type_}).scalar()
    yield from (drop for drop, _ in standing)
    yield from (f"{_alter(one)} DROP DEFAULT" for one in columns if one.default is not None)
    yield f"ALTER TYPE {type_} RENAME TO {written(former)}"
    yield f"CREATE TYPE {type_} AS ENUM ({', '.join(string_literal(value) for value in enum.values)})"
    if comment is not None:
        yield f"COMMENT ON TYPE {type_} IS {string_literal(comment)}"
    for one in columns:
        many = "[]" if one.array else ""
        yield f"{_alter(one)} TYPE {type_}{many} USING {one.name}::text{many}::{type_}{many}"
    yield from (f"{_alter(one)} SET DEFAULT {one.default}" for one in columns if one.default is not None)
    yield from (again for _, again in reversed(standing))
    yield f"DROP TYPE {gone}"


def refuse_lost_labels(operation: o.SetLabels, connection: sa.Connection, schema: str | None) -> None:
    """Go on where no row holds a label that goes; tables are locked before they are read.

    Raises:
        ValuesWouldBeLost: rows hold one.
    """
    kept = ", ".join(string_literal(value) for value in operation.enum.values)
    for one in _columns(connection, qualified(operation.enum.name, schema)):
        if not is_autocommit(connection):
            execute(connection, f"LOCK TABLE {one.table} IN ACCESS EXCLUSIVE MODE")
        many = "[]" if one.array else ""
        holds = f"NOT {one.name}::text[] <@ ARRAY[{kept}]::text[]" if many else f"{one.name}::text NOT IN ({kept})"
        query = f"FROM {one.table} WHERE {holds}"
        rows = int(execute(connection, f"SELECT count(*) {query}").scalar_one())
        if rows:
            raise ValuesWouldBeLost(
                f"Enumeration {operation.enum.name} cannot lose labels: {rows} row{'s' if rows != 1 else ''} of "
                f"{one.table} hold{'' if rows != 1 else 's'} one in {one.name}.",
                next_step=f"Give these rows another value (`SELECT {one.name} {query}`) and run the command again.",
                details={"table": one.table, "column": one.name, "rows": rows},
            )


def _columns(connection: sa.Connection, type_: str) -> list[_Column]:
    return [_Column(*row) for row in connection.execute(_COLUMNS, {"type": type_})]


def _alter(column: _Column) -> str:
    return f"ALTER TABLE {column.table} ALTER COLUMN {column.name}"


# A column's new type, with all that must change along with it: its default, its sequence, its values.
#
# PostgreSQL casts a column's default by the assignment cast; where there is none, the default is dropped before
# and set again afterwards. The sequence of a serial column gets the column's type, so that it ends where the
# column does.


_CASTS = text(
    """
SELECT CASE WHEN b.typtype = 'd' THEN pg_catalog.format_type(b.typbasetype, b.typtypmod) END,
       CASE WHEN a.typtype = 'd' THEN pg_catalog.format_type(a.typbasetype, a.typtypmod) END,
       (SELECT c.castcontext::text FROM pg_catalog.pg_cast c WHERE c.castsource = b.oid AND c.casttarget = a.oid),
       EXISTS (SELECT FROM pg_catalog.pg_cast c WHERE c.castsource = a.oid AND c.casttarget = b.oid)
FROM pg_catalog.pg_type b, pg_catalog.pg_type a
WHERE b.oid = pg_catalog.to_regtype(:before) AND a.oid = pg_catalog.to_regtype(:after)
""",
    before=sa.Text(),
    after=sa.Text(),
)
"""What two types are made of, for domains, and how the server casts the one to the other and back."""

_SEQUENCE = text("SELECT pg_catalog.pg_get_serial_sequence(:tab, :col)", tab=sa.Text(), col=sa.Text())


@dataclass(frozen=True, slots=True)
class Way:
    """How the values get their new type.

    Attributes:
        conversion: by rule, as the server casts, or as the author of a revision wrote it.
        chosen: the author's own expression: whatever it does to the values is meant.
    """

    conversion: Conversion
    chosen: bool = False


def way(operation: o.AlterType, connection: sa.Connection | None, schema: str | None) -> Way:
    """The way that a change of type takes.

    Args:
        operation: the change; its ``using`` is the author's, or empty.
        connection: to ask about types that no rule knows; None for a script, which takes the server's casts.
        schema: the session's.
    """
    if operation.before.generated is not None and operation.before.generated.kind == "computed":
        return Way(Conversion())  # The server works the values out again.
    value = written(operation.before.name)
    found = _found(operation.before.type, operation.column.type, value, connection, schema)
    if operation.using is None:
        return Way(found)
    if found.using is not None and _alike(found.using, operation.using):
        # What the writer would have written: a value that has no counterpart is counted, not met.
        return Way(replace(found, using=operation.using, changes=None))
    return Way(Conversion(operation.using, assignment=found.assignment), chosen=True)


def _alike(one: str, other: str) -> bool:
    return canonical_expression(one).lower() == canonical_expression(other).lower()


def _found(
    before: ColumnType, after: ColumnType, value: str, connection: sa.Connection | None, schema: str | None
) -> Conversion:
    version: tuple[Any, ...] = () if connection is None else tuple(connection.dialect.server_version_info or ())
    known = conversion(before, after, value, schema=schema, version=version)
    if known is not None and "other" not in {family(before), family(after)}:
        return known
    if connection is None:
        return known or Conversion()
    target = type_sql(replace(after, spelling=after.spelling.partition(" COLLATE ")[0]), schema)
    source = type_sql(replace(before, spelling=before.spelling.partition(" COLLATE ")[0]), schema)
    # A type that the same plan creates has no casts.
    told = connection.execute(_CASTS, {"before": source, "after": target}).first()
    old, new, context, back = (None, None, None, False) if told is None else told
    if old is not None or new is not None:
        made_of = before if old is None else _parsed(old)
        return _found(made_of, after if new is None else _parsed(new), value, connection, schema)
    if known is not None:
        return known
    if context in {"i", "a"}:
        if back:
            return Conversion(changes=f"({value}::{target}::{source})::text IS DISTINCT FROM {value}::text")
        # By the server's own convention an implicit cast keeps every value; of another one nobody can tell.
        return Conversion(changes=None if context == "i" else "true")
    # The server has no cast, or one that loses what nobody can count: only a column without values goes over.
    return Conversion(f"NULL::{target}", fails="true", assignment=False)


def _parsed(spelling: str) -> ColumnType:
    parsed = parse_type(spelling)
    return ColumnType(parsed.spelling, parsed.base, parsed.length, parsed.precision, parsed.scale, parsed.collation)


def alter_type(operation: o.AlterType, connection: sa.Connection | None, schema: str | None) -> tuple[str, ...]:
    """The statements of a change of type.

    Args:
        operation: the change.
        connection: to look up what the values alone do not tell.
        schema: the session's.
    """
    taken = way(operation, connection, schema).conversion
    before, column = operation.before, operation.column
    alter = f"ALTER TABLE {qualified(operation.table, schema)} ALTER COLUMN {written(before.name)}"
    using = "" if taken.using is None else f" USING {taken.using}"
    statements = [f"{alter} TYPE {type_sql(column.type, schema)}{using}"]
    if before.default is not None and not taken.assignment:
        statements.insert(0, f"{alter} DROP DEFAULT")
        if column.default is not None:
            statements.append(f"{alter} SET DEFAULT {column.default}")
    if _counts(before) and {family(before.type), family(column.type)} == {"integer"}:
        sequence = sequence_of(operation.table, before.name, connection, schema)
        if sequence is not None:
            statements.append(f"ALTER SEQUENCE {sequence} AS {column.type.base}")
    return tuple(statements)


def _counts(column: Column) -> bool:
    """A serial column: the sequence of an identity column changes its type by itself."""
    return column.generated is not None and column.generated.kind == "serial"


def sequence_of(table: TableName, column: str, connection: sa.Connection | None, schema: str | None) -> str | None:
    """The sequence that a column owns, in SQL; without a connection the name that CREATE TABLE gives it."""
    name = qualified(table, schema)
    if connection is None:
        return sequence_name(table, column, schema)
    found: str | None = connection.execute(_SEQUENCE, {"tab": name, "col": column}).scalar_one()
    return found


def sequence_name(table: TableName, column: str, schema: str | None) -> str:
    """The name that PostgreSQL gives the sequence of a column, as long as no other object has it."""
    return qualified(TableName(cut(f"{table.name}_{column}_seq"), table.schema), schema)


def regclass(name: str) -> str:
    """The name of a sequence or table as an argument of a function."""
    return string_literal(name)
