"""A column's type changed in two phases.

A copy of the new type is kept equal by triggers and takes the column's place.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from framework_m_migrations.adapters.sql.dialects.postgresql.online.backfill import backfill
from framework_m_migrations.adapters.sql.dialects.postgresql.online.columns import set_not_null
from framework_m_migrations.adapters.sql.dialects.postgresql.online.constraints import add_check, drop_constraint
from framework_m_migrations.adapters.sql.dialects.postgresql.online.sending import (
    Sender,
    on_postgresql,
    sender,
    target_of,
)
from framework_m_migrations.adapters.sql.dialects.postgresql.text import qualified, string_literal, written
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.errors import RevisionError, ValuesWouldBeLost
from framework_m_migrations.domain.naming import made_name
from framework_m_migrations.domain.renames import copy_name, fitted, former_name
from framework_m_migrations.domain.schema import Column, ColumnType, TableName

_ROW = "m_migrate_row"
_WITHOUT_EQUALITY = ("json", "xml", "point", "line", "lseg", "box", "path", "polygon", "circle")


@dataclass(frozen=True, slots=True)
class Mirror:
    """A trigger on a table, over two of its columns."""

    table: TableName
    first: str
    second: str

    @property
    def name(self) -> str:
        """Of the trigger and of its function: the same whichever column is named first."""
        pair = sorted((self.first, self.second))
        mark = hashlib.sha256("\0".join((self.table.name, *pair)).encode()).hexdigest()[:8]
        return fitted(f"zz_m_migrate_{self.table.name}_{'_'.join(pair)}", f"_{mark}")

    @property
    def _function(self) -> str:
        return qualified(TableName(self.name, self.table.schema), None)

    def create(self, body: str) -> tuple[str, ...]:
        """The statements that make it, or make it anew."""
        table, name, function = qualified(self.table, None), written(self.name), self._function
        tag = "$m_migrate$"
        while tag in body:
            tag = f"{tag[:-1]}_$"
        return (
            f"CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS {tag}\n{body}\n{tag}",
            f"DROP TRIGGER IF EXISTS {name} ON {table}",
            f"CREATE TRIGGER {name} BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION {function}()",
        )

    def drop(self) -> tuple[str, ...]:
        """The statements that take it away."""
        return (
            f"DROP TRIGGER IF EXISTS {written(self.name)} ON {qualified(self.table, None)}",
            f"DROP FUNCTION IF EXISTS {self._function}()",
        )


def both_ways(old: str, new: str, type_: str, old_default: str | None, new_default: str | None) -> str:
    """The body that lets old code write one column and new code the other.

    A row that is inserted names one of the two, and the other has its default: that is how the writer is told. Where
    both were named and differ, the new column counts. An update changes one of them; where it changes both, the new
    one counts.

    Args:
        old: the column that old code writes.
        new: the column that new code writes.
        type_: of both.
        old_default: SQL, None for none, or for one that gives another value each time.
        new_default: likewise.
    """
    a, b = written(old), written(new)

    def differ(left: str, right: str) -> str:
        return f"{_comparable(left, type_)} IS DISTINCT FROM {_comparable(right, type_)}"

    def is_default(column: str, default: str | None) -> str:
        return f"NOT ({differ(f'NEW.{column}', f'CAST({default} AS {type_})' if default else f'NULL::{type_}')})"

    return (
        "BEGIN\n"
        "  IF TG_OP = 'INSERT' THEN\n"
        f"    IF {differ(f'NEW.{b}', f'NEW.{a}')} THEN\n"
        f"      IF NOT ({is_default(a, old_default)}) AND {is_default(b, new_default)} THEN\n"
        f"        NEW.{b} := NEW.{a};\n"
        "      ELSE\n"
        f"        NEW.{a} := NEW.{b};\n"
        "      END IF;\n"
        "    END IF;\n"
        f"  ELSIF {differ(f'NEW.{b}', f'OLD.{b}')} THEN\n"
        f"    NEW.{a} := NEW.{b};\n"
        f"  ELSIF {differ(f'NEW.{a}', f'OLD.{a}')} THEN\n"
        f"    NEW.{b} := NEW.{a};\n"
        "  END IF;\n"
        "  RETURN NEW;\n"
        "END"
    )


def forward(copy: str, using: str) -> str:
    """The body that computes a copy of another type from the row; a value that has no counterpart is refused."""
    value = _selected(using, "NEW.*")
    return f"BEGIN\n  NEW.{written(copy)} := {value};\n  RETURN NEW;\nEND"


def backward(column: str, former: str, using: str, back: str) -> str:
    """The body that keeps the former column after the swap, so that the change can be taken back without loss.

    What has no counterpart in the former type becomes NULL there, and so does what would not come back the same: new
    code is never refused.
    """
    a, b = written(column), written(former)
    again = _selected(f"({using})::text", f"NEW.{b} AS {a}")
    return (
        "BEGIN\n"
        f"  IF TG_OP = 'INSERT' OR NEW.{a}::text IS DISTINCT FROM OLD.{a}::text THEN\n"
        "    BEGIN\n"
        f"      NEW.{b} := {_selected(back, 'NEW.*')};\n"
        f"      IF NEW.{a}::text IS DISTINCT FROM {again} THEN\n"
        f"        NEW.{b} := NULL;\n"
        "      END IF;\n"
        "    EXCEPTION WHEN data_exception THEN\n"
        f"      NEW.{b} := NULL;\n"
        "    END;\n"
        "  END IF;\n"
        "  RETURN NEW;\n"
        "END"
    )


def _selected(expression: str, row: str) -> str:
    """The value of an expression over the columns of a row."""
    return f"(SELECT {expression} FROM (SELECT {row}) AS {_ROW})"  # noqa: S608 - of the author's revision


def _comparable(value: str, type_: str) -> str:
    return f"({value})::text" if type_.startswith(_WITHOUT_EQUALITY) and not type_.startswith("jsonb") else value


# Copies that take the names of what they are copies of, and what a table has of a name.


type Naming = Callable[[str], str]

_HAS_COLUMN = """
SELECT EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = pg_catalog.to_regclass({table})
AND a.attname = {column} AND NOT a.attisdropped)
"""
_HAS_NAME = """
SELECT EXISTS (SELECT FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
               WHERE x.indrelid = pg_catalog.to_regclass({table}) AND i.relname = {name})
    OR EXISTS (SELECT FROM pg_catalog.pg_constraint k
               WHERE k.conrelid = pg_catalog.to_regclass({table}) AND k.conname = {name})
"""
_IS_CONSTRAINT = """
SELECT EXISTS (SELECT FROM pg_catalog.pg_constraint k
               WHERE k.conrelid = pg_catalog.to_regclass({table}) AND k.conname = {name})
"""
_DEPENDENTS = """
SELECT DISTINCT pg_catalog.pg_describe_object(d.classid, d.objid, 0)
FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE d.refobjid = pg_catalog.to_regclass({table}) AND a.attname = {column} AND d.classid IN
('pg_catalog.pg_rewrite'::regclass, 'pg_catalog.pg_policy'::regclass, 'pg_catalog.pg_trigger'::regclass)
ORDER BY 1
"""


def take_names(table_name: str, names: Sequence[str], *, schema: str | None = None) -> None:
    """Let copies of indexes and constraints take the names of what they are copies of, which become the former ones.

    Args:
        table_name: of the table.
        names: what the copies shall be called.
        schema: of the table, None for the connection's own.
    """
    if not on_postgresql():
        return
    with sender() as sending:
        table = table_of(sending, table_name, schema)
        sending.short(taken(sending, table, names, copy_name, former_name))


def give_names_back(table_name: str, names: Sequence[str], *, schema: str | None = None) -> None:
    """Take ``take_names`` back.

    Args:
        table_name: of the table.
        names: the same.
        schema: of the table, None for the connection's own.
    """
    if not on_postgresql():
        return
    with sender() as sending:
        table = table_of(sending, table_name, schema)
        sending.short(taken(sending, table, names, former_name, copy_name))


def exists(table_name: str, name: str, *, schema: str | None = None) -> bool:
    """Whether the table has an index or a constraint of that name; False in offline mode.

    Args:
        table_name: of the table.
        name: of the index or constraint.
        schema: of the table, None for the connection's own.
    """
    if not on_postgresql():
        return False
    with sender() as sending:
        return not sending.offline and _has_name(sending, table_of(sending, table_name, schema), name)


def analyze(table_name: str, *, schema: str | None = None) -> None:
    """Collect statistics for a column that is new to the planner; does not block.

    Args:
        table_name: of the table.
        schema: of the table, None for the connection's own.
    """
    if not on_postgresql():
        return
    with sender() as sending:
        sending.slow(f"ANALYZE {qualified(table_of(sending, table_name, schema), None)}")


def table_of(sending: Sender, name: str, schema: str | None) -> TableName:
    """The name of a table."""
    return target_of(sending).names.table(name, schema)


def renamed(table: TableName, before: str, after: str) -> o.Operation:
    """A column under another name."""
    return o.RenameColumn(table, Column(before, ColumnType("")), Column(after, ColumnType("")))


def empty_column(sending: Sender, table: TableName, name: str, type_: str) -> list[str]:
    """Adds a column that is NULL in each row, also where its type is a domain that has a default."""
    added = sending.statements(o.AddColumn(table, Column(name, ColumnType(type_), default="NULL")))
    return [*added, f"ALTER TABLE {qualified(table, None)} ALTER COLUMN {written(name)} DROP DEFAULT"]


def default_set(table: TableName, column: str, default: str | None) -> o.Operation:
    """A column with another default, as SQL."""
    bare = Column(column, ColumnType(""))
    return o.SetDefault(table, bare, replace(bare, default=default))


def has_column(sending: Sender, table: TableName, column: str) -> bool:
    """Whether the table has the column; False in offline mode."""
    if sending.offline:
        return False
    place = string_literal(qualified(table, None))
    return bool(sending.rows(_HAS_COLUMN.format(table=place, column=string_literal(column)))[0][0])


def _has_name(sending: Sender, table: TableName, name: str) -> bool:
    place = string_literal(qualified(table, None))
    return bool(sending.rows(_HAS_NAME.format(table=place, name=string_literal(name)))[0][0])


def refuse_dependents(sending: Sender, table: TableName, column: str) -> None:
    """A view or a policy over the column would go on with the old one, and keep it from being dropped."""
    if sending.offline:
        return
    place = string_literal(qualified(table, None))
    found = [str(row[0]) for row in sending.rows(_DEPENDENTS.format(table=place, column=string_literal(column)))]
    if found:
        raise RevisionError(
            f"Over {table}.{column} stand: {', '.join(found)}. They would stay with the old column.",
            next_step="Drop them in a revision before this one, and create them again after it.",
            details={"dependents": found},
        )


def taken(
    sending: Sender,
    table: TableName,
    names: Sequence[str],
    source: Naming,
    aside: Naming,
) -> list[str]:
    """Statements that rename the ones called ``source(name)`` to ``name``, those in the way first."""
    found: list[str] = []
    for name in names:
        if sending.offline or _has_name(sending, table, source(name)):
            if sending.offline or _has_name(sending, table, name):
                found.append(_renamed(sending, table, name, aside(name)))
            found.append(_renamed(sending, table, source(name), name))
    return found


def _not_null(sending: Sender, table: TableName, before: str, after: str) -> list[str]:
    """Statements by which the constraint of NOT NULL, which PostgreSQL 18 names after its column, follows its name."""
    old, new = (made_name(table.name, column, "not_null") for column in (before, after))
    there = _IS_CONSTRAINT.format(table=string_literal(qualified(table, None)), name=string_literal(old))
    [rename] = sending.statements(o.RenameTable(table, table, constraints=((old, new),)))
    if sending.offline:
        return [f"DO $m_migrate$\nBEGIN\n  IF ({there}) THEN\n    {rename};\n  END IF;\nEND\n$m_migrate$"]
    return [rename] if sending.rows(there)[0][0] else []


def _renamed(sending: Sender, table: TableName, before: str, after: str) -> str:
    is_constraint = _IS_CONSTRAINT.format(table=string_literal(qualified(table, None)), name=string_literal(before))
    [constraint] = sending.statements(o.RenameTable(table, table, constraints=((before, after),)))
    [index] = sending.statements(o.RenameTable(table, table, indexes=((before, after),)))
    if sending.offline:
        # A script is written without a look at the database, and so looks itself.
        body = f"BEGIN\n  IF ({is_constraint}) THEN\n    {constraint};\n  ELSE\n    {index};\n  END IF;\nEND"
        return f"DO $m_migrate$\n{body}\n$m_migrate$"
    return constraint if sending.rows(is_constraint)[0][0] else index


# A column's type changed in two phases: a copy of the new type takes the column's place, then the former column
# goes.
#
# Between the phases the former column is kept up to date behind the new one, so that the change can be taken
# back. As in ``rename``, nothing happens on other databases than PostgreSQL.


def start_conversion(
    table_name: str,
    column: str,
    type_: str,
    *,
    using: str,
    loses: str | None = None,
    schema: str | None = None,
    batch_size: int = 1000,
    pause: float = 0.05,
) -> bool:
    """Begin to change a column's type: a copy of the new type, kept up to date by a trigger.

    Args:
        table_name: of the table.
        column: whose type changes.
        type_: the new type, as SQL.
        using: SQL expression over the row that gives the new value. A row for which it fails makes the copying, and
            from now on the writing of such a row, fail.
        loses: SQL condition over the row: the new type would lose a part of its value.
        schema: of the table, None for the connection's own.
        batch_size: keys in a batch of the copying.
        pause: seconds between its batches.

    Returns:
        False when the copy has taken the column's place already, so that nothing is left to prepare.

    Raises:
        RevisionError: a view, policy or trigger is defined over the column, and would follow the old one.
        ValuesWouldBeLost: ``loses`` holds for a row. Nothing was changed.
        LockTimeout, DatabaseError: as for ``execute`` and ``backfill``.
    """
    if not on_postgresql():
        return False
    copy = copy_name(column)
    with sender() as sending:
        table = table_of(sending, table_name, schema)
        if has_column(sending, table, former_name(column)):
            return False
        refuse_dependents(sending, table, column)
        if loses is not None and not sending.offline:
            _refuse_losses(sending, table, column, loses)
        added = empty_column(sending, table, copy, type_)
        sending.short([*added, *Mirror(table, column, copy).create(forward(copy, using))])
    backfill(
        table_name,
        {copy: using},
        where=f"{written(copy)} IS NULL AND {written(column)} IS NOT NULL",
        schema=schema,
        batch_size=batch_size,
        pause=pause,
    )
    analyze(table_name, schema=schema)
    return True


def swap_conversion(
    table_name: str,
    column: str,
    *,
    using: str,
    back: str,
    default: str | None = None,
    comment: str | None = None,
    take: Sequence[str] = (),
    schema: str | None = None,
) -> None:
    """Let the copy take the column's place, under one short lock; the former column is kept up to date behind it.

    Args:
        table_name: of the table.
        column: whose type changes.
        using: as for ``start_conversion``.
        back: SQL expression over the row that gives the value of the former type. Where it fails, or would not come
            back the same, the former column holds NULL.
        default: of the column from now on, as SQL.
        comment: likewise.
        take: names of indexes and constraints of which there is a copy, which takes the name now.
        schema: of the table, None for the connection's own.
    """
    if not on_postgresql():
        return
    with sender() as sending:
        table = table_of(sending, table_name, schema)
        former, copy = former_name(column), copy_name(column)
        swap = [
            renamed(table, column, former),
            renamed(table, copy, column),
            o.DropNotNull(table, Column(former, ColumnType(""))),
            default_set(table, former, None),
        ]
        if default is not None:
            swap.append(default_set(table, column, default))
        if comment is not None:
            swap.append(o.SetComment(table, column, comment))
        sending.short(
            [
                *Mirror(table, column, copy).drop(),
                *sending.statements(*swap),
                *_not_null(sending, table, copy, column),
                *taken(sending, table, take, copy_name, former_name),
                *Mirror(table, column, former).create(backward(column, former, using, back)),
            ]
        )


def unswap_conversion(
    table_name: str,
    column: str,
    *,
    default: str | None = None,
    comment: str | None = None,
    nullable: bool = True,
    take: Sequence[str] = (),
    schema: str | None = None,
) -> None:
    """Take ``swap_conversion`` and ``start_conversion`` back: the former column is the column again, the other goes.

    Args:
        table_name: of the table.
        column: whose type changed.
        default: the column had before, as SQL.
        comment: likewise.
        nullable: whether it allowed NULL before.
        take: as for ``swap_conversion``.
        schema: of the table, None for the connection's own.

    Raises:
        RevisionError: a row holds a value that the former type has no room for; nothing was changed.
    """
    if not on_postgresql():
        return
    former = former_name(column)
    with sender() as sending:
        table = table_of(sending, table_name, schema)
        swapped = sending.offline or has_column(sending, table, former)
        if swapped and not sending.offline:
            _refuse_lost(sending, table, column)
    lost = _lost(column)
    proof = copy_name(f"{column}_kept")
    if swapped:
        # From here on no value can be written that would be lost; what was written meanwhile is looked at once more.
        add_check(proof, table_name, f"NOT ({lost})", schema=schema, validate=False)
        try:
            add_check(proof, table_name, f"NOT ({lost})", schema=schema, validate=True)
            if not nullable:
                set_not_null(table_name, former, schema=schema)
        except BaseException:
            drop_constraint(proof, table_name, schema=schema, type_="check")
            raise
    with sender() as sending:
        copy = copy_name(column)
        swap: list[o.Operation] = [
            o.DropConstraint(table, proof, "check"),
            renamed(table, column, copy),
            renamed(table, former, column),
        ]
        if default is not None:
            swap.append(default_set(table, column, default))
        if comment is not None:
            swap.append(o.SetComment(table, column, comment))
        back = [
            *Mirror(table, column, former).drop(),
            *sending.statements(*swap),
            *taken(sending, table, take, former_name, copy_name),
        ]
        dropped = sending.statements(o.DropColumn(table, copy))
        own = _not_null(sending, table, former, column) if swapped else []
        sending.short([*(back if swapped else ()), *Mirror(table, column, copy).drop(), *dropped, *own])


def require_unswappable(table_name: str, *columns: str, schema: str | None = None) -> None:
    """Refuse to go on where ``unswap_conversion`` would lose a value.

    Called for all columns before the first one is taken back, so that a downgrade is refused as a whole.

    Args:
        table_name: of the table.
        columns: whose types changed.
        schema: of the table, None for the connection's own.

    Raises:
        RevisionError: a row holds a value that the former type has no room for.
    """
    if not on_postgresql():
        return
    with sender() as sending:
        table = table_of(sending, table_name, schema)
        for column in columns:
            if has_column(sending, table, former_name(column)):
                _refuse_lost(sending, table, column)


def finish_conversion(table_name: str, column: str, *, schema: str | None = None) -> None:
    """End a change of type: the trigger and the former column go, under one short lock.

    Args:
        table_name: of the table.
        column: whose type changed.
        schema: of the table, None for the connection's own.
    """
    if not on_postgresql():
        return
    with sender() as sending:
        table, former = table_of(sending, table_name, schema), former_name(column)
        sending.short([*Mirror(table, column, former).drop(), *sending.statements(o.DropColumn(table, former))])


def restore_conversion(
    table_name: str,
    column: str,
    type_: str,
    *,
    using: str,
    back: str,
    schema: str | None = None,
    batch_size: int = 1000,
    pause: float = 0.05,
) -> None:
    """Take ``finish_conversion`` back: the former column is there again, filled from the column and kept up to date.

    Args:
        table_name: of the table.
        column: whose type changed.
        type_: the former type, as SQL.
        using: as for ``start_conversion``.
        back: as for ``swap_conversion``; a row for which it fails makes this fail.
        schema: of the table, None for the connection's own.
        batch_size: keys in a batch of the copying.
        pause: seconds between its batches.
    """
    if not on_postgresql():
        return
    former = former_name(column)
    with sender() as sending:
        table = table_of(sending, table_name, schema)
        added = empty_column(sending, table, former, type_)
        sending.short([*added, *Mirror(table, column, former).create(backward(column, former, using, back))])
    where = f"{written(former)} IS NULL AND {written(column)} IS NOT NULL"
    backfill(table_name, {former: back}, where=where, schema=schema, batch_size=batch_size, pause=pause)


def _refuse_losses(sending: Sender, table: TableName, column: str, loses: str) -> None:
    condition = f"{written(column)} IS NOT NULL AND {loses}"
    rows = sending.rows(f"SELECT count(*) FROM {qualified(table, None)} WHERE {condition}")[0][0]  # noqa: S608 - quoted
    if rows:
        raise ValuesWouldBeLost(
            f"{rows} row{'s' if rows != 1 else ''} of {table} would lose a part of the value in {column}. Nothing was "
            "changed.",
            next_step=f"Correct the rows where {condition}, or give another conversion (using=) without loses=.",
            details={"table": str(table), "column": column, "rows": rows},
        )


def _lost(column: str) -> str:
    return f"{written(column)} IS NOT NULL AND {written(former_name(column))} IS NULL"


def _refuse_lost(sending: Sender, table: TableName, column: str) -> None:
    sql = f"SELECT EXISTS (SELECT FROM {qualified(table, None)} WHERE {_lost(column)})"  # noqa: S608 - quoted
    if sending.rows(sql)[0][0]:
        raise RevisionError(
            f"Rows of {table} hold values in {column} that its former type has no room for; they would be lost.",
            next_step="Change those rows first, or keep the new type.",
        )
