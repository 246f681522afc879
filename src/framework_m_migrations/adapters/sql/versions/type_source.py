"""SQLAlchemy types as source that any database of the project understands and that needs none of the app's code."""

from __future__ import annotations

import ast
import re
import sys
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.mysql.mariadb import MariaDBDialect
from sqlalchemy.types import NullType, TypeDecorator, TypeEngine

from framework_m_migrations.adapters.sql.sqltext import needs_quotes_as_type
from framework_m_migrations.domain.errors import InvalidMetadata
from framework_m_migrations.domain.schema import ColumnType

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
    prefix, name = _exported(type(type_))
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
    cls = known.get(base.lower()) or known.get(base.upper())
    if cls is None:
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
