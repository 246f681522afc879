"""The closed set of differences between a wanted and an actual schema.

A change states what differs, never what to do about it: risk/rules.py judges it, lowering.py turns it into operations.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from framework_m_migrations.domain.schema import (
    Check,
    Column,
    EnumType,
    ForeignKey,
    Index,
    PrimaryKey,
    SchemaObject,
    Table,
    TableName,
    Unique,
)


@dataclass(frozen=True, slots=True)
class EnumAdded:
    """A wanted enumeration does not exist. ``table`` is one that uses it."""

    table: TableName
    enum: EnumType


@dataclass(frozen=True, slots=True)
class EnumValueAdded:
    """A label is missing. It goes after ``after``, or before ``before`` when it comes first.

    ``former`` are the labels that the enumeration has as long as none is added.
    """

    table: TableName
    enum: TableName
    value: str
    after: str | None = None
    before: str | None = None
    former: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EnumValuesIncompatible:
    """Labels were removed or their order changed: no appending makes the two equal."""

    table: TableName
    before: EnumType
    after: EnumType


@dataclass(frozen=True, slots=True)
class ObjectAdded:
    """A wanted object beside tables does not exist. ``table`` is one that uses it, or its own name."""

    table: TableName
    object: SchemaObject


@dataclass(frozen=True, slots=True)
class ObjectChanged:
    """An object beside tables exists with other options or another definition."""

    table: TableName
    before: SchemaObject
    object: SchemaObject


@dataclass(frozen=True, slots=True)
class TableAdded:
    """A wanted table does not exist."""

    table: TableName
    definition: Table


@dataclass(frozen=True, slots=True)
class TableRemoved:
    """A table that the ledger knows has no DocType any more."""

    table: TableName
    owned: bool


@dataclass(frozen=True, slots=True)
class TableRenamed:
    """A table is declared as the new name of one that exists.

    ``constraints`` are old and new names of its constraints that get another one by the table's.
    """

    table: TableName
    before: TableName
    definition: Table
    constraints: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ColumnAdded:
    """A wanted column does not exist."""

    table: TableName
    column: Column


@dataclass(frozen=True, slots=True)
class ColumnUnfilled:
    """A sync was interrupted between adding a column and giving the rows from before it their values.

    ``column`` is as wanted; ``before`` as it is. ``written`` says that the values are there and NOT NULL is missing.
    """

    table: TableName
    before: Column
    column: Column
    written: bool = False


@dataclass(frozen=True, slots=True)
class ColumnRemoved:
    """A column exists that its DocType does not want. ``owned`` when the ledger says that it is ours.

    ``superseded_by`` names the wanted column that has taken its place: an online rename or change of type is between
    its two phases.
    """

    table: TableName
    column: Column
    owned: bool
    superseded_by: str | None = None


@dataclass(frozen=True, slots=True)
class ColumnRenamed:
    """A column is declared as the new name of one that exists.

    ``constraints`` are old and new names of those on the table's renamed columns that get another one by the column's.
    """

    table: TableName
    before: Column
    column: Column
    constraints: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ColumnTypeChanged:
    """The type differs. Other differences of the same column are changes of their own.

    ``views`` are those that exist over the column, in the order in which they can be created. The database refuses the
    new type while they exist.
    """

    table: TableName
    before: Column
    column: Column
    views: tuple[SchemaObject, ...] = field(default=(), compare=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class ColumnNullabilityChanged:
    """NOT NULL was added or taken away."""

    table: TableName
    before: Column
    column: Column


@dataclass(frozen=True, slots=True)
class ColumnDefaultChanged:
    """The server default differs."""

    table: TableName
    before: Column
    column: Column


@dataclass(frozen=True, slots=True)
class ColumnGenerationChanged:
    """Identity, sequence or computed expression differs."""

    table: TableName
    before: Column
    column: Column


@dataclass(frozen=True, slots=True)
class CommentChanged:
    """The comment of a table (``column`` None), of a column or of a constraint differs."""

    table: TableName
    column: str | None
    before: str | None
    comment: str | None
    constraint: str | None = None


@dataclass(frozen=True, slots=True)
class TableOptionsChanged:
    """Options of the table itself differ. Both sides hold those that differ only, sorted by their names.

    An option that is in ``before`` alone is to go; one in ``options`` alone is to be added. Those of a column are
    called ``column.option``.
    """

    table: TableName
    before: tuple[tuple[str, str], ...]
    options: tuple[tuple[str, str], ...]

    @property
    def partitions(self) -> bool:
        """Whether it is the key by which rows are put into partitions that differs."""
        return any(name == "partition_key" for name, _ in (*self.before, *self.options))


@dataclass(frozen=True, slots=True)
class PrimaryKeyChanged:
    """The primary key differs."""

    table: TableName
    before: PrimaryKey | None
    primary_key: PrimaryKey | None


@dataclass(frozen=True, slots=True)
class IndexAdded:
    """A wanted index does not exist."""

    table: TableName
    index: Index


@dataclass(frozen=True, slots=True)
class IndexInvalid:
    """The index exists as wanted, but a killed concurrent build left it unusable."""

    table: TableName
    index: Index


@dataclass(frozen=True, slots=True)
class IndexChanged:
    """An index of the wanted name exists with another definition."""

    table: TableName
    before: Index
    index: Index


@dataclass(frozen=True, slots=True)
class IndexRemoved:
    """An index of ours is no longer wanted."""

    table: TableName
    index: Index


@dataclass(frozen=True, slots=True)
class UniqueAdded:
    """A wanted unique constraint does not exist; ``via_index`` names a unique index that it can adopt."""

    table: TableName
    unique: Unique
    via_index: str | None = None


@dataclass(frozen=True, slots=True)
class UniqueChanged:
    """A unique constraint of the wanted name exists with another definition."""

    table: TableName
    before: Unique
    unique: Unique


@dataclass(frozen=True, slots=True)
class UniqueRemoved:
    """A unique constraint of ours is no longer wanted."""

    table: TableName
    unique: Unique


@dataclass(frozen=True, slots=True)
class CheckAdded:
    """A wanted check constraint does not exist."""

    table: TableName
    check: Check


@dataclass(frozen=True, slots=True)
class CheckChanged:
    """A check constraint of the wanted name exists with another expression."""

    table: TableName
    before: Check
    check: Check


@dataclass(frozen=True, slots=True)
class CheckRemoved:
    """A check constraint of ours is no longer wanted."""

    table: TableName
    check: Check


@dataclass(frozen=True, slots=True)
class ForeignKeyAdded:
    """A wanted foreign key does not exist."""

    table: TableName
    foreign_key: ForeignKey


@dataclass(frozen=True, slots=True)
class ForeignKeyChanged:
    """A foreign key over the same columns exists with another target or other actions."""

    table: TableName
    before: ForeignKey
    foreign_key: ForeignKey


@dataclass(frozen=True, slots=True)
class ForeignKeyRemoved:
    """A foreign key of ours is no longer wanted."""

    table: TableName
    foreign_key: ForeignKey


@dataclass(frozen=True, slots=True)
class ConstraintNotValidated:
    """A foreign key or check exists as wanted, but rows from before it were never checked."""

    table: TableName
    constraint: ForeignKey | Check


Change = (
    EnumAdded
    | EnumValueAdded
    | EnumValuesIncompatible
    | ObjectAdded
    | ObjectChanged
    | TableAdded
    | TableRemoved
    | TableRenamed
    | ColumnAdded
    | ColumnUnfilled
    | ColumnRemoved
    | ColumnRenamed
    | ColumnTypeChanged
    | ColumnNullabilityChanged
    | ColumnDefaultChanged
    | ColumnGenerationChanged
    | CommentChanged
    | TableOptionsChanged
    | PrimaryKeyChanged
    | IndexAdded
    | IndexInvalid
    | IndexChanged
    | IndexRemoved
    | UniqueAdded
    | UniqueChanged
    | UniqueRemoved
    | CheckAdded
    | CheckChanged
    | CheckRemoved
    | ForeignKeyAdded
    | ForeignKeyChanged
    | ForeignKeyRemoved
    | ConstraintNotValidated
)


type Removal = tuple[str, str | None]
"""A table, and the name of its column, index or constraint; None for the table itself."""


def removal(change: Change) -> Removal | None:
    """What a change takes away, by name; None where it takes nothing away or the thing has no name."""
    name: str | None
    match change:
        case TableRemoved(table=table):
            return str(table), None
        case ColumnRemoved(table=table, column=column):
            return str(table), column.name
        case IndexRemoved(table=table, index=item):
            name = item.name
        case UniqueRemoved(table=table, unique=constraint):
            name = constraint.name
        case CheckRemoved(table=table, check=constraint):
            name = constraint.name
        case ForeignKeyRemoved(table=table, foreign_key=constraint):
            name = constraint.name
        case _:
            return None
    return None if name is None else (str(table), name)
