"""The DDL of every operation, written in one place.

sync, plan, the pruner and the revisions take their statements from ``DdlWriter``: the dialect's own form where it has
one, else the shared form, which is what most databases say. What a SQLAlchemy object came along for is written by
SQLAlchemy's own compiler, so that it equals what create_all() would have made; everything else from domain values.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, assert_never

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ExcludeConstraint

from framework_m_migrations.adapters.sql import objects
from framework_m_migrations.adapters.sql.desired.constraints import unmarked
from framework_m_migrations.adapters.sql.desired.tables import Target
from framework_m_migrations.adapters.sql.dialects.base import SqlDialect
from framework_m_migrations.adapters.sql.objects import altered, created, dropped
from framework_m_migrations.adapters.sql.sqltext import SqlText
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.errors import InvalidMetadata
from framework_m_migrations.domain.schema import (
    Check,
    Column,
    ForeignKey,
    Index,
    PrimaryKey,
    Table,
    TableName,
    Unique,
)

_SERIAL = {"smallint": "SMALLSERIAL", "integer": "SERIAL", "bigint": "BIGSERIAL"}
"""The words with which PostgreSQL makes a column and the sequence that it owns."""


NUMBERS = "_key_seq"
"""The end of the name of a sequence that numbers the rows of a table."""


class DdlWriter:
    """Writes the statements of operations for one connection. Sends nothing.

    Args:
        connection: a dialect may ask it how a table is defined now.
        sql_dialect: its dialect, asked first.
        schema: the session's schema, None for the connection's default.
    """

    def __init__(self, connection: sa.Connection, sql_dialect: SqlDialect, *, schema: str | None = None) -> None:
        self._connection = connection
        self._sql_dialect = sql_dialect
        self._schema = schema
        target = Target.of(connection.dialect, sql_dialect, schema=schema)
        self.text = target.text
        self._forms = SharedForms(
            target.text, comments=target.capabilities.comments, serial_keys=target.capabilities.serial_keys
        )

    def statements(self, operation: o.Operation) -> tuple[str, ...]:
        """The statements of an operation, in order, with literal values.

        Raises:
            InvalidMetadata: it cannot be written for this database.
            DatabaseError: it needs something that the database does not have.
        """
        match operation:
            case o.CreateObject(object=item) if item.definition is not None:
                return item.up
            case o.DropObject(object=item) if item.definition is not None:
                return item.down
            case _:
                pass
        own = self._sql_dialect.statements(operation, self._connection, schema=self._schema)
        if own is not None:
            return tuple(self.text.statement(statement) for statement in own)
        return self.shared(operation)

    def shared(self, operation: o.Operation) -> tuple[str, ...]:
        """The statements in the form that most databases share; raises as ``statements`` does."""
        if isinstance(operation, o.DropColumn):
            return tuple(self._drop_column(operation.table, operation.column))
        return self._forms.statements(operation)

    def _drop_column(self, table: TableName, name: str) -> Iterator[str]:
        """What stands on the column goes first: not every database lets a column go that is indexed or constrained."""
        text = self.text
        inspector = self._sql_dialect.inspector(self._connection, schema=self._schema, ignored=frozenset())
        found = inspector.read([table]).tables.get(table)
        if found is None or found.column(name) is None:
            raise InvalidMetadata(f"Table {table} has no column {name}.")
        alter = f"ALTER TABLE {text.table(table)}"
        for index in _indexes_on(found, name):
            yield f"DROP INDEX {text.table(TableName(index, table.schema))}"
        for key in found.foreign_keys:
            if name in key.columns and key.name is not None:
                yield f"{alter} DROP CONSTRAINT {text.quote(key.name)}"
        yield f"{alter} DROP COLUMN {text.quote(name)}"


def _indexes_on(table: Table, column: str) -> list[str]:
    """Names of the indexes with the column among their keys or included columns, or as a word of an expression."""
    word = re.compile(rf"(?<![\w$]){re.escape(column)}(?![\w$])", re.IGNORECASE)
    return [
        index.name
        for index in table.indexes
        if column in index.include
        or any(key.column == column for key in index.keys)
        or any(word.search(text or "") for text in (index.where, *(key.expression for key in index.keys)))
    ]


class SharedForms:
    """The form that most databases share.

    Args:
        text: of the session's dialect and schema.
        comments: the database keeps comments.
        idempotent: what is there already is not created again, and what is gone is not dropped again.
        serial_keys: see Capabilities.
    """

    def __init__(self, text: SqlText, *, comments: bool, idempotent: bool = False, serial_keys: bool = True) -> None:
        self._text = text
        self._serial_keys = serial_keys
        self._idempotent = idempotent
        self._there = "IF EXISTS " if idempotent else ""
        self._absent = "IF NOT EXISTS " if idempotent else ""
        self._comments = comments and not text.dialect.inline_comments

    def statements(self, operation: o.Operation) -> tuple[str, ...]:
        """The statements of an operation, in order.

        Raises:
            InvalidMetadata: SQLAlchemy cannot write a type or expression for this dialect.
        """
        try:
            return tuple(self._statements(operation))
        except sa.exc.SQLAlchemyError as error:
            raise InvalidMetadata(f"This cannot be written as SQL: {error}") from error

    def _statements(self, operation: o.Operation) -> Iterator[str]:
        match operation:
            case (
                o.DropTable()
                | o.DropColumn()
                | o.DropIndex()
                | o.DropConstraint()
                | o.DropNotNull()
                | o.RenameTable()
                | o.RenameColumn()
                | o.SetGenerated()
                | o.Backfill()
                | o.DropEnum()
                | o.SetLabels()
                | o.SetTableOptions()
                | o.AlterObject()
                | o.DropObject()
            ):
                yield from self._change(operation)
            case _:
                yield from self._addition(operation)

    def _change(self, operation: o.DestructiveOperation | o.RevisionOperation) -> Iterator[str]:
        text = self._text
        alter = f"ALTER TABLE {text.table(operation.table)}"
        match operation:
            case o.DropTable(table=table, enums=enums):
                yield f"DROP TABLE {self._there}{text.table(table)}"
                if not self._serial_keys:
                    yield f"DROP SEQUENCE IF EXISTS {text.table(numbers_of(table))}"
                yield from (self._unused(enum) for enum in enums)
            case o.DropColumn(column=name):
                yield f"{alter} DROP COLUMN {self._there}{text.quote(name)}"
            case o.DropIndex(table=table, index=name):
                yield f"DROP INDEX {self._there}{text.table(TableName(name, table.schema))}"
            case o.DropConstraint(constraint=name):
                yield f"{alter} DROP CONSTRAINT {self._there}{text.quote(name)}"
            case o.DropNotNull(column=column):
                yield f"{alter} ALTER COLUMN {text.quote(column.name)} DROP NOT NULL"
            case o.RenameTable() | o.RenameColumn():
                yield from self._rename(operation)
            case o.SetGenerated(column=column):
                raise InvalidMetadata(f"How the database fills {operation.table}.{column.name} cannot be changed.")
            case o.Backfill(table=table, column=column, value=value):
                if value is not None:
                    name = text.quote(column.name)
                    yield f"UPDATE {text.table(table)} SET {name} = {value} WHERE {name} IS NULL"  # noqa: S608 - quoted
            case o.AlterObject() | o.DropObject():
                yield from self._object(operation)
            case o.DropEnum(enum=name_of_enum):
                yield f"DROP TYPE {self._there}{text.enumeration(name_of_enum)}"
            case o.SetLabels(enum=enum):
                raise InvalidMetadata(f"The labels of {enum.name} cannot be changed.")
            case o.SetTableOptions():
                raise InvalidMetadata(f"The options of table {operation.table} are changed by a revision.")
            case _ as unreachable:
                assert_never(unreachable)

    def _rename(self, operation: o.RenameTable | o.RenameColumn) -> Iterator[str]:
        text = self._text
        alter = f"ALTER TABLE {text.table(operation.table)}"
        match operation:
            case o.RenameTable(before=before, table=after, indexes=indexes):
                if before != after:
                    yield f"ALTER TABLE {text.table(before)} RENAME TO {text.quote(after.name)}"
                for old, new in indexes:
                    index = text.table(TableName(old, after.schema))
                    yield f"ALTER INDEX {self._there}{index} RENAME TO {text.quote(new)}"
            case o.RenameColumn(before=column, column=renamed):
                yield f"{alter} RENAME COLUMN {text.quote(column.name)} TO {text.quote(renamed.name)}"
        for old, new in operation.constraints:
            yield f"{alter} RENAME CONSTRAINT {text.quote(old)} TO {text.quote(new)}"

    def _object(self, operation: o.AlterObject | o.DropObject) -> Iterator[str]:
        if isinstance(operation, o.AlterObject):
            yield from altered(operation.before, operation.object, self._text)
        else:
            yield dropped(operation.object, self._text, idempotent=self._idempotent)

    def _unused(self, enum: TableName) -> str:
        """Drops an enumeration, and leaves it where something still uses it: the server alone knows all that does."""
        drop = f"DROP TYPE IF EXISTS {self._text.enumeration(enum)}"
        return f"DO $m_migrate$ BEGIN {drop}; EXCEPTION WHEN dependent_objects_still_exist THEN NULL; END $m_migrate$"

    def _addition(self, operation: o.AdditiveOperation) -> Iterator[str]:
        text = self._text
        match operation:
            case o.CreateEnum() | o.CreateObject() | o.AddEnumValue():
                yield self._beside(operation)
            case o.CreateTable():
                yield from self._create_table(operation)
            case o.AddColumn(table=table, column=column):
                yield from self._numbers(table, (column,))
                if not operation.staged:
                    column = self._numbered(table, column)
                    yield f"ALTER TABLE {text.table(table)} ADD COLUMN {self._absent}{self._new_column(column)}"
                else:
                    # A default that comes after the column is for new rows only.
                    bare = replace(column, default=None, native=None, type=self._typed(column).type)
                    yield f"ALTER TABLE {text.table(table)} ADD COLUMN {self._absent}{self._new_column(bare)}"
                    yield self._alter_column(o.SetDefault(table, bare, column))
                yield from self._comment(table, column.name, column.comment)
            case o.CreateIndex(table=table, index=index):
                yield self._create_index(table, index)
            case o.AttachIndex(table=table, index=own, parent=parent):
                yield f"ALTER INDEX {text.table(parent)} ATTACH PARTITION {text.table(TableName(own, table.schema))}"
            case o.RebuildIndex(table=table, index=index):
                yield f"REINDEX INDEX {text.table(TableName(index.name, table.schema))}"
            case o.AddUnique() | o.AddCheck() | o.AddForeignKey():
                yield self._constraint(operation)
                yield from self._constraint_comment(operation.table, _added(operation))
            case o.ValidateConstraint():
                yield self._constraint(operation)
            case o.FillColumn(table=table, column=column):
                name = text.quote(column.name)
                yield f"UPDATE {text.table(table)} SET {name} = {column.default} WHERE {name} IS NULL"  # noqa: S608 - quoted
            case o.ValidateNotNull(table=table, column=column):
                yield self._alter_column(o.SetNotNull(table, column))
            case o.AlterType() | o.SetNotNull() | o.SetDefault():
                yield self._alter_column(operation)
            case o.SetComment():
                yield self._set_comment(operation)
            case _ as unreachable:
                assert_never(unreachable)

    def _beside(self, operation: o.CreateEnum | o.CreateObject | o.AddEnumValue) -> str:
        text = self._text
        match operation:
            case o.CreateEnum(enum=enum):
                values = ", ".join(text.literal(value) for value in enum.values)
                return f"CREATE TYPE {text.enumeration(enum.name)} AS ENUM ({values})"
            case o.CreateObject(object=wanted):
                return created(wanted, text, idempotent=self._idempotent)
            case o.AddEnumValue():
                return self._enum_value(operation)

    def _enum_value(self, operation: o.AddEnumValue) -> str:
        text = self._text
        place = ""
        if operation.after is not None:
            place = f" AFTER {text.literal(operation.after)}"
        elif operation.before is not None:
            place = f" BEFORE {text.literal(operation.before)}"
        name = text.enumeration(operation.enum)
        return f"ALTER TYPE {name} ADD VALUE IF NOT EXISTS {text.literal(operation.value)}{place}"

    def _create_table(self, operation: o.CreateTable) -> Iterator[str]:
        definition = operation.definition
        native: Any = definition.native
        natives: list[Any] = [key.native for key in operation.foreign_keys]
        numbers = tuple(self._numbers(definition.name, definition.columns))
        yield from numbers
        if isinstance(native, sa.Table) and all(key is not None for key in natives) and not numbers:
            yield self._text.statement(declared_table(native, definition, natives))
        else:
            columns = tuple(self._typed(self._numbered(definition.name, column)) for column in definition.columns)
            table = replace(definition, columns=columns)
            yield objects.create_table(self._text, table, operation.foreign_keys) + self._partitioned(definition)
        for index in definition.indexes:
            yield self._create_index(definition.name, index)
        yield from self._comment(definition.name, None, definition.comment)
        for entry in definition.columns:
            yield from self._comment(definition.name, entry.name, entry.comment)
        key = () if definition.primary_key is None else (definition.primary_key,)
        for item in (*key, *definition.uniques, *definition.checks, *operation.foreign_keys):
            yield from self._constraint_comment(definition.name, item)

    def _numbers(self, table: TableName, columns: Iterable[Column]) -> Iterator[str]:
        """The sequence that numbers the rows of a table, where the database has no keys that number themselves."""
        if not self._serial_keys and any(_is_serial(column) for column in columns):
            yield f"CREATE SEQUENCE IF NOT EXISTS {self._text.table(numbers_of(table))}"

    def _numbered(self, table: TableName, column: Column) -> Column:
        """A column that takes its default from that sequence."""
        if self._serial_keys or not _is_serial(column):
            return column
        name = self._text.table(numbers_of(table))
        return replace(column, generated=None, default=f"nextval({self._text.literal(name)})", native=None)

    def _partitioned(self, definition: Table) -> str:
        key = dict(definition.options).get("partition_key")
        return f" PARTITION BY {key}" if key is not None else ""

    def _new_column(self, column: Column) -> str:
        native: Any = column.native
        fill = column.fill if not column.nullable and column.default is None and column.generated is None else None
        if fill is None and isinstance(native, sa.Column) and _says_the_same(column, native):
            specification: str = self._text.ddl.get_column_specification(native)
            return specification
        return objects.column(self._text, self._typed(column), default=fill)

    def _typed(self, column: Column) -> Column:
        """The column with its type as DDL writes it, where that is known better than by its canonical spelling."""
        spelling = self._type(column)
        if _is_serial(column):
            spelling = _SERIAL.get(column.type.spelling, spelling)
        return replace(column, type=replace(column.type, spelling=spelling))

    def _type(self, column: Column) -> str:
        native: Any = column.native
        if isinstance(native, sa.Column):
            return self._text.type(native.type, native)
        if isinstance(column.type.native, sa.types.TypeEngine):
            return self._text.type(column.type.native)
        return column.type.spelling

    def _create_index(self, table: TableName, index: Index) -> str:
        native: Any = index.native
        if isinstance(native, sa.Index):
            return self._text.statement(sa.schema.CreateIndex(native))
        return objects.create_index(self._text, self._text.table(table), index)

    def _constraint(self, operation: o.AddUnique | o.AddCheck | o.AddForeignKey | o.ValidateConstraint) -> str:
        text = self._text
        alter = f"ALTER TABLE {text.table(operation.table)}"
        match operation:
            case o.AddUnique(unique=unique, via_index=None):
                return f"{alter} ADD {self._native(unique) or objects.unique(text, unique)}"
            case o.AddUnique(unique=unique, via_index=index):
                name = unique.name or index or ""
                return f"{alter} ADD CONSTRAINT {text.quote(name)} UNIQUE USING INDEX {text.quote(index or name)}"
            case o.AddCheck(check=check, validate=validate):
                written = self._native(check) or objects.check(text, check)
                # What is declared NOT VALID says so already.
                return f"{alter} ADD {written.removesuffix(' NOT VALID')}{_valid(validate)}"
            case o.AddForeignKey(foreign_key=key, validate=validate):
                written = self._native(key) or objects.foreign_key(text, key)
                return f"{alter} ADD {written.removesuffix(' NOT VALID')}{_valid(validate)}"
            case o.ValidateConstraint(constraint=constraint):
                if constraint.name is None:
                    raise InvalidMetadata(f"A constraint of table {operation.table} has no name to validate it by.")
                return f"{alter} VALIDATE CONSTRAINT {text.quote(constraint.name)}"

    def _native(self, constraint: Unique | Check | ForeignKey) -> str | None:
        native = constraint.native
        if not isinstance(native, sa.Constraint):
            return None
        written: str | None = self._text.ddl.process(native)
        if written is None or constraint.name is None or self._text.constraint_name(native) is not None:
            return written
        # The plan chose the name.
        return f"CONSTRAINT {self._text.quote(constraint.name)} {written}"

    def _alter_column(self, operation: o.AlterType | o.SetNotNull | o.SetDefault) -> str:
        column = operation.column
        alter = f"ALTER TABLE {self._text.table(operation.table)} ALTER COLUMN {self._text.quote(column.name)}"
        match operation:
            case o.AlterType():
                return f"{alter} TYPE {self._type(column)}"
            case o.SetNotNull():
                return f"{alter} SET NOT NULL"
            case o.SetDefault():
                # To take a default away is to set it to NULL: the additive path has no other word for it.
                return f"{alter} SET DEFAULT {column.default_text or 'NULL'}"

    def _comment(self, table: TableName, column: str | None, comment: str | None) -> Iterator[str]:
        if comment and self._comments:
            yield self._set_comment(o.SetComment(table, column, comment))

    def _constraint_comment(self, table: TableName, item: PrimaryKey | Unique | Check | ForeignKey) -> Iterator[str]:
        if item.comment and item.name is not None and self._comments:
            yield self._set_comment(o.SetComment(table, None, item.comment, item.name))

    def _set_comment(self, operation: o.SetComment) -> str:
        quote, name = self._text.quote, self._text.table(operation.table)
        value = "NULL" if not operation.comment else self._text.literal(operation.comment)
        subject = f"TABLE {name}" if operation.column is None else f"COLUMN {name}.{quote(operation.column)}"
        if operation.constraint is not None:
            subject = f"CONSTRAINT {quote(operation.constraint)} ON {name}"
        return f"COMMENT ON {subject} IS {value}"


def numbers_of(table: TableName) -> TableName:
    """The sequence that numbers the rows of a table, on databases without such keys."""
    return table._replace(name=f"{table.name}{NUMBERS}")


def _is_serial(column: Column) -> bool:
    return column.generated is not None and column.generated.kind == "serial"


def _says_the_same(column: Column, native: sa.Column[Any]) -> bool:
    """Whether the plan left a column as its DocType declares it."""
    if column.generated is not None:
        return True
    declared = not native.nullable or native.primary_key
    return column.nullable is not declared and (column.default is None) == (native.server_default is None)


def _added(operation: o.AddUnique | o.AddCheck | o.AddForeignKey) -> Unique | Check | ForeignKey:
    match operation:
        case o.AddUnique(unique=item):
            return item
        case o.AddCheck(check=check):
            return check
        case o.AddForeignKey(foreign_key=key):
            return key


def _valid(validate: bool) -> str:
    return "" if validate else " NOT VALID"


def declared_table(
    native: sa.Table, definition: Table, keys: Sequence[sa.ForeignKeyConstraint]
) -> sa.schema.CreateTable:
    """CREATE TABLE as it is declared, without the constraints with an index that the definition lacks: the withheld.

    Args:
        native: the declared table.
        definition: what is to be created of it.
        keys: the foreign keys that it carries.
    """
    kept = {id(one.native) for one in definition.uniques} | {id(one.native) for one in definition.checks}
    left_out = {
        one
        for one in native.constraints
        if (isinstance(one, sa.UniqueConstraint | ExcludeConstraint) and one.name is not None and id(one) not in kept)
        or (isinstance(one, sa.ForeignKeyConstraint) and one not in keys)
    }
    whole: dict[sa.Constraint, Any] = {one: unmarked(one) for one in native.constraints if one not in left_out}
    if left_out or any(one is not other for one, other in whole.items()):
        # What was declared belongs to the application, and may be in use: only the copy has other constraints.
        native = copy.copy(native)
        native.constraints = set(whole.values())
    return sa.schema.CreateTable(native, include_foreign_key_constraints=[whole[key] for key in keys])
