"""What stands before Alembic's impl while a revision runs on MariaDB; see SqlDialect.revision_impl.

Alembic repeats a column from what a revision file says of it, and what the file leaves out is lost. Here everything
comes from what the database has (SHOW CREATE TABLE), by the writer that sync uses, and what a file says of the state
before (``existing_type`` and the like) is ignored. The rows are looked at before a type changes, and the server is
strict while it does, whatever sql_mode says.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import sqlalchemy as sa
from alembic.ddl.mysql import MySQLImpl
from alembic.operations import BatchOperations, Operations
from alembic.operations.batch import BatchOperationsImpl

from framework_m_migrations.adapters.sql.ddl import SharedForms
from framework_m_migrations.adapters.sql.dialects.mariadb import conversions
from framework_m_migrations.adapters.sql.dialects.mariadb.ddl import ColumnChange, Writer
from framework_m_migrations.adapters.sql.dialects.mariadb.inspector import MariadbInspector
from framework_m_migrations.adapters.sql.dialects.mariadb.options import adopt_mysql_names
from framework_m_migrations.adapters.sql.dialects.mariadb.spelling import AUTO_INCREMENT, MariadbSpelling
from framework_m_migrations.adapters.sql.dialects.mariadb.text import (
    ColumnDefinition,
    TableDefinition,
    quoted,
    read_definition,
)
from framework_m_migrations.adapters.sql.dialects.mariadb.transactions import strict
from framework_m_migrations.adapters.sql.sqltext import SqlText
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.errors import RevisionError, ValuesWouldBeLost
from framework_m_migrations.domain.schema import Check, Column, ForeignKey, Table, TableName, Unique

_COPIES = ("partial_reordering", "table_args", "table_kwargs")
_CREATE_INDEX = re.compile(r"CREATE (?P<kind>(?:\w+ )?INDEX (?:`(?:[^`]|``)+`|\S+)) (?P<on>ON .*)", re.DOTALL)
_NEXT = "Convert or remove these values first, in this revision or by hand, then run the command again."


class MariadbRevisions(MySQLImpl):
    """Alembic's operations through the writer; Alembic's own where there is no database to ask (``--sql``)."""

    _gone: frozenset[tuple[TableName, str]] = frozenset()
    _clocked: frozenset[tuple[TableName, str]] = frozenset()

    def alter_column(
        self,
        table_name: str,
        column_name: str,
        *,
        nullable: bool | None = None,
        server_default: Any = False,
        name: str | None = None,
        type_: Any = None,
        schema: str | None = None,
        autoincrement: bool | None = None,
        comment: str | Literal[False] | None = False,
        **existing: Any,
    ) -> None:
        """Change what is given and leave everything else as the database has it, in one statement.

        ``mariadb_using`` (or ``mysql_using``) converts the values before the type changes: an expression whose values
        the former type can hold.

        Raises:
            RevisionError: rows hold values that would be lost, or NULL where it is to be forbidden.
        """
        given = (nullable, type_, autoincrement, server_default, comment)
        if self._offline and name is not None and given == (None, None, None, False, False):
            # Alembic would say the column again, which nothing here knows.
            self._send(self._writer.alter_column(TableName(table_name, schema), column_name, ColumnChange(rename=name)))
            return
        if self._offline:
            super().alter_column(
                table_name,
                column_name,
                nullable=nullable,
                server_default=server_default,
                name=name,
                type_=type_,
                schema=schema,
                autoincrement=autoincrement,
                comment=comment,
                **existing,
            )
            return
        table = TableName(table_name, schema)
        definition, found = self._definition(table), self._found(table)
        column = definition.column(column_name)
        if column is None:
            raise RevisionError(f"Table {table} has no column {column_name}.")
        if "on update" in column.clauses:
            # A file may take the default away before it changes the type.
            self._clocked |= {(table, column_name)}
        if name is not None and name == column_name:
            name = None
        if nullable is False and "generated" not in column.clauses:
            self._refuse_nulls(table, column_name)
        computed = isinstance(server_default, sa.Computed | sa.Identity) or "generated" in column.clauses
        if computed and server_default is not False:
            self._set_generated(table, found, column_name, server_default, nullable=nullable)
            server_default = False
        type_sql = None if type_ is None else self._text.type(sa.types.to_instance(type_))
        if type_sql is not None:
            using = existing.get("mariadb_using") or existing.get("mysql_using")
            if using:
                name_sql = quoted(column_name)
                self._send([f"UPDATE {self._text.table(table)} SET {name_sql} = {using}"])  # noqa: S608 - the file's own
            self._refuse_losses(table, found, column, column_name, type_sql)
        change = ColumnChange(
            rename=None if name is None else str(name),
            type=type_sql,
            nullable=nullable,
            default=self._default(server_default),
            comment=comment,
            autoincrement=autoincrement,
        )
        if change != ColumnChange():
            self._send(self._writer.alter_column(table, column_name, change))

    def add_column(
        self,
        table_name: str,
        column: sa.Column[Any],
        *,
        schema: str | None = None,
        insert_before: str | None = None,
        insert_after: str | None = None,
        **options: Any,
    ) -> None:
        """Add a column as sync does, where the batch says.

        Raises:
            RevisionError: it is NOT NULL without a default, and there are rows: the server would invent values.
        """
        if self._offline or any(options.values()):
            super().add_column(table_name, column, schema=schema, **options)
            return
        table, spelling = TableName(table_name, schema), MariadbSpelling(self.dialect)
        type_ = spelling.column_type(column.type)
        default = self._text.server_default(column)
        made = Column(
            name=str(column.name),
            type=type_,
            nullable=bool(column.nullable) and not column.primary_key,
            default=None if default is None else spelling.default(default, type_),
            generated=spelling.generated(column),
            comment=column.comment,
            native=column,
        )
        if not made.nullable and default is None and made.generated is None:
            count = self._count(f"SELECT COUNT(*) FROM {self._text.table(table)}")  # noqa: S608 - quoted
            if count:
                raise RevisionError(
                    f"{_rows(count)} of {table} have no value for the new column {made.name}, which is NOT NULL "
                    "and has no default. The column was not added.",
                    next_step="Add the column nullable, give the rows their values, then forbid NULL; or give it a "
                    "server_default.",
                )
        *_, statement = self._writer.additive(o.AddColumn(table, made)) or ()
        names = list(self._definition(table).columns)
        if insert_before is not None:
            place = names.index(insert_before)
            statement += " FIRST" if place == 0 else f" AFTER {quoted(names[place - 1])}"
        elif insert_after is not None:
            statement += f" AFTER {quoted(insert_after)}"
        self._send([statement])

    def create_table(self, table: sa.Table, **options: Any) -> None:
        """Create a table; ``mysql_*`` options mean MariaDB too."""
        adopt_mysql_names(table)
        super().create_table(table, **options)

    def drop_column(
        self, table_name: str, column: sa.Column[Any], *, schema: str | None = None, **options: Any
    ) -> None:
        """Drop a column with the foreign keys and indexes that contain it, in one statement."""
        table = TableName(table_name, schema)
        if self._offline:
            super().drop_column(table_name, column, schema=schema, **options)
            return
        found = self._found(table)
        names = {one.name.lower(): one.name for one in found.columns}
        name = names.get(str(column.name).lower())
        if name is None and options.get("if_exists"):
            return
        self._send(self._writer.drop_column(found, name or str(column.name)))
        # A revision may go on to drop an index of several columns, which Alembic alone would have left in part.
        indexes = [index.name for index in found.indexes if any(key.column == name for key in index.keys)]
        uniques = [unique.name or "" for unique in found.uniques if name in unique.columns]
        self._gone |= {(table, one) for one in (*indexes, *uniques)}

    def add_constraint(self, const: Any, **options: Any) -> None:
        """Add a constraint as sync does."""
        rule = const._create_rule  # noqa: SLF001 - as Alembic asks whether the constraint is made at all
        if options or isinstance(const, sa.PrimaryKeyConstraint):
            super().add_constraint(const, **options)
            return
        if rule is not None and not rule(self):
            return
        table = TableName(const.table.name, const.table.schema)
        name = self._text.constraint_name(const)
        operation: o.AddUnique | o.AddCheck | o.AddForeignKey
        if isinstance(const, sa.UniqueConstraint):
            operation = o.AddUnique(table, Unique(name, tuple(column.name for column in const.columns), native=const))
        elif isinstance(const, sa.CheckConstraint):
            operation = o.AddCheck(table, Check(name, self._text.expression(const.sqltext), native=const))
        elif isinstance(const, sa.ForeignKeyConstraint):
            target = TableName(const.referred_table.name, const.referred_table.schema)
            targets = tuple(element.column.name for element in const.elements)
            operation = o.AddForeignKey(
                table, ForeignKey(name, tuple(const.column_keys), target, targets, native=const)
            )
        else:
            super().add_constraint(const)
            return
        statements = self._writer.additive(operation) or self._shared(operation)
        if isinstance(operation, o.AddUnique):
            statements = (statements[0] + self._freed(table, operation.unique.columns),)
        self._send(statements)

    def _freed(self, table: TableName, columns: tuple[str, ...]) -> str:
        """Drops the index that ``drop_index`` left for a foreign key: the server drops only those that it made."""
        if self._offline:
            return ""
        indexes = self._definition(table).indexes
        keys = (key for key in self._found(table).foreign_keys if columns[: len(key.columns)] == key.columns)
        free = (key.name for key in keys if key.name is not None and indexes.get(key.name) == key.columns)
        return "".join(f", DROP INDEX {quoted(name)}" for name in free)

    def drop_constraint(self, const: Any, **options: Any) -> None:
        """Drop a constraint of whatever kind the database has under the name."""
        if (
            self._offline
            or const.name is None
            or isinstance(const, sa.PrimaryKeyConstraint)
            or getattr(const, "_type_bound", False)
        ):
            super().drop_constraint(const, **options)
            return
        table, name = TableName(const.table.name, const.table.schema), str(const.name)
        if (table, name) in self._gone:
            return
        found = self._found(table)
        unique = isinstance(const, sa.UniqueConstraint)
        if not unique and (key := _named(name, found.foreign_keys)):
            self._send(self._writer.drop_foreign_key(found, key))
        elif key := _named(name, (*found.uniques, *found.indexes)):
            self._send(self._writer.drop_index(found, key))
        elif key := _named(name, found.checks):
            operation = o.DropConstraint(table, key, "check")
            self._send(self._writer.destructive(operation) or self._shared(operation))
        elif not options.get("if_exists"):
            raise RevisionError(f"Table {table} has no constraint {name}.")

    def create_index(self, index: sa.Index, **options: Any) -> None:
        """An index, as sync adds it; options as for ``create_table``."""
        adopt_mysql_names(index)
        if index.table is None or any(options.values()):
            super().create_index(index, **options)
            return
        said = _CREATE_INDEX.match(self._text.statement(sa.schema.CreateIndex(index)))
        table = self._text.table(TableName(index.table.name, index.table.schema))
        if said is None or not said["on"].startswith(f"ON {table} "):
            super().create_index(index, **options)
            return
        columns = tuple(column.name for column in index.columns)
        # Beside an index of a named method the server keeps the one that it made.
        named = said["on"].upper().endswith((" USING HASH", " USING BTREE"))
        freed = "" if named else self._freed(TableName(index.table.name, index.table.schema), columns)
        self._send([f"ALTER TABLE {table} ADD {said['kind']} {said['on'].removeprefix(f'ON {table} ')}{freed}"])

    def create_table_comment(self, table: sa.Table) -> None:
        """A comment of a table."""
        self._comment(table, table.comment)

    def drop_table_comment(self, table: sa.Table) -> None:
        """No comment of a table."""
        self._comment(table, None)

    def _comment(self, table: sa.Table, comment: str | None) -> None:
        operation = o.SetComment(TableName(table.name, table.schema), None, comment)
        self._send(self._writer.additive(operation) or ())

    def drop_index(self, index: sa.Index, **options: Any) -> None:
        """Drop an index; one that a foreign key needs is replaced by that key's own."""
        if self._offline or index.table is None:
            super().drop_index(index, **options)
            return
        table, name = TableName(index.table.name, index.table.schema), str(index.name)
        if (table, name) in self._gone:
            return
        found = self._found(table)
        known = _named(name, (*found.uniques, *found.indexes)) or next(
            iter(self._definition(table).indexes.keys() & {name}), None
        )
        if known is None and options.get("if_exists"):
            return
        self._send(self._writer.drop_index(found, known or name))

    def rename_table(self, old_table_name: str, new_table_name: str, schema: str | None = None) -> None:
        """Rename a table."""
        operation = o.RenameTable(TableName(old_table_name, schema), TableName(new_table_name, schema))
        self._send(self._writer.revision(operation) or ())

    @contextmanager
    def batch_alter_table(
        self, operations: Operations, table_name: str, schema: str | None = None, **options: Any
    ) -> Iterator[BatchOperations]:
        """A batch whose operations change the table itself, also where ``recreate`` asks Alembic to copy it."""
        if self._offline or any(options.get(name) for name in _COPIES):
            with Operations.batch_alter_table(operations, table_name, schema, **options) as batch:
                yield batch
            return
        made: Any = _InPlace
        impl = made(operations, table_name, schema, "never", None, (), {}, (), {}, options.get("naming_convention"), ())
        yield BatchOperations(operations.migration_context, impl=impl)
        impl.flush()

    @property
    def _offline(self) -> bool:
        return self.as_sql or self.connection is None

    @property
    def _text(self) -> SqlText:
        return SqlText(self.dialect, MariadbSpelling(self.dialect).identifier, schema=None)

    @property
    def _writer(self) -> Writer:
        connection = None if self._offline else self._connected
        return Writer(connection, self._text, schema=None, demanding=False)

    @property
    def _connected(self) -> sa.Connection:
        if self.connection is None:
            raise RevisionError("There is no connection.")
        return self.connection

    def _definition(self, table: TableName) -> TableDefinition:
        return read_definition(self._connected, self._text.table(table))

    def _found(self, table: TableName) -> Table:
        inspector = MariadbInspector(self._connected, schema=None, ignored=frozenset(), also=frozenset())
        return inspector.read([table]).tables.get(table) or Table(table, ())

    def _shared(self, operation: o.Operation) -> tuple[str, ...]:
        return SharedForms(self._text, comments=False).statements(operation)

    def _count(self, sql: str) -> int:
        return int(self._connected.exec_driver_sql(sql, execution_options=conversions.PROBE).scalar_one())

    def _send(self, statements: Iterable[str]) -> None:
        if self._offline:
            for sql in statements:
                self.static_output(f"{sql}{self.command_terminator}")
            return
        with strict(self._connected):
            for sql in statements:
                self._connected.exec_driver_sql(sql, execution_options={"no_parameters": True}).close()

    def _default(self, server_default: Any) -> str | Literal[False] | None:
        if server_default is False or server_default is None:
            return server_default
        column: sa.Column[Any] = sa.Column("c", sa.types.NULLTYPE, server_default=server_default)
        return self._text.server_default(column)

    def _set_generated(self, table: TableName, found: Table, name: str, wanted: Any, *, nullable: bool | None) -> None:
        current = next((one for one in found.columns if one.name.lower() == name.lower()), None)
        if current is None:
            raise RevisionError(f"Table {table} has no column {name}.")
        generated = None
        if isinstance(wanted, sa.Identity):
            generated = AUTO_INCREMENT
        elif isinstance(wanted, sa.Computed):
            # What a file says may belong to a column already.
            computed = sa.Computed(wanted.sqltext, persisted=wanted.persisted)
            holder = sa.Table("t", sa.MetaData(), sa.Column(name, sa.types.NULLTYPE, computed))
            generated = MariadbSpelling(self.dialect).generated(holder.c[name])
        if generated is not None and generated.kind == "computed" and current.generated is None:
            lost = f"{quoted(name)} IS NOT NULL AND NOT ({quoted(name)} <=> ({generated.expression}))"
            count = self._count(f"SELECT COUNT(*) FROM {self._text.table(table)} WHERE {lost}")  # noqa: S608 - quoted
            if count:
                raise ValuesWouldBeLost(
                    f"{_rows(count)} of {table} hold values in {name} that differ from {generated.expression}; they "
                    "would be lost. Nothing was changed by this operation.",
                    next_step=_NEXT,
                    details={"table": str(table), "column": name, "rows": count},
                )
        column = Column(
            name,
            current.type,
            nullable=current.nullable if nullable is None else nullable,
            default=None if generated is not None else self._default(wanted) or None,
            generated=generated,
        )
        self._send(self._writer.set_generated(table, current, column))

    def _refuse_losses(
        self, table: TableName, found: Table, column: ColumnDefinition, name: str, type_sql: str
    ) -> None:
        if "generated" in column.clauses:
            return
        count = conversions.lost_rows(
            self._connected,
            self._text.table(table),
            found,
            column,
            name,
            type_sql,
            clocked=(table, name) in self._clocked,
        )
        if count:
            raise ValuesWouldBeLost(
                f"{_rows(count)} of {table} hold values in {name} that {type_sql} cannot hold exactly; they would be "
                f"lost or changed. {name} is still {column.clauses['type']}.",
                next_step=_NEXT,
                details={"table": str(table), "column": name, "rows": count},
            )

    def _refuse_nulls(self, table: TableName, name: str) -> None:
        count = conversions.null_rows(self._connected, self._text.table(table), name)
        if count:
            raise RevisionError(
                f"{_rows(count)} of {table} hold NULL in {name}, which is to be NOT NULL. {name} was not changed.",
                next_step="Give these rows a value first, in this revision or by hand, then run the command again.",
                details={"table": str(table), "column": name, "rows": count},
            )


class _InPlace(BatchOperationsImpl):
    """A batch that never copies; a new column can have a place all the same."""

    def _should_recreate(self) -> bool:
        return False

    def add_column(self, *arg: Any, **kw: Any) -> None:
        self.batch.append(("add_column", arg, kw))


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"


def _named(name: str, items: Iterable[Any]) -> str | None:
    """The name of the item that has this one, as the database writes it."""
    return next((item.name for item in items if item.name is not None and item.name.lower() == name.lower()), None)
