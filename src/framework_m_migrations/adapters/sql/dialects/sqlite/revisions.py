"""Alembic's operations on SQLite: edits of the stored definition, in place where no row is touched, else one rebuild.

``SqliteRevisions`` stands before Alembic's own ``impl`` while a revision runs (versions/operations.py). A batch, and an
operation outside any batch, are the same thing here: a list of operations on one table that are carried out at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from alembic.operations.base import BatchOperations, Operations
from alembic.operations.batch import BatchOperationsImpl
from alembic.util import CommandError

from framework_m_migrations.adapters.sql.dialects.sqlite import transactions
from framework_m_migrations.adapters.sql.dialects.sqlite.carrying import Plan
from framework_m_migrations.adapters.sql.dialects.sqlite.create_sql import UnreadableSql
from framework_m_migrations.adapters.sql.dialects.sqlite.driver import control, in_transaction
from framework_m_migrations.adapters.sql.online.surroundings import surroundings_of
from framework_m_migrations.domain.errors import RevisionError

if TYPE_CHECKING:
    from alembic.ddl.sqlite import SQLiteImpl as _Base
else:
    _Base = object

type Call = tuple[str, tuple[Any, ...], dict[str, Any]]
"""A method of Alembic's impl with its arguments."""


class SqliteRevisions(_Base):
    """Mixed in before Alembic's SQLiteImpl."""

    @contextmanager
    def batch_alter_table(
        self, operations: Operations, table_name: str, schema: str | None = None, **options: Any
    ) -> Iterator[BatchOperations]:
        """As Alembic's, from the stored definition; see Operations.batch_alter_table for the options.

        Raises:
            RevisionError: an option, or an operation, cannot be carried out as it is written.
        """
        chosen = _Options | options
        if self.as_sql:
            raise CommandError("A batch operation on SQLite needs the database: it cannot be written in --sql mode.")
        _refuse_reflection(chosen["reflect_kwargs"])
        batch = _Batch(operations, table_name, schema, **chosen)  # type: ignore[no-untyped-call]
        yield BatchOperations(operations.migration_context, impl=batch)
        self._carry_out(table_name, schema, batch.calls(), chosen)

    def alter_column(self, table_name: str, column_name: str, **options: Any) -> None:
        """Rename, type, nullability, default."""
        self._alone(table_name, options.get("schema"), "alter_column", column_name, **options)

    def add_column(self, table_name: str, column: sa.Column[Any], **options: Any) -> None:
        """A new column."""
        self._alone(table_name, options.get("schema"), "add_column", column, **options)

    def drop_column(self, table_name: str, column: sa.Column[Any], **options: Any) -> None:
        """A column less."""
        self._alone(table_name, options.get("schema"), "drop_column", column, **options)

    def add_constraint(self, const: Any, **options: Any) -> None:
        """A constraint of a table that exists."""
        self._alone(const.table.name, const.table.schema, "add_constraint", const, **options)

    def drop_constraint(self, const: sa.Constraint, **options: Any) -> None:
        """A constraint less."""
        table: Any = const.table
        self._alone(table.name, table.schema, "drop_constraint", const, **options)

    def rename_table(self, old_table_name: str, new_table_name: Any, schema: Any = None) -> None:
        """Views, triggers and foreign keys follow, whatever an application has set for its own statements."""
        connection = self._bound()
        legacy = int(control(connection, "PRAGMA legacy_alter_table")[0][0])
        control(connection, "PRAGMA legacy_alter_table = OFF")
        try:
            super().rename_table(old_table_name, new_table_name, schema=schema)
        finally:
            if not connection.invalidated:
                control(connection, f"PRAGMA legacy_alter_table = {legacy}")

    def create_table_comment(self, table: sa.Table) -> None:
        """Nothing: SQLite keeps no comments."""

    def drop_table_comment(self, table: sa.Table) -> None:
        """Nothing: SQLite keeps no comments."""

    def create_column_comment(self, column: sa.Column[Any]) -> None:
        """Nothing: SQLite keeps no comments."""

    def _bound(self) -> sa.Connection:
        connection = self.connection
        if connection is None:
            raise CommandError("A change of a SQLite table needs the database: it cannot be written in --sql mode.")
        return connection

    def _alone(self, table: str, place: str | None, method: str, /, *arguments: Any, **options: Any) -> None:
        self._carry_out(table, place, [(method, arguments, options)], _Options | {"alone": True})

    def _carry_out(self, table: str, schema: str | None, calls: Sequence[Call], options: Mapping[str, Any]) -> None:
        connection = self._bound()
        if not in_transaction(connection):
            # An autocommit_block: a table's change is one transaction all the same.
            with transactions.transaction(connection, surroundings_of(connection).locks.limits):
                self._carry_out_within(connection, table, schema, calls, options)
            return
        self._carry_out_within(connection, table, schema, calls, options)

    def _carry_out_within(
        self,
        connection: sa.Connection,
        table: str,
        schema: str | None,
        calls: Sequence[Call],
        options: Mapping[str, Any],
    ) -> None:
        try:
            plan = Plan(connection, table, schema, options)
            plan.take(calls)
            plan.finish(super().create_index, super().drop_index)
        except UnreadableSql as error:
            raise RevisionError(
                f"The stored definition of table {table} is not understood: {error}.",
                next_step="Report the definition, and change the table with SQL of your own until then.",
            ) from error


_Options: dict[str, Any] = {
    "recreate": "auto",
    "copy_from": None,
    "table_args": (),
    "table_kwargs": {},
    "reflect_args": (),
    "reflect_kwargs": {},
    "naming_convention": None,
    "partial_reordering": None,
}


class _Batch(BatchOperationsImpl):
    """Collects what a batch says. Where its columns go is decided when all is known."""

    def add_column(self, *arguments: Any, **options: Any) -> None:
        self.batch.append(("add_column", arguments, options))

    def calls(self) -> list[Call]:
        """The operations without the name of the table, which all have in common."""
        named = {"alter_column", "add_column", "drop_column"}
        return [
            (method, tuple(arguments[1:]) if method in named else tuple(arguments), dict(options))
            for method, arguments, options in self.batch
        ]


def _refuse_reflection(options: Mapping[str, Any]) -> None:
    unknown = sorted(set(options) - {"sqlite_autoincrement", "sqlite_with_rowid", "sqlite_strict"})
    if unknown:
        raise RevisionError(
            f"batch_alter_table was given reflect_kwargs {', '.join(unknown)}, and no table is reflected: its stored "
            "definition is edited.",
            next_step="Leave them out, and say what is to change in operations of the batch.",
        )
