"""How MariaDB says each operation: always in one statement, since each commits by itself.

Where the server can do it without stopping writers, LOCK=NONE demands just that: a server that cannot refuses, in the
place of copying the table while everybody waits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from framework_m_migrations.adapters.mariadb.definitions import ColumnDefinition, TableDefinition, read_definition
from framework_m_migrations.adapters.mariadb.spelling import key_text
from framework_m_migrations.adapters.mariadb.tokens import literal, quoted
from framework_m_migrations.adapters.mariadb.type_rules import type_change
from framework_m_migrations.adapters.sql import render
from framework_m_migrations.adapters.sql.ddl import SharedForms
from framework_m_migrations.adapters.sql.sqltext import SqlText
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.errors import InvalidMetadata
from framework_m_migrations.domain.plan import LockLevel
from framework_m_migrations.domain.schema import Column, ForeignKey, Index, Table, TableName
from framework_m_migrations.domain.type_change import TypeChange

_ONLINE = ", LOCK=NONE"
_ENGINE = "SELECT t.ENGINE FROM information_schema.TABLES t WHERE t.TABLE_SCHEMA = {0} AND t.TABLE_NAME = {1}"
_REFUSE_ROWS = (
    "BEGIN NOT ATOMIC IF EXISTS (SELECT 1 FROM {0}) THEN SIGNAL SQLSTATE '45000' "
    "SET MESSAGE_TEXT = 'the rows of the table have no value for the new column'; END IF; END"
)
_INSTANT_KINDS = (TypeChange.EQUAL, TypeChange.WIDENING)


class Writer:
    """Writes the statements of operations.

    Args:
        connection: to ask how a table is defined now.
        text: of the session's dialect and schema.
        schema: the session's schema.
    """

    def __init__(self, connection: sa.Connection, text: SqlText, *, schema: str | None) -> None:
        self._connection = connection
        self._text = text
        self._schema = schema

    def additive(self, operation: o.AdditiveOperation) -> tuple[str, ...] | None:
        """The statements of an additive operation, None for the shared form."""
        match operation:
            case o.CreateTable(definition=table, foreign_keys=keys):
                return (self._create_table(table, keys),)
            case o.AddColumn(table=table, column=column):
                return tuple(self._add_column(table, column))
            case o.CreateIndex(table=table, index=index):
                online = "" if index.method is not None else self._online(table)
                return (f"{self._alter(table)} ADD {self._index(index)}{online}",)
            case o.AddUnique(table=table, unique=unique):
                return (f"{self._alter(table)} ADD {render.unique(self._text, unique)}{self._online(table)}",)
            case o.AlterType() | o.SetNotNull() | o.SetDefault():
                return (self._alter_column(operation),)
            case o.SetComment(table=table, column=None, comment=comment):
                return (f"{self._alter(table)} COMMENT = {literal(comment or '')}",)
            case o.SetComment(table=table, column=str(name), comment=comment):
                said = f"COMMENT {literal(comment)}" if comment else None
                return (self._modify(table, name, {"comment": said}, online=True),)
            case _:
                return None

    def destructive(self, operation: o.DestructiveOperation) -> tuple[str, ...] | None:
        """The statements of a destructive operation, None for the shared form."""
        match operation:
            case o.DropConstraint(table=table, constraint=name, kind="foreign_key"):
                return (f"{self._alter(table)} DROP FOREIGN KEY {quoted(name)}",)
            case o.DropNotNull(table=table, column=column):
                return (self._modify(table, column.name, {"nullity": "NULL"}, online=True),)
            case _:
                return None

    def drop_column(self, found: Table, name: str) -> tuple[str, ...]:
        """A column with what stands on it, in one statement: foreign keys go before the indexes that serve them."""
        keys = [key for key in found.foreign_keys if name in key.columns]
        # A key of several columns would only lose this one.
        indexes = [index.name for index in found.indexes if any(key.column == name for key in index.keys)]
        indexes += [unique.name for unique in found.uniques if name in unique.columns and unique.name is not None]
        parts = [f"DROP FOREIGN KEY {quoted(key.name)}" for key in keys if key.name is not None]
        parts += [f"DROP INDEX {quoted(index)}" for index in indexes]
        parts.append(f"DROP COLUMN {quoted(name)}")
        return (f"{self._alter(found.name)} {', '.join(parts)}",)

    def drop_index(self, found: Table, name: str) -> tuple[str, ...]:
        """An index; one that serves a foreign key becomes that key's own, as the server would have made it."""
        keyed = {index.name: tuple(key.column for key in index.keys) for index in found.indexes}
        keyed |= {unique.name: unique.columns for unique in found.uniques if unique.name is not None}
        columns = keyed.pop(name, ())
        others = [*keyed.values(), found.primary_key.columns if found.primary_key is not None else ()]
        parts = [f"DROP INDEX {quoted(name)}"]
        for key in found.foreign_keys:
            size = len(key.columns)
            needed = columns[:size] == key.columns and all(other[:size] != key.columns for other in others)
            if needed and key.name is not None:
                parts.append(f"ADD INDEX {quoted(key.name)} {render.column_list(self._text, key.columns)}")
        return (f"{self._alter(found.name)} {', '.join(parts)}",)

    def _alter(self, table: TableName) -> str:
        return f"ALTER TABLE {self._text.table(table)}"

    def _online(self, table: TableName) -> str:
        """LOCK=NONE for a table whose engine knows it."""
        schema = table.schema or self._schema
        sql = _ENGINE.format("DATABASE()" if schema is None else literal(schema), literal(table.name))
        return _ONLINE if str(self._driver_scalar(sql)).lower() == "innodb" else ""

    def _driver_scalar(self, sql: str) -> object:
        answer = self._connection.exec_driver_sql(sql, execution_options={"no_parameters": True})
        return answer.scalar()

    def _create_table(self, table: Table, keys: Sequence[ForeignKey]) -> str:
        native: Any = table.native
        natives: list[Any] = [key.native for key in keys]
        if isinstance(native, sa.Table) and all(key is not None for key in natives):
            compiler = _with_indexes(type(self._text.ddl))(self._text.dialect, None)
            compiler.inline = [self._index(index) for index in table.indexes]
            statement: Any = sa.schema.CreateTable(native, include_foreign_key_constraints=natives)
            try:
                return str(compiler.process(statement)).strip()
            except sa.exc.SQLAlchemyError as error:
                raise InvalidMetadata(f"This cannot be written as SQL: {error}") from error
        text = self._text
        lines = [self._column(column) for column in table.columns]
        if table.primary_key is not None:
            lines.append(render.primary_key(text, replace(table.primary_key, name=None)))
        lines += [render.unique(text, unique) for unique in table.uniques]
        lines += [self._index(index) for index in table.indexes]
        lines += [render.check(text, check) for check in table.checks]
        lines += [render.foreign_key(text, key) for key in keys]
        comment = f" COMMENT={literal(table.comment)}" if table.comment else ""
        body = ",\n\t".join(lines)
        return f"CREATE TABLE {text.table(table.name)} (\n\t{body}\n){comment}"

    def _index(self, index: Index) -> str:
        """An index as a part of CREATE TABLE or ALTER TABLE."""
        kind = "UNIQUE INDEX" if index.unique else f"{(index.method or '').upper()} INDEX".strip()
        keys = []
        for key in index.keys:
            if key.column is None:
                raise InvalidMetadata(f"Index {index.name} is over an expression, of which MariaDB has none.")
            keys.append(key_text(key.column, key.modifiers))
        parser = dict(index.options).get("parser")
        suffix = "" if parser is None else f" WITH PARSER {parser}"
        return f"{kind} {quoted(index.name)} ({', '.join(keys)}){suffix}"

    def _column(self, column: Column, *, fill: str | None = None) -> str:
        sql = render.column(self._text, column, default=fill)
        if column.generated is not None and column.generated.kind == "computed":
            sql = sql.removesuffix(" NOT NULL")
        if column.generated is not None and column.generated.kind == "serial":
            sql += " AUTO_INCREMENT"
        return f"{sql} COMMENT {literal(column.comment)}" if column.comment else sql

    def _add_column(self, table: TableName, column: Column) -> Iterator[str]:
        bare = column.default is None and column.generated is None
        if bare and not column.nullable and column.fill is None:
            # The server would give rows that exist a zero or an empty text that nobody asked for.
            yield _REFUSE_ROWS.format(self._text.table(table))
        fill = column.fill if bare and not column.nullable else None
        said = SharedForms(self._text, comments=False).statements(o.AddColumn(table, column))[-1]
        if not isinstance(column.native, sa.Column):
            said = f"{self._alter(table)} ADD COLUMN {self._column(column, fill=fill)}"
        elif fill is not None and column.comment:
            said += f" COMMENT {literal(column.comment)}"
        quiet = not column.volatile_default and column.generated is None
        yield said + (self._online(table) if quiet else "")

    def _alter_column(self, operation: o.AlterType | o.SetNotNull | o.SetDefault) -> str:
        table, column = operation.table, operation.column
        match operation:
            case o.AlterType(before=before):
                online = type_change(before.type, column.type) in _INSTANT_KINDS
                return self._modify(table, column.name, {"type": self._type(column)}, online=online)
            case o.SetNotNull():
                definition = self._definition(table)
                return self._modified(
                    table,
                    column.name,
                    definition,
                    {"nullity": "NOT NULL", "default": _default_unless_null(definition.column(column.name))},
                    online=True,
                )
            case o.SetDefault() if column.default is None:
                # The additive path has no word for taking a default away: the column is said again without it.
                return self._modify(table, column.name, {"default": None}, online=True)
            case o.SetDefault():
                default = render.default_value(column.default)
                alter = f"{self._alter(table)} ALTER COLUMN {quoted(column.name)}"
                return f"{alter} SET DEFAULT {default}{self._online(table)}"

    def _type(self, column: Column) -> str:
        native: Any = column.native
        if isinstance(native, sa.Column):
            return self._text.type(native.type, native)
        return column.type.spelling

    def _modify(self, table: TableName, name: str, changed: dict[str, str | None], *, online: bool) -> str:
        return self._modified(table, name, self._definition(table), changed, online=online)

    def _definition(self, table: TableName) -> TableDefinition:
        return read_definition(self._connection, self._text.table(table))

    def _modified(
        self, table: TableName, name: str, definition: TableDefinition, changed: dict[str, str | None], *, online: bool
    ) -> str:
        column = definition.column(name)
        if column is None:
            raise InvalidMetadata(f"Table {table} has no column {name}.")
        suffix = _ONLINE if online and definition.engine.lower() == "innodb" else ""
        return f"{self._alter(table)} MODIFY COLUMN {quoted(name)} {column.sql(**changed)}{suffix}"


def _default_unless_null(column: ColumnDefinition | None) -> str | None:
    default = None if column is None else column.clauses.get("default")
    return None if default is None or default.upper() == "DEFAULT NULL" else default


def _with_indexes(base: type[Any]) -> type[Any]:
    """SQLAlchemy's compiler, which writes the indexes into CREATE TABLE: the server would commit them one by one."""

    class InlineIndexes(base):  # type: ignore[misc]
        inline: Sequence[str] = ()

        def create_table_constraints(self, table: sa.Table, **options: Any) -> str:
            said: str = super().create_table_constraints(table, **options)
            return ", \n\t".join(part for part in (said, *self.inline) if part)

    return InlineIndexes


def lock_levels(operation: o.Operation) -> tuple[tuple[TableName, LockLevel], ...]:
    """See SqlDialect.lock_levels. ALTER TABLE takes an exclusive lock at its beginning and end, however short."""
    match operation:
        case o.CreateEnum() | o.AddEnumValue():
            return ()
        case o.CreateTable(foreign_keys=keys):
            targets = dict.fromkeys(key.target for key in keys if key.target != operation.table)
            return tuple((target, LockLevel.SHARE_ROW_EXCLUSIVE) for target in targets)
        case o.AddForeignKey(table=table, foreign_key=key):
            own = (table, LockLevel.ACCESS_EXCLUSIVE)
            return (own,) if key.target == table else (own, (key.target, LockLevel.SHARE_ROW_EXCLUSIVE))
        case _:
            return ((operation.table, LockLevel.ACCESS_EXCLUSIVE),)
