"""Reads the CREATE TABLE and CREATE INDEX texts that SQLite stores, with the place of each part."""

from __future__ import annotations

import functools
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from itertools import pairwise

from framework_m_migrations.adapters.sql.dialects.sqlite.text import (
    NAME,
    NUMBER,
    OPERATOR,
    STRING,
    WORD,
    Token,
    lower,
    tokens,
    unquoted,
)

type Span = tuple[int, int]
"""Start and end of a part of a text."""


class UnreadableSql(ValueError):
    """A text that the parser does not understand; callers then rely on what SQLite's pragmas tell."""


class Cursor:
    """Steps through the tokens of ``sql``."""

    def __init__(self, sql: str) -> None:
        self.sql = sql
        end = len(sql)
        self._tokens = tokens(sql)
        while self._tokens and self._tokens[-1].text == ";":
            self._tokens.pop()
        self._end = Token(OPERATOR, "", "", end, end)
        self._count = len(self._tokens)
        self._position = 0
        self._now = self._tokens[0] if self._tokens else self._end

    @property
    def done(self) -> bool:
        """True behind the last token."""
        return self._position >= self._count

    @property
    def kind(self) -> str:
        """The kind of the token here."""
        return self._now.kind

    @property
    def upper(self) -> str:
        """The token here in upper case."""
        return self._now.upper

    @property
    def here(self) -> int:
        """Where the token here starts."""
        return self._now.start

    @property
    def last_start(self) -> int:
        """Where the token before this one starts."""
        return self._tokens[self._position - 1].start

    @property
    def last_end(self) -> int:
        """Where the token before this one ends."""
        return self._tokens[self._position - 1].end

    def complaint(self, wanted: str) -> str:
        """What to say where ``wanted`` is missing."""
        return f"{wanted} was expected at position {self.here} of {self.sql[:80]!r}"

    def at(self, word: str, ahead: int = 0) -> bool:
        """Whether the token here, or so many further on, is this keyword or sign."""
        if not ahead:
            return self._now.upper == word
        position = self._position + ahead
        return position < self._count and self._tokens[position].upper == word

    def at_any(self, words: Collection[str]) -> bool:
        """Whether the token here is one of these keywords."""
        return self._now.upper in words

    def skip(self, count: int = 1) -> None:
        """Go on."""
        self._position += count
        self._now = self._tokens[self._position] if self._position < self._count else self._end

    def take(self, word: str) -> bool:
        """Go past this keyword or sign if it is here."""
        if self._now.upper != word or self.done:
            return False
        self.skip()
        return True

    def expect(self, word: str) -> None:
        """Go past this keyword or sign; raises UnreadableSql where it is not here."""
        if not self.take(word):
            raise UnreadableSql(self.complaint(word))

    def name(self) -> str:
        """Take a name, however it is quoted."""
        if self._now.kind not in {WORD, NAME, STRING}:
            raise UnreadableSql(self.complaint("a name"))
        text = unquoted(self._now.text)
        self.skip()
        return text

    def word(self) -> str:
        """Take a keyword and return it in upper case."""
        if self._now.kind != WORD:
            raise UnreadableSql(self.complaint("a keyword"))
        text = self._now.upper
        self.skip()
        return text

    def balanced(self) -> str:
        """Take a group in parentheses and return what stands inside, as written."""
        start = self._now.end
        self._group()
        return self.sql[start : self.last_start].strip()

    def parts(self) -> list[str]:
        """Take a group in parentheses and return what stands between its commas."""
        start = self._now.end
        commas = self._group()
        borders = [start - 1, *commas, self.last_start]
        return [self.sql[left + 1 : right] for left, right in pairwise(borders)]

    def _group(self) -> list[int]:
        """Go past a group in parentheses; returns the places of its own commas."""
        if not self.at("("):
            raise UnreadableSql(self.complaint("("))
        depth = 0
        commas: list[int] = []
        while not self.done:
            text = self._now.text
            if text == "(":
                depth += 1
            elif text == ")":
                depth -= 1
            elif text == "," and depth == 1:
                commas.append(self.here)
            self.skip()
            if depth == 0:
                return commas
        raise UnreadableSql(self.complaint(")"))

    def text(self, start: int, end: int) -> str:
        """A part of the text."""
        return self.sql[start:end]

    def pieces(self, start: int, end: int) -> list[str]:
        """The tokens of a part of the text."""
        return [token.text for token in self._tokens[: self._position] if start <= token.start and token.end <= end]

    def remaining(self) -> list[Token]:
        """The tokens from here on."""
        return self._tokens[self._position :]

    def rest(self) -> str:
        """Take all that is left, as written."""
        start = self.here
        end = self._tokens[-1].end if not self.done else start
        self.skip(self._count)
        return self.sql[start:end]


# What CREATE TABLE and CREATE INDEX texts say, as create_sql.py reads them.


@dataclass(frozen=True, slots=True)
class CheckText:
    """A check: its expression as written, without the parentheses. ``span`` is its place, with its name."""

    name: str | None
    expression: str
    span: Span = (0, 0)


@dataclass(frozen=True, slots=True)
class UniqueText:
    """A unique constraint; ``conflict`` is the word after ON CONFLICT. ``span`` as for checks."""

    name: str | None
    columns: tuple[str, ...]
    conflict: str | None = None
    span: Span = (0, 0)


@dataclass(frozen=True, slots=True)
class ForeignKeyText:
    """A foreign key; ``target_columns`` are () where it means the target's primary key. ``span`` as for checks."""

    name: str | None
    columns: tuple[str, ...]
    target: str
    target_columns: tuple[str, ...]
    on_delete: str | None = None
    on_update: str | None = None
    match: str | None = None
    deferrable: bool = False
    initially: str | None = None
    span: Span = (0, 0)


@dataclass(slots=True)
class ColumnText:
    """A column: what its definition says and where.

    ``span`` is the whole definition; ``type_span`` is empty, right after the name, where there is no type.
    ``default_span`` and ``not_null_span`` are the clauses with their constraint names, None where they are absent;
    ``conflict`` is the word after NOT NULL ON CONFLICT. ``null_span`` is that of a NULL that stands for itself,
    ``collate_span`` that of the COLLATE clause that counts, ``expression_span`` that of GENERATED ALWAYS AS.
    """

    name: str
    span: Span
    type_span: Span
    type: str
    default: str | None = None
    default_span: Span | None = None
    not_null: bool = False
    conflict: str | None = None
    not_null_span: Span | None = None
    null_span: Span | None = None
    collation: str | None = None
    collate_span: Span | None = None
    expression: str | None = None
    expression_span: Span | None = None
    stored: bool = False
    autoincrement: bool = False


@dataclass(slots=True)
class TableText:
    """A table. ``body_end`` is the place of the parenthesis that closes its columns.

    ``primary_key_span`` is that of the PRIMARY KEY clause with its name, in a column's definition or after the columns.
    """

    name: str
    body_end: int
    columns: list[ColumnText] = field(default_factory=list)
    checks: list[CheckText] = field(default_factory=list)
    uniques: list[UniqueText] = field(default_factory=list)
    foreign_keys: list[ForeignKeyText] = field(default_factory=list)
    primary_key: tuple[str, ...] = ()
    primary_key_name: str | None = None
    primary_key_span: Span | None = None
    primary_key_conflict: str | None = None
    without_rowid: bool = False
    strict: bool = False

    def column(self, name: str) -> ColumnText | None:
        """The column of this name, or None."""
        return next((column for column in self.columns if column.name == name), None)


@dataclass(frozen=True, slots=True)
class KeyText:
    """A key of an index: ``column`` where it is a name alone, else ``expression``, both as written."""

    column: str | None
    expression: str
    collation: str | None = None
    descending: bool = False


@dataclass(frozen=True, slots=True)
class IndexText:
    """An index made by CREATE INDEX."""

    name: str
    table: str
    unique: bool
    keys: tuple[KeyText, ...]
    where: str | None


# Reads the CREATE TABLE and CREATE INDEX texts that SQLite stores, with the place of each part.
#
# The grammar is that of parse.y (https://www.sqlite.org/lang_createtable.html): what SQLite accepted once is
# read here, whoever wrote it. Table constraints need no commas between them, names may be strings, types may be
# any words.


_TABLE_CONSTRAINTS = frozenset({"CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"})
_COLUMN_CONSTRAINTS = _TABLE_CONSTRAINTS - {"FOREIGN"} | {"DEFAULT", "NULL", "NOT", "REFERENCES", "COLLATE", "AS"}
_NAME = r'([A-Za-z_][A-Za-z0-9_]*|"(?:[^"]|"")*")'
_SIMPLE_HEAD = re.compile(rf"CREATE TABLE {_NAME}\s*\(")
_NO_TYPE = "CONSTRAINT|PRIMARY|UNIQUE|CHECK|FOREIGN|DEFAULT|NULL|NOT|REFERENCES|COLLATE|AS|GENERATED"
_SIMPLE_COLUMN = re.compile(
    rf"\s*(?!(?:CONSTRAINT|PRIMARY|UNIQUE|CHECK|FOREIGN)\b){_NAME}[ \t]+(?!(?:{_NO_TYPE})\b)[A-Za-z_]+"
    r"(?:[ ]?\([0-9]+(?:,[ ]?[0-9]+)?\))?(?:[ ]DEFAULT[ ](?:'(?:[^']|'')*'|-?[0-9]+(?:\.[0-9]+)?))?"
    r"(?:[ ]NOT[ ]NULL)?\s*,",
    re.IGNORECASE,
)
_ACTIONS = {"SET": 2, "NO": 2, "CASCADE": 1, "RESTRICT": 1}


@functools.lru_cache(maxsize=2048)
def parse_table(sql: str) -> TableText:
    """What a stored CREATE TABLE says. The answer is shared: callers must not change it.

    Raises:
        UnreadableSql: it is no CREATE TABLE that this grammar knows.
    """
    cursor = Cursor(sql)
    cursor.expect("CREATE")
    if not cursor.take("TEMP"):
        cursor.take("TEMPORARY")
    cursor.expect("TABLE")
    table = TableText(_qualified_name(cursor), body_end=0)
    cursor.expect("(")
    _body(cursor, table)
    return table


@functools.lru_cache(maxsize=2048)
def read_table(sql: str) -> TableText:
    """As parse_table, but quicker, for readers: columns that say nothing special come with their names alone.

    Such columns (a name, a type, perhaps a literal default and NOT NULL) are all that most tables have.
    """
    head = _SIMPLE_HEAD.match(sql)
    if head is None:
        return parse_table(sql)
    table = TableText(unquoted(head[1]), body_end=0)
    position = head.end()
    while (column := _SIMPLE_COLUMN.match(sql, position)) is not None:
        table.columns.append(ColumnText(unquoted(column[1]), column.span(), (0, 0), ""))
        position = column.end()
    if not table.columns:
        return parse_table(sql)
    _body(Cursor(sql[position:]), table)
    return table


def _body(cursor: Cursor, table: TableText) -> None:
    """The columns and constraints up to the parenthesis that closes them, and the options after it."""
    while not cursor.at(")"):
        if table.columns and cursor.at_any(_TABLE_CONSTRAINTS):
            _table_constraint(cursor, table)
        else:
            _column(cursor, table)
        cursor.take(",")
    table.body_end = cursor.here
    cursor.expect(")")
    while not cursor.done:
        if cursor.take("WITHOUT"):
            cursor.expect("ROWID")
            table.without_rowid = True
        else:
            cursor.expect("STRICT")
            table.strict = True
        cursor.take(",")


def _qualified_name(cursor: Cursor) -> str:
    if cursor.at("IF") and cursor.at("NOT", 1):
        cursor.skip(3)
    name = cursor.name()
    return cursor.name() if cursor.take(".") else name


def _column(cursor: Cursor, table: TableText) -> None:
    start = cursor.here
    name = cursor.name()
    end = cursor.last_end
    type_start = type_end = end
    while cursor.kind in {WORD, NAME, STRING} and not _starts_column_constraint(cursor):
        type_start = type_start if type_end > end else cursor.here
        cursor.skip()
        type_end = cursor.last_end
    if type_end > end and cursor.at("("):
        cursor.balanced()
        type_end = cursor.last_end
    column = ColumnText(
        name,
        (start, type_end),
        (type_start, type_end),
        " ".join(unquoted(piece) for piece in cursor.pieces(type_start, type_end)) if type_end > type_start else "",
    )
    table.columns.append(column)
    constraint: str | None = None
    begun = cursor.here
    while not (cursor.at(",") or cursor.at(")")):
        if cursor.take("CONSTRAINT"):
            if constraint is None:
                begun = cursor.last_start
            constraint = cursor.name()
            continue
        begun = begun if constraint is not None else cursor.here
        _column_constraint(cursor, table, column, constraint, begun)
        constraint = None
    column.span = (start, cursor.last_end)


def _starts_column_constraint(cursor: Cursor) -> bool:
    if cursor.at("GENERATED"):
        return cursor.at("ALWAYS", 1)
    return cursor.at_any(_COLUMN_CONSTRAINTS)


def _column_constraint(cursor: Cursor, table: TableText, column: ColumnText, name: str | None, begun: int) -> None:
    if cursor.take("DEFAULT"):
        column.default = _default(cursor)
        column.default_span = (begun, cursor.last_end)
    elif cursor.take("NOT"):
        if cursor.take("DEFERRABLE"):
            _initially(cursor)
            return
        cursor.expect("NULL")
        column.conflict = _conflict(cursor)
        column.not_null = True
        column.not_null_span = (begun, cursor.last_end)
    elif cursor.take("NULL"):
        _conflict(cursor)
        column.null_span = (begun, cursor.last_end)
    elif cursor.take("PRIMARY"):
        cursor.expect("KEY")
        _order(cursor)
        table.primary_key_conflict = _conflict(cursor)
        column.autoincrement = cursor.take("AUTOINCREMENT")
        table.primary_key, table.primary_key_name = (column.name,), name
        table.primary_key_span = (begun, cursor.last_end)
    elif cursor.take("UNIQUE"):
        conflict = _conflict(cursor)
        table.uniques.append(UniqueText(name, (column.name,), conflict, (begun, cursor.last_end)))
    elif cursor.take("CHECK"):
        table.checks.append(_check(cursor, name, begun))
    elif cursor.take("REFERENCES"):
        table.foreign_keys.append(_references(cursor, name, (column.name,), begun))
    elif cursor.take("COLLATE"):
        column.collation = cursor.name()
        column.collate_span = (begun, cursor.last_end)
    else:
        if cursor.take("GENERATED"):
            cursor.expect("ALWAYS")
        cursor.expect("AS")
        column.expression = cursor.balanced()
        column.stored = cursor.take("STORED")
        if not column.stored:
            cursor.take("VIRTUAL")
        column.expression_span = (begun, cursor.last_end)


def _default(cursor: Cursor) -> str:
    if cursor.at("("):
        return cursor.balanced()
    start = cursor.here
    if not cursor.take("-"):
        cursor.take("+")
    if cursor.kind not in {WORD, NAME, STRING, NUMBER, "blob"}:
        raise UnreadableSql(cursor.complaint("a default"))
    cursor.skip()
    return cursor.text(start, cursor.last_end)


def _table_constraint(cursor: Cursor, table: TableText) -> None:
    name: str | None = None
    begun = cursor.here
    while cursor.take("CONSTRAINT"):
        begun = cursor.last_start
        name = cursor.name()
    if cursor.take("PRIMARY"):
        cursor.expect("KEY")
        written, autoincrement = _key_columns(cursor)
        table.primary_key = _as_declared(table, written)
        table.primary_key_name = name
        for column in table.columns:
            column.autoincrement |= autoincrement and table.primary_key == (column.name,)
        table.primary_key_conflict = _conflict(cursor)
        table.primary_key_span = (begun, cursor.last_end)
    elif cursor.take("UNIQUE"):
        columns, _ = _key_columns(cursor)
        conflict = _conflict(cursor)
        table.uniques.append(UniqueText(name, _as_declared(table, columns), conflict, (begun, cursor.last_end)))
    elif cursor.take("CHECK"):
        table.checks.append(_check(cursor, name, begun))
    elif cursor.take("FOREIGN"):
        cursor.expect("KEY")
        columns, _ = _key_columns(cursor)
        cursor.expect("REFERENCES")
        table.foreign_keys.append(_references(cursor, name, _as_declared(table, columns), begun))
    elif not (cursor.at(",") or cursor.at(")")):
        raise UnreadableSql(cursor.complaint("a table constraint"))


def _as_declared(table: TableText, columns: tuple[str, ...]) -> tuple[str, ...]:
    """Columns by the names of their definitions: SQLite does not look at the case of ASCII letters."""
    if {column.name for column in table.columns}.issuperset(columns):
        return columns
    declared = {lower(column.name): column.name for column in table.columns}
    return tuple(declared.get(lower(column), column) for column in columns)


def _key_columns(cursor: Cursor) -> tuple[tuple[str, ...], bool]:
    """``(a, b COLLATE x DESC)``, with AUTOINCREMENT at its end told."""
    cursor.expect("(")
    columns: list[str] = []
    autoincrement = False
    while not cursor.at(")"):
        columns.append(cursor.name())
        if cursor.take("COLLATE"):
            cursor.name()
        _order(cursor)
        autoincrement |= cursor.take("AUTOINCREMENT")
        cursor.take(",")
    cursor.expect(")")
    return tuple(columns), autoincrement


def _check(cursor: Cursor, name: str | None, begun: int) -> CheckText:
    expression = cursor.balanced()
    _conflict(cursor)
    return CheckText(name, expression, (begun, cursor.last_end))


def _references(cursor: Cursor, name: str | None, columns: tuple[str, ...], begun: int) -> ForeignKeyText:
    target = cursor.name()
    target_columns: tuple[str, ...] = _key_columns(cursor)[0] if cursor.at("(") else ()
    actions: dict[str, str] = {}
    match: str | None = None
    deferrable, initially = False, None
    while True:
        if cursor.take("ON"):
            event = cursor.word()
            actions[event] = " ".join(cursor.word() for _ in range(_ACTIONS.get(cursor.upper, 1)))
        elif cursor.take("MATCH"):
            match = cursor.name().upper()
        elif cursor.at("DEFERRABLE") or (cursor.at("NOT") and cursor.at("DEFERRABLE", 1)):
            deferrable = not cursor.take("NOT")
            cursor.expect("DEFERRABLE")
            initially = _initially(cursor)
        else:
            break
    return ForeignKeyText(
        name,
        columns,
        target,
        target_columns,
        on_delete=_action(actions.get("DELETE")),
        on_update=_action(actions.get("UPDATE")),
        match=None if match == "SIMPLE" else match,
        deferrable=deferrable,
        initially=initially if deferrable else None,
        span=(begun, cursor.last_end),
    )


def _action(words: str | None) -> str | None:
    return None if words == "NO ACTION" else words


def _initially(cursor: Cursor) -> str | None:
    """The word after INITIALLY, None for IMMEDIATE, which is the default."""
    if not cursor.take("INITIALLY"):
        return None
    word = cursor.word()
    return None if word == "IMMEDIATE" else word


def _conflict(cursor: Cursor) -> str | None:
    if not (cursor.at("ON") and cursor.at("CONFLICT", 1)):
        return None
    cursor.skip(2)
    word = cursor.word()
    return None if word == "ABORT" else word


def _order(cursor: Cursor) -> bool:
    """Skips ASC or DESC and NULLS FIRST or LAST; True for DESC."""
    descending = cursor.take("DESC")
    if not descending:
        cursor.take("ASC")
    if cursor.take("NULLS"):
        cursor.skip()
    return descending


@functools.lru_cache(maxsize=16384)
def parse_index(sql: str) -> IndexText:
    """What a stored CREATE INDEX says; raises UnreadableSql."""
    cursor = Cursor(sql)
    cursor.expect("CREATE")
    unique = cursor.take("UNIQUE")
    cursor.expect("INDEX")
    name = _qualified_name(cursor)
    cursor.expect("ON")
    table = cursor.name()
    inner = cursor.parts()
    where = cursor.rest() if cursor.take("WHERE") else None
    if not cursor.done:
        raise UnreadableSql(cursor.complaint("WHERE"))
    return IndexText(name, table, unique, tuple(parse_key(part) for part in inner), where)


@functools.lru_cache(maxsize=8192)
def parse_key(text: str) -> KeyText:
    """A key of an index, with COLLATE and DESC taken off its end."""
    cursor = Cursor(text)
    found = cursor.remaining()
    descending = bool(found) and found[-1].upper == "DESC"
    if found and found[-1].upper in {"ASC", "DESC"}:
        found = found[:-1]
    collation: str | None = None
    if len(found) > 2 and found[-2].upper == "COLLATE" and found[-1].kind in {WORD, NAME, STRING}:
        collation = unquoted(found[-1].text)
        found = found[:-2]
    if not found:
        raise UnreadableSql(f"{text!r} is no key of an index.")
    body = text[found[0].start : found[-1].end]
    column = unquoted(body) if len(found) == 1 and found[0].kind in {WORD, NAME} else None
    return KeyText(column, body, collation, descending)
