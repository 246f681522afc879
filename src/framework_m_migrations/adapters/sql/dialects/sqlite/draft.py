"""The definition that a table is to have: its stored text, edited, with what its rows are to be filled from.

Pure: text in, text out. Nothing is written again that is not edited, so that whatever SQLite accepted once stays.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from framework_m_migrations.adapters.sql.dialects.sqlite.conversions import conversion
from framework_m_migrations.adapters.sql.dialects.sqlite.create_sql import parse_table
from framework_m_migrations.adapters.sql.dialects.sqlite.create_text import (
    CheckText,
    ColumnText,
    ForeignKeyText,
    TableText,
    UniqueText,
)
from framework_m_migrations.adapters.sql.dialects.sqlite.cursor import Span
from framework_m_migrations.adapters.sql.dialects.sqlite.declared_types import declared_type
from framework_m_migrations.adapters.sql.dialects.sqlite.edits import (
    EditOperation,
    check_clause,
    edit_text,
    foreign_key_clause,
    spliced,
)
from framework_m_migrations.adapters.sql.dialects.sqlite.expressions import canonical_default, canonical_expression
from framework_m_migrations.adapters.sql.dialects.sqlite.removals import names_in, with_comma
from framework_m_migrations.adapters.sql.dialects.sqlite.spelling import default_affinity
from framework_m_migrations.adapters.sql.dialects.sqlite.tokens import lower, quoted, tokens
from framework_m_migrations.domain.errors import DatabaseError
from framework_m_migrations.domain.naming import Constraint, unnamed_names
from framework_m_migrations.domain.operations import AddCheck, AddForeignKey, AlterType
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
