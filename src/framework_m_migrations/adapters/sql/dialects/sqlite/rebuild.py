"""Rebuilds a table from an edited text of its definition: for what an edit in place cannot do.

The procedure of https://www.sqlite.org/lang_altertable.html, 7, with the old table renamed away instead of the new
one renamed into place: so the new one is created under its own name, by exactly the text that is to be stored, and no
view, trigger or foreign key of another table is looked at or rewritten. That takes ``legacy_alter_table`` and foreign
keys that are not enforced, as the old table's drop would delete the rows of its children.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import count

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.sqlite.conversions import lost, stays_as_it_is
from framework_m_migrations.adapters.sql.dialects.sqlite.create_sql import parse_table
from framework_m_migrations.adapters.sql.dialects.sqlite.create_text import TableText
from framework_m_migrations.adapters.sql.dialects.sqlite.draft import Draft
from framework_m_migrations.adapters.sql.dialects.sqlite.driver import control
from framework_m_migrations.adapters.sql.dialects.sqlite.edits import unique_clause
from framework_m_migrations.adapters.sql.dialects.sqlite.expressions import is_constant_default
from framework_m_migrations.adapters.sql.dialects.sqlite.tokens import (
    NAME,
    STRING,
    WORD,
    Token,
    literal,
    lower,
    quoted,
    tokens,
    unquoted,
)
from framework_m_migrations.adapters.sql.sqltext import SqlText
from framework_m_migrations.domain.errors import DatabaseError, RevisionError, ValuesWouldBeLost
from framework_m_migrations.domain.operations import (
    AddColumn,
    AddUnique,
    AlterType,
    DropConstraint,
    Operation,
    SetGenerated,
)
from framework_m_migrations.domain.schema import Column

_ROWIDS = ("rowid", "_rowid_", "oid")
_NAMES = frozenset({WORD, NAME, STRING})
_PROBE = "m_migrate_probe"

type Send = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class _Object:
    """An index or a trigger of a table, ``temporary`` where only this connection has it."""

    kind: str
    name: str
    sql: str
    temporary: bool = False


def rebuild_statements(connection: sa.Connection, draft: Draft, *, schema: str) -> tuple[str, ...]:
    """The statements of a rebuild, from the table as it is now. Nothing is changed.

    Args:
        connection: read through.
        draft: what the table is to be.
        schema: where it is.

    Raises:
        RevisionError: a trigger fires on changes of a column that is dropped.
    """
    name = draft.table.name
    old = f"{quoted(schema)}.{quoted(_free_name(connection, name, schema))}"
    place = f"{quoted(schema)}.{quoted(name)}"
    stored = parse_table(stored_definition(connection, name, schema))
    values = draft.values() | _rowid(stored, draft.parsed)
    legacy = int(control(connection, "PRAGMA legacy_alter_table")[0][0])
    kept = [item for item in _objects(connection, name, schema) if _survives(item, draft)]
    bare = old.partition(".")[2]
    counts = any(column.autoincrement for column in stored.columns)
    counts = counts and any(column.autoincrement for column in draft.parsed.columns)
    sequence = f"{quoted(schema)}.sqlite_sequence"
    filled = (
        f"INSERT OR ABORT INTO {place} ({', '.join(_bare_or_quoted(column) for column in values)})"  # noqa: S608
        f" SELECT {', '.join(values.values())} FROM {old}"
    )
    return (
        "PRAGMA legacy_alter_table = ON",
        f"ALTER TABLE {place} RENAME TO {bare}",
        _within_schema(draft.text, "TABLE", schema),
        *((filled,) if values else ()),
        *(
            (
                f"DELETE FROM {sequence} WHERE name = {literal(name)}",  # noqa: S608
                f"UPDATE {sequence} SET name = {literal(name)} WHERE name = {literal(unquoted(bare))}",  # noqa: S608
            )
            if counts
            else ()
        ),
        f"DROP TABLE {old}",
        f"PRAGMA legacy_alter_table = {legacy}",
        *(_within_schema(item.sql, item.kind.upper(), "temp" if item.temporary else schema) for item in kept),
    )


def shown_rebuild(operation: Operation, connection: sa.Connection, schema: str) -> tuple[str, ...] | None:
    """What a plan shows of an operation that a revision carries out by a rebuild; None where it needs none.

    Args:
        operation: the operation.
        connection: read through.
        schema: of tables that name none.
    """
    if not isinstance(operation, AlterType | SetGenerated | AddUnique | DropConstraint | AddColumn):
        return None
    place = operation.table.schema or schema
    try:
        draft = Draft(operation.table, stored_definition(connection, operation.table.name, place))
        if not _is_redrafted(draft, operation, connection, place):
            return None
        return rebuild_statements(connection, draft, schema=place)
    except (RevisionError, DatabaseError):
        return None  # An earlier step of the plan makes the table, or the column.


def _is_redrafted(draft: Draft, operation: Operation, connection: sa.Connection, place: str) -> bool:
    text = SqlText(connection.dialect, str, schema=None)
    before = draft.parsed
    match operation:
        case AlterType(before=old, column=column):
            draft.set_type(old.type, column)
            converted = not stays_as_it_is(old.type, column.type) and has_rows(connection, draft.table.name, place)
            return converted or _has_alias(before) is not _has_alias(draft.parsed)
        case SetGenerated(column=column):
            draft.set_generated(column.name, _generated_clause(column, text))
        case AddUnique(unique=unique) if unique.options:
            draft.add_constraint(unique_clause(unique))
        case DropConstraint(constraint=name, kind="unique"):
            found = draft.constraint(name, "unique") or draft.going_by(name, "unique")
            if found is None:
                return False
            draft.drop_constraint(found)
        case AddColumn(column=Column(native=sa.Column() as native)):
            default = text.server_default(native)
            stored = native.computed is not None and native.computed.persisted
            volatile = native.computed is None and default is not None and not is_constant_default(default)
            if not stored and not (volatile and has_rows(connection, draft.table.name, place)):
                return False
            draft.add_column(native.name, text.ddl.get_column_specification(native))
        case _:
            return False
    return True


def _generated_clause(column: Column, text: SqlText) -> str | None:
    if column.generated is None:
        return None
    native = column.native
    if isinstance(native, sa.Column) and native.computed is not None:
        return str(text.ddl.process(native.computed))
    return f"GENERATED ALWAYS AS ({column.generated.expression}) {'STORED' if column.generated.stored else 'VIRTUAL'}"


def has_rows(connection: sa.Connection, table: str, schema: str) -> bool:
    """Whether a table has any row."""
    found = control(connection, f"SELECT EXISTS (SELECT 1 FROM {quoted(schema)}.{quoted(table)})")  # noqa: S608
    return bool(found[0][0])


def rebuild(connection: sa.Connection, draft: Draft, send: Send, *, schema: str) -> None:
    """Carry a rebuild out, within the transaction that is open.

    Args:
        connection: with foreign keys not enforced.
        draft: what the table is to be.
        send: executes a statement.
        schema: where the table is.

    Raises:
        ValuesWouldBeLost: rows hold values that have no form in their new type. Nothing was changed.
        RevisionError: foreign keys are enforced, or a view or a trigger does not hold without a dropped column.
    """
    if control(connection, "PRAGMA foreign_keys")[0][0]:
        raise RevisionError(
            f"Table {draft.table} cannot be rebuilt while foreign keys are enforced: rows that depend on its rows "
            "would be deleted.",
            next_step="Run the revision with `m-migrate run`, or with an env.py that calls alembic_env.run().",
        )
    refuse_losses(connection, draft, schema=schema)
    unsound = _unsound(connection, schema) if draft.dropped else None
    legacy = int(control(connection, "PRAGMA legacy_alter_table")[0][0])
    try:
        for sql in rebuild_statements(connection, draft, schema=schema):
            send(sql)
    finally:
        if not connection.invalidated:
            control(connection, f"PRAGMA legacy_alter_table = {legacy}")
    if draft.dropped and unsound is None and (broken := _unsound(connection, schema)) is not None:
        raise RevisionError(
            f"Table {draft.table} cannot be without {', '.join(draft.dropped)}: {broken}.",
            next_step="Drop or change in the revision, before the column, what depends on it.",
        )


def refuse_losses(connection: sa.Connection, draft: Draft, *, schema: str) -> None:
    """Count the rows whose values would be lost, and refuse where there are any; see ``rebuild``."""
    place = f"{quoted(schema)}.{quoted(draft.table.name)}"
    found = []
    for one in draft.conversions:
        condition = lost(one.converted, one.value)
        rows = control(connection, f"SELECT count(*) FROM {place} WHERE {condition}")[0][0]  # noqa: S608
        if rows:
            found.append((one, int(rows)))
    if found:
        listed = "; ".join(
            f"{rows} row{'s hold values' if rows > 1 else ' holds a value'} of {draft.table}.{one.column} that would "
            f"be lost from {one.before} to {one.after}"
            for one, rows in found
        )
        raise ValuesWouldBeLost(
            f"{listed}. Nothing was changed.",
            details={
                "table": str(draft.table),
                "column": ", ".join(one.column for one, _ in found),
                "rows": max(rows for _, rows in found),
            },
        )


def stored_definition(connection: sa.Connection, table: str, schema: str) -> str:
    """The CREATE TABLE text that SQLite keeps for a table.

    Raises:
        RevisionError: there is no such table.
    """
    chosen = f"type = 'table' AND name = {literal(table)} COLLATE NOCASE"
    rows = control(connection, f"SELECT sql FROM {quoted(schema)}.sqlite_master WHERE {chosen}")  # noqa: S608
    if not rows:
        raise RevisionError(f"There is no table {table}.", next_step="Name a table that the database has.")
    return str(rows[0][0])


def actual_columns(connection: sa.Connection, table: str, schema: str) -> list[str]:
    """The names of a table's columns."""
    chosen = f"SELECT name FROM pragma_table_xinfo({literal(table)}, {literal(schema)}) WHERE hidden <> 1"  # noqa: S608
    return [str(row[0]) for row in control(connection, chosen)]


def _free_name(connection: sa.Connection, table: str, schema: str) -> str:
    rows = control(connection, f"SELECT name FROM {quoted(schema)}.sqlite_master")  # noqa: S608
    taken = {lower(str(row[0])) for row in rows}
    names = (f"m_migrate_old_{table}" + (f"_{number}" if number else "") for number in count())
    return next(name for name in names if lower(name) not in taken)


def _rowid(before: TableText, after: TableText) -> dict[str, str]:
    """The rowid of a table whose rows have no other name for it; an index over nothing else keeps its order then."""
    if before.without_rowid or after.without_rowid or _has_alias(after):
        return {}
    names = {lower(column.name) for table in (before, after) for column in table.columns}
    free = next((name for name in _ROWIDS if name not in names), None)
    return {} if free is None else {free: free}


def _has_alias(table: TableText) -> bool:
    if len(table.primary_key) != 1:
        return False
    column = table.column(table.primary_key[0])
    return column is not None and column.type.upper() == "INTEGER"


def _bare_or_quoted(column: str) -> str:
    return column if column in _ROWIDS else quoted(column)


def _objects(connection: sa.Connection, table: str, schema: str) -> list[_Object]:
    """Indexes, then triggers, in the order in which they were made: triggers fire in the reverse one."""
    chosen = f"tbl_name = {literal(table)} COLLATE NOCASE AND sql IS NOT NULL"
    rows = control(
        connection,
        f"SELECT type, name, sql FROM {quoted(schema)}.sqlite_master"  # noqa: S608
        f" WHERE type IN ('index', 'trigger') AND {chosen} ORDER BY type, rowid",
    )
    own = [_Object(str(kind), str(name), str(sql)) for kind, name, sql in rows]
    rows = control(connection, f"SELECT name, sql FROM sqlite_temp_master WHERE type = 'trigger' AND {chosen}")  # noqa: S608
    return own + [_Object("trigger", str(name), str(sql), temporary=True) for name, sql in rows]


def _survives(item: _Object, draft: Draft) -> bool:
    """An index goes with a column that it names; a trigger that fires on such a column is refused.

    Raises:
        RevisionError: the trigger would never fire again.
    """
    now = {lower(column.name) for column in draft.parsed.columns}
    gone = {lower(name) for name in draft.dropped} - now
    if item.kind == "index":
        return not gone & named_in_index(item.sql)
    if gone & _update_of(item.sql):
        raise RevisionError(
            f"Table {draft.table} cannot be without {', '.join(sorted(gone))}: trigger {item.name} fires on changes of "
            "it.",
            next_step="Drop the trigger in the revision before the column.",
        )
    return True


def named_in_index(sql: str) -> set[str]:
    """The names, in lower case, in the keys and the predicate of a CREATE INDEX."""
    found = tokens(sql)
    opening = next((position for position, token in enumerate(found) if token.text == "("), len(found))
    return {lower(unquoted(token.text)) for token in found[opening:] if token.kind in {WORD, NAME}}


def _update_of(sql: str) -> set[str]:
    """The columns after UPDATE OF, in lower case."""
    found = tokens(sql)
    starts = [i for i, token in enumerate(found) if token.upper == "OF" and i and found[i - 1].upper == "UPDATE"]
    if not starts:
        return set()
    return {lower(unquoted(token.text)) for token in _until_on(found[starts[0] + 1 :])}


def _until_on(found: Iterable[Token]) -> Iterable[Token]:
    for token in found:
        if token.kind == WORD and token.upper == "ON":
            return
        if token.kind in _NAMES:
            yield token


def _within_schema(sql: str, word: str, schema: str) -> str:
    """A stored text, whose names are bare, with the schema before the name of what it creates."""
    found = tokens(sql)
    position = next(i for i, token in enumerate(found) if token.upper == word) + 1
    if found[position].upper == "IF" and found[position + 1].upper == "NOT":
        position += 3
    start = found[position].start
    return f"{sql[:start]}{quoted(schema)}.{sql[start:]}"


def _unsound(connection: sa.Connection, schema: str) -> str | None:
    """Why SQLite would refuse any change of a column: a view or a trigger that does not hold."""
    chosen = "type IN ('view', 'trigger') LIMIT 1"
    masters = (f"{quoted(schema)}.sqlite_master", "sqlite_temp_master")
    if not any(control(connection, f"SELECT 1 FROM {master} WHERE {chosen}") for master in masters):  # noqa: S608
        return None
    probe = f"{quoted(schema)}.{quoted(_free_name(connection, _PROBE, schema))}"
    control(connection, "SAVEPOINT m_migrate_probed")
    try:
        control(connection, f"CREATE TABLE {probe} (a, b)")
        control(connection, f"ALTER TABLE {probe} DROP COLUMN b")
    except sa.exc.DBAPIError as error:
        return str(error.orig).rstrip(".")
    finally:
        control(connection, "ROLLBACK TO m_migrate_probed")
        control(connection, "RELEASE m_migrate_probed")
    return None
