"""New values for many rows, a batch at a time, each in a transaction of its own; a run that is killed is resumed.

Batches follow a key (keyset pagination), so that each costs the same however many came before. One statement takes a
window of keys, locks the rows in it that are to change, changes them and moves the cursor: what is committed and what
the cursor says can never part.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from alembic import op

from framework_m_migrations.adapters.sql.dialects.postgresql.columns import Window, script
from framework_m_migrations.adapters.sql.dialects.postgresql.conflicts import relation_sql
from framework_m_migrations.adapters.sql.dialects.postgresql.online.sending import (
    Sender,
    on_postgresql,
    read_table,
    sender,
    target_of,
)
from framework_m_migrations.adapters.sql.dialects.postgresql.text import qualified, string_literal, written
from framework_m_migrations.adapters.sql.ledger import BACKFILLS_TABLE, only_tables
from framework_m_migrations.domain.errors import RevisionError
from framework_m_migrations.domain.events import BackfillMoved
from framework_m_migrations.domain.schema import Column, Table, TableName

_ESTIMATE = """
SELECT (SUM(CASE WHEN c.reltuples < 0 THEN NULL ELSE c.reltuples END))::bigint
FROM pg_catalog.pg_class c
WHERE c.oid IN (SELECT relid FROM pg_catalog.pg_partition_tree({table}::regclass) WHERE isleaf
                UNION SELECT {table}::regclass)
"""


def backfill(
    table_name: str,
    values: Mapping[str, str],
    *,
    where: str | None = None,
    name: str | None = None,
    schema: str | None = None,
    batch_size: int = 1000,
    pause: float = 0.05,
) -> int:
    """Give the rows of a table new values, in batches that each are a short transaction.

    Batches follow the primary key, else a unique key without NULLs. The cursor is stored with each batch, so that the
    same call goes on where a killed run stopped. A resumed run goes over the table once more when it has come to the
    end, where ``where`` tells which rows are still to be done. Rows that are inserted meanwhile are the business of
    the application, of a default or of a trigger.

    Args:
        table_name: of the table.
        values: for each column a SQL expression over the row as it was.
        where: SQL condition for the rows to be changed; it should become false with the change, so that a second run
            changes nothing.
        name: under which the cursor is kept; None derives it from table, values and condition.
        schema: of the table, None for the connection's own.
        batch_size: keys in a batch.
        pause: seconds to wait between batches.

    Returns:
        How many rows were changed, those of the runs that this one resumed included.

    Raises:
        RevisionError: no such table, no key to go by, or nothing to write.
        LedgerNameTaken: the name of the table of cursors is something else's; nothing was written.
        LockTimeout: rows stayed locked by others; the batches before stand.
        DatabaseError: the database refused a batch; those before stand.
    """
    if not values or batch_size < 1:
        raise RevisionError(
            "A backfill needs values to write, and at least one row in a batch.", next_step="Correct the call."
        )
    if not on_postgresql():
        return _plain(table_name, values, where, schema)
    with sender() as sending:
        table = target_of(sending).names.table(table_name, schema)
        window = Window(table, dict(values), where, batch_size)
        return _run(sending, window, name or _name(window), pause=pause, resumes=True)


def fill_nulls(
    sending: Sender, table: TableName, column: str, fill: str, *, batch_size: int, pause: float, resumes: bool
) -> int:
    """A backfill of the rows that hold NULL in a column; its cursor is kept where the run ``resumes``."""
    window = Window(table, {column: fill}, f"{written(column)} IS NULL", batch_size)
    return _run(sending, window, _name(window), pause=pause, resumes=resumes)


def _plain(table: str, values: Mapping[str, str], where: str | None, schema: str | None) -> int:
    """At once, in the revision's transaction: on a database with one writer nobody is held up less by batches."""
    context = op.get_context()
    quote = context.dialect.identifier_preparer.quote
    place = quote(table) if schema is None else f"{quote(schema)}.{quote(table)}"
    assignments = ", ".join(f"{quote(column)} = {value}" for column, value in values.items())
    sql = f"UPDATE {place} SET {assignments}" + ("" if where is None else f" WHERE {where}")  # noqa: S608 - the author's
    statement = sa.text(sql.replace(":", r"\:"))
    if context.as_sql or context.connection is None:
        op.execute(statement)
        return 0
    return int(context.connection.execute(statement).rowcount)


@dataclass(frozen=True, slots=True)
class _State:
    """Where a backfill is kept, and under which name."""

    table: str
    name: str


def _run(sending: Sender, window: Window, name: str, *, pause: float, resumes: bool) -> int:
    if sending.offline:
        sending.print(script(window, pause))
        return 0
    table = read_table(sending, window.table)
    key = _key(table, window)
    state = _State(qualified(TableName(BACKFILLS_TABLE), sending.state_schema), name)
    resumed = resumes and _prepare(sending, state, window)
    changed = _passed(sending, window, key, state if resumes else None, pause)
    if resumed and window.where is not None:
        changed += _passed(sending, window, key, None, pause)
    if resumes:
        sending.short([f"DELETE FROM {state.table} WHERE name = {string_literal(name)}"])  # noqa: S608 - quoted
    return changed


def _prepare(sending: Sender, state: _State, window: Window) -> bool:
    """Have a row for the cursor; True where one was there already, of this very table."""
    oid = f"{string_literal(qualified(window.table, None))}::regclass::oid::bigint"
    # What is no table might take the rows into one of somebody else's.
    only_tables(sending.rows(relation_sql(BACKFILLS_TABLE, sending.state_schema)))
    if sending.rows(f"SELECT pg_catalog.to_regclass({string_literal(state.table)}) IS NULL")[0][0]:
        columns = (
            "name text PRIMARY KEY, relation bigint NOT NULL, position jsonb, done bigint NOT NULL DEFAULT 0, "
            "changed bigint NOT NULL DEFAULT 0, touched timestamptz NOT NULL DEFAULT now()"
        )
        sending.short([f"CREATE TABLE IF NOT EXISTS {state.table} ({columns})"])
    name = string_literal(state.name)
    # A table that was made anew since is another one: its keys have nothing to do with the cursor.
    found = sending.answered(
        f"INSERT INTO {state.table} AS kept (name, relation) VALUES ({name}, {oid}) "  # noqa: S608 - quoted
        "ON CONFLICT (name) DO UPDATE SET relation = EXCLUDED.relation, "
        "position = CASE WHEN kept.relation = EXCLUDED.relation THEN kept.position END, "
        "done = CASE WHEN kept.relation = EXCLUDED.relation THEN kept.done ELSE 0 END, "
        "changed = CASE WHEN kept.relation = EXCLUDED.relation THEN kept.changed ELSE 0 END "
        "RETURNING position IS NOT NULL"
    )
    return bool(found[0])


def _passed(sending: Sender, window: Window, key: tuple[Column, ...], state: _State | None, pause: float) -> int:
    """Go over the table once, from the cursor to the end."""
    position: list[str] | None = None
    done, changed = 0, 0
    if state is not None:
        text, done, changed = sending.answered(
            f"SELECT position::text, done, changed FROM {state.table} WHERE name = {string_literal(state.name)}"  # noqa: S608 - quoted
        )
        position = None if text is None else json.loads(text)
    estimate = sending.rows(_ESTIMATE.format(table=string_literal(qualified(window.table, None))))[0][0]
    while True:
        kept = None if state is None else (state.table, string_literal(state.name))
        seen, written_rows, last = sending.answered(window.statement(key, position, kept))
        done, changed = done + seen, changed + written_rows
        left = None if estimate is None else max(0, int(estimate) - done)
        full = seen == window.size
        sending.surroundings.events.emit(BackfillMoved(str(window.table), done, changed, left if full else 0))
        if not full:
            return int(changed)
        position = json.loads(last)
        sending.pause(pause)


def _key(table: Table, window: Window) -> tuple[Column, ...]:
    """What tells the rows apart and has an index: the primary key, else a unique key without NULLs."""
    candidates = [table.primary_key.columns] if table.primary_key is not None else []
    candidates += [unique.columns for unique in table.uniques]
    candidates += [
        index.plain_columns for index in table.indexes if index.unique and index.valid and index.plain_columns
    ]
    for names in candidates:
        columns = [table.column(name) for name in names]
        found = tuple(column for column in columns if column is not None and not column.nullable)
        if len(found) == len(names) and not set(names) & set(window.values):
            return found
    raise RevisionError(
        f"Table {window.table} has no key that the backfill does not itself change: no primary key, and no unique key "
        "without NULLs.",
        next_step="Give it one, or write the values with execute().",
        details={"table": str(window.table)},
    )


def _name(window: Window) -> str:
    text = json.dumps([str(window.table), sorted(window.values.items()), window.where])
    return f"{window.table}:{hashlib.sha256(text.encode()).hexdigest()[:16]}"
