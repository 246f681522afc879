"""Alembic's operations on SQLite.

A list of them on one table is carried out by edits of the stored definition, or by one rebuild.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from alembic.operations.base import BatchOperations, Operations
from alembic.operations.batch import BatchOperationsImpl
from alembic.util import CommandError
from alembic.util.sqla_compat import _is_type_bound
from sqlalchemy.util import topological

from framework_m_migrations.adapters.sql.dialects.sqlite import transactions
from framework_m_migrations.adapters.sql.dialects.sqlite.conflicts import firing_trigger
from framework_m_migrations.adapters.sql.dialects.sqlite.create_sql import ForeignKeyText, UniqueText, UnreadableSql
from framework_m_migrations.adapters.sql.dialects.sqlite.ddl import (
    add_unique,
    drop_column,
    edit_statements,
    forget_edits,
    has_index,
    questions_of,
    verify_edits,
)
from framework_m_migrations.adapters.sql.dialects.sqlite.driver import control, in_transaction
from framework_m_migrations.adapters.sql.dialects.sqlite.edits import EditOperation, unique_clause
from framework_m_migrations.adapters.sql.dialects.sqlite.expressions import is_constant_default
from framework_m_migrations.adapters.sql.dialects.sqlite.inspector import ask
from framework_m_migrations.adapters.sql.dialects.sqlite.rebuild import (
    ConstraintText,
    Draft,
    actual_columns,
    has_rows,
    rebuild,
    stored_definition,
)
from framework_m_migrations.adapters.sql.dialects.sqlite.spelling import SqliteSpelling
from framework_m_migrations.adapters.sql.dialects.sqlite.text import lower, quoted
from framework_m_migrations.adapters.sql.dialects.sqlite.types import collate_clause, stays_as_it_is
from framework_m_migrations.adapters.sql.revisions.surroundings import surroundings_of
from framework_m_migrations.adapters.sql.sqltext import SqlText
from framework_m_migrations.domain.errors import DatabaseError, RevisionError
from framework_m_migrations.domain.operations import (
    AddCheck,
    AddForeignKey,
    AddUnique,
    AlterType,
    DropColumn,
    DropConstraint,
    DropNotNull,
    SetDefault,
    SetNotNull,
)
from framework_m_migrations.domain.schema import Check, ForeignKey, TableName, Unique

_MAIN = "main"
_OTHER_DIALECTS = ("postgresql_", "mysql_", "mariadb_", "oracle_", "mssql_")
_OPTIONS = {
    *("sqlite_autoincrement", "sqlite_with_rowid", "sqlite_strict"),
    *("sqlite_on_conflict_primary_key", "sqlite_on_conflict_not_null"),
}
"""Options of a table, and beside those of SQLAlchemy's Table what it has for a key and for columns by their names."""
_KINDS: dict[type[Any], str] = {
    sa.CheckConstraint: "check",
    sa.UniqueConstraint: "unique",
    sa.ForeignKeyConstraint: "foreign_key",
}

type Step = Callable[[], None]


class Plan:
    """The operations of one batch, as edits of a draft and as steps that would do the same in place.

    Args:
        connection: in a transaction.
        table: the table's name.
        schema: its schema, None for the main database.
        options: of batch_alter_table.
    """

    def __init__(self, connection: sa.Connection, table: str, schema: str | None, options: Mapping[str, Any]) -> None:
        self._connection = connection
        self._place = schema or _MAIN
        self._schema = schema
        self._options = options
        self._spelling = SqliteSpelling(connection.dialect)
        self._sql = SqlText(connection.dialect, str, schema=None)
        self._recreate = options["recreate"]
        self._rename: dict[str, str] = {}
        self._begin(table)

    def _begin(self, table: str) -> None:
        stored = stored_definition(self._connection, table, self._place)
        copied = self._options["copy_from"]
        actual = None
        self._rows = self._recreate == "always"
        if copied is not None:
            stored = self._sql.statement(sa.schema.CreateTable(copied))
            actual = actual_columns(self._connection, table, self._place)
            self._rows = True
        draft = Draft(TableName(table, self._schema), stored, actual=actual)
        self.draft = draft
        draft.table = TableName(draft.parsed.name, self._schema)
        self._steps: list[Step] = []
        self._edits: list[EditOperation] = []
        self._why: list[str] = []
        self._new_indexes: list[tuple[sa.Index, dict[str, Any]]] = []
        self._old_indexes: list[tuple[sa.Index, dict[str, Any]]] = []

    def take(self, calls: Sequence[tuple[str, tuple[Any, ...], dict[str, Any]]]) -> None:
        """Plan the operations, renames of columns first: SQLite carries those out itself, and views follow.

        Raises:
            RevisionError, DatabaseError: one cannot be carried out.
        """
        self._name_by_convention()
        for call in calls:
            self._rename_of(*call)
        for method, arguments, options in calls:
            getattr(self, f"_{method}")(*arguments, **options)
        self._table_args()
        self._table_kwargs()
        self._reorder()

    def finish(self, create_index: Callable[..., None], drop_index: Callable[..., None]) -> None:
        """Carry all out.

        Args:
            create_index: Alembic's own.
            drop_index: the same.
        """
        for index, options in self._old_indexes:
            drop_index(index, **options)
        if self._rows:
            self._rebuild()
        else:
            self._in_place()
        for index, options in self._new_indexes:
            create_index(index, **options)

    def _in_place(self) -> None:
        try:
            for step in self._steps:
                step()
                verify_edits(self._connection)
        except _NotInPlace as cannot:
            self._why.append(str(cannot))
            forget_edits(self._connection)
            self._rebuild()
        finally:
            forget_edits(self._connection)

    def _rebuild(self) -> None:
        if self._recreate == "never":
            why = self._why[0] if self._why else "this change"
            raise RevisionError(
                f"Table {self.draft.table} must be rebuilt for {why}, and the batch says recreate='never'.",
                next_step="Leave recreate='never' out.",
            )
        rebuild(self._connection, self.draft, self._send, schema=self._place)
        for operation in self._edits:
            for what, question in questions_of(operation):
                if ask(self._connection, [question], schema=self._place).get(question, 0):
                    raise DatabaseError(f"{what}.", next_step="Fix the rows in the revision before.")

    def _send(self, sql: str) -> None:
        self._connection.exec_driver_sql(sql, execution_options={"no_parameters": True}).close()

    def _needs_rows(self, why: str) -> None:
        self._rows = True
        self._why.append(why)

    def _edit(self, operation: EditOperation) -> None:
        """An edit that can be made in place."""
        self.draft.apply(operation)
        self._edits.append(operation)

        def step() -> None:
            try:
                statements = edit_statements(operation, self._connection, schema=self._place)
            except DatabaseError as error:
                raise _NotInPlace(error.what) from error
            for sql in statements:
                self._send(sql)

        self._steps.append(step)

    def _rename_of(self, method: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
        new = options.get("name")
        if method != "alter_column" or new is None or new == arguments[0]:
            return
        old = self.draft.column(arguments[0]).name
        place = f"{quoted(self._place)}.{quoted(self.draft.table.name)}"
        if lower(old) != lower(new) and self.draft.find_column(new) is not None:
            self._make_way(new, place)
        legacy = int(control(self._connection, "PRAGMA legacy_alter_table")[0][0])
        control(self._connection, "PRAGMA legacy_alter_table = OFF")
        try:
            self._send(f"ALTER TABLE {place} RENAME COLUMN {quoted(old)} TO {quoted(str(new))}")
        finally:
            if not self._connection.invalidated:
                control(self._connection, f"PRAGMA legacy_alter_table = {legacy}")
        self._rename[lower(old)] = str(new)
        self._begin(self.draft.table.name)
        self._name_by_convention()

    def _make_way(self, name: str, place: str) -> None:
        """A column that the same batch drops, or renames, may have the name that another one is to get."""
        column = self.draft.column(name).name
        number = next(n for n in range(1000) if self.draft.find_column(f"{column}_{n}") is None)
        self._send(f"ALTER TABLE {place} RENAME COLUMN {quoted(column)} TO {quoted(f'{column}_{number}')}")
        self._rename[lower(column)] = f"{column}_{number}"
        self._begin(self.draft.table.name)

    def _now(self, name: str) -> str:
        """The name that a column has since the renames of this batch: it may be called by its old one."""
        return self._rename.get(lower(name), name)

    def _alter_column(
        self,
        column_name: str,
        *,
        nullable: bool | None = None,
        server_default: Any = False,
        type_: Any = None,
        autoincrement: bool | None = None,
        existing_type: Any = None,
        **rest: Any,
    ) -> None:
        del rest  # The name was changed before; SQLite keeps no comments; the rest says how it is.
        name = self.draft.column(self._now(column_name)).name
        if type_ is not None:
            self._set_type(name, sa.types.to_instance(type_), existing_type)
        if server_default is not False:
            self._set_default(name, server_default)
        column = self.draft.described(name)
        if nullable is False and column.nullable:
            self._edit(SetNotNull(self.draft.table, replace(column, nullable=False)))
        elif nullable is True and not column.nullable:
            self._edit(DropNotNull(self.draft.table, replace(column, nullable=True)))
        if autoincrement is not None and self.draft.column(name).autoincrement is not autoincrement:
            self._needs_rows("AUTOINCREMENT")
            self.draft.set_autoincrement(on=autoincrement)

    def _set_type(self, name: str, type_: sa.types.TypeEngine[Any], existing: Any) -> None:
        column = self.draft.described(name)
        told = None if existing is None else self._spelling.column_type(sa.types.to_instance(existing))
        before = column.type if told is None else replace(column.type, native=told.native)
        after = self._spelling.column_type(type_)
        if after.collation is None and before.collation is not None and (told is None or told.collation is None):
            # Neither type says how it is compared: that stays as it is.
            spelling = f"{after.spelling} {collate_clause(before.collation)}"
            after = replace(after, spelling=spelling, collation=before.collation)
        if before.spelling == after.spelling and stays_as_it_is(before, after):
            return
        operation = AlterType(self.draft.table, column, replace(column, type=after))
        if stays_as_it_is(before, after) or not has_rows(self._connection, self.draft.table.name, self._place):
            self._edit(operation)
            return
        self._needs_rows(f"{name} from {before} to {after}")
        self.draft.set_type(before, operation.column)

    def _set_default(self, name: str, given: Any) -> None:
        text, column = self.draft.column(name), self.draft.described(name)
        if isinstance(given, sa.Computed) or (given is None and text.expression is not None):
            self._needs_rows(f"the expression of {name}")
            self.draft.set_generated(name, None if given is None else self._sql.ddl.process(given))
            return
        if isinstance(given, sa.Identity):
            raise RevisionError(
                f"Column {name} of table {self.draft.table} cannot be an identity: SQLite has none.",
                next_step="Use alter_column(autoincrement=True) for a key that counts on.",
            )
        generated = text.expression is not None
        if generated:
            self._needs_rows(f"the expression of {name}")
            self.draft.set_generated(name, None)
            column = self.draft.described(name)
        default = sql = None
        if given is not None:
            made: sa.Column[Any] = sa.Column(name, sa.Text(), server_default=given)
            sql = self._sql.server_default(made)
            default = None if sql is None else self._spelling.default(sql, column.type)
        operation = SetDefault(self.draft.table, column, replace(column, default=default, default_sql=sql))
        trigger = (
            firing_trigger(self.draft.table, column.name, column.default, self._connection, schema=self._place)
            if name in self.draft.values()
            else None
        )
        if trigger is None and not generated:
            self._edit(operation)
        else:
            if trigger is not None:
                self._needs_rows(f"the default of {name}, as trigger {trigger} would fire otherwise")
            self.draft.apply(operation)

    def _add_column(
        self,
        column: sa.Column[Any],
        *,
        if_not_exists: bool | None = None,
        insert_before: str | None = None,
        insert_after: str | None = None,
        inline_references: bool | None = None,
        inline_primary_key: bool | None = None,
        **rest: Any,
    ) -> None:
        del rest, inline_primary_key
        if if_not_exists and self.draft.find_column(column.name) is not None:
            return
        definition = self._definition(column)
        if inline_references and len(column.foreign_keys) == 1:
            key = next(iter(column.foreign_keys))
            definition += f" REFERENCES {quoted(key.column.table.name)} ({quoted(key.column.name)})"
            definition += f" ON DELETE {key.ondelete}" if key.ondelete else ""
            definition += f" ON UPDATE {key.onupdate}" if key.onupdate else ""
        before = None if insert_before is None else self._now(insert_before)
        after = None if insert_after is None else self._now(insert_after)
        self.draft.add_column(column.name, definition, after=after, before=None if after else before)
        if why := self._why_not_at_once(column, moved=bool(before or after)):
            self._needs_rows(why)
        if column.primary_key:
            key_columns = [*self.draft.parsed.primary_key, column.name]
            self.draft.set_primary_key(key_columns, self.draft.parsed.primary_key_name)
        place = f"{quoted(self._place)}.{quoted(self.draft.table.name)}"
        self._steps.append(lambda: self._send(f"ALTER TABLE {place} ADD COLUMN {definition}"))

    def _definition(self, column: sa.Column[Any]) -> str:
        if getattr(column, "table", None) is None:
            sa.Table(self.draft.table.name, sa.MetaData(), column)
        written: str = self._sql.ddl.get_column_specification(column)
        return written

    def _why_not_at_once(self, column: sa.Column[Any], *, moved: bool) -> str | None:
        """What SQLite's own ADD COLUMN cannot do."""
        if moved:
            return f"the place of {column.name}"
        if column.primary_key:
            return f"{column.name} as a primary key"
        if column.computed is not None:
            stored = column.computed.persisted and has_rows(self._connection, self.draft.table.name, self._place)
            return f"the stored column {column.name}" if stored else None
        default = self._sql.server_default(column)
        volatile = default is not None and not is_constant_default(default)
        volatile = volatile and has_rows(self._connection, self.draft.table.name, self._place)
        return f"the default of {column.name}, an expression" if volatile else None

    def _drop_column(self, column: Any, *, if_exists: bool | None = None, **rest: Any) -> None:
        del rest
        found = self.draft.find_column(self._now(column.name))
        if found is None and if_exists:
            return
        name = self.draft.column(self._now(column.name)).name
        parsed = self.draft.parsed
        keyed = name in parsed.primary_key or any(lower(name) in map(lower, one.columns) for one in parsed.uniques)
        if keyed:
            self._needs_rows(f"{name}, which a key has")
        operation = DropColumn(self.draft.table, name)

        def step() -> None:
            try:
                statements = drop_column(operation, self._connection, self._place)
            except DatabaseError as error:
                raise _NotInPlace(error.what) from error
            for sql in statements:
                self._send(sql)

        self.draft.drop_column(name)
        self._steps.append(step)

    def _add_constraint(self, const: Any, **rest: Any) -> None:
        del rest
        if isinstance(const, sa.Index):
            self._create_index(const)
            return
        name = self._name(const)
        if name is not None and self.draft.constraint(name, None) is not None:
            raise RevisionError(
                f"Table {self.draft.table} has a constraint {name} already.", next_step="Choose another name."
            )
        match const:
            case sa.CheckConstraint():
                expression = self._spelling.expression(self._sql.expression(const.sqltext))
                self._edit(AddCheck(self.draft.table, Check(name, expression)))
            case sa.ForeignKeyConstraint():
                self._edit(AddForeignKey(self.draft.table, self._foreign_key(const, name)))
            case sa.UniqueConstraint():
                named_columns: list[Any] = list(const.columns)
                columns = [self.draft.column(self._now(column.name)).name for column in named_columns]
                conflict = const.dialect_options["sqlite"]["on_conflict"]
                unique = Unique(name, tuple(columns), (("on_conflict", conflict),) if conflict else ())
                if self._options.get("alone") and not conflict:
                    for sql in add_unique(AddUnique(self.draft.table, unique), self._place):
                        self._steps.append(partial(self._send, sql))
                    return
                self._needs_rows("a unique constraint")
                self.draft.add_constraint(unique_clause(unique))
            case sa.PrimaryKeyConstraint():
                self._needs_rows("the primary key")
                self.draft.set_primary_key([self._now(column.name) for column in const.columns], name)
            case _:
                raise RevisionError(
                    f"SQLite has no constraint of the kind {type(const).__name__} for table {self.draft.table}.",
                    next_step="Add it on other databases only.",
                )

    def _foreign_key(self, const: sa.ForeignKeyConstraint, name: str | None) -> ForeignKey:
        options = {
            "deferrable": "true" if const.deferrable else None,
            "initially": const.initially.upper() if const.deferrable and const.initially else None,
            "match": const.match,
        }
        targets = [element.column for element in const.elements]
        return ForeignKey(
            name,
            tuple(self._now(column.name) for column in const.columns),
            TableName(targets[0].table.name, self._schema),
            tuple(column.name for column in targets),
            on_delete=const.ondelete.upper() if const.ondelete else None,
            on_update=const.onupdate.upper() if const.onupdate else None,
            options=tuple((key, value) for key, value in options.items() if value is not None),
        )

    def _name(self, const: Any) -> str | None:
        name = self._sql.preparer.format_constraint(const, _alembic_quote=False) if const.name is not None else None
        return None if name is None else str(name)

    def _drop_constraint(self, const: sa.Constraint, *, if_exists: bool | None = None, **rest: Any) -> None:
        del rest
        name, kind = self._name(const), _KINDS.get(type(const))
        parsed = self.draft.parsed
        if isinstance(const, sa.PrimaryKeyConstraint) or (
            kind is None and name is not None and lower(name) == lower(parsed.primary_key_name or "")
        ):
            self._needs_rows("the primary key")
            self.draft.set_primary_key(())
            return
        found = self.draft.constraint(name, kind) if name is not None else self._unnamed(const)
        if found is not None and found.name is not None and kind != "unique":
            named = found.name
            if self.draft.constraint(named, "unique") is None:
                self._edit(DropConstraint(self.draft.table, named, kind or "check"))
                return
        indexed = kind in {"unique", None} and name is not None and has_index(self._connection, name, self._place)
        if found is None and name is not None and not indexed:
            found = self.draft.going_by(name, kind)
        if found is not None:
            self._needs_rows("a constraint without a name" if found.name is None else "a unique constraint")
            self.draft.drop_constraint(found)
            return
        if indexed:
            self._send(f"DROP INDEX {quoted(self._place)}.{quoted(str(name))}")
            return
        if not (if_exists or _is_type_bound(const)):
            raise RevisionError(
                f"Table {self.draft.table} has no constraint {name}.",
                next_step="Name a constraint that it has, or give naming_convention for those without a name.",
            )

    def _unnamed(self, const: sa.Constraint) -> ConstraintText | None:
        match const:
            case sa.CheckConstraint():
                return self.draft.unnamed(Check(None, self._sql.expression(const.sqltext)))
            case sa.UniqueConstraint():
                return self.draft.unnamed(Unique(None, tuple(self._now(column.name) for column in const.columns)))
            case _:
                return None

    def _create_index(self, index: sa.Index, **options: Any) -> None:
        self._new_indexes.append((index, options))

    def _drop_index(self, index: sa.Index, **options: Any) -> None:
        self._old_indexes.append((index, options))

    def _create_table_comment(self, *_: Any, **__: Any) -> None:
        """Nothing: SQLite keeps no comments."""

    _drop_table_comment = _create_column_comment = _create_table_comment

    def _table_args(self) -> None:
        given = [*self._options["reflect_args"], *self._options["table_args"]]
        stated = [one for one in given if isinstance(one, sa.CheckConstraint)]
        while stated and (gone := next((one for one in self.draft.parsed.checks if one.name is None), None)):
            # What a person states are all the checks without a name: Alembic knows none of those that were there.
            self._needs_rows("the checks in table_args")
            self.draft.drop_constraint(gone)
        for one in given:
            if isinstance(one, sa.Column):
                if self.draft.find_column(one.name) is None:
                    self._add_column(one)
                continue
            if not isinstance(one, sa.Constraint | sa.Index):
                raise RevisionError(
                    f"batch_alter_table was given {type(one).__name__} for table {self.draft.table}.",
                    next_step="Give columns, constraints and indexes only.",
                )
            self._add_stated(one)

    def _add_stated(self, one: Any) -> None:
        bound = one
        if (one.table if isinstance(one, sa.Index) else getattr(one, "parent", None)) is None:
            columns: list[sa.Column[Any]] = [sa.Column(column.name) for column in self.draft.parsed.columns]
            table = sa.Table(self.draft.table.name, sa.MetaData(), *columns)
            bound = one._copy() if isinstance(one, sa.Constraint) else one  # noqa: SLF001 - as Table.to_metadata does
            table.append_constraint(bound)
            if isinstance(bound, sa.ForeignKeyConstraint):
                _with_targets(table, bound)
        name = self._name(bound)
        if name is not None and (there := self.draft.constraint(name, None)) is not None:
            self._needs_rows(f"constraint {name}")
            self.draft.drop_constraint(there)
        self._add_constraint(bound)

    def _table_kwargs(self) -> None:
        given = {**self._options["reflect_kwargs"], **self._options["table_kwargs"]}
        for key in given:
            if key not in _OPTIONS | {"comment", "info"} and not key.startswith(_OTHER_DIALECTS):
                raise RevisionError(
                    f"batch_alter_table was given table_kwargs {key}, which means nothing for SQLite.",
                    next_step=f"Give {', '.join(sorted(_OPTIONS))} only.",
                )
        if not _OPTIONS & given.keys():
            return
        self._needs_rows("the options in table_kwargs")
        self.draft.set_table_kwargs(given, self._now)

    def _reorder(self) -> None:
        chains = self._options["partial_reordering"]
        if not chains:
            return
        names = [column.name for column in self.draft.parsed.columns]
        pairs = {
            (self.draft.column(self._now(left)).name, self.draft.column(self._now(right)).name)
            for chain in chains
            for left, right in pairwise(chain)
        }
        self._needs_rows("the order of its columns")
        self.draft.reorder(list(topological.sort(pairs, names, deterministic_order=True)))

    def _name_by_convention(self) -> None:
        """Give the constraints without a name those that the batch's convention has for them."""
        convention = self._options["naming_convention"]
        if not convention:
            return
        while (found := self._first_unnamed(convention)) is not None:
            constraint, name = found
            self._needs_rows("the names of its constraints")
            self.draft.name_constraint(constraint, name)

    def _first_unnamed(self, convention: Mapping[str, str]) -> tuple[ConstraintText, str] | None:
        parsed = self.draft.parsed
        nameless: list[UniqueText | ForeignKeyText] = [*parsed.uniques, *parsed.foreign_keys]
        for constraint in nameless:
            if constraint.name is not None:
                continue
            table = sa.Table(
                self.draft.table.name,
                sa.MetaData(naming_convention=dict(convention)),
                *(sa.Column(column.name) for column in parsed.columns),
            )
            made: sa.Constraint = sa.UniqueConstraint(*constraint.columns)
            if isinstance(constraint, ForeignKeyText):
                targets = constraint.target_columns or constraint.columns
                made = sa.ForeignKeyConstraint(
                    constraint.columns, [f"{constraint.target}.{column}" for column in targets]
                )
            table.append_constraint(made)
            name = self._sql.preparer.format_constraint(made, _alembic_quote=False)
            if name is not None:
                return constraint, str(name)
        return None


class _NotInPlace(Exception):
    """An edit cannot be made in place after all."""


def _with_targets(table: sa.Table, const: sa.ForeignKeyConstraint) -> None:
    """Stand-ins for the tables that a foreign key means, so that its columns can be asked."""
    for element in const.elements:
        target, _, column = element.target_fullname.rpartition(".")
        if target not in table.metadata.tables:
            sa.Table(target, table.metadata, sa.Column(column))
        elif column not in table.metadata.tables[target].c:
            table.metadata.tables[target].append_column(sa.Column(column))


# Alembic's operations on SQLite: edits of the stored definition, in place where no row is touched, else one
# rebuild.
#
# ``SqliteRevisions`` stands before Alembic's own ``impl`` while a revision runs (revisions/operations.py). A
# batch, and an operation outside any batch, are the same thing here: a list of operations on one table that are
# carried out at once.


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
