"""A column's type changed in two phases: a copy of the new type takes the column's place, then the former column goes.

Between the phases the former column is kept up to date behind the new one, so that the change can be taken back. As in
``rename``, nothing happens on other databases than PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Sequence

from framework_m_migrations.adapters.sql.dialects.postgresql.identifiers import written
from framework_m_migrations.adapters.sql.dialects.postgresql.writing import qualified
from framework_m_migrations.adapters.sql.online.backfill import backfill
from framework_m_migrations.adapters.sql.online.columns import set_not_null
from framework_m_migrations.adapters.sql.online.constraints import add_check, drop_constraint
from framework_m_migrations.adapters.sql.online.exchange import (
    analyze,
    has_column,
    refuse_dependents,
    table_of,
    taken,
)
from framework_m_migrations.adapters.sql.online.mirror import Mirror, backward, forward
from framework_m_migrations.adapters.sql.online.sending import Sender, on_postgresql, sender
from framework_m_migrations.domain.errors import RevisionError, ValuesWouldBeLost
from framework_m_migrations.domain.renames import copy_name, former_name
from framework_m_migrations.domain.schema import TableName


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
        added = f"ALTER TABLE {qualified(table, None)} ADD COLUMN IF NOT EXISTS {written(copy)} {type_}"
        sending.short([added, *Mirror(table, column, copy).create(forward(copy, using))])
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
        take: names of indexes and constraints of which there is a copy, which takes the name now.
        schema: of the table, None for the connection's own.
    """
    if not on_postgresql():
        return
    with sender() as sending:
        table = table_of(sending, table_name, schema)
        place, former, copy = qualified(table, None), former_name(column), copy_name(column)
        given = [] if default is None else [f"ALTER TABLE {place} ALTER COLUMN {written(column)} SET DEFAULT {default}"]
        sending.short(
            [
                *Mirror(table, column, copy).drop(),
                f"ALTER TABLE {place} RENAME COLUMN {written(column)} TO {written(former)}",
                f"ALTER TABLE {place} RENAME COLUMN {written(copy)} TO {written(column)}",
                f"ALTER TABLE {place} ALTER COLUMN {written(former)} DROP NOT NULL",
                f"ALTER TABLE {place} ALTER COLUMN {written(former)} DROP DEFAULT",
                *given,
                *taken(sending, table, take, copy_name, former_name),
                *Mirror(table, column, former).create(backward(column, former, using, back)),
            ]
        )


def unswap_conversion(
    table_name: str,
    column: str,
    *,
    default: str | None = None,
    nullable: bool = True,
    take: Sequence[str] = (),
    schema: str | None = None,
) -> None:
    """Take ``swap_conversion`` and ``start_conversion`` back: the former column is the column again, the other goes.

    Args:
        table_name: of the table.
        column: whose type changed.
        default: the column had before, as SQL.
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
    place, proof = qualified(table, None), copy_name(f"{column}_kept")
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
        given = [] if default is None else [f"ALTER TABLE {place} ALTER COLUMN {written(column)} SET DEFAULT {default}"]
        copy = copy_name(column)
        back = [
            *Mirror(table, column, former).drop(),
            f"ALTER TABLE {place} DROP CONSTRAINT IF EXISTS {written(proof)}",
            f"ALTER TABLE {place} RENAME COLUMN {written(column)} TO {written(copy)}",
            f"ALTER TABLE {place} RENAME COLUMN {written(former)} TO {written(column)}",
            *given,
            *taken(sending, table, take, former_name, copy_name),
        ]
        sending.short(
            [
                *(back if swapped else ()),
                *Mirror(table, column, copy).drop(),
                f"ALTER TABLE {place} DROP COLUMN IF EXISTS {written(copy)}",
            ]
        )


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
        dropped = f"ALTER TABLE {qualified(table, None)} DROP COLUMN IF EXISTS {written(former)}"
        sending.short([*Mirror(table, column, former).drop(), dropped])


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
        added = f"ALTER TABLE {qualified(table, None)} ADD COLUMN IF NOT EXISTS {written(former)} {type_}"
        sending.short([added, *Mirror(table, column, former).create(backward(column, former, using, back))])
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
