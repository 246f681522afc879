"""What a schema is: frozen values in one canonical spelling.

A wanted schema (from DocTypes) and an actual one (from the database's catalog) are both turned into these values by
adapters of the same dialect. Spellings are the dialect's own canonical ones, so that ``==`` means "nothing to do".
What an adapter needs beyond that to write DDL rides along in ``native``, which no comparison ever looks at.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from framework_m_migrations.domain.values import quick


class TableName(NamedTuple):
    """The name of a table, type or other schema object.

    ``schema`` is None for the connection's default schema, so that the same DocTypes fit any tenant.
    """

    name: str
    schema: str | None = None

    def __str__(self) -> str:
        return self.name if self.schema is None else f"{self.schema}.{self.name}"


@dataclass(frozen=True, slots=True)
class EnumType:
    """A named enumeration of the database: its labels in their order."""

    name: TableName
    values: tuple[str, ...]
    native: object = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class SchemaObject:
    """What a database has beside tables: a ``sequence``, a ``domain``, a ``schema``, or one of ``DEFINED`` (``kind``).

    ``options`` are canonical (name, value) pairs, sorted, without the database's defaults. Of a sequence: ``as``,
    ``start``, ``increment``, ``minvalue``, ``maxvalue``, ``cycle``, ``cache``; of a domain: ``type``, ``default``,
    ``not_null``, and each check as ``check.NAME``; of any other kind: ``definition``, which nothing looks into.

    An object with a definition carries its own SQL once it is compared: ``up`` brings it about, ``down`` takes that
    back. ``reason`` says why only a revision may do so. ``on`` is the table of a trigger.
    """

    kind: str
    name: TableName
    options: tuple[tuple[str, str], ...] = ()
    native: object = field(default=None, compare=False, repr=False)
    on: TableName | None = None
    up: tuple[str, ...] = field(default=(), compare=False, repr=False)
    down: tuple[str, ...] = field(default=(), compare=False, repr=False)
    reason: str | None = field(default=None, compare=False, repr=False)

    @property
    def is_view(self) -> bool:
        """Whether it is a view, materialized or not."""
        return self.kind in {"view", "materialized view"}

    @property
    def definition(self) -> str | None:
        """The text that defines it; None for a sequence, a domain or a schema."""
        return next((value for name, value in self.options if name == "definition"), None)


@quick
@dataclass(frozen=True, slots=True)
class ColumnType:
    """A column's type. Two types are equal when ``spelling`` is; the rest helps to judge a change.

    ``spelling`` is the dialect's own (``character varying(140)``, ``VARCHAR(140)``), with its collation where that is
    not the default one. ``base`` is the same without parameters, in lower case. ``length`` counts characters, or
    bits for bit strings; ``precision`` and ``scale`` count digits. ``enum`` names the enumeration it is made of.
    """

    spelling: str
    base: str = field(default="", compare=False)
    length: int | None = field(default=None, compare=False)
    precision: int | None = field(default=None, compare=False)
    scale: int | None = field(default=None, compare=False)
    collation: str | None = field(default=None, compare=False)
    enum: TableName | None = field(default=None, compare=False)
    native: object = field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        return self.spelling


@dataclass(frozen=True, slots=True)
class Generated:
    """How the database itself fills a column.

    ``kind`` is ``serial`` (a sequence the column owns), ``identity`` or ``computed``; ``expression`` belongs to
    computed ones, ``stored`` too; ``always`` tells ALWAYS from BY DEFAULT; ``options`` are canonical (name, value)
    pairs of a sequence that differ from the database's defaults.
    """

    kind: str
    expression: str | None = None
    stored: bool = False
    always: bool = False
    options: tuple[tuple[str, str], ...] = ()


@quick
@dataclass(frozen=True, slots=True)
class Column:
    """A column. ``default`` is its server default as canonical SQL, None for none.

    ``fill`` is a constant SQL literal that existing rows may take when the column is added: a default that lives in
    the application only. It is offered, never demanded, so it takes no part in comparison.
    ``volatile_default`` says that the default is evaluated row by row, so that adding the column rewrites the table.
    ``default_sql`` is the default as it was declared, or as the database keeps it, where that is spelt another way.
    ``foreign_default`` says that somebody else gives the column its default (SQLAlchemy's ``FetchedValue``): whatever
    the database has there is as wanted. ``inherited`` says that an existing one comes from a parent table alone.
    ``options`` holds what else its dialect knows, as for a table.
    """

    name: str
    type: ColumnType
    nullable: bool = True
    default: str | None = None
    generated: Generated | None = None
    comment: str | None = None
    fill: str | None = field(default=None, compare=False)
    volatile_default: bool = field(default=False, compare=False)
    foreign_default: bool = field(default=False, compare=False)
    inherited: bool = field(default=False, compare=False)
    options: tuple[tuple[str, str], ...] = ()
    renamed_from: str | None = field(default=None, compare=False)
    native: object = field(default=None, compare=False, repr=False)
    default_sql: str | None = field(default=None, compare=False, repr=False)

    @property
    def default_text(self) -> str | None:
        """The default as DDL says it, so that it is kept as create_all has it kept."""
        return self.default if self.default is None else self.default_sql or self.default


class IndexKey(NamedTuple):
    """One key of an index: a column's name, or an expression, with modifiers such as ``DESC`` in canonical order."""

    column: str | None
    expression: str | None = None
    modifiers: str = ""

    def __str__(self) -> str:
        body = self.column if self.column is not None else f"({self.expression})"
        return f"{body} {self.modifiers}".rstrip()


@lru_cache(maxsize=16384)
def plain_key(column: str) -> IndexKey:
    """The key of a column alone. Equal ones are one object, so that to compare two takes no time."""
    return IndexKey(column)


@quick
@dataclass(frozen=True, slots=True)
class Index:
    """An index. ``where`` is the predicate of a partial one; ``options`` holds what else its dialect knows."""

    name: str
    keys: tuple[IndexKey, ...]
    unique: bool = False
    where: str | None = None
    method: str | None = None
    include: tuple[str, ...] = ()
    options: tuple[tuple[str, str], ...] = ()
    valid: bool = True
    native: object = field(default=None, compare=False, repr=False)

    @property
    def plain_columns(self) -> tuple[str, ...] | None:
        """The indexed columns, or None where an expression or a predicate makes it more than a list of columns."""
        if self.where is not None or any(key.column is None for key in self.keys):
            return None
        return tuple(key.column for key in self.keys if key.column is not None)


@quick
@dataclass(frozen=True, slots=True)
class Unique:
    """A unique constraint. ``name`` is None where neither side chose one; it then takes no part in matching."""

    name: str | None
    columns: tuple[str, ...]
    options: tuple[tuple[str, str], ...] = ()
    native: object = field(default=None, compare=False, repr=False)
    comment: str | None = None


@quick
@dataclass(frozen=True, slots=True)
class Check:
    """A check constraint; ``expression`` is canonical SQL. ``valid`` is False while existing rows are unchecked.

    A wanted one that is not valid asks for no validation. An exclusion constraint is a rule about rows as well: its
    ``expression`` is then the whole clause (``EXCLUDE USING gist (during WITH &&)``). ``options``: ``no_inherit``.
    ``chosen`` is what one without a name goes by in the database, or in a revision that drops it.
    """

    name: str | None
    expression: str
    valid: bool = True
    native: object = field(default=None, compare=False, repr=False)
    chosen: str | None = field(default=None, compare=False, repr=False)
    exclusion: bool = False
    options: tuple[tuple[str, str], ...] = ()
    comment: str | None = None


@quick
@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A foreign key. ``on_delete`` and ``on_update`` are upper case, None for NO ACTION.

    ``valid`` and ``chosen`` are as of a check.
    """

    name: str | None
    columns: tuple[str, ...]
    target: TableName
    target_columns: tuple[str, ...]
    on_delete: str | None = None
    on_update: str | None = None
    options: tuple[tuple[str, str], ...] = ()
    valid: bool = True
    native: object = field(default=None, compare=False, repr=False)
    chosen: str | None = field(default=None, compare=False, repr=False)
    comment: str | None = None


@quick
@dataclass(frozen=True, slots=True)
class PrimaryKey:
    """A primary key; ``columns`` in key order, ``options`` as of a unique constraint."""

    columns: tuple[str, ...]
    name: str | None = field(default=None, compare=False)
    options: tuple[tuple[str, str], ...] = ()
    native: object = field(default=None, compare=False, repr=False)
    comment: str | None = None


class PartIndex(NamedTuple):
    """An index of a partition; ``parent`` is the name of the index it is attached to, None for none."""

    name: str
    valid: bool
    parent: str | None


class Partition(NamedTuple):
    """A partition, or a partition's partition. ``holds_rows`` is False where it is partitioned itself."""

    name: TableName
    parent: TableName
    holds_rows: bool
    indexes: tuple[PartIndex, ...] = ()


@quick
@dataclass(frozen=True, slots=True)
class Table:
    """A table with all that belongs to it.

    ``options`` are canonical (name, value) pairs of what its dialect knows beside columns and constraints, sorted.
    ``partitions`` are those of a partitioned table that exists, each after its parent; nobody declares them.
    """

    name: TableName
    columns: tuple[Column, ...]
    primary_key: PrimaryKey | None = None
    indexes: tuple[Index, ...] = ()
    uniques: tuple[Unique, ...] = ()
    checks: tuple[Check, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    comment: str | None = None
    options: tuple[tuple[str, str], ...] = ()
    renamed_from: str | None = field(default=None, compare=False)
    native: object = field(default=None, compare=False, repr=False)
    partitions: tuple[Partition, ...] = field(default=(), compare=False)
    partitioned: bool = field(default=False, compare=False)

    @property
    def parents(self) -> tuple[TableName, ...]:
        """The tables that it inherits from."""
        listed = dict(self.options).get("inherits", "") if self.options else ""
        return tuple(TableName(name, self.name.schema) for name in listed.split(", ") if name)

    def column(self, name: str) -> Column | None:
        """The column called ``name``, or None."""
        for column in self.columns:
            if column.name == name:
                return column
        return None


@quick
@dataclass(frozen=True, slots=True)
class DocTypeSchema:
    """What one DocType wants of the database: its tables, and the enumerations and other objects they use.

    A DocType is the unit of the ledger. For plain SQLAlchemy metadata each table is one, named by ``str(TableName)``.
    ``app`` is the app that declares it, None when that is not known.
    """

    name: str
    tables: tuple[Table, ...]
    enums: tuple[EnumType, ...] = ()
    app: str | None = None
    objects: tuple[SchemaObject, ...] = ()


@dataclass(frozen=True, slots=True)
class Catalog:
    """What the database has, as far as it was asked for.

    ``tables`` holds the tables read; ``names`` every table that exists in the schemas looked at, read or not, those in
    ``excluded`` among them, which no command looks at. Those in ``leaving`` get another name, while another table is
    wanted under theirs.
    """

    tables: dict[TableName, Table]
    names: frozenset[TableName]
    enums: dict[TableName, EnumType] = field(default_factory=dict)
    excluded: frozenset[TableName] = frozenset()
    leaving: frozenset[TableName] = frozenset()
