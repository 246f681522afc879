"""Columns and tables renamed in two phases, both names usable in between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from framework_m_migrations.adapters.sql.dialects.postgresql.online.backfill import backfill
from framework_m_migrations.adapters.sql.dialects.postgresql.online.conversion import (
    Mirror,
    analyze,
    both_ways,
    default_set,
    empty_column,
    has_column,
    refuse_dependents,
    table_of,
    taken,
)
from framework_m_migrations.adapters.sql.dialects.postgresql.online.sending import Sender, on_postgresql, sender
from framework_m_migrations.adapters.sql.dialects.postgresql.text import qualified, string_literal, written
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.renames import copy_name, former_name
from framework_m_migrations.domain.schema import TableName


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
        a, b = written(old), written(new)
        # A default apart from ADD COLUMN, which would give it to the rows that exist.
        added = empty_column(sending, table, new, type_)
        if default is not None:
            added += sending.statements(default_set(table, new, default))
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
        work: list[o.Operation] = [o.DropColumn(table, old)]
        if default is not None:
            work.append(default_set(table, new, default))
        sending.short([*Mirror(table, old, new).drop(), *sending.statements(*work)])


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
        back = taken(sending, table, take, former_name, copy_name)
        sending.short([*back, *Mirror(table, old, new).drop(), *sending.statements(o.DropColumn(table, new))])


# A table renamed in two phases: the table under its new name, a view under the old one, and in the end no view.


_INVOKER = (15,)
"""Since when a view can read with the rights of whoever reads it, so that row level security stays as it is."""
_KIND = "SELECT c.relkind::text FROM pg_catalog.pg_class c WHERE c.oid = pg_catalog.to_regclass({name})"

_OPENED = """DO $m_migrate$
DECLARE one record;
BEGIN
  FOR one IN
    SELECT CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(r.rolname) END AS role,
           a.privilege_type AS privilege, CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END AS more
    FROM pg_catalog.pg_class c CROSS JOIN pg_catalog.aclexplode(c.relacl) a
    LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
    WHERE c.oid = {table}::regclass AND a.grantee <> c.relowner
      AND a.privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
  LOOP
    EXECUTE format('GRANT %s ON %s TO %s%s', one.privilege, {view}, one.role, one.more);
  END LOOP;
  FOR one IN
    SELECT pg_catalog.pg_get_userbyid(c.relowner) AS owner FROM pg_catalog.pg_class c
    WHERE c.oid = {table}::regclass AND pg_catalog.pg_get_userbyid(c.relowner) <> current_user
  LOOP
    EXECUTE format('ALTER VIEW %s OWNER TO %I', {view}, one.owner);
  END LOOP;
END
$m_migrate$"""


def start_table_rename(
    old: str, new: str, *, constraints: Mapping[str, str] | None = None, schema: str | None = None
) -> None:
    """Rename a table, and leave a view under the old name through which old code reads and writes the same rows.

    Both happen in one transaction under a short lock. Whoever had rights on the table has them on the view. A view
    takes SELECT, INSERT, UPDATE and DELETE, with ON CONFLICT and RETURNING; no foreign key can refer to it, and
    TRUNCATE, COPY into it and LOCK TABLE need the table.

    Args:
        old: the table that there is.
        new: what it shall be called.
        constraints: new names of its constraints, by the old ones.
        schema: of the table, None for the connection's own.
    """
    if not on_postgresql():
        return
    with sender() as sending:
        before, after = table_of(sending, old, schema), table_of(sending, new, schema)
        there = None if sending.offline else (_kind(sending, before), _kind(sending, after))
        if there is not None and there[0] == "v" and there[1] is not None:
            return
        halfway = there is not None and there[0] is None and there[1] is not None
        renamed = (
            () if halfway else sending.statements(o.RenameTable(before, after, tuple((constraints or {}).items())))
        )
        sending.short([*renamed, *_view(sending, before, after)])


def finish_table_rename(old: str, new: str, *, schema: str | None = None) -> None:
    """End what ``start_table_rename`` began: the view under the old name goes.

    Args:
        old: the name of the view.
        new: the table.
        schema: of both, None for the connection's own.
    """
    del new
    if not on_postgresql():
        return
    with sender() as sending:
        sending.short([f"DROP VIEW IF EXISTS {qualified(table_of(sending, old, schema), None)}"])


def restore_table_rename(old: str, new: str, *, schema: str | None = None) -> None:
    """Take ``finish_table_rename`` back: the view under the old name is there again.

    Args:
        old: the name of the view.
        new: the table.
        schema: of both, None for the connection's own.
    """
    if not on_postgresql():
        return
    with sender() as sending:
        before, after = table_of(sending, old, schema), table_of(sending, new, schema)
        if sending.offline or _kind(sending, before) is None:
            sending.short(_view(sending, before, after))


def undo_table_rename(
    old: str, new: str, *, constraints: Mapping[str, str] | None = None, schema: str | None = None
) -> None:
    """Take ``start_table_rename`` back: the view goes and the table has its old name again, under one short lock.

    Args:
        old: the name of the view, and again of the table.
        new: the table.
        constraints: names that ``start_table_rename`` gave its constraints, by the old ones.
        schema: of both, None for the connection's own.
    """
    if not on_postgresql():
        return
    with sender() as sending:
        before, after = table_of(sending, old, schema), table_of(sending, new, schema)
        if sending.offline or _kind(sending, after) is not None:
            names = tuple((now, was) for was, now in (constraints or {}).items())
            back = sending.statements(o.RenameTable(after, before, names))
            sending.short([f"DROP VIEW IF EXISTS {qualified(before, None)}", *back])


def _kind(sending: Sender, name: TableName) -> str | None:
    found = sending.rows(_KIND.format(name=string_literal(qualified(name, None))))
    return str(found[0][0]) if found else None


def _view(sending: Sender, before: TableName, after: TableName) -> list[str]:
    """The view, owned by the table's owner and open to whoever the table is open to."""
    view, table = qualified(before, None), qualified(after, None)
    version = () if sending.offline else sending.connection.dialect.server_version_info or ()
    invoker = " WITH (security_invoker = true)" if sending.offline or version >= _INVOKER else ""
    opened = _OPENED.format(table=string_literal(table), view=string_literal(view))
    return [f"CREATE VIEW {view}{invoker} AS SELECT * FROM {table}", opened]  # noqa: S608 - names are quoted
