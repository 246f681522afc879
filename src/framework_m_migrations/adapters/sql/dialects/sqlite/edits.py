"""What an operation makes of a stored CREATE TABLE text. Pure: text in, text out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from framework_m_migrations.adapters.sql.dialects.sqlite.create_sql import (
    CheckText,
    ColumnText,
    ForeignKeyText,
    Span,
    TableText,
    parse_table,
)
from framework_m_migrations.adapters.sql.dialects.sqlite.expressions import default_clause
from framework_m_migrations.adapters.sql.dialects.sqlite.text import (
    NAME,
    WORD,
    literal,
    lower,
    quoted,
    tokens,
    unquoted,
)
from framework_m_migrations.adapters.sql.dialects.sqlite.types import bare_spelling, collate_clause
from framework_m_migrations.domain.errors import DatabaseError
from framework_m_migrations.domain.operations import (
    AddCheck,
    AddForeignKey,
    AlterType,
    DropColumn,
    DropConstraint,
    DropNotNull,
    Operation,
    SetDefault,
    SetNotNull,
)
from framework_m_migrations.domain.schema import Check, Column, ColumnType, ForeignKey, Table, TableName, Unique


def removed_spans(before: str, operation: DropConstraint | DropColumn) -> list[Span]:
    """The parts that go, the comma before a table constraint included.

    Raises:
        UnreadableSql: the text is not understood.
        DatabaseError: there is no such constraint, or it cannot go without copying the table.
    """
    table = parse_table(before)
    if isinstance(operation, DropColumn):
        found = _of_column(table, operation.column)
        column = table.column(operation.column)
        inside = column.span if column is not None else (0, 0)
        # What stands in the column's own definition: checks go with it, a foreign key must be gone before.
        found = [item for item in found if not (isinstance(item, CheckText) and _within(item.span, inside))]
    else:
        both: list[CheckText | ForeignKeyText] = [*table.checks, *table.foreign_keys]
        found = [item for item in both if item.name == operation.constraint]
        if not found:
            raise DatabaseError(
                f"The constraint {operation.constraint} of table {operation.table} cannot be dropped in place.",
                next_step="Change the table with a revision that copies it: `m-migrate create`.",
            )
    return [with_comma(before, item.span, table) for item in found]


def _of_column(table: TableText, column: str) -> list[CheckText | ForeignKeyText]:
    """Foreign keys of a column, and checks that are about this column alone."""
    name = lower(column)
    names = {lower(item.name) for item in table.columns}
    keys = [key for key in table.foreign_keys if name in {lower(item) for item in key.columns}]
    checks = [check for check in table.checks if names_in(check.expression) & names == {name}]
    return [*keys, *checks]


def names_in(expression: str) -> set[str]:
    """The names in an expression, in lower case."""
    return {lower(unquoted(token.text)) for token in tokens(expression) if token.kind in {WORD, NAME}}


def _within(span: Span, outer: Span) -> bool:
    return outer[0] <= span[0] and span[1] <= outer[1]


def with_comma(before: str, span: Span, table: TableText) -> Span:
    """A table constraint goes with the comma before it, unless the next one, which may come without, needs it."""
    if any(_within(span, column.span) for column in table.columns):
        return span
    found = tokens(before)
    earlier = [token for token in found if token.end <= span[0]][-1]
    later = next(token for token in found if token.start >= span[1])
    return (earlier.start, span[1]) if earlier.text == "," and later.text in {",", ")"} else span


def only_removed(before: Table, after: Table) -> bool:
    """Whether ``after`` is ``before`` without some checks and foreign keys, and with nothing else changed."""
    bare = replace(before, checks=(), foreign_keys=()) == replace(after, checks=(), foreign_keys=())
    return bare and {*after.checks, *after.foreign_keys} < {*before.checks, *before.foreign_keys}


# The change of a stored CREATE TABLE text that an operation means. Pure: text in, text out.


type Removal = DropConstraint | DropColumn
"""Operations that take something out; of a dropped column what refers to it, before the column itself."""

type ColumnEdit = AlterType | SetNotNull | SetDefault | DropNotNull
type Addition = AddCheck | AddForeignKey | ColumnEdit


@dataclass(slots=True)
class TableEdit:
    """Several additions to one table, which are one edit of its text."""

    table: TableName
    edits: list[Addition]


type EditOperation = Addition | Removal | TableEdit
"""Operations that are done by an edit of the table's text."""
ADDITIONS = (AddCheck, AddForeignKey, AlterType, SetNotNull, SetDefault, DropNotNull)

_UNKNOWN_TABLE = ")"
_GAPS = ("", " ", "\t", "\n", "\r", "\f", ",", "(", ")")


@dataclass(frozen=True, slots=True)
class TextEdit:
    """An edit: the text after it, the parts of that text which show it, and SQL that makes it from the text before.

    ``fragments`` stay as they are while later statements of the transaction add columns to the table.

    ``assignment`` is an expression over the column ``sql``. It says what changes and no more, so that the edits of one
    plan can be read, and carried out, one after the other.
    """

    after: str
    fragments: tuple[str, ...]
    assignment: str


def merged(operations: Sequence[Operation]) -> list[Operation | TableEdit]:
    """The operations in their order, additions to one table that follow each other as one edit."""
    made: list[Operation | TableEdit] = []
    for operation in operations:
        last = made[-1] if made else None
        if isinstance(operation, ADDITIONS):
            if isinstance(last, TableEdit) and last.table == operation.table:
                last.edits.append(operation)
            else:
                made.append(TableEdit(operation.table, [operation]))
        else:
            made.append(operation)
    return [one.edits[0] if isinstance(one, TableEdit) and len(one.edits) == 1 else one for one in made]


def edits_of(operation: EditOperation) -> Sequence[Addition | Removal]:
    """The edits that are one operation."""
    return operation.edits if isinstance(operation, TableEdit) else (operation,)


def edit_text(before: str | None, operation: EditOperation) -> TextEdit:
    """The edit that an operation means.

    Args:
        before: the stored text; None for a table that an earlier step of the same plan will have made.
        operation: what to do.

    Raises:
        UnreadableSql: the text is not understood.
        DatabaseError: it has no such column.
    """
    match operation:
        case AddCheck() | AddForeignKey():
            return _inserted(before, _clause(operation))
        case DropConstraint() | DropColumn():
            if before is None:
                raise DatabaseError(f"Table {operation.table} does not exist.")
            spans = removed_spans(before, operation)
            whole = (min((start for start, _ in spans), default=0), max((end for _, end in spans), default=0))
            return _replaced(before, whole, [(span, "") for span in spans])
        case TableEdit(edits=edits) if before is not None:
            return _edited(before, edits)
        case TableEdit():
            raise DatabaseError(f"Table {operation.table} does not exist.")
        case _:
            text = _column_text(before, operation)
            return _replaced(before or "", text.span, _column_edits(operation, text))


def _column_text(before: str | None, operation: ColumnEdit) -> ColumnText:
    text = None if before is None else parse_table(before).column(operation.column.name)
    if text is None:
        raise DatabaseError(f"Table {operation.table} has no column {operation.column.name}.")
    return text


def _clause(operation: AddCheck | AddForeignKey) -> str:
    return (
        check_clause(operation.check) if isinstance(operation, AddCheck) else foreign_key_clause(operation.foreign_key)
    )


def _edited(before: str, edits: Sequence[Addition]) -> TextEdit:
    """All at once, in one pass over the text: one after the other, many edits of a long text take hours."""
    end = parse_table(before).body_end
    clauses = "".join(f", {_clause(edit)}" for edit in edits if isinstance(edit, AddCheck | AddForeignKey))
    places = [((end, end), clauses)]
    columns: dict[Span, list[tuple[Span, str]]] = {}
    for edit in sorted(edits, key=lambda one: not isinstance(one, AlterType)):
        if not isinstance(edit, AddCheck | AddForeignKey):
            text = _column_text(before, edit)
            columns.setdefault(text.span, []).extend(_column_edits(edit, text))
    places += [(span, _with_edits(before, span, changes)) for span, changes in columns.items()]
    pieces: list[str] = []
    position = 0
    for (left, right), words in sorted(places):
        pieces += (before[position:left], words)
        position = right
    after = "".join((*pieces, before[position:]))
    return TextEdit(after, tuple(words for _, words in places if words), literal(after))


def _inserted(before: str | None, clause: str) -> TextEdit:
    """A table constraint, put right before the parenthesis that closes the table."""
    text = _UNKNOWN_TABLE if before is None else before
    position = 0 if before is None else parse_table(before).body_end
    tail = len(text) - position
    fragment = f", {clause}"
    assignment = f"substr(sql, 1, length(sql) - {tail}) || {literal(fragment)} || substr(sql, -{tail})"
    return TextEdit(text[:position] + fragment + text[position:], (fragment,), assignment)


def _replaced(before: str, column: Span, edits: list[tuple[Span, str]]) -> TextEdit:
    start, end = column
    # Widened until the part occurs only once, so that it is this column's and no other's.
    while before.count(before[start:end]) > 1:
        start, end = max(0, start - 8), min(len(before), end + 8)
    old, new = before[start:end], _with_edits(before, (start, end), edits)
    after = before[:start] + new + before[end:]
    return TextEdit(after, (new,), f"replace(sql, {literal(old)}, {literal(new)})")


def _with_edits(text: str, part: Span, edits: list[tuple[Span, str]]) -> str:
    """A part of the text after edits within it."""
    start, end = part
    new = text[start:end]
    # Of two at one place, as a type and NOT NULL where there was no type, the first comes first.
    placed = sorted(enumerate(edits), key=lambda one: (one[1][0], one[0]), reverse=True)
    for _, ((left, right), words) in placed:
        new = spliced(new, left - start, right - start, words)
    return new


def spliced(text: str, start: int, end: int, words: str) -> str:
    """``text`` with a part replaced, a space wherever two words would run together, and none where nothing is left."""
    before, after = text[:start], text[end:]
    if not words and after[:1] in {",", ")", ""}:
        before = before.rstrip(" \t")
    if before[-1:] not in _GAPS and words[:1] not in _GAPS:
        before += " "
    if after[:1] not in _GAPS and (words or before)[-1:] not in _GAPS:
        words += " "
    return before + words + after


def _column_edits(operation: ColumnEdit, text: ColumnText) -> list[tuple[Span, str]]:
    behind_type = (text.type_span[1], text.type_span[1])
    match operation:
        case AlterType(column=column):
            return _type_edits(column.type, text)
        case SetNotNull():
            if text.not_null:
                return []
            return [(text.null_span, "NOT NULL")] if text.null_span else [(behind_type, " NOT NULL")]
        case DropNotNull():
            return [(text.not_null_span, "")] if text.not_null_span else []
        case SetDefault(column=Column(default=None)):
            return [(text.default_span, "")] if text.default_span else []
        case SetDefault(column=column):
            clause = f"DEFAULT {default_clause(column.default_text or 'NULL')}"
            return [(text.default_span, clause)] if text.default_span else [(behind_type, f" {clause}")]


def _type_edits(type_: ColumnType, text: ColumnText) -> list[tuple[Span, str]]:
    words = bare_spelling(type_)
    edits = [(text.type_span, words if text.type_span[0] < text.type_span[1] else f" {words}")]
    collate = "" if type_.collation is None else collate_clause(type_.collation)
    if text.collate_span is not None:
        edits.append((text.collate_span, collate))
    elif collate:
        edits = [(text.type_span, f"{edits[0][1]} {collate}")]
    return edits


def check_clause(check: Check) -> str:
    """A check as a table constraint."""
    return f"{_named(check.name)}CHECK ({check.expression})"


def unique_clause(unique: Unique) -> str:
    """A unique constraint as a table constraint."""
    conflict = dict(unique.options).get("on_conflict")
    clause = f"{_named(unique.name)}UNIQUE ({', '.join(map(quoted, unique.columns))})"
    return f"{clause} ON CONFLICT {conflict}" if conflict else clause


def foreign_key_clause(key: ForeignKey) -> str:
    """A foreign key as a table constraint."""
    options = dict(key.options)
    parts = [
        f"{_named(key.name)}FOREIGN KEY({_list(key.columns)}) REFERENCES {quoted(key.target.name)}",
        f"({_list(key.target_columns)})" if key.target_columns else "",
        f"ON DELETE {key.on_delete}" if key.on_delete else "",
        f"ON UPDATE {key.on_update}" if key.on_update else "",
        f"MATCH {options['match']}" if "match" in options else "",
        "DEFERRABLE" if "deferrable" in options else "",
        f"INITIALLY {options['initially']}" if "initially" in options else "",
    ]
    return " ".join(part for part in parts if part)


def _named(name: str | None) -> str:
    return "" if name is None else f"CONSTRAINT {quoted(name)} "


def _list(names: tuple[str, ...]) -> str:
    return ", ".join(quoted(name) for name in names)


def is_as_meant(before: Table, after: Table, operation: EditOperation) -> bool:
    """Whether what the catalog reader finds after an edit is what was meant, and all else as before."""
    columns = {column.name: column for column in before.columns}
    for edit in edits_of(operation):
        if isinstance(edit, DropConstraint | DropColumn):
            return only_removed(before, after)
        if isinstance(edit, AddCheck | AddForeignKey):
            before = _with_constraint(before, edit)
        else:
            columns[edit.column.name] = _with_edit(columns[edit.column.name], edit)
    return after == replace(before, columns=tuple(columns.values()))


def _with_constraint(before: Table, operation: AddCheck | AddForeignKey) -> Table:
    match operation:
        case AddCheck(check=check):
            checks = (*before.checks, Check(check.name, check.expression))
            return replace(before, checks=tuple(sorted(checks, key=lambda item: (item.name or "", item.expression))))
        case AddForeignKey(foreign_key=key):
            keys = (*before.foreign_keys, replace(key, valid=True, native=None))
            ordered = sorted(keys, key=lambda item: (item.name or "", item.columns, item.target, item.target_columns))
            return replace(before, foreign_keys=tuple(ordered))


def _with_edit(column: Column, operation: ColumnEdit) -> Column:
    match operation:
        case AlterType(column=wanted):
            return replace(column, type=wanted.type)
        case SetNotNull():
            return replace(column, nullable=False)
        case DropNotNull():
            return replace(column, nullable=True)
        case SetDefault(column=wanted):
            return replace(column, default=wanted.default)
