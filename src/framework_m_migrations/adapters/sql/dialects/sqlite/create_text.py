"""What CREATE TABLE and CREATE INDEX texts say, as create_sql.py reads them."""

from __future__ import annotations

from dataclasses import dataclass, field

from framework_m_migrations.adapters.sql.dialects.sqlite.cursor import Span


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
