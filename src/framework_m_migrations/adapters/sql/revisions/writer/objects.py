"""SQLAlchemy objects and types for Alembic's directives, from domain values."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.mysql.mariadb import MariaDBDialect
from sqlalchemy.sql.functions import now
from sqlalchemy.types import NullType, TypeDecorator, TypeEngine

from framework_m_migrations.adapters.sql.dialects.base import SqlDialect
from framework_m_migrations.adapters.sql.revisions.writer.source import escape_binds
from framework_m_migrations.adapters.sql.sqltext import SqlText, needs_quotes_as_type
from framework_m_migrations.domain.errors import InvalidMetadata
from framework_m_migrations.domain.schema import (
    Check,
    Column,
    ColumnType,
    ForeignKey,
    Generated,
    Index,
    PrimaryKey,
    Table,
    TableName,
    Unique,
)

POSTGRESQL: sa.Dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
_SQLITE = sqlite.dialect()
_SPECIAL: dict[str, sa.Dialect] = {"mariadb": MariaDBDialect(), "postgresql": POSTGRESQL}
_INTERVAL = re.compile(r"interval ([a-z ]+)")
_DEFAULTS = {"JSONB": "astext_type", "JSON": "astext_type", "HSTORE": "text_type"}


def type_source(type_: TypeEngine[Any], imports: set[str]) -> str:
    """The type as source.

    A type decorator becomes what it stands for in each database: the app's class may change or go, the revision must
    not. A named enumeration becomes one that never creates or drops the type by itself.

    Args:
        type_: of a column.
        imports: import statements that the source needs are added here.

    Raises:
        InvalidMetadata: the type has no source: nothing is known about it.
    """
    variants = getattr(type_, "_variant_mapping", None)
    if variants:
        base = type_source(_without_variants(type_), imports)
        return base + "".join(
            f".with_variant({type_source(variants[name], imports)}, {name!r})" for name in sorted(variants)
        )
    if isinstance(type_, TypeDecorator) and not type(type_).__module__.startswith("sqlalchemy."):
        return _decorated(type_, imports)
    if isinstance(type_, sa.Enum):
        return _enum(type_, imports)
    if isinstance(type_, sa.Boolean):
        return "sa.Boolean()"
    if isinstance(type_, sa.ARRAY):
        return _array(type_, imports)
    if isinstance(type_, postgresql.DOMAIN):
        return _domain(type_, imports)
    if isinstance(type_, NullType):
        raise InvalidMetadata("A column has no type that could be written down.")
    return _plain(type_, imports)


def _without_variants(type_: TypeEngine[Any]) -> TypeEngine[Any]:
    plain = type_.copy() if hasattr(type_, "copy") else type_
    vars(plain)["_variant_mapping"] = {}
    return plain


def _decorated(type_: TypeDecorator[Any], imports: set[str]) -> str:
    general = type_source(type_.load_dialect_impl(_SQLITE), imports)
    special = {name: type_source(type_.load_dialect_impl(dialect), imports) for name, dialect in _SPECIAL.items()}
    variants = [f".with_variant({source}, {name!r})" for name, source in special.items() if source != general]
    return "".join([general, *variants])


def _enum(type_: sa.Enum, imports: set[str]) -> str:
    if not type_.native_enum:
        return f"sa.String(length={type_.length})" if type_.length else "sa.String()"
    if type(type_).__module__.startswith("sqlalchemy.dialects.mysql."):
        return _plain(type_, imports)
    values = "".join(f"{value!r}, " for value in type_.enums)
    # SQLite makes a VARCHAR of it.
    longest = max(map(len, type_.enums), default=0)
    length = f"length={type_.length}" if (type_.length or 0) > longest else ""
    if not type_.name:
        # PostgreSQL takes no enumeration without a name, MariaDB makes an ENUM of it.
        return f"sa.Enum({(values + length).removesuffix(', ')})"
    imports.add("from sqlalchemy.dialects import postgresql")
    schema = f", schema={type_.schema!r}" if type_.schema else ""
    named = f"postgresql.ENUM({values}name={_type_name(type_.name)}{schema}, create_type=False)"
    length = f", {length}" if length else ""
    return f"sa.Enum({values}name={type_.name!r}{schema}{length}).with_variant({named}, 'postgresql')"


def _domain(type_: postgresql.DOMAIN, imports: set[str]) -> str:
    """A domain is made by a statement of its own, with all that belongs to it; a column only names it."""
    imports.add("from sqlalchemy.dialects import postgresql")
    schema = f", schema={type_.schema!r}" if type_.schema else ""
    return f"postgresql.DOMAIN({str(type_.name)!r}, {type_source(type_.data_type, imports)}{schema}, create_type=False)"


def _type_name(name: str) -> str:
    """A key word that may name a column is no name of a type unless it is quoted, which SQLAlchemy leaves out."""
    return f"sa.quoted_name({str(name)!r}, quote=True)" if needs_quotes_as_type(name) else repr(str(name))


def _array(type_: sa.ARRAY[Any], imports: set[str]) -> str:
    name = "sa.ARRAY"
    if isinstance(type_, postgresql.ARRAY):
        name = "postgresql.ARRAY"
        imports.add("from sqlalchemy.dialects import postgresql")
    item: TypeEngine[Any] = type_.item_type
    if isinstance(item, sa.Enum) and item.native_enum:
        source = type_source(item, imports).partition(".with_variant(")[2].removesuffix(", 'postgresql')")
    else:
        source = type_source(item, imports)
    dimensions = f", dimensions={type_.dimensions}" if type_.dimensions else ""
    return f"{name}({source}{dimensions})"


class _Qualifier(ast.NodeTransformer):
    """Gives each class in a type's repr its module."""

    def __init__(self, module: str, own: str, public: str) -> None:
        self.module = module
        self.own = own
        self.public = public

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name):
            name = self.public if node.func.id == self.own else node.func.id
            node.keywords = [one for one in node.keywords if one.arg != _DEFAULTS.get(name)]
            inside = name != self.public and hasattr(sa, name)
            node.func = ast.Attribute(ast.Name("sa" if inside else self.module), name)
        return node


def _plain(type_: TypeEngine[Any], imports: set[str]) -> str:
    prefix, name = _exported(type(type_))  # type: ignore[arg-type]
    if type(type_).__module__.partition(".")[0] != "sqlalchemy":
        imports.add(f"import {prefix}")
    elif prefix not in {"sa", "sa.types"}:
        imports.add(f"from sqlalchemy.dialects import {prefix}")
    return _qualified(repr(type_), prefix, type(type_).__name__, name)


@cache
def _qualified(written: str, prefix: str, own: str, public: str) -> str:
    try:
        tree = ast.parse(written, mode="eval")
    except SyntaxError as error:
        raise InvalidMetadata(
            f"The type {written} ({prefix}.{public}) has no repr that could be written down."
        ) from error
    return ast.unparse(_Qualifier(prefix, own, public).visit(tree))


@cache
def _exported(cls: type) -> tuple[str, str]:
    """Where a type can be had by whoever imports SQLAlchemy: dialects use classes of their own that are not public."""
    if cls.__module__.partition(".")[0] != "sqlalchemy":
        return cls.__module__, cls.__name__
    for one in cls.__mro__:
        if one.__module__.startswith("sqlalchemy.dialects."):
            package = one.__module__.split(".")[2]
            if getattr(sys.modules[f"sqlalchemy.dialects.{package}"], one.__name__, None) is one:
                return package, one.__name__
        for prefix, module in (("sa", sa), ("sa.types", sa.types)):
            if getattr(module, one.__name__, None) is one:
                return prefix, one.__name__
    raise InvalidMetadata(f"The type {cls.__name__} cannot be written down.")


def type_of(column_type: ColumnType, dialect: sa.Dialect) -> TypeEngine[Any] | None:
    """The SQLAlchemy type of a domain type: the one that rides along, else one built from its spelling, else None."""
    if isinstance(column_type.native, TypeEngine):
        return column_type.native
    if isinstance(column_type.native, type) and issubclass(column_type.native, TypeEngine):
        return column_type.native()
    known: dict[str, Any] = getattr(dialect, "ischema_names", {})
    base = column_type.base or column_type.spelling.partition("(")[0].strip()
    cls = known.get(base.lower()) or known.get(base.upper()) or getattr(sa.types, base.upper().replace(" ", "_"), None)
    if not isinstance(cls, type):
        return None
    fields = _INTERVAL.match(column_type.spelling)
    arguments: dict[str, Any] = {
        name: value
        for name, value in (
            ("length", column_type.length),
            ("precision", column_type.precision),
            ("scale", column_type.scale),
            ("collation", column_type.collation),
            ("fields", fields and fields[1].upper()),
            ("timezone", True if base.lower().endswith("with time zone") else None),
        )
        if value is not None
    }
    try:
        return cls(**arguments)  # type: ignore[no-any-return]
    except TypeError:
        return None


# SQLAlchemy objects for Alembic's directives, from domain values and what rides along with them in ``native``.
#
# They stand in metadata of their own, so that no naming convention and no relation of the app's metadata leaks
# into the revision.


_LITERAL = re.compile(r"'(?:[^']|'')*'|[-+]?\d+(\.\d+)?|true|false|null", re.IGNORECASE)
_ON_UPDATE = re.compile(r"\bon\s+update\s+[\w()]+\s*\Z", re.IGNORECASE)
_KEYWORD = re.compile(r"current_(timestamp|date|time)", re.IGNORECASE)
_NULLS = "postgresql_nulls_not_distinct"
_SEQUENCE_OPTIONS = {"start", "increment", "minvalue", "maxvalue", "cycle", "cache"}


def final(name: str | None) -> str | None:
    """A constraint's name that no naming convention is applied to again: a revision runs with the MetaData's own."""
    return None if name is None else sa.schema.conv(name)


def is_literal(sql: str) -> bool:
    """True for a plain constant: text, number, boolean. SQLite adds columns with such a default without a rebuild."""
    return _LITERAL.fullmatch(sql.strip()) is not None


def without_on_update(sql: str) -> str:
    """A default as a value: what MariaDB gives a column when its row changes is none."""
    return _ON_UPDATE.sub("", sql).strip()


def _default_clause(sql: str) -> str:
    """A default as every database takes it: SQLite wants an expression in parentheses, the others do not mind."""
    if _ON_UPDATE.search(sql):
        # MariaDB's, which is no part of the expression before it.
        return sql
    bare = is_literal(sql) or _KEYWORD.fullmatch(sql) or (sql.startswith("(") and sql.endswith(")"))
    return sql if bare else f"({sql})"


class Objects:
    """Builds them for one revision.

    Args:
        connection: to look up the type of a column that exists when nothing else tells it.
        sql_dialect: its dialect.
    """

    def __init__(self, connection: sa.Connection, sql_dialect: SqlDialect) -> None:
        self._connection = connection
        self.sql_dialect = sql_dialect
        self._text = SqlText(connection.dialect, str, schema=None)
        self._existing: dict[TableName, dict[str, TypeEngine[Any]]] = {}

    @property
    def dialect(self) -> sa.Dialect:
        """The dialect of the connection."""
        return self._connection.dialect

    def type(self, table: TableName, column: Column) -> TypeEngine[Any]:
        """The type of a column; raises InvalidMetadata where nothing tells it."""
        found = type_of(column.type, self.dialect) or self.columns(table).get(column.name)
        if found is None:
            raise InvalidMetadata(
                f"The type {column.type} of {table}.{column.name} cannot be written down.",
                next_step="Write the revision by hand: `m-migrate create --no-autogenerate`.",
                details={"table": str(table), "column": column.name},
            )
        return found

    def columns(self, table: TableName) -> dict[str, TypeEngine[Any]]:
        """The names and types of the columns that a table has in the database."""
        if table not in self._existing:
            with self._reading():
                try:
                    rows = sa.inspect(self._connection).get_columns(table.name, schema=table.schema)
                except sa.exc.NoSuchTableError:
                    rows = []
            self._existing[table] = {row["name"]: row["type"] for row in rows}
        return self._existing[table]

    def quote(self, name: str) -> str:
        """A name in SQL."""
        return self._text.preparer.quote_identifier(name)

    def table_sql(self, name: TableName) -> str:
        """A table's or type's name in SQL, with its schema where it has one."""
        return ".".join(self.quote(part) for part in (name.schema, name.name) if part is not None)

    @staticmethod
    def generation(column: Column) -> sa.Computed | sa.Identity | None:
        """What the database fills the column with, None for nothing."""
        return _generated(column)

    def reflected(self, name: TableName) -> sa.Table | None:
        """A table as it is in the database, None where it is not."""
        with self._reading():
            try:
                found = sa.Table(
                    name.name, sa.MetaData(), schema=name.schema, autoload_with=self._connection, resolve_fks=False
                )
            except sa.exc.NoSuchTableError:
                return None
        items: list[sa.Constraint | sa.Index] = [*found.constraints, *found.indexes]
        for item in items:
            # What is so anyway is reflected as said, in words (NULLS DISTINCT) that PostgreSQL knows since 15 only.
            if item.dialect_kwargs.get(_NULLS) is False:
                del item.dialect_kwargs[_NULLS]
        return found

    @contextmanager
    def _reading(self) -> Iterator[None]:
        idle = not self._connection.in_transaction()
        try:
            yield
        finally:
            if idle:
                self._connection.rollback()

    def default(self, column: Column) -> str | None:
        """The server default as SQL: in the model's own words where it has any, else in the database's."""
        if column.default is None:
            return None
        written: str | None = None
        if isinstance(column.native, sa.Column):
            written = self._text.ddl.get_column_default_string(column.native)
        return _default_clause(written or column.default_text or column.default)

    def server_default(self, column: Column) -> sa.ColumnElement[Any] | sa.TextClause | None:
        """The server default as an object. What each database spells in its own way stays SQLAlchemy's to spell."""
        sql = self.default(column)
        if sql is None:
            return None
        clause = column.native.server_default if isinstance(column.native, sa.Column) else None
        argument = clause.arg if isinstance(clause, sa.DefaultClause) else None
        if isinstance(argument, sa.True_ | sa.False_ | now):
            return argument
        return sa.text(sql)

    def column(self, table: TableName, column: Column, *, nullable: bool | None = None) -> sa.Column[Any]:
        """A column to be created."""
        generated = _generated(column)
        made: sa.Column[Any] = sa.Column(
            column.name,
            self.type(table, column),
            *([] if generated is None else [generated]),
            server_default=None if column.generated is not None else self.server_default(column),
            nullable=column.nullable if nullable is None else nullable,
            comment=column.comment,
            **(
                dict(column.native.dialect_kwargs)
                if isinstance(column.native, sa.Column)
                else {f"{self.dialect.name}_{name}": value for name, value in column.options}
            ),
        )
        return made

    def table(self, table: Table, foreign_keys: Collection[ForeignKey]) -> sa.Table:
        """A table to be created, with those of its foreign keys.

        What has no name in the model has none here: the database then gives it the one that it gives it anywhere.
        """
        primary = table.primary_key.columns if table.primary_key else ()
        columns = [self.column(table.name, column) for column in table.columns]
        for made_column, column in zip(columns, table.columns, strict=True):
            if column.name in primary:
                made_column.autoincrement = _autoincrement(column, primary)
        items: list[sa.schema.SchemaItem] = [*columns]
        if table.primary_key:
            options = _constraint_options(table.primary_key)
            items.append(sa.PrimaryKeyConstraint(*primary, name=final(table.primary_key.name), **options))
        items += [self.unique(unique) for unique in table.uniques]
        items += [self.check(check) for check in table.checks if not check.exclusion]
        items += [self.foreign_key(table.name, key) for key in foreign_keys]
        options = dict(table.native.kwargs) if isinstance(table.native, sa.Table) else {}
        return sa.Table(
            table.name.name, sa.MetaData(), *items, schema=table.name.schema, comment=table.comment, **options
        )

    def unique(self, unique: Unique) -> sa.UniqueConstraint:
        """A unique constraint by names of columns."""
        return sa.UniqueConstraint(*unique.columns, name=final(unique.name), **_constraint_options(unique))

    def check(self, check: Check) -> sa.CheckConstraint:
        """A check constraint, in the model's own words where it has any."""
        expression = check.expression
        if isinstance(check.native, sa.CheckConstraint):
            expression = self._text.expression(check.native.sqltext)
        options = dict(check.native.dialect_kwargs) if isinstance(check.native, sa.CheckConstraint) else {}
        return sa.CheckConstraint(sa.text(escape_binds(expression)), name=final(check.name), **options)

    def foreign_key(self, table: TableName, key: ForeignKey) -> sa.ForeignKeyConstraint:
        """A foreign key by names; raises InvalidMetadata for a target that SQLAlchemy could not tell apart."""
        target = str(key.target)
        if any("." in name for name in (key.target.name, *key.target_columns)):
            raise InvalidMetadata(
                f"A foreign key of {table} names {target} ({', '.join(key.target_columns)}): SQLAlchemy takes the dot "
                "for the end of a name.",
                next_step="Let sync add this foreign key, or rename the table.",
                details={"table": str(table), "target": target},
            )
        native = key.native if isinstance(key.native, sa.ForeignKeyConstraint) else None
        return sa.ForeignKeyConstraint(
            key.columns,
            [f"{target}.{column}" for column in key.target_columns],
            name=final(key.name),
            # In the model's words where it has any: RESTRICT and NO ACTION are one to MariaDB, and say the same.
            ondelete=native.ondelete if native is not None else key.on_delete,
            onupdate=native.onupdate if native is not None else key.on_update,
            **_constraint_options(key),
        )

    def index(self, table: TableName, index: Index) -> sa.Index:
        """An index, on a table that has just the columns it needs."""
        native = index.native if isinstance(index.native, sa.Index) else None
        if native is not None and native.table is not None:
            return self._native_index(table, index, native)
        quote = self._text.quote
        names = [key.column for key in index.keys if key.column is not None]
        made = sa.Table(
            table.name, sa.MetaData(), *(sa.Column(name) for name in dict.fromkeys(names)), schema=table.schema
        )
        keys: list[Any] = [
            made.c[key.column]
            if key.column is not None and not key.modifiers
            else sa.literal_column(
                f"{quote(key.column) if key.column is not None else f'({key.expression})'} {key.modifiers}".strip()
            )
            for key in index.keys
        ]
        given = self.sql_dialect.spelling(self.dialect).index_keywords(index)
        options: dict[str, Any] = {f"{self.dialect.name}_{name}": value for name, value in given.items()}
        if index.where is not None:
            options["postgresql_where"] = options["sqlite_where"] = sa.text(escape_binds(index.where))
        return sa.Index(index.name, *keys, unique=index.unique, _table=made, **options)

    def _native_index(self, table: TableName, index: Index, native: sa.Index) -> sa.Index:
        named = [key for key in native.expressions if isinstance(key, sa.Column)]
        made = sa.Table(
            table.name,
            sa.MetaData(),
            *(sa.Column(column.name, column.type, key=column.key) for column in dict.fromkeys(named)),
            schema=table.schema,
        )
        keys = [
            made.c[key.key] if isinstance(key, sa.Column) else sa.literal_column(self._text.expression(key))
            for key in native.expressions
        ]
        options: dict[str, Any] = {
            name: sa.text(escape_binds(self._text.expression(value))) if isinstance(value, sa.ClauseElement) else value
            for name, value in native.dialect_kwargs.items()
            # How an index is built is no part of what it is, and a revision builds it in its transaction.
            if not name.endswith("_concurrently")
        }
        return sa.Index(index.name, *keys, unique=index.unique, _table=made, **options)


_OPTIONS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "deferrable": ("deferrable", lambda value: value == "true"),
    "initially": ("initially", str),
    "match": ("match", str),
    "include": ("postgresql_include", lambda value: value.split(", ")),
    "nulls_not_distinct": ("postgresql_nulls_not_distinct", lambda value: value == "true"),
    "on_conflict": ("sqlite_on_conflict", str),
}
"""Options of constraints as SQLAlchemy takes them."""


def _constraint_options(constraint: PrimaryKey | Unique | ForeignKey) -> dict[str, Any]:
    """What else is said of a constraint, in the model's words where it has any."""
    known = [(_OPTIONS[name], value) for name, value in constraint.options if name in _OPTIONS]
    options: dict[str, Any] = {keyword: made(value) for (keyword, made), value in known}
    native = constraint.native
    if not isinstance(native, sa.PrimaryKeyConstraint | sa.UniqueConstraint | sa.ForeignKeyConstraint):
        return options
    for name in ("deferrable", "initially", "match"):
        value = getattr(native, name, None)
        if value is not None:
            options[name] = value
    return options | dict(native.dialect_kwargs)


def _autoincrement(column: Column, primary: tuple[str, ...]) -> Any:
    """Whether the database numbers the rows, so that SQLAlchemy's guess cannot differ from what is wanted."""
    if isinstance(column.native, sa.Column):
        return column.native.autoincrement
    if column.generated is not None and column.generated.kind in {"serial", "identity"}:
        return True if column.generated.kind == "serial" else "auto"
    return False if len(primary) == 1 and column.type.base in {"integer", "bigint", "smallint"} else "auto"


def _generated(column: Column) -> sa.Computed | sa.Identity | None:
    native = column.native if isinstance(column.native, sa.Column) else None
    if native is not None and native.identity is not None:
        return sa.Identity(**_identity_options(native.identity))
    if native is not None and native.computed is not None:
        return sa.Computed(native.computed.sqltext, persisted=native.computed.persisted)
    made: Generated | None = column.generated
    if made is None or made.kind == "serial":
        return None
    if made.kind == "computed":
        return sa.Computed(made.expression or "", persisted=made.stored)
    options: dict[str, Any] = {
        name: int(value) if value.lstrip("-").isdigit() else value.lower() == "true"
        for name, value in made.options
        if name in _SEQUENCE_OPTIONS
    }
    return sa.Identity(always=made.always, **options)


def _identity_options(identity: sa.Identity) -> dict[str, Any]:
    names = (
        "always",
        "start",
        "increment",
        "minvalue",
        "maxvalue",
        "nominvalue",
        "nomaxvalue",
        "cycle",
        "cache",
        "order",
    )
    return {name: value for name in names if (value := getattr(identity, name, None)) is not None}
