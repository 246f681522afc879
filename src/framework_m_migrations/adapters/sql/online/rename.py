"""A column renamed in two phases: a second column kept equal by a trigger, and in the end the first one gone.

What ``create --online`` writes calls these. On other databases than PostgreSQL they do nothing: the revisions that use
them have a plain form for those.
"""

from __future__ import annotations

from collections.abc import Sequence

from framework_m_migrations.adapters.sql.dialects.postgresql.identifiers import written
from framework_m_migrations.adapters.sql.dialects.postgresql.writing import qualified
from framework_m_migrations.adapters.sql.online.backfill import backfill
from framework_m_migrations.adapters.sql.online.exchange import (
    analyze,
    has_column,
    refuse_dependents,
    table_of,
    taken,
)
from framework_m_migrations.adapters.sql.online.mirror import Mirror, both_ways
from framework_m_migrations.adapters.sql.online.sending import on_postgresql, sender
from framework_m_migrations.domain.renames import copy_name, former_name


def start_rename(
    table_name: str,
    old: str,
    new: str,
    type_: str,
    *,
    default: str | None = None,
    old_default: str | None = None,
    schema: str | None = None,
    batch_size: int = 1000,
    pause: float = 0.05,
) -> None:
    """Give a column a second name: a column of the new name, kept equal to the old one whichever is written.

    Run again, it goes on from where it was.

    Args:
        table_name: of the table.
        old: the column that there is.
        new: the column that shall take its place.
        type_: of both, as SQL.
        default: of the new column, as SQL. One that gives another value each time is given with ``finish_rename``.
        old_default: of the old column, as SQL, None for one that gives another value each time.
        schema: of the table, None for the connection's own.
        batch_size: keys in a batch of the copying.
        pause: seconds between its batches.

    Raises:
        RevisionError: no such table, no key to go by, or a view, policy or trigger is defined over the old column.
        LockTimeout, DatabaseError: as for ``execute`` and ``backfill``.
    """
    if not on_postgresql():
        return
    with sender() as sending:
        table = table_of(sending, table_name, schema)
        if not has_column(sending, table, new):
            refuse_dependents(sending, table, old)
        place, a, b = qualified(table, None), written(old), written(new)
        added = [f"ALTER TABLE {place} ADD COLUMN IF NOT EXISTS {b} {type_}"]
        if default is not None:
            # Apart from ADD COLUMN, which would give it to the rows that exist.
            added.append(f"ALTER TABLE {place} ALTER COLUMN {b} SET DEFAULT {default}")
        body = both_ways(old, new, type_, old_default, default)
        sending.short([*added, *Mirror(table, old, new).create(body)])
    backfill(
        table_name,
        {new: a},
        where=f"{b} IS NULL AND {a} IS NOT NULL",
        schema=schema,
        batch_size=batch_size,
        pause=pause,
    )
    analyze(table_name, schema=schema)


def finish_rename(
    table_name: str,
    old: str,
    new: str,
    *,
    default: str | None = None,
    schema: str | None = None,
) -> None:
    """End what ``start_rename`` began: the trigger and the old column go, under one short lock.

    Args:
        table_name: of the table.
        old: the column to drop, with what is left on it.
        new: the column that stays.
        default: for the new column from now on, where it gives another value each time.
        schema: of the table, None for the connection's own.
    """
    if not on_postgresql():
        return
    with sender() as sending:
        table = table_of(sending, table_name, schema)
        place = qualified(table, None)
        last = [] if default is None else [f"ALTER TABLE {place} ALTER COLUMN {written(new)} SET DEFAULT {default}"]
        dropped = f"ALTER TABLE {place} DROP COLUMN IF EXISTS {written(old)}"
        sending.short([*Mirror(table, old, new).drop(), dropped, *last])


def undo_rename(table_name: str, old: str, new: str, *, take: Sequence[str] = (), schema: str | None = None) -> None:
    """Take ``start_rename`` back: the trigger and the new column go, whose values the old column has too.

    Args:
        table_name: of the table.
        old: the column that stays.
        new: the column to drop.
        take: names of indexes and constraints that ``take_names`` gave to copies, given back now.
        schema: of the table, None for the connection's own.
    """
    if not on_postgresql():
        return
    with sender() as sending:
        table = table_of(sending, table_name, schema)
        dropped = f"ALTER TABLE {qualified(table, None)} DROP COLUMN IF EXISTS {written(new)}"
        back = taken(sending, table, take, former_name, copy_name)
        sending.short([*back, *Mirror(table, old, new).drop(), dropped])
