"""What can be done to a database, as data. Adapters write the SQL.

Three closed sets: an executor takes additive operations only, a pruner destructive ones only, so that the type checker
already keeps every drop away from the sync path. The third set belongs to revisions alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from framework_m_migrations.domain.schema import (
    Check,
    Column,
    EnumType,
    ForeignKey,
    Index,
    SchemaObject,
    Table,
    TableName,
    Unique,
)


@dataclass(frozen=True, slots=True)
class CreateEnum:
    """Create a named enumeration with its labels."""

    enum: EnumType


@dataclass(frozen=True, slots=True)
class AddEnumValue:
    """Add a label after ``after``, before ``before``, or last. Nothing happens where it exists."""

    enum: TableName
    value: str
    after: str | None = None
    before: str | None = None


@dataclass(frozen=True, slots=True)
class CreateObject:
    """Create an object beside tables. One with a definition is replaced where it exists: its ``up`` is carried out."""

    object: SchemaObject

    @property
    def table(self) -> TableName:
        """The object's name, which shares the tables' namespace."""
        return self.object.name


@dataclass(frozen=True, slots=True)
class CreateTable:
    """Create a table with its constraints, comments and indexes, and of its foreign keys those in ``foreign_keys``."""

    definition: Table
    foreign_keys: tuple[ForeignKey, ...]

    @property
    def table(self) -> TableName:
        """The table's name."""
        return self.definition.name


@dataclass(frozen=True, slots=True)
class AddColumn:
    """Add a column. Where it is NOT NULL without a default, ``column.fill`` is given to the rows that exist.

    A fill ends as the column's server default, so that code from before the change can still insert. ``staged`` leaves
    the rows that exist without a value, whatever the default: ``FillColumn`` gives them theirs. The column must be
    nullable then. ``rewrites`` says that they are known to get a value each under the table's lock.
    """

    table: TableName
    column: Column
    staged: bool = False
    rewrites: bool = False


@dataclass(frozen=True, slots=True)
class FillColumn:
    """Give the rows that hold NULL in a column its default, each its own value.

    An executor carries it out at once (``apply``) or a batch at a time (``fill``). ``key`` are the columns to go by, in
    the order of an index; ``size`` the rows of a batch. ``late`` looks only for rows that still hold NULL, which
    somebody wrote behind the first pass.
    """

    table: TableName
    column: Column
    key: tuple[Column, ...]
    size: int
    late: bool = False


@dataclass(frozen=True, slots=True)
class CreateIndex:
    """Create an index; ``online`` without blocking writers, outside a transaction.

    ``only`` leaves the partitions of a partitioned table out: its index is invalid until each has one attached to it.
    ``part`` says that it is the index of a partition, which belongs to that of the parent.
    """

    table: TableName
    index: Index
    online: bool = False
    only: bool = False
    part: bool = False


@dataclass(frozen=True, slots=True)
class AttachIndex:
    """Make the index of a partition a part of its parent's index. Nothing happens where it is one."""

    table: TableName
    index: str
    parent: TableName


@dataclass(frozen=True, slots=True)
class RebuildIndex:
    """Rebuild an index that a killed build left invalid, without blocking writers."""

    table: TableName
    index: Index


@dataclass(frozen=True, slots=True)
class AddUnique:
    """Add a unique constraint; ``via_index`` names an existing unique index for it to adopt."""

    table: TableName
    unique: Unique
    via_index: str | None = None


@dataclass(frozen=True, slots=True)
class AddCheck:
    """Add a check constraint; without ``validate`` rows that exist are not looked at."""

    table: TableName
    check: Check
    validate: bool = True


@dataclass(frozen=True, slots=True)
class AddForeignKey:
    """Add a foreign key; without ``validate`` rows that exist are not looked at."""

    table: TableName
    foreign_key: ForeignKey
    validate: bool = True


@dataclass(frozen=True, slots=True)
class ValidateConstraint:
    """Check the rows from before a constraint that was added without validation."""

    table: TableName
    constraint: ForeignKey | Check


@dataclass(frozen=True, slots=True)
class AlterType:
    """Change a column's type. Sync applies it only where no row can change or be refused.

    ``using`` is an expression that converts the values; None leaves the conversion to the dialect's writer.
    """

    table: TableName
    before: Column
    column: Column
    using: str | None = None


@dataclass(frozen=True, slots=True)
class SetNotNull:
    """Forbid NULL in a column; without ``validate`` rows that exist are not looked at.

    Sync validates at once only where the table is empty.
    """

    table: TableName
    column: Column
    validate: bool = True


@dataclass(frozen=True, slots=True)
class ValidateNotNull:
    """Check the rows from before a NOT NULL that was added without validation."""

    table: TableName
    column: Column


@dataclass(frozen=True, slots=True)
class SetDefault:
    """Give a column the server default in ``column.default``; None means that it gets none."""

    table: TableName
    before: Column
    column: Column


@dataclass(frozen=True, slots=True)
class SetComment:
    """Give a table, or one of its columns or constraints, a comment; None takes it away."""

    table: TableName
    column: str | None
    comment: str | None
    constraint: str | None = None


type Defining = CreateTable | AddColumn | CreateIndex | AddCheck
"""What gives a database a definition that it may reject."""

AdditiveOperation = (
    CreateEnum
    | CreateObject
    | AddEnumValue
    | CreateTable
    | AddColumn
    | FillColumn
    | CreateIndex
    | AttachIndex
    | RebuildIndex
    | AddUnique
    | AddCheck
    | AddForeignKey
    | ValidateConstraint
    | AlterType
    | SetNotNull
    | ValidateNotNull
    | SetDefault
    | SetComment
)


@dataclass(frozen=True, slots=True)
class DropTable:
    """Drop a table with its rows, and those ``enums`` that nothing else uses then."""

    table: TableName
    enums: tuple[TableName, ...] = ()


@dataclass(frozen=True, slots=True)
class DropColumn:
    """Drop a column with its values, after the indexes and foreign keys of ours that stand on it."""

    table: TableName
    column: str


@dataclass(frozen=True, slots=True)
class DropIndex:
    """Drop an index; ``online`` without blocking others, outside a transaction."""

    table: TableName
    index: str
    online: bool = False


@dataclass(frozen=True, slots=True)
class DropConstraint:
    """Drop a unique, check or foreign key constraint (``kind``: ``unique``, ``check``, ``foreign_key``).

    ``constraint`` is its name; empty for one without a name, which a revision finds by its ``definition``.
    """

    table: TableName
    constraint: str
    kind: str
    definition: Unique | Check | ForeignKey | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class DropNotNull:
    """Allow NULL in a column."""

    table: TableName
    column: Column


DestructiveOperation = DropTable | DropColumn | DropIndex | DropConstraint | DropNotNull


@dataclass(frozen=True, slots=True)
class RenameTable:
    """Give a table another name; what depends on it follows.

    ``constraints`` are old and new names of its own, ``indexes`` those of indexes that belong to no constraint.
    """

    before: TableName
    table: TableName
    constraints: tuple[tuple[str, str], ...] = ()
    indexes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class RenameColumn:
    """Give a column another name; what depends on it follows. Its type and all else stay as in ``before``.

    ``constraints`` are old and new names of the table's own.
    """

    table: TableName
    before: Column
    column: Column
    constraints: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class SetGenerated:
    """Change how the database fills a column: an identity, its options, a computed expression, or none of them."""

    table: TableName
    before: Column
    column: Column


@dataclass(frozen=True, slots=True)
class Backfill:
    """Give the rows that hold NULL in a column a value; ``value`` is SQL, None where only a person knows it."""

    table: TableName
    column: Column
    value: str | None


@dataclass(frozen=True, slots=True)
class DropEnum:
    """Drop a named enumeration that no column uses."""

    enum: TableName

    @property
    def table(self) -> TableName:
        """The enumeration's name, which shares the tables' namespace."""
        return self.enum


@dataclass(frozen=True, slots=True)
class SetLabels:
    """Give a named enumeration other labels, in this order; no row may hold one that goes."""

    before: EnumType
    enum: EnumType

    @property
    def table(self) -> TableName:
        """The enumeration's name, which shares the tables' namespace."""
        return self.enum.name


@dataclass(frozen=True, slots=True)
class SetTableOptions:
    """Give a table other options; see TableOptionsChanged."""

    table: TableName
    before: tuple[tuple[str, str], ...]
    options: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class AlterObject:
    """Give a sequence or domain other options."""

    before: SchemaObject
    object: SchemaObject

    @property
    def table(self) -> TableName:
        """The object's name."""
        return self.object.name


@dataclass(frozen=True, slots=True)
class DropObject:
    """Drop an object beside tables that nothing uses. Of one with a definition ``down`` is carried out."""

    object: SchemaObject

    @property
    def table(self) -> TableName:
        """The object's name."""
        return self.object.name


RevisionOperation = (
    RenameTable
    | RenameColumn
    | SetGenerated
    | Backfill
    | DropEnum
    | SetLabels
    | SetTableOptions
    | AlterObject
    | DropObject
)
"""What neither sync nor a pruner does. A revision does it, and a plan shows it."""

BesideOperation = CreateEnum | AddEnumValue | DropEnum | SetLabels | CreateObject | AlterObject | DropObject
"""What changes something beside tables, and no table itself."""

Operation = AdditiveOperation | DestructiveOperation | RevisionOperation
