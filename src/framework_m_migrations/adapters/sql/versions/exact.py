"""Whether what a revision says in Alembic's vocabulary is what the dialect's writer says; its SQL where it is not.

Alembic's operations know less than a database: an exclusion constraint, a prefix such as UNLOGGED, the sequence of a
column. What ``create`` is about to write is therefore carried out once against a dialect alone, and the statements are
held against the writer's. Where they differ, the file holds the writer's own for this database, beside Alembic's
operation for every other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

from framework_m_migrations.adapters.sql.ddl import DdlWriter
from framework_m_migrations.adapters.sql.dialects.base import SqlDialect
from framework_m_migrations.adapters.sql.sqltext import SqlText
from framework_m_migrations.adapters.sql.versions.objects import Objects
from framework_m_migrations.adapters.sql.versions.pieces import Choice, Piece
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.schema import Column, TableName

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
        exact = self._writer.statements(self._typed(operation))
        said = self._said(pieces)
        if said is not None and self._normal(said) == self._normal(exact):
            return pieces
        return (Choice(self._dialect.name, exact, pieces),)

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
            return self._dialect.name != "sqlite"
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
                return True
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
