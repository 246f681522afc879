"""Declared objects compared with the database, by sqlalchemy-declarative-extensions.

The library reads what exists, compares, and writes the SQL. What is done here: names of the session's schema, which it
takes for another one than ``public``; statements without what the library adds for SQLAlchemy's ``text()``; and the
question whether a revision has to do it. Views are compared by views.py: the library takes one that it cannot read
back for changed, and always drops a view that it changes.
"""

# ruff: noqa: S608 - names are quoted, values are literals

from __future__ import annotations

import importlib
import json
import re
from collections import namedtuple
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, cast

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.defined import LIBRARY, Defined, view_query
from framework_m_migrations.adapters.sql.desired.tables import Target
from framework_m_migrations.adapters.sql.ledger import ENGINE_TABLES
from framework_m_migrations.adapters.sql.literals import constant_of
from framework_m_migrations.adapters.sql.sqltext import SqlText
from framework_m_migrations.adapters.sql.views import View, ViewCatalog, ViewIndex, compared_views
from framework_m_migrations.domain.errors import InvalidMetadata, MissingDependency
from framework_m_migrations.domain.schema import SchemaObject, TableName

type Pair = tuple[SchemaObject, SchemaObject | None]

_BIND = re.compile(r"\\(?=:\w)")
_CLOSED = {"views": {"view", "materialized view"}, "functions": {"function"}, "procedures": {"procedure"}}
"""Sets of the library that may be declared as complete, with the kinds of their objects."""
_NAMED = ("function", "procedure", "trigger")


class _As:
    """Something with other attributes: the library asks a dialect for its name, and knows MariaDB by another one."""

    def __init__(self, inner: Any, **others: Any) -> None:
        self._inner = inner
        self.__dict__.update(others)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def library(module: str) -> Any:
    """A module of the library.

    Raises:
        MissingDependency: it is not installed.
    """
    try:
        return importlib.import_module(f"{LIBRARY}.{module}")
    except ImportError as error:
        raise MissingDependency(
            f"The models declare objects of sqlalchemy-declarative-extensions, which cannot be imported: {error}.",
            next_step="pip install 'framework-m-migrations[objects]'",
        ) from error


@dataclass(frozen=True, slots=True)
class DefinedObjects:
    """Compares declared objects with those of a database.

    Args:
        connection: to read through.
        views: reads views; None where no view is ever declared.
        known_as: the library's name of the dialect, where it has another one.
        spelled: spells the type of a parameter as the library does.
        trial: a scope whose every effect is rolled back, and the schema to try a function in; None for none.
        path: for a session of its own schema, the statements by which names without a schema mean objects of it, and
            again what they meant before.
    """

    connection: sa.Connection
    views: ViewCatalog | None
    known_as: str | None = None
    spelled: Callable[[str], str] = str
    trial: tuple[Callable[[], AbstractContextManager[None]], str] | None = None
    path: Callable[[], tuple[str, str]] | None = None

    def compared(
        self, wanted: Sequence[SchemaObject], plain: Callable[[Sequence[SchemaObject]], Sequence[Pair]]
    ) -> Sequence[Pair]:
        """See Inspector.objects.

        Args:
            wanted: all objects.
            plain: compares those without a definition.
        """
        defined = [one for one in wanted if one.definition is not None]
        if not defined:
            return plain(wanted)
        rest = [one for one in wanted if one.definition is None]
        found: dict[SchemaObject, Pair] = dict(zip(rest, plain(rest), strict=True))
        session = _Session(self, _target(defined))
        if self.path is None or self.trial is None:
            return session.compared(wanted, defined, found)
        enter, leave = self.path()
        with self.trial[0]():
            _send(self.connection, enter)
            pairs = session.compared(wanted, defined, found)

        def placed(one: SchemaObject) -> SchemaObject:
            said = [(enter, *sql, leave) if sql and one.definition is not None else sql for sql in (one.up, one.down)]
            return replace(one, up=said[0], down=said[1])

        return [(placed(made), None if actual is None else placed(actual)) for made, actual in pairs]

    def surplus(self, wanted: Iterable[SchemaObject]) -> Mapping[TableName, tuple[str, ...]]:
        """What exists beside declared objects of a kind and is not declared, by its name, in words.

        A set that is declared with ``ignore_unspecified`` is not looked at. Triggers belong to their tables.
        """
        listed = [one for one in wanted if one.definition is not None]
        return _Session(self, _target(listed)).surplus(listed) if listed else {}


def _send(connection: sa.Connection, statement: str) -> None:
    connection.exec_driver_sql(statement, execution_options={"no_parameters": True}).close()


def _target(wanted: Sequence[SchemaObject]) -> Target:
    target = cast("Defined", wanted[0].native).target
    assert target is not None, "a wanted object knows its database"  # noqa: S101
    return target


class _Session:
    """The comparison of one call."""

    def __init__(self, given: DefinedObjects, target: Target) -> None:
        self.connection, self.views, self.known_as = given.connection, cast("ViewCatalog", given.views), given.known_as
        self.trial, self.spelled = given.trial, given.spelled
        self.target = target

    def compared(
        self, wanted: Sequence[SchemaObject], defined: Sequence[SchemaObject], found: dict[SchemaObject, Pair]
    ) -> Sequence[Pair]:
        views = {one: self._view(one) for one in defined if one.is_view}
        found |= compared_views(views, self.views, self._text) if views else {}
        for kind in _NAMED:
            found |= self._named(kind, [one for one in defined if one.kind == kind])
        for one in defined:
            if one not in found:
                found[one] = self._together(one)
        return [found[one] for one in wanted]

    def surplus(self, listed: Sequence[SchemaObject]) -> Mapping[TableName, tuple[str, ...]]:
        found: dict[TableName, tuple[str, ...]] = {}
        for key, kinds in _CLOSED.items():
            metadata = [cast("Defined", one.native).metadata for one in listed if one.kind in kinds]
            closed = [one.info[key] for one in {id(one): one for one in metadata}.values() if one.info.get(key)]
            if not closed or any(one.ignore_unspecified for one in closed):
                continue
            declared = {one.name for one in listed if one.kind in kinds}
            for name in self._existing(key):
                if name not in declared and not any(_matches(one, name) for one in closed):
                    found[name] = (f"{key[:-1]} {name.name}",)
        return found

    def _existing(self, key: str) -> Iterable[TableName]:
        if key == "views":
            return self.views.standing(None)
        listed = getattr(library("dialects"), f"get_{key}")(self._connection)
        names = (self._relative(one.schema, one.name) for one in listed)
        return [name for name in names if name.schema is None]

    @property
    def _connection(self) -> Any:
        if self.known_as is None:
            return self.connection
        return _As(self.connection, dialect=_As(self.connection.dialect, name=self.known_as))

    def _execute(self, *given: Any) -> Any:
        """A result in which characters are texts: asyncpg returns a "char" as bytes."""
        result = self.connection.execute(*given)
        if not result.returns_rows:
            return result
        row: Any = namedtuple("row", list(result.keys()), rename=True)  # type: ignore[misc]  # noqa: PYI024
        rows = [row(*(one.decode() if isinstance(one, bytes) and len(one) == 1 else one for one in r)) for r in result]
        return _As(result, fetchall=lambda: rows)

    @property
    def _text(self) -> SqlText:
        return self.target.text

    @property
    def _schema(self) -> str | None:
        """The session's schema, as the library names it: None for ``public``."""
        schema = self.target.schema or self.connection.dialect.default_schema_name
        return None if schema == "public" or self.known_as is not None else schema

    def _relative(self, schema: str | None, name: str) -> TableName:
        if schema == self._schema:
            return TableName(name)
        return self.target.names.table(name, schema or "public")

    def _qualified(self, name: str) -> str:
        return name if "." in name or self._schema is None else f"{self._schema}.{name}"

    def _view(self, one: SchemaObject) -> View:
        declared = cast("Defined", one.native)
        query = view_query(declared.item, self.target)
        indexes = getattr(declared.item, "constraints", None) or ()
        return View(
            query, (), one.kind == "materialized view", tuple(self._index(index, declared) for index in indexes)
        )

    def _index(self, index: Any, declared: Defined) -> ViewIndex:
        base, metadata = library("view.base"), declared.metadata
        view = base.View(declared.name, "", declared.schema)
        convention = getattr(metadata.info.get("views"), "naming_convention", None) or metadata.naming_convention
        made = base.ViewIndex.from_unknown(index, view, self.connection.dialect, convention)
        text = self._text
        columns = tuple(text.quote(column) for column in made.columns)
        table = text.table(self.target.names.table(declared.name, declared.schema))
        unique = "UNIQUE " if made.unique else ""
        create = f"CREATE {unique}INDEX {text.quote(made.name)} ON {table} ({', '.join(columns)})"
        return ViewIndex(made.name, columns, made.unique, create)

    def _named(self, kind: str, wanted: Sequence[SchemaObject]) -> dict[SchemaObject, Pair]:
        """Functions, procedures or triggers: those with an operation differ, all others are as wanted."""
        if not wanted:
            return {}
        items = {self._key(kind, item): one for one in wanted for item in (self._item(kind, one),)}
        declared = [self._item(kind, one) for one in wanted]
        container = getattr(library(f"{kind}.base"), f"{kind.title()}s")
        compare = getattr(library(f"{kind}.compare"), f"compare_{kind}s")
        operations = compare(self._connection, container(declared, ignore_unspecified=True))
        found: dict[SchemaObject, Pair] = {one: (one, one) for one in wanted}
        for operation in operations:
            one = items[self._key(kind, getattr(operation, kind))]
            before = getattr(operation, f"from_{kind}", None)
            if before is not None and kind != "trigger" and self._is_kept(kind, before, getattr(operation, kind)):
                continue
            up, down = self._sql(operation), self._sql(operation.reverse())
            if before is not None and kind == "function" and _signature(before) != _signature(operation.function):
                up = self._statements((*before.to_sql_drop(), *operation.function.to_sql_create()))
                down = self._statements((*operation.function.to_sql_drop(), *before.to_sql_create()))
            dropped = up[0].upper().startswith("DROP")
            reason = f"The database cannot replace the {kind} in place: it is dropped and created again."
            made = replace(one, up=up, down=down, reason=reason if dropped else None)
            actual = None if before is None else replace(one, options=(("definition", "\n".join(down)),), native=None)
            found[one] = (made, actual)
        return found

    def _is_kept(self, kind: str, before: Any, wanted: Any) -> bool:
        """Whether the database would keep a routine as the one that it has: it is created in a trial, and read back."""
        if self.trial is None:
            return bool(self._spelled(before) == self._spelled(wanted))
        scope, place = self.trial
        name = f"m_migrate_{wanted.name}"[:60]
        try:
            with scope():
                for statement in self._statements(replace(wanted, schema=place, name=name).to_sql_create()):
                    _send(self.connection, statement)
                listed = getattr(library("dialects"), f"get_{kind}s")(self._connection)
        except sa.exc.DBAPIError:
            if self.connection.invalidated:
                raise
            return False
        tried = [one for one in listed if one.name == name]
        return any(replace(one.normalize(), schema=before.schema, name=before.name) == before for one in tried)

    def _spelled(self, routine: Any) -> Any:
        if not isinstance(getattr(routine, "returns", None), str):
            return routine
        parameters = [self.spelled(one) for one in routine.parameters or ()]
        return replace(routine, parameters=parameters, returns=self.spelled(routine.returns))

    def _item(self, kind: str, one: SchemaObject) -> Any:
        item = cast("Defined", one.native).item
        if kind == "trigger":
            calls = {"execute": self._qualified(item.execute)} if hasattr(item, "for_each") else {}
            return replace(item, on=self._qualified(item.on), **calls)
        return replace(item, schema=item.schema or self._schema)

    @staticmethod
    def _key(kind: str, item: Any) -> object:
        return (item.on, item.name) if kind == "trigger" else item.qualified_name

    def _together(self, one: SchemaObject) -> Pair:
        """Roles, grants or the rows of a table, compared as one."""
        declared = cast("Defined", one.native)
        item = replace(declared.item, ignore_unspecified=True)
        match one.kind:
            case "roles":
                operations = library("role.compare").compare_roles(self._connection, _without_passwords(item))
            case "rows":
                return _Rows(self.connection, self.target, declared).compared(one)
            case _:
                roles = declared.metadata.info.get("roles")
                connection = _As(self.connection, execute=self._execute)
                operations = library("grant.compare").compare_grants(connection, item, roles)
                operations = [one for one in operations if ENGINE_TABLES.isdisjoint(getattr(one.grant, "targets", ()))]
        if not operations:
            return one, one
        up: list[str] = []
        down: list[str] = []
        changed = False
        for operation in operations:
            changed = changed or type(operation).__name__.startswith("Update")
            up += self._sql(operation)
            down = [*self._sql(operation.reverse()), *down]
        reason = f"Values of {one.kind} that exist would change." if changed else None
        made = replace(one, up=tuple(up), down=tuple(down), reason=reason)
        return made, replace(one, options=(("definition", "other"),), native=None) if changed else None

    def _sql(self, operation: Any) -> tuple[str, ...]:
        if hasattr(operation, "trigger"):
            return self._statements(operation.to_sql(self._connection))
        said = operation.to_sql()
        return self._statements(said if isinstance(said, list | tuple) else [said])

    def _statements(self, said: Iterable[Any]) -> tuple[str, ...]:
        written = (one if isinstance(one, str) else self._text.statement(one) for one in said)
        return tuple(_BIND.sub("", sql).strip().rstrip(";") for sql in written)


_MANY = 400
"""Rows that one question names; the conditions of an expression are limited."""


class _Rows:
    """Declared rows of one table. The library compares what drivers return with what the application declares.

    Args:
        connection: to read through.
        target: the database.
        declared: the library's rows, and the MetaData with their table.
    """

    def __init__(self, connection: sa.Connection, target: Target, declared: Defined) -> None:
        self._connection, self._text, name = connection, target.text, declared.name
        self._binary = target.spelling.binary
        table = declared.metadata.tables.get(name)
        if table is None or not table.primary_key.columns:
            raise InvalidMetadata(
                f"Rows are declared for {name}, but the MetaData has no such table with a primary key."
            )
        self._table, self._key = table, list(table.primary_key.columns)
        self._place = target.text.table(target.names.table(table.name, table.schema))
        self._rows: dict[tuple[object, ...], dict[sa.Column[Any], Any]] = {}
        for row in declared.item.rows:
            unknown = [key for key in row.column_values if key not in table.columns]
            values = {table.columns[key]: value for key, value in row.column_values.items() if key not in unknown}
            lacking = [column.name for column in self._key if column not in values]
            if unknown or lacking:
                problem = f"names the unknown columns {unknown}" if unknown else f"lacks the primary key {lacking}"
                raise InvalidMetadata(f"A row that is declared for {name} {problem}.".replace("[", "").replace("]", ""))
            self._rows[tuple(values[column] for column in self._key)] = values

    def compared(self, one: SchemaObject) -> Pair:
        """See Inspector.objects."""
        have, up, down = self._existing(), [], []
        changed = False
        for key, values in self._rows.items():
            where = self._said(dict(zip(self._key, key, strict=True)), " AND ")
            if key not in have:
                all_values = {**self._defaults(), **values}
                names = ", ".join(self._text.quote(column.name) for column in all_values)
                literals = ", ".join(self._literal(*pair) for pair in all_values.items())
                up.append(f"INSERT INTO {self._place} ({names}) VALUES ({literals})")
                down.append(f"DELETE FROM {self._place} WHERE {where}")
                continue
            was = {
                column: value for column, value in have[key].items() if not self._same(column, value, values[column])
            }
            if was:
                changed = True
                now = {column: values[column] for column in was}
                up.append(f"UPDATE {self._place} SET {self._said(now, ', ')} WHERE {where}")
                down.append(f"UPDATE {self._place} SET {self._said(was, ', ')} WHERE {where}")
        if not up:
            return one, one
        reason = "Values of rows that exist would change." if changed else None
        made = replace(one, up=tuple(up), down=tuple(reversed(down)), reason=reason)
        return made, replace(one, options=(("definition", "other"),), native=None) if changed else None

    def _existing(self) -> Mapping[tuple[object, ...], Mapping[sa.Column[Any], Any]]:
        """By key the declared values of the rows that exist; columns that do not exist yet are left out."""
        table, looked, schema = self._table, sa.inspect(self._connection), self._table.schema or self._text.schema
        if not looked.has_table(table.name, schema=schema):
            return {}
        there = {column["name"] for column in looked.get_columns(table.name, schema=schema)}
        named = {column for values in self._rows.values() for column in values if column.name in there}
        columns = [column for column in table.columns if column in named]
        keys, found = list(self._rows), {}
        for start in range(0, len(keys), _MANY):
            several = [dict(zip(self._key, key, strict=True)) for key in keys[start : start + _MANY]]
            for row in self._fetched(columns, " OR ".join(f"({self._said(one, ' AND ')})" for one in several)):
                values = dict(zip(columns, row, strict=True))
                key = tuple(values[column] for column in self._key)
                declared = self._rows.get(key, {})
                found[key] = {column: value for column, value in values.items() if column in declared}
        return found

    def _fetched(self, columns: Sequence[sa.Column[Any]], where: str) -> Sequence[sa.Row[Any]]:
        names = ", ".join(self._text.quote(one.name) for one in columns)
        sql = sa.text(re.sub(r"(?=:)", r"\\", f"SELECT {names} FROM {self._place} WHERE {where}"))
        try:
            return self._connection.execute(sql.columns(*columns)).all()
        except (LookupError, TypeError, ValueError):
            # Another type made the values: a label that is gone, a text that is no JSON.
            keys, none = set(self._key), sa.types.NullType()
            bare = (sa.column(one.name, one.type if one in keys else none) for one in columns)
            return self._connection.execute(sql.columns(*bare)).all()

    def _same(self, column: sa.Column[Any], was: Any, wanted: Any) -> bool:
        if isinstance(wanted, sa.ClauseElement) and not isinstance(wanted, sa.Null):
            return True  # The database computes it when the row is inserted.
        if self._literal(column, was) == self._literal(column, wanted):
            return True
        if isinstance(column.type.dialect_impl(self._text.dialect), sa.JSON):
            return json.dumps(was, sort_keys=True, default=str) == json.dumps(wanted, sort_keys=True, default=str)
        return bool(was == wanted)

    def _said(self, values: Mapping[sa.Column[Any], Any], between: str) -> str:
        return between.join(
            f"{self._text.quote(one.name)} = {self._literal(one, value)}" for one, value in values.items()
        )

    def _literal(self, column: sa.Column[Any], value: Any) -> str:
        try:
            if isinstance(value, sa.ClauseElement):
                return self._text.expression(value)
            type_: Any = column.type.dialect_impl(self._text.dialect)
            if isinstance(type_, sa.types.TypeDecorator) and isinstance(type_.impl_instance, sa.LargeBinary):
                value = type_.process_bind_param(value, self._text.dialect)
            if isinstance(value, bytes | bytearray | memoryview):
                return str(self._binary(bytes(value)))
            return self._text.literal(value, column.type)
        except (sa.exc.SQLAlchemyError, LookupError, TypeError, ValueError, AttributeError) as error:
            try:
                return self._text.literal(value, sa.literal(value).type)
            except sa.exc.SQLAlchemyError:
                place = f"{self._table.name}.{column.name}"
                raise InvalidMetadata(f"A declared value of {place} cannot be written as SQL: {error}") from error

    def _defaults(self) -> Mapping[sa.Column[Any], Any]:
        """What the application gives columns of its rows, as far as it is known without it."""
        found: dict[sa.Column[Any], Any] = {}
        for column in self._table.columns:
            expression = getattr(column.default, "arg", None)
            known, value = constant_of(column)
            if known or isinstance(expression, sa.ClauseElement):
                found[column] = value if known else expression
        return found


def _signature(function: Any) -> object:
    return function.parameters, function.returns


def _matches(container: Any, name: TableName) -> bool:
    match_name = library("sql").match_name
    patterns = [*container.ignore, *getattr(container, "ignore_views", ())]
    include: Collection[str] | None = getattr(container, "include", None)
    return match_name(str(name), patterns) or (include is not None and not match_name(str(name), include))


def _without_passwords(roles: Any) -> Any:
    """Roles without their passwords, which no plan, file or log may hold."""
    return replace(
        roles, roles=[replace(one, password=None) if getattr(one, "password", None) else one for one in roles.roles]
    )
