"""Rebuilds a table from an edited text of its definition."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.sqlite.create_sql import (
    CheckText,
    ColumnText,
    ForeignKeyText,
    Span,
    TableText,
    UniqueText,
    parse_table,
)
from framework_m_migrations.adapters.sql.dialects.sqlite.driver import control
from framework_m_migrations.adapters.sql.dialects.sqlite.edits import (
    EditOperation,
    check_clause,
    edit_text,
    foreign_key_clause,
    names_in,
    spliced,
    unique_clause,
    with_comma,
)
from framework_m_migrations.adapters.sql.dialects.sqlite.expressions import (
    canonical_default,
    canonical_expression,
    is_constant_default,
)
from framework_m_migrations.adapters.sql.dialects.sqlite.spelling import default_affinity
from framework_m_migrations.adapters.sql.dialects.sqlite.text import (
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
from framework_m_migrations.adapters.sql.dialects.sqlite.types import conversion, declared_type, lost, stays_as_it_is
from framework_m_migrations.adapters.sql.scopes import FILLED
from framework_m_migrations.adapters.sql.sqltext import SqlText
from framework_m_migrations.domain.errors import DatabaseError, RevisionError, ValuesWouldBeLost
from framework_m_migrations.domain.naming import Constraint, unnamed_names
from framework_m_migrations.domain.operations import (
    AddCheck,
    AddColumn,
    AddForeignKey,
    AddUnique,
    AlterType,
    DropConstraint,
    Operation,
    SetGenerated,
)
from framework_m_migrations.domain.schema import Check, Column, ColumnType, ForeignKey, TableName, Unique

_CONFLICT = re.compile(r"\s+ON\s+CONFLICT\s+\w+\s*\Z", re.IGNORECASE)
_KEY_END = re.compile(r"(?:\s+ON\s+CONFLICT\s+\w+)?(?P<counts>\s+AUTOINCREMENT)?\s*\Z", re.IGNORECASE)

type ConstraintText = CheckText | UniqueText | ForeignKeyText


@dataclass(frozen=True, slots=True)
class Conversion:
    """A conversion of values: ``converted`` is NULL for rows whose value (``value``, over the old table) is lost."""

    column: str
    before: ColumnType
    after: ColumnType
    value: str
    converted: str


class Draft:
    """A table's text under edit.

    Args:
        table: its name.
        stored: the text that its edits start from.
        actual: the names of the columns that the table has; None for those of the text.

    Attributes:
        text: as edited so far.
        conversions: what the rows go through.
        dropped: names of columns that the table has and the text has no more.
    """

    def __init__(self, table: TableName, stored: str, *, actual: Iterable[str] | None = None) -> None:
        self.table = table
        self.text = stored
        names = [column.name for column in parse_table(stored).columns]
        there = None if actual is None else {lower(name): name for name in actual}
        self._values = {
            name: quoted(name if there is None else there[lower(name)])
            for name in names
            if there is None or lower(name) in there
        }
        self.conversions: list[Conversion] = []
        self.dropped = [name for name in there.values() if lower(name) not in map(lower, names)] if there else []

    @property
    def parsed(self) -> TableText:
        """What the text says; it must not be changed."""
        return parse_table(self.text)

    def column(self, name: str) -> ColumnText:
        """A column by its name in any case of letters.

        Raises:
            DatabaseError: there is none.
        """
        found = self.find_column(name)
        if found is None:
            raise DatabaseError(f"Table {self.table} has no column {name}.", next_step="Name a column that it has.")
        return found

    def find_column(self, name: str) -> ColumnText | None:
        """As ``column``, None where there is none."""
        return next((column for column in self.parsed.columns if lower(column.name) == lower(name)), None)

    def described(self, name: str) -> Column:
        """A column as the domain describes it."""
        text = self.column(name)
        type_ = declared_type(text.type, text.collation)
        default = None if text.default is None else canonical_default(text.default, default_affinity(type_))
        return Column(text.name, type_, not text.not_null, default)

    def values(self) -> dict[str, str]:
        """SQL over the old table for each column that gets its value from there."""
        generated = {column.name for column in self.parsed.columns if column.expression is not None}
        names = [column.name for column in self.parsed.columns]
        return {name: self._values[name] for name in names if name in self._values and name not in generated}

    def apply(self, operation: EditOperation) -> None:
        """An edit that could be made in place too."""
        match operation:
            case AddCheck(check=check):
                self.add_constraint(check_clause(check))
            case AddForeignKey(foreign_key=key):
                self.add_constraint(foreign_key_clause(key))
            case _:
                self.text = edit_text(self.text, operation).after

    def set_type(self, before: ColumnType, column: Column, using: str | None = None) -> None:
        """Another type for a column, its values converted by ``using`` or by the rules of conversions.py.

        Args:
            before: what its values are.
            column: with its new type.
            using: an expression over the old table.
        """
        name = column.name
        self.apply(AlterType(self.table, Column(name, before), column))
        value = self._values.get(name)
        if value is None:
            return
        if using is not None:
            self._values[name] = f"({using})"
            return
        converted = conversion(before, column.type, value)
        if converted is not None:
            self._values[name] = converted
            self.conversions.append(Conversion(name, before, column.type, value, converted))

    def add_column(self, name: str, definition: str, *, after: str | None = None, before: str | None = None) -> None:
        """A new column behind another one, before another one, or last; rows get its default."""
        if self.find_column(name) is not None:
            raise DatabaseError(f"Table {self.table} has a column {name} already.", next_step="Choose another name.")
        if before is not None:
            place = self.column(before).span[0]
            self.text = f"{self.text[:place]}{definition}, {self.text[place:]}"
            return
        place = (self.parsed.columns[-1] if after is None else self.column(after)).span[1]
        self.text = f"{self.text[:place]}, {definition}{self.text[place:]}"

    def drop_column(self, name: str) -> None:
        """A column goes, and with it the constraints that need it, as PostgreSQL has it.

        A check without a name that names other columns too goes along, because no statement could drop it. One with a
        name is for the revision to drop.

        Raises:
            DatabaseError: a check with a name names other columns too.
        """
        name = self.column(name).name
        key = self.parsed.primary_key
        if name in key:
            self.set_primary_key([column for column in key if column != name], self.parsed.primary_key_name)
        while (constraint := self._needing(name)) is not None:
            self._remove(constraint.span)
        self._refuse_checks_of_several(name)
        self._cut_column(self.column(name).span)
        self._values.pop(name, None)
        self.dropped.append(name)

    def _needing(self, column: str) -> ConstraintText | None:
        table = self.parsed
        inside = self.column(column).span
        keys: list[UniqueText | ForeignKeyText] = [*table.uniques, *table.foreign_keys]
        needing: list[ConstraintText] = [one for one in keys if lower(column) in map(lower, one.columns)]
        for check in table.checks:
            named = self._columns_in(check.expression)
            if named == {lower(column)} or (check.name is None and lower(column) in named):
                needing.append(check)
        return next((one for one in needing if not _within(one.span, inside)), None)

    def _refuse_checks_of_several(self, column: str) -> None:
        inside = self.column(column).span
        for check in self.parsed.checks:
            named = self._columns_in(check.expression)
            if lower(column) in named and (named > {lower(column)} or not _within(check.span, inside)):
                raise DatabaseError(
                    f"Column {column} of table {self.table} cannot be dropped: CHECK ({check.expression}) names it and "
                    "other columns.",
                    next_step="Drop the check in the same batch_alter_table, or state the checks that remain in its "
                    "table_args.",
                )

    def _columns_in(self, expression: str) -> set[str]:
        return names_in(expression) & {lower(column.name) for column in self.parsed.columns}

    def _cut_column(self, span: Span) -> None:
        found = tokens(self.text)
        later = [token for token in found if token.start >= span[1]]
        if later[0].text == ",":
            self.text = self.text[: span[0]] + self.text[later[1].start :]
            return
        earlier = [token for token in found if token.end <= span[0]]
        start = earlier[-1].start if earlier[-1].text == "," else span[0]
        self.text = self.text[:start] + self.text[span[1] :]

    def add_constraint(self, clause: str) -> None:
        """A table constraint, last, on a line of its own: SQLAlchemy reads definitions line by line."""
        end = self.parsed.body_end
        before = self.text[:end].rstrip()
        self.text = f"{before}, \n\t{clause}{self.text[len(before) :]}"

    def constraint(self, name: str, kind: str | None) -> ConstraintText | None:
        """A check, unique or foreign key constraint by its name; ``kind`` None is any of them."""
        kinds: dict[str, Sequence[ConstraintText]] = {
            "check": self.parsed.checks,
            "unique": self.parsed.uniques,
            "foreign_key": self.parsed.foreign_keys,
        }
        chosen = kinds.values() if kind is None else [kinds[kind]]
        return next((one for group in chosen for one in group if one.name and lower(one.name) == lower(name)), None)

    def going_by(self, name: str, kind: str | None) -> ConstraintText | None:
        """A constraint without a name by the one that a revision drops it by (``t_a_key``)."""
        texts: list[ConstraintText] = [*self.parsed.uniques, *self.parsed.checks, *self.parsed.foreign_keys]
        kinds = {"check": CheckText, "unique": UniqueText, "foreign_key": ForeignKeyText}
        names = unnamed_names(self.table, [column.name for column in self.parsed.columns], map(_described, texts))
        return next(
            (
                text
                for text, called in zip(texts, names, strict=True)
                if called is not None
                and lower(called) == lower(name)
                and isinstance(text, (*kinds.values(),) if kind is None else kinds[kind])
            ),
            None,
        )

    def unnamed(self, definition: Unique | Check | ForeignKey) -> ConstraintText | None:
        """A constraint without a name, by what it says."""
        found: Sequence[ConstraintText]
        match definition:
            case Check(expression=expression):
                wanted = canonical_expression(expression)
                found = [one for one in self.parsed.checks if canonical_expression(one.expression) == wanted]
            case Unique(columns=columns):
                found = [one for one in self.parsed.uniques if one.columns == columns]
            case ForeignKey(columns=columns, target=target):
                found = [
                    one
                    for one in self.parsed.foreign_keys
                    if one.columns == columns and lower(one.target) == lower(target.name)
                ]
        return next((one for one in found if one.name is None), None)

    def drop_constraint(self, constraint: ConstraintText) -> None:
        """A constraint that was found in the text as it is now goes."""
        self._remove(constraint.span)

    def name_constraint(self, constraint: ConstraintText, name: str) -> None:
        """Give a constraint without a name one."""
        start = constraint.span[0]
        self.text = f"{self.text[:start]}CONSTRAINT {quoted(name)} {self.text[start:]}"

    def set_primary_key(self, columns: Sequence[str], name: str | None = None) -> None:
        """Another primary key; without columns none."""
        conflict = self.parsed.primary_key_conflict
        if self.parsed.primary_key_span is not None:
            self._remove(self.parsed.primary_key_span)
        if columns:
            names = ", ".join(quoted(self.column(column).name) for column in columns)
            named = "" if name is None else f"CONSTRAINT {quoted(name)} "
            self.add_constraint(f"{named}PRIMARY KEY ({names}){_on_conflict(conflict)}")

    def set_primary_key_conflict(self, word: str | None) -> None:
        """ON CONFLICT of the primary key; None for none."""
        if self.parsed.primary_key_span is None:
            raise DatabaseError(f"Table {self.table} has no primary key.", next_step="Give it one first.")
        start, end = self.parsed.primary_key_span
        match = _KEY_END.search(self.text[start:end])
        place = start + (match.start() if match else end - start)
        counts = " AUTOINCREMENT" if match and match["counts"] else ""
        self.text = f"{self.text[:place]}{_on_conflict(word)}{counts}{self.text[end:]}"

    def set_not_null_conflict(self, name: str, word: str | None) -> None:
        """ON CONFLICT of a column's NOT NULL; None for none.

        Raises:
            DatabaseError: the column lets NULL in.
        """
        column = self.column(name)
        if column.not_null_span is None:
            raise DatabaseError(f"Column {name} of table {self.table} allows NULL.", next_step="Forbid NULL first.")
        start, end = column.not_null_span
        bare = _CONFLICT.sub("", self.text[start:end])
        self.text = f"{self.text[:start]}{bare}{_on_conflict(word)}{self.text[end:]}"

    def set_autoincrement(self, *, on: bool) -> None:
        """Whether the key counts on, whatever rows were deleted.

        Raises:
            DatabaseError: the primary key is not one column.
        """
        key, name = self.parsed.primary_key, self.parsed.primary_key_name
        if len(key) != 1:
            raise DatabaseError(
                f"Table {self.table} cannot count: its primary key is not one column.",
                next_step="Give it a primary key of one INTEGER column.",
            )
        if self.column(key[0]).autoincrement is on:
            return
        if not on:
            self.set_primary_key(key, name)
            return
        conflict = self.parsed.primary_key_conflict
        self.set_primary_key(())
        named = "" if name is None else f" CONSTRAINT {quoted(name)}"
        place = self.column(key[0]).type_span[1]
        words = f"{named} PRIMARY KEY{_on_conflict(conflict)} AUTOINCREMENT"
        self.text = self.text[:place] + words + self.text[place:]

    def set_generated(self, name: str, clause: str | None) -> None:
        """``GENERATED ALWAYS AS (...)`` for a column, None to let it keep the values that it has."""
        column = self.column(name)
        if column.default_span is not None and clause is not None:
            self.text = spliced(self.text, *column.default_span, "")
            column = self.column(name)
        if column.expression_span is not None:
            self.text = spliced(self.text, *column.expression_span, clause or "")
        elif clause is not None:
            place = column.type_span[1]
            self.text = f"{self.text[:place]} {clause}{self.text[place:]}"

    def reorder(self, names: Sequence[str]) -> None:
        """The columns in another order."""
        columns = self.parsed.columns
        texts = {column.name: self.text[slice(*column.span)] for column in columns}
        for place, name in reversed(list(zip(columns, names, strict=True))):
            start, end = place.span
            self.text = self.text[:start] + texts[name] + self.text[end:]

    def set_table_kwargs(self, given: Mapping[str, Any], now: Callable[[str], str] = str) -> None:
        """Options as a batch names them, the key's before those that need it.

        Args:
            given: ``sqlite_autoincrement``, ``sqlite_with_rowid``, ``sqlite_strict``,
                ``sqlite_on_conflict_primary_key``, and ``sqlite_on_conflict_not_null``, a mapping of columns.
            now: the name that a column has by now.
        """
        if "sqlite_autoincrement" in given:
            self.set_autoincrement(on=bool(given["sqlite_autoincrement"]))
        if "sqlite_on_conflict_primary_key" in given:
            self.set_primary_key_conflict(given["sqlite_on_conflict_primary_key"])
        for name, word in given.get("sqlite_on_conflict_not_null", {}).items():
            self.set_not_null_conflict(now(name), word)
        rowid = given.get("sqlite_with_rowid")
        self.set_options(strict=given.get("sqlite_strict"), without_rowid=None if rowid is None else not rowid)

    def set_options(self, *, strict: bool | None = None, without_rowid: bool | None = None) -> None:
        """STRICT and WITHOUT ROWID; None leaves one as it is."""
        table = self.parsed
        words = {
            "WITHOUT ROWID": table.without_rowid if without_rowid is None else without_rowid,
            "STRICT": table.strict if strict is None else strict,
        }
        chosen = ", ".join(word for word, is_set in words.items() if is_set)
        self.text = f"{self.text[: table.body_end + 1]}{' ' if chosen else ''}{chosen}"

    def _remove(self, span: Span) -> None:
        self.text = spliced(self.text, *with_comma(self.text, span, self.parsed), "")


def _on_conflict(word: str | None) -> str:
    return f" ON CONFLICT {word}" if word else ""


def _described(text: ConstraintText) -> Constraint:
    match text:
        case CheckText():
            return Check(text.name, text.expression)
        case UniqueText():
            return Unique(text.name, tuple(text.columns))
        case ForeignKeyText():
            return ForeignKey(text.name, tuple(text.columns), TableName(text.target), tuple(text.target_columns))


def _within(span: Span, outer: Span) -> bool:
    return outer[0] <= span[0] and span[1] <= outer[1]


# Rebuilds a table from an edited text of its definition: for what an edit in place cannot do.
#
# The procedure of https://www.sqlite.org/lang_altertable.html, 7, with the old table renamed away instead of
# the new one renamed into place: so the new one is created under its own name, by exactly the text that is to
# be stored, and no view, trigger or foreign key of another table is looked at or rewritten. That takes
# ``legacy_alter_table`` and foreign keys that are not enforced, as the old table's drop would delete the rows
# of its children.


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
            # SQLite adds both to a table without rows.
            if not (stored or volatile) or not has_rows(connection, draft.table.name, place):
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
    """Whether a table has any row, or of an empty copy the one that it is the copy of."""
    found = control(connection, f"SELECT EXISTS (SELECT 1 FROM {quoted(schema)}.{quoted(table)})")  # noqa: S608
    filled: frozenset[str] = connection.info.get(FILLED, frozenset())
    if found[0][0] or table in filled:
        return True
    # It may be one of those under another name.
    there = {name for (name,) in control(connection, f"SELECT name FROM {quoted(schema)}.sqlite_master")}  # noqa: S608
    return not filled <= there


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
