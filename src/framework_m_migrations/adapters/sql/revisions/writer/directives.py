"""From operations to Alembic's directives: what a revision file says for each of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, assert_never

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations, ops

from framework_m_migrations.adapters.sql.ddl import DdlWriter
from framework_m_migrations.adapters.sql.dialects.base import SqlDialect
from framework_m_migrations.adapters.sql.revisions.writer import source, usual
from framework_m_migrations.adapters.sql.revisions.writer.objects import (
    Objects,
    final,
    is_literal,
    without_on_update,
)
from framework_m_migrations.adapters.sql.revisions.writer.source import (
    Batch,
    Choice,
    Directive,
    Piece,
    Said,
    Source,
    escape_binds,
    string_literal,
)
from framework_m_migrations.adapters.sql.sqltext import SqlText
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.revisions import VALUE_WANTED
from framework_m_migrations.domain.schema import Check, Column, ForeignKey, Index, PrimaryKey, TableName, Unique

_GAPS = re.compile(r"\s*([(),=])\s*")
_INLINE_INDEX = re.compile(r"(?:UNIQUE |FULLTEXT |SPATIAL )?INDEX ")

type Rendered = Callable[[Sequence[Piece]], tuple[Sequence[str], set[str]]]
"""Gives the source lines of pieces, at the depth of a function's body, and the imports that they need."""


class ExactForm:
    """Holds directives against the writer.

    Args:
        connection: gives the dialect; a dialect may ask it how a table is defined now.
        sql_dialect: its dialect.
        objects: tells the types of columns.
        rendered: gives pieces as source.
    """

    def __init__(
        self, connection: sa.Connection, sql_dialect: SqlDialect, objects: Objects, rendered: Rendered
    ) -> None:
        self._dialect = SqlText(connection.dialect, str, schema=None).dialect
        self._writer = DdlWriter(connection, sql_dialect)
        self._capabilities = sql_dialect.capabilities(connection.dialect)
        self._spelling = sql_dialect.spelling(self._dialect)
        self._objects = objects
        self._rendered = rendered
        offline = {"as_sql": True, "literal_binds": True}
        self._offline = Operations(MigrationContext.configure(dialect=self._dialect, opts=offline))

    def settle(self, operation: o.Operation, pieces: tuple[Piece, ...]) -> tuple[Piece, ...]:
        """The pieces as they are where they do exactly what the writer says, else with its statements for its dialect.

        Raises:
            InvalidMetadata: the operation cannot be written for this database.
        """
        if self._is_beyond_words(operation):
            return (Choice(self._dialect.name, self._writer.statements(operation), pieces),)
        if not self._is_comparable(operation):
            return pieces
        own = [piece for piece in pieces if isinstance(piece, Said)]
        if len(own) == len(pieces):
            if not isinstance(operation, o.CreateTable):
                return pieces  # An index of columns, which all say in the same words.
            # Its indexes and comments are said in words that are the same anywhere.
            bare = replace(operation, definition=replace(operation.definition, indexes=()))
            compared = self._writer.statements(self._typed(bare))[:1]
            said: list[str] | None = [self._sent(piece.ddl, operation) for piece in own if piece.ddl is not None]
        else:
            compared, said = self._writer.statements(self._typed(operation)), self._said(pieces)
        if said is not None and self._normal(said) == self._normal(compared):
            return pieces
        whole = isinstance(operation, o.CreateTable)
        exact = self._writer.statements(self._typed(operation)) if whole else compared
        return (Choice(self._dialect.name, exact, pieces),)

    def _sent(self, ddl: sa.schema.CreateTable, operation: o.CreateTable) -> str:
        """What Alembic sends to create a table, beside which it puts those that it refers to."""
        metadata = ddl.element.metadata
        for key in operation.foreign_keys:
            if key.target != operation.table:
                columns: list[sa.Column[Any]] = [sa.Column(name) for name in key.target_columns]
                sa.Table(key.target.name, metadata, *columns, schema=key.target.schema, extend_existing=True)
        return str(ddl.compile(dialect=self._dialect))

    def _typed(self, operation: o.Operation) -> o.Operation:
        """The operation with types as SQLAlchemy spells them, wherever that is the type that the database has."""
        match operation:
            case o.AddColumn(table=table, column=column):
                return replace(operation, column=self._with_type(table, column))
            case o.CreateTable(definition=definition):
                columns = tuple(self._with_type(definition.name, column) for column in definition.columns)
                return replace(operation, definition=replace(definition, columns=columns))
            case _:
                return operation

    def _with_type(self, table: TableName, column: Column) -> Column:
        if column.native is not None or column.type.native is not None:
            return column
        made = self._objects.type(table, column)
        if self._spelling.column_type(made).spelling != column.type.spelling:
            return column
        return replace(column, type=replace(column.type, native=made))

    def _is_beyond_words(self, operation: o.Operation) -> bool:
        """Whether Alembic has no word for it at all: options of a table, a sequence, a domain, a schema."""
        if isinstance(operation, o.SetTableOptions):
            return self._objects.sql_dialect.batch_options({}, {}) is None
        if isinstance(operation, o.CreateObject | o.AlterObject | o.DropObject):
            return True
        if not isinstance(operation, o.SetGenerated) or not self._capabilities.named_enums:
            return False
        ways = (operation.before.generated, operation.column.generated)
        return any(generated is not None and generated.kind == "serial" for generated in ways)

    def _is_comparable(self, operation: o.Operation) -> bool:
        """Whether Alembic says an operation in statements of the same kind: what is added, and needs no look at it."""
        match operation:
            case o.CreateTable():
                # Without such keys, op.create_table itself goes through the shared writer.
                return self._capabilities.serial_keys
            case o.CreateIndex():
                return self._capabilities.transactional_ddl
            case o.AddUnique(unique=constraint, via_index=None) | o.AddForeignKey(foreign_key=constraint):
                return constraint.name is not None and self._capabilities.deferred_validation
            case o.AddColumn() | o.AddCheck():
                named = not isinstance(operation, o.AddCheck) or operation.check.name is not None
                return named and self._capabilities.deferred_validation
            case _:
                return False

    def _said(self, pieces: tuple[Piece, ...]) -> list[str] | None:
        """What the pieces send, None where Alembic cannot carry them out."""
        said: list[str] = []
        self._offline.migration_context.impl.static_output = said.append  # type: ignore[assignment, method-assign]
        lines, imports = self._rendered(pieces)
        source = "\n".join([*sorted(imports), "def upgrade():", *lines])
        names: dict[str, Any] = {"op": self._offline, "sa": sa}
        try:
            exec(compile(source, "<revision>", "exec"), names)  # noqa: S102 - source that was written here
            names["upgrade"]()
        except Exception:  # noqa: BLE001 - whatever it raises here it would raise in the revision
            return None
        return said

    def _normal(self, statements: Sequence[str]) -> list[object]:
        """Statements without what makes no difference: white space, and the order of the clauses of CREATE TABLE."""
        found: list[object] = []
        for statement in statements:
            text = statement.strip().rstrip(";").strip()
            if not text.startswith("CREATE TABLE"):
                if not (self._indexes_inline and "INDEX" in text.split("(", 1)[0]):
                    found.append(_GAPS.sub(r"\1", " ".join(text.split())))
                continue
            lines = [_GAPS.sub(r"\1", " ".join(line.rstrip(", ").split())) for line in text.splitlines()]
            found.append(sorted(line for line in lines if not (self._indexes_inline and _INLINE_INDEX.match(line))))
        return found

    @property
    def _indexes_inline(self) -> bool:
        """The writer puts a new table's indexes into its CREATE TABLE, where each statement commits by itself."""
        return not self._capabilities.transactional_ddl


# From operations to Alembic's directives: what a revision file says for each operation that a plan shows.
#
# There is no second lowering here. ``domain.lowering`` says which operations bring a change about and
# ``domain.reversal`` which take it back; each becomes one directive, and while the file runs the dialect's
# writer says how the database does it (operations.py).


type Constraint = Unique | Check | ForeignKey

_KIND = {"unique": "unique", "check": "check", "foreign_key": "foreignkey"}


class Directives:
    """Says operations in Alembic's vocabulary.

    Args:
        objects: builds SQLAlchemy's objects.
    """

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._here = f'if op.get_context().dialect.name == "{objects.dialect.name}":\n'

    def of(self, operation: o.Operation) -> tuple[Piece, ...]:
        """The pieces of one operation, in order.

        Raises:
            InvalidMetadata: a type or an expression cannot be written down.
        """
        match operation:
            case o.SetLabels(enum=enum):
                arguments = f"{string_literal(enum.name.name)}, {list(enum.values)!r}{_schema(enum.name)}"
                return (Source(f"online.set_enum_values({arguments})"),)
            case o.CreateEnum() | o.AddEnumValue() | o.DropEnum():
                return (self._enum(operation),)
            case o.CreateTable() | o.DropTable() | o.RenameTable() | o.SetTableOptions():
                return self._table(operation)
            case o.CreateObject() | o.AlterObject() | o.DropObject():
                return ()  # Each database has its own: see directives.py.
            case (
                o.AddColumn()
                | o.DropColumn()
                | o.RenameColumn()
                | o.AlterType()
                | o.SetNotNull()
                | o.DropNotNull()
                | o.SetDefault()
                | o.SetGenerated()
                | o.SetComment()
                | o.Backfill()
                | o.FillColumn()
                | o.ValidateNotNull()
            ):
                return self._column(operation)
            case o.CreateIndex() | o.DropIndex() | o.RebuildIndex() | o.AttachIndex():
                return self._index(operation)
            case o.AddUnique() | o.AddCheck() | o.AddForeignKey() | o.DropConstraint() | o.ValidateConstraint():
                return self._constraint(operation)
            case _ as unreachable:
                assert_never(unreachable)

    def alteration(self, table: TableName, column: Column, **changes: Any) -> Batch:
        """One ``alter_column`` in a batch; ``changes`` are those of Alembic's AlterColumnOp."""
        operation = ops.AlterColumnOp(
            table.name,
            column.name,
            schema=table.schema,
            existing_type=self._objects.type(table, column),
            existing_nullable=None if "modify_nullable" in changes else column.nullable,
            **changes,
        )
        return Batch(table.name, table.schema, (operation,))

    def _enum(self, operation: o.CreateEnum | o.AddEnumValue | o.DropEnum) -> Source:
        # A new label cannot be used in the transaction that adds it, so it gets one of its own.
        [sql] = self._own(operation, outside=isinstance(operation, o.AddEnumValue))
        return sql

    def _own(self, operation: o.Operation, *, outside: bool = False) -> tuple[Source, ...]:
        """What Alembic has no word for, in the dialect's own: for a revision that is run on other databases too.

        Args:
            operation: to be carried out.
            outside: what the database refuses inside a transaction.
        """
        block = "    with op.get_context().autocommit_block():\n        " if outside else "    "
        statements = self._objects.sql_dialect.scripted(operation, self._objects.dialect)
        return tuple(Source(f"{self._here}{block}{_call(sql)}") for sql in statements)

    def _table(self, operation: o.CreateTable | o.DropTable | o.RenameTable | o.SetTableOptions) -> tuple[Piece, ...]:
        match operation:
            case o.SetTableOptions(table=name, before=before, options=options):
                options_of = self._objects.sql_dialect.batch_options(dict(before), dict(options))
                if options_of is None:
                    return ()
                table, schema = string_literal(name.name), _schema(name)
                batch = f"op.batch_alter_table({table}{schema}, recreate='always', table_kwargs={options_of!r})"
                return (Source(f"with {batch}:\n    pass"),)
            case o.CreateTable(definition=table, foreign_keys=keys):
                whole = self._objects.table(table, keys)
                made = usual.create_table(whole) or Directive(ops.CreateTableOp.from_table(whole))
                own = () if table.primary_key is None else (table.primary_key,)
                exclusions = [one for one in table.checks if one.exclusion]
                checks = [one for one in table.checks if not one.exclusion]
                return (
                    made,
                    *(self._create_index(table.name, index) for index in table.indexes),
                    *(piece for one in exclusions for piece in self._exclusion(table.name, one)),
                    *self._comments(table.name, *own, *table.uniques, *checks, *keys),
                )
            case o.DropTable(table=name):
                return (usual.drop_table(name),)
            case o.RenameTable(before=before, table=after, constraints=constraints):
                if before == after:
                    return ()
                schema = _schema(before)
                code = f"op.rename_table({string_literal(before.name)}, {string_literal(after.name)}{schema})"
                return (Source(code), *self._constraints_renamed(after, constraints))

    def _constraints_renamed(self, table: TableName, names: tuple[tuple[str, str], ...]) -> tuple[Source, ...]:
        return self._own(o.RenameTable(table, table, names)) if names else ()

    def _column(
        self,
        operation: o.AddColumn
        | o.DropColumn
        | o.RenameColumn
        | o.AlterType
        | o.SetNotNull
        | o.DropNotNull
        | o.SetDefault
        | o.SetGenerated
        | o.SetComment
        | o.Backfill
        | o.FillColumn
        | o.ValidateNotNull,
    ) -> tuple[Piece, ...]:
        table, objects = operation.table, self._objects
        match operation:
            case o.AddColumn(column=column):
                return (self._add_column(table, column),)
            case o.DropColumn(column=name):
                return (Batch(table.name, table.schema, (ops.DropColumnOp(table.name, name, schema=table.schema),)),)
            case o.RenameColumn(before=before, column=column, constraints=constraints):
                names = ", ".join(string_literal(name) for name in (table.name, before.name))
                new = string_literal(column.name)
                known = objects.columns(table)
                if before.name in known:
                    known[column.name] = known[before.name]
                renamed = Source(f"op.alter_column({names}, new_column_name={new}{_schema(table)})")
                return (renamed, *self._constraints_renamed(table, constraints))
            case o.AlterType(before=before, column=column):
                return (self.alteration(table, before, modify_type=objects.type(table, column)),)
            case o.SetNotNull(column=column) | o.ValidateNotNull(column=column):
                return (self.alteration(table, column, modify_nullable=False),)
            case o.DropNotNull(column=column):
                return (self.alteration(table, column, modify_nullable=True),)
            case o.SetDefault(column=column):
                return (self.alteration(table, column, modify_server_default=objects.server_default(column)),)
            case o.SetGenerated(before=before, column=column):
                return (self._generated(table, before, column),)
            case o.SetComment(constraint=str()):
                return (self._constraint_comment(operation),)
            case o.SetComment():
                return (_comment(operation),)
            case o.Backfill(column=column, value=value):
                return (self._backfill(table, column, value),)
            case o.FillColumn(column=column):
                return (self._backfill(table, column, column.default),)

    def _add_column(self, table: TableName, column: Column) -> Piece:
        add = ops.AddColumnOp(table.name, self._objects.column(table, column), schema=table.schema)
        default = self._objects.default(column)
        if (default is None or is_literal(default)) and column.generated is None:
            return Directive(add)
        # Plain Alembic adds such a column to a SQLite table only within a batch.
        return Batch(table.name, table.schema, (add,))

    def _generated(self, table: TableName, before: Column, column: Column) -> Batch:
        """An identity or a computed expression, changed, given or taken away."""
        generation = self._objects.generation(column)
        changes: dict[str, Any] = {
            "modify_server_default": self._objects.server_default(column) if generation is None else generation,
            "existing_server_default": self._objects.generation(before) or False,
        }
        serial = [one.generated is not None and one.generated.kind == "serial" for one in (before, column)]
        if self._objects.sql_dialect.capabilities(self._objects.dialect).auto_increment:
            if any(serial):
                changes |= {"autoincrement": serial[1], "existing_autoincrement": serial[0]}
            if column.generated is None:
                changes["modify_server_default"] = self._objects.server_default(column)
        return self.alteration(table, before, **changes)

    def _backfill(self, table: TableName, column: Column, value: str | None) -> Source:
        """Values for rows before NOT NULL; where none is known, a statement for the author to complete."""
        name = self._objects.quote(column.name)
        update = f"UPDATE {self._objects.table_sql(table)} SET {name} = {{}} WHERE {name} IS NULL"  # noqa: S608 - text of a file to be read
        if value is None:
            example = f"op.execute({string_literal(update.format('...'))})"
            return Source(
                comments=(
                    f"{VALUE_WANTED} {column.name} here, or NOT NULL is refused:",
                    example,
                )
            )
        return Source(
            f"op.execute({string_literal(escape_binds(update.format(without_on_update(value))))})",
            comments=(f"REVIEW: backfill of {column.name} for the rows that exist.",),
        )

    def _index(self, operation: o.CreateIndex | o.DropIndex | o.RebuildIndex | o.AttachIndex) -> tuple[Piece, ...]:
        table = operation.table
        match operation:
            case o.CreateIndex(index=index):
                return (self._create_index(table, index),)
            case o.DropIndex(index=name):
                return (Directive(ops.DropIndexOp(name, table.name, schema=table.schema)),)
            case o.RebuildIndex():
                return self._own(operation, outside=True)
            case o.AttachIndex():
                return self._own(operation)

    def _create_index(self, table: TableName, index: Index) -> Piece:
        said = usual.create_index(table, index)
        return said or Directive(ops.CreateIndexOp.from_index(self._objects.index(table, index)))

    def _constraint(
        self, operation: o.AddUnique | o.AddCheck | o.AddForeignKey | o.DropConstraint | o.ValidateConstraint
    ) -> tuple[Piece, ...]:
        table = operation.table
        match operation:
            case o.AddUnique(unique=unique, via_index=str(index)):
                return (self._adopt(table, unique, index), *self._comments(table, unique))
            case o.AddUnique(unique=unique) if unique.native is not None and "on_conflict" not in dict(unique.options):
                # Outside a batch SQLite gets a unique index, as sync gives it: the table need not be rebuilt.
                # What comes from the catalog is a constraint there, and comes back as one.
                return (Directive(self._create(table, unique)), *self._comments(table, unique))
            case o.AddCheck(check=check) if check.exclusion:
                return self._exclusion(table, check)
            case (
                o.AddUnique(unique=constraint) | o.AddCheck(check=constraint) | o.AddForeignKey(foreign_key=constraint)
            ):
                made = Batch(table.name, table.schema, (self._create(table, constraint),))
                return (made, *self._comments(table, constraint))
            case o.DropConstraint(constraint=name, kind=kind, definition=definition):
                if definition is not None and not name:
                    name = source.constraint_name(table, definition, self._objects.columns(table))
                drop = ops.DropConstraintOp(final(name), table.name, type_=_KIND[kind], schema=table.schema)
                return (Batch(table.name, table.schema, (drop,)),)
            case o.ValidateConstraint():
                return self._own(operation)

    def _exclusion(self, table: TableName, check: Check) -> tuple[Source, ...]:
        """Alembic has no word for exclusion constraints."""
        named = replace(check, name=source.constraint_name(table, check), native=None)
        return self._own(o.AddCheck(table, named))

    def _comments(self, table: TableName, *items: PrimaryKey | Constraint) -> Iterator[Source]:
        for item in items:
            if item.comment and item.name is not None:
                yield self._constraint_comment(o.SetComment(table, None, item.comment, item.name))

    def _constraint_comment(self, operation: o.SetComment) -> Source:
        """Alembic has no word for comments of constraints."""
        [said] = self._own(operation)
        return said

    def _adopt(self, table: TableName, unique: Unique, index: str) -> Source:
        """Turn a unique index that exists into the constraint, which takes no time."""
        named = replace(unique, name=source.constraint_name(table, unique), native=None, comment=None)
        [adopted] = self._own(o.AddUnique(table, named, index))
        return adopted

    def _create(self, table: TableName, constraint: Constraint) -> ops.MigrateOperation:
        match constraint:
            case Unique():
                made = self._objects.unique(constraint)
                return ops.CreateUniqueConstraintOp(
                    final(constraint.name),
                    table.name,
                    list(constraint.columns),
                    schema=table.schema,
                    deferrable=made.deferrable,
                    initially=made.initially,
                    **made.dialect_kwargs,
                )
            case Check():
                check = self._objects.check(constraint)
                return ops.CreateCheckConstraintOp(
                    final(constraint.name), table.name, check.sqltext, schema=table.schema, **check.dialect_kwargs
                )
            case ForeignKey():
                key = self._objects.foreign_key(table, constraint)
                return ops.CreateForeignKeyOp(
                    final(constraint.name),
                    table.name,
                    constraint.target.name,
                    list(constraint.columns),
                    list(constraint.target_columns),
                    source_schema=table.schema,
                    referent_schema=constraint.target.schema,
                    ondelete=key.ondelete,
                    onupdate=key.onupdate,
                    deferrable=key.deferrable,
                    initially=key.initially,
                    match=key.match,
                    **key.dialect_kwargs,
                )


def _comment(operation: o.SetComment) -> Piece:
    table, comment = operation.table, operation.comment
    if operation.column is not None:
        # Only databases with comments get here; they need no batch for one.
        names = ", ".join(string_literal(name) for name in (table.name, operation.column))
        return Source(f"op.alter_column({names}, comment={comment!r}{_schema(table)})")
    if comment is None:
        return Directive(ops.DropTableCommentOp(table.name, schema=table.schema))
    return Directive(ops.CreateTableCommentOp(table.name, comment, schema=table.schema))


def _schema(table: TableName) -> str:
    return f", schema={string_literal(table.schema)}" if table.schema else ""


def _call(sql: str) -> str:
    return f"op.execute({string_literal(escape_binds(sql))})"
