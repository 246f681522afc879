"""The statements of operations that SQLite writes in its own way, among them edits of the stored definition."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.sqlite.catalog import build_table, read_raw, rowid_alias
from framework_m_migrations.adapters.sql.dialects.sqlite.conflicts import written_out
from framework_m_migrations.adapters.sql.dialects.sqlite.create_sql import UnreadableSql, parse_table
from framework_m_migrations.adapters.sql.dialects.sqlite.driver import control, in_transaction, server_version
from framework_m_migrations.adapters.sql.dialects.sqlite.edits import (
    EditOperation,
    TableEdit,
    edit_text,
    edits_of,
    is_as_meant,
)
from framework_m_migrations.adapters.sql.dialects.sqlite.inspector import ask
from framework_m_migrations.adapters.sql.dialects.sqlite.rebuild import (
    Draft,
    rebuild_statements,
    shown_rebuild,
    stored_definition,
)
from framework_m_migrations.adapters.sql.dialects.sqlite.spelling import table_kwargs
from framework_m_migrations.adapters.sql.dialects.sqlite.text import (
    NAME,
    WORD,
    literal,
    lower,
    quoted,
    tokens,
    unquoted,
)
from framework_m_migrations.adapters.sql.dialects.sqlite.types import compare_types
from framework_m_migrations.domain.errors import DatabaseError
from framework_m_migrations.domain.naming import Place, standard_name
from framework_m_migrations.domain.operations import (
    AddCheck,
    AddColumn,
    AddForeignKey,
    AddUnique,
    AlterType,
    AttachIndex,
    Backfill,
    BesideOperation,
    CreateIndex,
    CreateTable,
    DropColumn,
    DropConstraint,
    DropIndex,
    DropNotNull,
    DropTable,
    FillColumn,
    Operation,
    RebuildIndex,
    RenameColumn,
    RenameTable,
    SetComment,
    SetDefault,
    SetGenerated,
    SetNotNull,
    SetTableOptions,
    ValidateConstraint,
    ValidateNotNull,
)
from framework_m_migrations.domain.risk.facts import FactKind, Question, TypeChange
from framework_m_migrations.domain.schema import Table, TableName

_PENDING = "framework_m_migrations.sqlite.edits"
_CHECKED_ROWS = 100_000
_RESET_SINCE, _QUICK_CHECK_OF_TABLE_SINCE = (3, 22), (3, 33)
# What quick_check says of rows that broke a rule before the edit. Of the new rule rows are asked one by one.
_OF_ROWS = ("CHECK constraint failed", "NULL value in", "TEXT value in", "NUMERIC value in", "NUMBER value in")
_NOT_YET_THERE = ("no such column", "unknown column")


@dataclass(frozen=True, slots=True)
class PendingEdit:
    """An edit of this transaction, to be verified before its commit."""

    fragments: tuple[str, ...]
    questions: tuple[tuple[str, Question], ...]
    foreign_keys: bool


def edit_statements(operation: EditOperation, connection: sa.Connection, *, schema: str) -> tuple[str, ...]:
    """The statements of an edit, from the table's text as it is now.

    Raises:
        DatabaseError: the text is not understood, SQLite refuses the new one, or it would change something else.
    """
    name = operation.table.name
    place = operation.table.schema or schema
    before = stored_text(connection, name, place)
    try:
        edit = edit_text(before, operation)
    except UnreadableSql as error:
        raise DatabaseError(
            f"The definition of table {operation.table} cannot be edited: {error}.",
            next_step="Change the table with a revision: `m-migrate create`.",
        ) from error
    if edit.after == before:
        return ()
    if in_transaction(connection):
        if before is not None:
            _try_out(before, edit.after, operation)
        # The column itself goes right after, and with it parts of the text.
        fragments = () if isinstance(operation, DropColumn) else edit.fragments
        _record(connection, place, before or "", fragments, operation)
    version = int(control(connection, f"PRAGMA {quoted(place)}.schema_version")[0][0])
    reload = "RESET" if server_version(connection.dialect) >= _RESET_SINCE else "OFF"
    chosen = f"type = 'table' AND name = {literal(name)}"
    return (
        *(
            sql
            for one in edits_of(operation)
            if isinstance(one, SetDefault)
            for sql in written_out(one, connection, schema=place)
        ),
        "PRAGMA writable_schema = ON",
        f"UPDATE {quoted(place)}.sqlite_master SET sql = {edit.assignment} WHERE {chosen}",  # noqa: S608
        f"PRAGMA {quoted(place)}.schema_version = {version + 1}",
        f"PRAGMA writable_schema = {reload}",
    )


def stored_text(connection: sa.Connection, table: str, schema: str) -> str | None:
    """The CREATE TABLE text of a table, None where there is no such table."""
    sql = f"SELECT sql FROM {quoted(schema)}.sqlite_master WHERE type = 'table' AND name = {literal(table)}"  # noqa: S608
    rows = control(connection, sql)
    return str(rows[0][0]) if rows else None


def _try_out(before: str, after: str, operation: EditOperation) -> None:
    """Build both texts in memory and compare what the catalog reader finds.

    Where the old text needs a function or a collation of the application's, both are only parsed.
    """
    try:
        old, old_rowid = _built(before, operation)
    except sqlite3.Error:
        parse_table(after)
        return
    try:
        new, new_rowid = _built(after, operation)
    except sqlite3.Error as error:
        if any(words in str(error) for words in _NOT_YET_THERE) and _adds_constraints(operation):
            return  # A plan that is only shown: the column is added by an earlier step. Else SQLite refuses it itself.
        raise DatabaseError(
            f"SQLite does not accept the change of table {operation.table}: {error}.",
            next_step="Correct the model; nothing was changed.",
        ) from error
    if not is_as_meant(old, new, operation) or new_rowid != old_rowid:
        raise DatabaseError(
            f"The definition of table {operation.table} cannot be changed in place without changing more than that.",
            next_step="Change the table with a revision: `m-migrate create`.",
        )


def _adds_constraints(operation: EditOperation) -> bool:
    return any(isinstance(one, AddCheck | AddForeignKey) for one in edits_of(operation))


def _built(text: str, operation: EditOperation) -> tuple[Table, str | None]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as scratch:
        scratch.execute(text)
        raw = read_raw(lambda sql, parameters: scratch.execute(sql, parameters).fetchall())
    table = raw.tables[operation.table.name]
    built = build_table(table, schema=operation.table.schema, keys={}, names={})
    return built, rowid_alias(table, parse_table(text))


def _record(
    connection: sa.Connection, place: str, before: str, fragments: tuple[str, ...], operation: EditOperation
) -> None:
    pending: dict[tuple[str, str], PendingEdit] = connection.info.setdefault(_PENDING, {})
    key = (place, operation.table.name)
    earlier = pending.get(key)
    questions = tuple(dict.fromkeys(question for one in edits_of(operation) for question in questions_of(one)))
    foreign_keys = any(isinstance(one, AddForeignKey) for one in edits_of(operation))
    if earlier is not None and all(fragment in before for fragment in earlier.fragments):
        questions = tuple(dict.fromkeys((*earlier.questions, *questions)))
        foreign_keys = foreign_keys or earlier.foreign_keys
    pending[key] = PendingEdit(fragments, questions, foreign_keys)


def questions_of(operation: EditOperation) -> tuple[tuple[str, Question], ...]:
    """What is wrong with the rows when the answer is not 0, with the question, for an operation."""
    table = operation.table
    match operation:
        case AddCheck(check=check):
            question = Question(FactKind.VIOLATIONS, table, detail=check.expression)
            return ((f"Rows of {table} break the check {check.expression}", question),)
        case AddForeignKey(foreign_key=key) if key.target_columns:
            question = Question(FactKind.ORPHANS, table, key.columns, None, key.target, key.target_columns)
            return ((f"Rows of {table} name no row of {key.target} in {', '.join(key.columns)}", question),)
        case SetNotNull(column=column):
            question = Question(FactKind.NULLS, table, (column.name,))
            return ((f"Rows of {table} hold NULL in {column.name}", question),)
        case AlterType(before=before, column=column) if compare_types(before.type, column.type) is TypeChange.REWRITE:
            what = f"{before.type} to {column.type} would need every row of {table} rewritten, and it holds rows"
            return ((what, Question(FactKind.HAS_ROWS, table)),)
        case _:
            return ()


def verify_edits(connection: sa.Connection) -> None:
    """Hold what this transaction edited against the rows and against SQLite's own check.

    Raises:
        DatabaseError: rows break a new rule, or the table is not sound. The transaction must be rolled back.
    """
    pending: dict[tuple[str, str], PendingEdit] = connection.info.get(_PENDING, {})
    for (schema, table), edit in pending.items():
        try:
            _verify(connection, schema, table, edit)
        except sa.exc.DBAPIError as error:
            raise DatabaseError(
                f"The new definition of table {table} cannot stand: {str(error.orig).rstrip('.')}.",
                next_step="Correct the model; nothing was changed.",
            ) from error


def _verify(connection: sa.Connection, schema: str, table: str, edit: PendingEdit) -> None:
    text = stored_text(connection, table, schema)
    if text is None or not all(fragment in text for fragment in edit.fragments):
        raise DatabaseError(f"The definition of table {table} did not take the change.")
    answers = ask(connection, [question for _, question in edit.questions], schema=schema)
    for what, question in edit.questions:
        if answers.get(question, 1):
            raise DatabaseError(f"{what}.", next_step="Fix the rows, then run the same command again.")
    if edit.foreign_keys:
        # Fails where the target's columns are not unique: every write to either table would then fail.
        control(connection, f"PRAGMA {quoted(schema)}.foreign_key_check({quoted(table)})")
    _check_soundness(connection, table, schema)


def _check_soundness(connection: sa.Connection, table: str, schema: str) -> None:
    if server_version(connection.dialect) < _QUICK_CHECK_OF_TABLE_SINCE:
        return
    name = f"{quoted(schema)}.{quoted(table)}"
    counted = f"SELECT count(*) FROM (SELECT 1 FROM {name} LIMIT {_CHECKED_ROWS + 1})"  # noqa: S608
    if control(connection, counted)[0][0] > _CHECKED_ROWS:
        return
    rows = control(connection, f"PRAGMA {quoted(schema)}.quick_check({quoted(table)})")
    wrong = [str(row[0]) for row in rows if row[0] != "ok" and not str(row[0]).startswith(_OF_ROWS)]
    if wrong:
        raise DatabaseError(f"Table {table} is not sound after the change of its definition: {wrong[0]}.")


def forget_edits(connection: sa.Connection) -> None:
    """Forget what was recorded and switch the writing of definitions off, which a failed edit leaves on."""
    if not connection.invalidated and connection.info.pop(_PENDING, None):
        control(connection, "PRAGMA writable_schema = OFF")


# The statements of operations that SQLite writes in its own way.


def statements(operation: Operation | TableEdit, connection: sa.Connection, *, schema: str) -> tuple[str, ...] | None:
    """The statements of an operation, None for the shared form.

    Args:
        operation: what to do.
        connection: the stored definition is read from it, nothing is changed.
        schema: the schema of tables that name none.

    Raises:
        DatabaseError: the definition cannot be edited in this way.
    """
    if isinstance(operation, BesideOperation):
        return ()
    match operation:
        case TableEdit():
            return edit_statements(operation, connection, schema=schema)
        case DropConstraint(table=table, constraint=name) if has_index(connection, name, table.schema or schema):
            return (f"DROP INDEX {quoted(table.schema or schema)}.{quoted(name)}",)
        case SetTableOptions(table=table, before=before, options=options):
            draft = Draft(table, stored_definition(connection, table.name, table.schema or schema))
            draft.set_table_kwargs(table_kwargs(dict(before), dict(options)))
            return rebuild_statements(connection, draft, schema=table.schema or schema)
        case _ if (
            not in_transaction(connection) and (rebuilt := shown_rebuild(operation, connection, schema)) is not None
        ):
            # Only shown: what is sent by a revision, which counts the rows first.
            return rebuilt
        case AddCheck() | AddForeignKey() | AlterType() | SetNotNull() | SetDefault() | DropNotNull():
            return edit_statements(operation, connection, schema=schema)
        case AddUnique():
            return add_unique(operation, schema)
        case DropConstraint():
            return edit_statements(operation, connection, schema=schema)
        case DropColumn():
            return drop_column(operation, connection, schema)
        case RebuildIndex(table=table, index=index):
            return (f"REINDEX {quoted(table.schema or schema)}.{quoted(index.name)}",)
        case AttachIndex() | ValidateConstraint() | ValidateNotNull() | SetComment():
            return ()
        case _:
            return None


def add_unique(operation: AddUnique, schema: str) -> tuple[str, ...]:
    """A unique index of the constraint's name and columns, which is the same rule.

    A constraint of its own would need an index that only CREATE TABLE makes.
    """
    table, unique = operation.table, operation.unique
    name = unique.name or standard_name(unique, Place(table, ()))
    columns = ", ".join(quoted(column) for column in unique.columns)
    place = quoted(table.schema or schema)
    return (f"CREATE UNIQUE INDEX {place}.{quoted(name)} ON {quoted(table.name)} ({columns})",)


def has_index(connection: sa.Connection, name: str, schema: str) -> bool:
    """Whether an index of this name was made by CREATE INDEX: how a unique constraint is added to a table."""
    master = f"{quoted(schema)}.sqlite_master"
    chosen = f"type = 'index' AND sql IS NOT NULL AND name = {literal(name)}"
    return bool(control(connection, f"SELECT 1 FROM {master} WHERE {chosen}"))  # noqa: S608


def drop_column(operation: DropColumn, connection: sa.Connection, schema: str) -> tuple[str, ...]:
    """The indexes on the column, what in the definition refers to it, and the column; each would keep it otherwise."""
    table, name = operation.table, operation.column
    place = table.schema or schema
    rows = control(
        connection,
        f"SELECT name, sql FROM {quoted(place)}.sqlite_master"  # noqa: S608
        f" WHERE type = 'index' AND sql IS NOT NULL AND tbl_name = {literal(table.name)} ORDER BY name",
    )
    indexes = [index for index, sql in rows if _mentions(str(sql), name)]
    return (
        *(f"DROP INDEX {quoted(place)}.{quoted(index)}" for index in indexes),
        *edit_statements(operation, connection, schema=schema),
        f"ALTER TABLE {quoted(place)}.{quoted(table.name)} DROP COLUMN {quoted(name)}",
    )


def _mentions(sql: str, column: str) -> bool:
    """Whether a CREATE INDEX names a column in its keys or its predicate."""
    found = tokens(sql)
    opening = next((position for position, token in enumerate(found) if token.text == "("), len(found))
    named = (token for token in found[opening:] if token.kind in {WORD, NAME})
    return any(lower(unquoted(token.text)) == lower(column) for token in named)


def locked_tables(operation: Operation) -> tuple[TableName, ...]:
    """Tables that exist before an operation and are changed by it."""
    if isinstance(operation, BesideOperation):
        return ()
    match operation:
        case CreateTable():
            return ()
        case (
            AddColumn(table=table)
            | CreateIndex(table=table)
            | AttachIndex(table=table)
            | RebuildIndex(table=table)
            | AddUnique(table=table)
            | AddCheck(table=table)
            | AddForeignKey(table=table)
            | ValidateConstraint(table=table)
            | AlterType(table=table)
            | FillColumn(table=table)
            | SetNotNull(table=table)
            | ValidateNotNull(table=table)
            | SetDefault(table=table)
            | SetComment(table=table)
            | DropTable(table=table)
            | DropColumn(table=table)
            | DropIndex(table=table)
            | DropConstraint(table=table)
            | DropNotNull(table=table)
            | RenameTable(before=table)
            | RenameColumn(table=table)
            | SetGenerated(table=table)
            | SetTableOptions(table=table)
            | Backfill(table=table)
        ):
            return (table,)
