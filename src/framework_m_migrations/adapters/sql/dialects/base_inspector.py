"""What most catalog readers have in common; implements ports.inspector.Inspector but for ``read``."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any, ClassVar, NamedTuple

import sqlalchemy as sa

from framework_m_migrations.adapters.sql import objects
from framework_m_migrations.adapters.sql.defined_compare import DefinedObjects, Pair
from framework_m_migrations.adapters.sql.dialects.base_spelling import BaseSpelling
from framework_m_migrations.adapters.sql.questions import PROBE_TIMEOUT, Asking, RowQuestions
from framework_m_migrations.adapters.sql.sqltext import SqlText
from framework_m_migrations.domain.changes import Change, ColumnRemoved, IndexAdded, TableRemoved
from framework_m_migrations.domain.describe import surplus_options
from framework_m_migrations.domain.privileges import Needs
from framework_m_migrations.domain.risk.conflicts import Claim, Obstacle, rivals
from framework_m_migrations.domain.risk.drop_blockers import held_by_keys, stands
from framework_m_migrations.domain.risk.facts import Facts, Question, Size, TypeChange
from framework_m_migrations.domain.schema import (
    Catalog,
    Check,
    Column,
    ColumnType,
    ForeignKey,
    Generated,
    Index,
    IndexKey,
    PrimaryKey,
    SchemaObject,
    Table,
    TableName,
    Unique,
)

_PROBE = "m_migrate_probe"
_WHOLE_NUMBERS = {"tinyint": 1, "smallint": 2, "integer": 4, "bigint": 8}


class Body(NamedTuple):
    """A view or a trigger: ``schema`` it is in, the table it is ``on`` (of a trigger), and its text."""

    kind: str
    name: str
    schema: str | None
    on: str | None
    text: str


class BaseInspector:
    """A catalog reader over one connection.

    Args:
        connection: to the database; a transaction of the caller's is left as it was.
        schema: the session's schema, None for the connection's own.
        ignored: tables of that schema that never show up: the engine's own.
        also: further schemas that are looked at by ``catalog_token`` and by ``read()`` of everything.

    Attributes:
        spelling_class: spells what ``read`` finds.
    """

    spelling_class: ClassVar[type[BaseSpelling]] = BaseSpelling

    def __init__(
        self,
        connection: sa.Connection,
        *,
        schema: str | None,
        ignored: frozenset[str] = frozenset(),
        also: frozenset[str] = frozenset(),
    ) -> None:
        self._connection = connection
        self._schema = schema
        self._ignored = ignored
        self._also = also

    def read(self, tables: Collection[TableName] | None = None) -> Catalog:
        """See the port: by SQLAlchemy's reflection, with statements for each table."""
        reader = sa.inspect(self._connection)
        schemas = {self._schema, *(self._also if tables is None else (name.schema or self._schema for name in tables))}
        there = {
            TableName(str(name), None if schema == self._schema else schema)
            for schema in schemas
            for name in reader.get_table_names(schema=schema)
            if schema != self._schema or name not in self._ignored
        }
        wanted = there if tables is None else there.intersection(tables)
        return Catalog({name: self._reflected(reader, name) for name in wanted}, frozenset(there))

    def _reflected(self, reader: sa.Inspector, table: TableName) -> Table:
        """A table as SQLAlchemy reflects it. Its types are compiled again, and spelt as those of models are."""
        name, schema, spelling = table.name, table.schema or self._schema, self._spelling
        key = reader.get_pk_constraint(name, schema)
        uniques = reader.get_unique_constraints(name, schema)
        constraints = {unique["name"] for unique in uniques}
        indexes = [index for index in reader.get_indexes(name, schema) if index["name"] not in constraints]
        comments = self._connection.dialect.supports_comments
        return Table(
            table,
            tuple(self._reflected_column(column) for column in reader.get_columns(name, schema)),
            PrimaryKey(_names(key["constrained_columns"]), key["name"]) if key["constrained_columns"] else None,
            tuple(self._reflected_index(index) for index in sorted(indexes, key=lambda index: str(index["name"]))),
            tuple(Unique(_name(unique["name"]), _names(unique["column_names"])) for unique in uniques),
            tuple(
                Check(_name(check["name"]), spelling.expression(check["sqltext"]))
                for check in reader.get_check_constraints(name, schema)
            ),
            tuple(
                ForeignKey(
                    _name(foreign["name"]),
                    _names(foreign["constrained_columns"]),
                    TableName(str(foreign["referred_table"]), foreign["referred_schema"]),
                    _names(foreign["referred_columns"]),
                    foreign.get("options", {}).get("ondelete"),
                    foreign.get("options", {}).get("onupdate"),
                )
                for foreign in reader.get_foreign_keys(name, schema)
            ),
            reader.get_table_comment(name, schema)["text"] if comments else None,
        )

    def _reflected_index(self, index: Any) -> Index:
        texts = index.get("expressions") or index["column_names"]
        keys = [
            IndexKey(None, self._spelling.expression(str(text))) if column is None else IndexKey(str(column))
            for column, text in zip(index["column_names"], texts, strict=True)
        ]
        where = index.get("dialect_options", {}).get(f"{self._connection.dialect.name}_where")
        said = None if where is None else self._spelling.expression(str(where))
        return Index(str(index["name"]), tuple(keys), bool(index["unique"]), said)

    def _reflected_column(self, column: Any) -> Column:
        type_ = self._spelling.type_of(column["type"].compile(self._connection.dialect))
        generated: Generated | None = None
        if "computed" in column:
            said = column["computed"]
            generated = Generated("computed", self._spelling.expression(said["sqltext"]), bool(said.get("persisted")))
        elif "identity" in column or column.get("autoincrement") is True:
            generated = Generated("serial")
        default = None if generated is not None else column.get("default")
        return Column(
            str(column["name"]),
            type_,
            column["nullable"],
            None if default is None else self._spelling.default(default, type_),
            generated,
            column.get("comment") or None,
        )

    @property
    def _spelling(self) -> BaseSpelling:
        return self.spelling_class(self._connection.dialect)

    def catalog_token(self) -> str | None:
        """See the port: the database has none."""
        return None

    def normalise(self, pairs: Sequence[tuple[Table, Table]]) -> list[Table]:
        """See the port: made in a scratch database and read back, where there is one."""
        with self._scratch() as scratch:
            return [
                self._respelt(wanted) if scratch is None else _respelt(type(self), scratch, wanted, actual)
                for wanted, actual in pairs
            ]

    def _respelt(self, wanted: Table) -> Table:
        """A wanted table in the spelling of ``read``, by rule alone."""
        said = self._spelling
        columns = [
            column if column.default is None else replace(column, default=said.default(column.default, column.type))
            for column in wanted.columns
        ]
        checks = [replace(check, expression=said.expression(check.expression)) for check in wanted.checks]
        return replace(wanted, columns=tuple(columns), checks=tuple(checks))

    def _scratch(self) -> AbstractContextManager[sa.Connection | None]:
        """A connection to an empty database in which ``normalise`` may make tables; None for none."""
        return nullcontext()

    def type_change(self, table: TableName, before: Column, after: Column) -> TypeChange:
        """See the port: by rule, whatever ``table`` is."""
        del table
        return type_change(before.type, after.type)

    def ask(self, questions: Collection[Question]) -> Facts:
        """See the port: in SQL near the standard."""
        worded = RowQuestions(
            quoted=SqlText(self._connection.dialect, str, schema=None).quote,
            length=lambda column: f"length({column})",
            constant=lambda value, type_: f"CAST({value} AS {type_})",
        )

        def together(asked: Sequence[Question]) -> Sequence[int | None]:
            sql = "SELECT " + ", ".join(f"({worded.statement(question, self._schema)})" for question in asked)
            open_before = self._connection.in_transaction()
            try:
                return self._connection.exec_driver_sql(sql, execution_options={"no_parameters": True}).one()
            finally:
                if not open_before and self._connection.in_transaction():
                    self._connection.rollback()

        return Asking(self._connection, together, lambda _: False, PROBE_TIMEOUT).ask(questions)

    def obstacles(self, changes: Sequence[Change]) -> Mapping[Change, Obstacle]:
        """See the port: a schema has one index of a name."""
        wanted = {one: (one.table.schema, one.index.name) for one in changes if isinstance(one, IndexAdded)}
        if not wanted:
            return {}
        found = rivals(Claim(change, key[1], key) for change, key in wanted.items())
        tables = self._everything([change.table for change in wanted]).tables.values()
        taken = {(table.name.schema, index.name): table.name for table in tables for index in table.indexes}
        for change, key in wanted.items():
            if key in taken:
                found[change] = Obstacle(f"The name {key[1]} is taken by an index of table {taken[key]}.", taken[key])
        return found

    def dependents(self, drops: Sequence[Change]) -> Mapping[Change, Obstacle]:
        """See the port: by the catalog, and by the texts of views and triggers."""
        if not drops:
            return {}
        catalog = self._everything([change.table for change in drops])
        found = held_by_keys(
            drops, ((name, key) for name, table in catalog.tables.items() for key in table.foreign_keys)
        )
        gone = {change.table for change in drops if isinstance(change, TableRemoved)}
        bodies = list(self._bodies({change.table.schema or self._schema for change in drops}))
        earlier: set[tuple[TableName, str]] = set()
        for change in drops:
            holder: str | None = None
            if isinstance(change, ColumnRemoved):
                holder = _computed(change, catalog.tables.get(change.table), earlier)
                earlier.add((change.table, change.column.name))
            elif not isinstance(change, TableRemoved):
                continue
            holder = holder or self._named(change, bodies, gone)
            if holder is not None:
                found.setdefault(change, stands(holder))
        return found

    def objects(self, wanted: Sequence[SchemaObject]) -> Sequence[Pair]:
        """See the port."""
        return self._defined.compared(wanted, self._plain)

    def surplus(
        self, pairs: Sequence[tuple[Table, Table]], objects: Collection[SchemaObject] = ()
    ) -> Mapping[TableName, tuple[str, ...]]:
        """See the port."""
        found = dict(self._defined.surplus(objects))
        for table, what in self._attached(pairs) if pairs else ():
            found[table] = (*found.get(table, ()), what)
        return found

    def sizes(self, tables: Collection[TableName]) -> Mapping[TableName, Size]:
        """See the port: not known."""
        del tables
        return {}

    def missing_privileges(self, needed: Needs | None = None) -> tuple[str, ...]:
        """See the port: not known."""
        del needed
        return ()

    @property
    def _defined(self) -> DefinedObjects:
        """Compares what is declared with a definition, for databases with such ``Capabilities.defines``."""
        return DefinedObjects(self._connection, None)

    def _plain(self, wanted: Sequence[SchemaObject]) -> Sequence[Pair]:
        """Objects without a definition: schemas and sequences by their names; others are as wanted."""
        if not wanted:
            return ()
        inspector = sa.inspect(self._connection)
        schemas = {str(name).rpartition(".")[2] for name in inspector.get_schema_names()}

        def exists(one: SchemaObject) -> bool:
            if one.kind == "schema":
                return one.name.name in schemas
            return one.kind != "sequence" or inspector.has_sequence(one.name.name, schema=one.name.schema)

        return [(one, one if exists(one) else None) for one in wanted]

    def _attached(self, pairs: Sequence[tuple[Table, Table]]) -> Iterable[tuple[TableName, str]]:
        """What tables have that no model names, in words, such as ``trigger audit``; here options alone.

        Args:
            pairs: tables as they are wanted and as they are, one at least.
        """
        return [(wanted.name, what) for wanted, actual in pairs for what in surplus_options(wanted, actual)]

    def _bodies(self, schemas: Collection[str | None]) -> Iterable[Body]:
        """The views and triggers of schemas, of which None is the connection's own."""
        reader = sa.inspect(self._connection)
        return [
            Body("view", name, schema, None, reader.get_view_definition(name, schema) or "")
            for schema in schemas
            for name in reader.get_view_names(schema)
        ]

    def _mentions(self, body: Body, change: TableRemoved | ColumnRemoved) -> bool:
        """Whether a view or a trigger names what goes; a word of another meaning counts too."""
        named = body.on == change.table.name or says(change.table.name, body.text)
        return named and (not isinstance(change, ColumnRemoved) or says(change.column.name, body.text))

    def _named(
        self, change: TableRemoved | ColumnRemoved, bodies: Iterable[Body], gone: Collection[TableName]
    ) -> str | None:
        """The first view or trigger that what goes would leave broken."""
        others = {table.name for table in gone if table != change.table}
        for body in bodies:
            own = (body.on, body.schema) == (change.table.name, change.table.schema or self._schema or body.schema)
            goes = body.on in others or (own and isinstance(change, TableRemoved))
            if not goes and self._mentions(body, change):
                return f"the {body.kind} {body.name}"
        return None

    def _everything(self, tables: Collection[TableName]) -> Catalog:
        """All tables of the schemas of these."""
        return self.read(self.read(tables).names)


def _respelt(kind: type[BaseInspector], scratch: sa.Connection, wanted: Table, actual: Table) -> Table:
    """A wanted table as the scratch database prints it."""
    known = {check.expression for check in actual.checks}
    checks = []
    for check in wanted.checks:
        # Each alone, for a database may keep no name to know it by.
        one = None
        if check.expression not in known:
            one = _tried(kind, scratch, replace(wanted, checks=(check,), indexes=()))
        checks.append(replace(check, expression=one.checks[0].expression) if one and one.checks else check)
    wanted = replace(wanted, checks=tuple(checks))
    indexes = tuple(replace(index, name=f"{_PROBE}_{number}") for number, index in enumerate(wanted.indexes))
    found = _tried(kind, scratch, replace(wanted, checks=(), indexes=indexes))
    if found is None:
        return wanted
    printed = {column.name: column for column in found.columns}
    keys = {index.name: index for index in found.indexes}
    return replace(
        wanted,
        columns=tuple(_as_printed(column, printed[column.name]) for column in wanted.columns),
        indexes=tuple(
            replace(index, keys=keys[made.name].keys, where=keys[made.name].where)
            for index, made in zip(wanted.indexes, indexes, strict=True)
        ),
    )


def _tried(kind: type[BaseInspector], scratch: sa.Connection, table: Table) -> Table | None:
    """A table as the scratch database prints it; None where it refuses it."""
    text = SqlText(scratch.dialect, str, schema=None)
    name = TableName(_PROBE)
    columns = tuple(replace(one, generated=_computed_only(one.generated)) for one in table.columns)
    bare = replace(table, name=name, columns=columns, primary_key=None, uniques=(), foreign_keys=())
    statements = [objects.create_table(text, bare, ())]
    statements += [objects.create_index(text, text.table(name), index) for index in table.indexes]
    with scratch.begin() as transaction:
        try:
            for sql in statements:
                scratch.exec_driver_sql(sql, execution_options={"no_parameters": True}).close()
            return kind(scratch, schema=None).read([name]).tables[name]
        except sa.exc.DBAPIError:
            return None
        finally:
            transaction.rollback()


def _name(name: Any) -> str | None:
    """A name as SQLAlchemy gives it, as a plain string."""
    return None if name is None else str(name)


def _names(names: Iterable[Any]) -> tuple[str, ...]:
    return tuple(map(str, names))


def _computed_only(generated: Generated | None) -> Generated | None:
    return generated if generated is not None and generated.kind == "computed" else None


def _as_printed(wanted: Column, found: Column) -> Column:
    generated = wanted.generated
    if generated is not None and found.generated is not None:
        generated = replace(generated, expression=found.generated.expression)
    default = wanted.default if wanted.default is None else found.default
    type_ = wanted.type if wanted.type == found.type else replace(found.type, native=wanted.type.native)
    return replace(wanted, type=type_, default=default, generated=generated)


def says(name: str, text: str) -> bool:
    """Whether a text has a name as a word."""
    return re.search(rf"(?<![\w$]){re.escape(name)}(?![\w$])", text, re.IGNORECASE) is not None


def _computed(change: ColumnRemoved, table: Table | None, gone: Collection[tuple[TableName, str]]) -> str | None:
    for column in () if table is None else table.columns:
        text = "" if column.generated is None else column.generated.expression or ""
        named = says(change.column.name, text) or says(change.column.name.replace("`", "``"), text)
        if named and column.name != change.column.name and (change.table, column.name) not in gone:
            return f"the computed column {column.name}"
    return None


def type_change(before: ColumnType, after: ColumnType) -> TypeChange:
    """What another type does, for types that have one spelling each: whole numbers and texts may grow."""
    if before.spelling == after.spelling:
        return TypeChange.EQUAL
    sizes = _WHOLE_NUMBERS.get(before.base), _WHOLE_NUMBERS.get(after.base)
    if sizes[0] is not None and sizes[1] is not None:
        return TypeChange.REWRITE if sizes[0] < sizes[1] else TypeChange.NARROWING
    if before.base != after.base:
        return TypeChange.INCOMPATIBLE
    digits = [_room(getattr(before, part), getattr(after, part)) for part in ("length", "precision", "scale")]
    whole = _room(_whole(before), _whole(after))
    if before.precision is None and after.precision is None:
        return TypeChange.WIDENING if all(digits) else TypeChange.NARROWING
    return TypeChange.REWRITE if digits[2] and whole else TypeChange.NARROWING


def _room(before: int | None, after: int | None) -> bool:
    """Whether a limit leaves room for what another one allowed; None is no limit."""
    return after is None or (before is not None and before <= after)


def _whole(type_: ColumnType) -> int | None:
    return None if type_.precision is None else type_.precision - (type_.scale or 0)
