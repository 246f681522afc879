"""SQLAlchemy constructs as the very text that goes to the driver.

Everything the shared adapters send is turned into text here and sent as it is, without a parameter set, so that what
is shown is what is executed, whatever the driver's parameter style: no percent sign is doubled and no colon becomes a
bind parameter.
"""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import sqlalchemy as sa
from sqlalchemy.sql import compiler as sa_compiler
from sqlalchemy.sql import elements as sa_elements

from framework_m_migrations.adapters.sql.guard import GUARDED_WORDS
from framework_m_migrations.domain.errors import InvalidMetadata

if TYPE_CHECKING:
    from framework_m_migrations.adapters.sql.dialects.base import Statement
    from framework_m_migrations.domain.schema import TableName

# Reserved by PostgreSQL 18 (pg_get_keywords) or by SQLite 3.40, and not in SQLAlchemy's lists.
_MISSED_WORDS = frozenset(
    {"collation", "concurrently", "lateral", "nothing", "returning", "system_user", "tablesample"}
)
# PostgreSQL takes these for names of columns, but for no names of types unless they are quoted: pg_get_keywords() of 18
# where catcode is C. SQLAlchemy quotes none. Names of its own types are left out: no enumeration can have them.
_NO_TYPES = frozenset(
    {
        "between", "coalesce", "exists", "extract", "greatest", "grouping", "inout", "json_array",
        "json_arrayagg", "json_exists", "json_object", "json_objectagg", "json_query", "json_scalar",
        "json_serialize", "json_table", "json_value", "least", "merge_action", "none", "normalize", "nullif",
        "out", "overlay", "position", "precision", "row", "setof", "substring", "treat", "trim", "values",
        "xmlattributes", "xmlconcat", "xmlelement", "xmlexists", "xmlforest", "xmlnamespaces", "xmlparse",
        "xmlpi", "xmlroot", "xmlserialize", "xmltable"
    }
)  # fmt: skip
_CONSTANTS = frozenset({sa_elements.True_, sa_elements.False_, sa_elements.Null})
# Classes of names that were given: no convention and no limit of SQLAlchemy's changes them.
_GIVEN = frozenset({str, sa_elements.quoted_name})


def needs_quotes_as_type(name: str) -> bool:
    """Whether a name means an enumeration of PostgreSQL's only in quotes that SQLAlchemy itself would not write."""
    return name in _NO_TYPES or name in _MISSED_WORDS


class _VerbatimPreparer(sa_compiler.IdentifierPreparer):
    """Cuts every identifier as the database would, and never raises over a long one."""

    identifier: Callable[[str], str] = staticmethod(str)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.reserved_words = {*self.reserved_words, *GUARDED_WORDS, *_MISSED_WORDS}

    def quote(self, ident: str) -> str:
        force = getattr(ident, "quote", None)
        if force is False and "." in ident:
            # The only way to give INHERITS and the like a name with its schema.
            return ".".join(self.quote(str(part)) for part in ident.split("."))
        stored = self.identifier(ident)
        # quoted_name(quote=False) would let the database fold the name, which then is not the one compared.
        return self.quote_identifier(stored) if force else super().quote(str(stored))

    def format_type(self, type_: Any, use_schema: bool = True) -> str:
        if type_.name in _NO_TYPES:
            type_ = copy.copy(type_)
            type_.name = sa_elements.quoted_name(type_.name, quote=True)
        text: str = cast(Any, super()).format_type(type_, use_schema)
        return text

    def _truncate_and_render_maxlen_name(self, name: str, max_: int, _alembic_quote: bool) -> str:
        if isinstance(name, sa_elements._truncated_label):  # noqa: SLF001 - the marker of generated names
            return super()._truncate_and_render_maxlen_name(name, max_, _alembic_quote)
        return self.quote(name) if _alembic_quote else name


class _VerbatimCompiler(sa_compiler.SQLCompiler):
    """Leaves ``:word`` in a literal SQL text alone where nobody gave it a value; SQLAlchemy would write NULL."""

    def render_literal_bindparam(self, bindparam: Any, *args: Any, **kwargs: Any) -> str:
        if bindparam.required and bindparam.value is None and bindparam.callable is None:
            return f":{bindparam.key}"
        text: str = super().render_literal_bindparam(bindparam, *args, **kwargs)  # type: ignore[no-untyped-call]
        return text

    def render_literal_value(self, value: Any, type_: sa.types.TypeEngine[Any]) -> str:
        """Also what SQLAlchemy has no literal for: a JSON document, a span of time, an array with NULL, ..."""
        dialect: Any = self.dialect
        impl: Any = type_.dialect_impl(dialect)
        if isinstance(impl, sa.types.TypeDecorator) and isinstance(impl.impl_instance, sa.JSON):
            return self.render_literal_value(impl.process_bind_param(value, dialect), impl.impl_instance)
        if isinstance(value, timedelta) and isinstance(impl, sa.Interval) and impl.epoch is not None:
            return self.render_literal_value(impl.epoch + value, sa.DateTime())
        if isinstance(value, datetime) and "ZONE" not in dialect.type_compiler_instance.process(sa.DateTime(True)):
            value = value.replace(tzinfo=None)  # As drivers do.
        if isinstance(impl, sa.ARRAY) and isinstance(value, list | tuple):
            if None in value or isinstance(impl.item_type, sa.Enum):
                items = ", ".join(self.render_literal_value(item, impl.item_type) for item in value)
                return f"ARRAY[{items}]::{dialect.type_compiler_instance.process(impl)}"
        elif isinstance(impl, sa.JSON) and not (value is None and impl.none_as_null) and value is not sa.null():
            serialize = dialect._json_serializer or json.dumps  # noqa: SLF001 - what create_engine was given
            value, type_ = serialize(None if value is sa.JSON.NULL else value), sa.String()
        elif value is not None and (isinstance(value, set) or impl._cached_literal_processor(dialect) is None):  # noqa: SLF001
            bind = impl.bind_processor(dialect)
            value = value if bind is None else bind(value)
            type_ = sa.Integer() if isinstance(value, int) else sa.String()
            value = value if isinstance(value, int) else str(value)
        text: str = super().render_literal_value(value, type_)
        return text


@functools.cache
def _verbatim[C](mixin: type[C], base: type[Any]) -> type[C]:
    return type(f"Verbatim{base.__name__}", (mixin, base), {})


def verbatim_dialect(dialect: sa.Dialect, identifier: Callable[[str], str], *, schema: str | None = None) -> sa.Dialect:
    """A copy of ``dialect`` that compiles to text for people and drivers alike.

    Args:
        dialect: the connection's; it is left as it is.
        identifier: Spelling.identifier, which cuts names to the database's limit.
        schema: written before the names of tables, sequences and types that have no schema of their own.
    """
    clone: Any = copy.copy(dialect)
    # Literal processors that are cached there double percent signs for the driver.
    clone.__dict__.pop("_type_memos", None)
    clone.paramstyle = "named"
    clone.positional = False
    # CREATE TABLE then takes exactly the foreign keys it is given, those marked use_alter too.
    clone.supports_alter = False
    clone._supports_create_index_concurrently = False  # noqa: SLF001 - an online build is a decision of the plan
    preparer = _verbatim(_VerbatimPreparer, clone.preparer)
    clone.preparer = preparer
    clone.identifier_preparer = preparer(clone)
    clone.identifier_preparer.identifier = identifier
    if schema is not None:
        clone.identifier_preparer.schema_for_object = lambda item: item.schema or schema
    clone.statement_compiler = _verbatim(_VerbatimCompiler, clone.statement_compiler)
    clone.type_compiler_instance = clone.type_compiler = clone.type_compiler_cls(clone)
    result: sa.Dialect = clone
    return result


class SqlText:
    """Compiles for one dialect and one schema.

    Args:
        dialect: the connection's dialect.
        identifier: Spelling.identifier.
        schema: the session's schema, written before every name that has none; None writes none.
    """

    def __init__(self, dialect: sa.Dialect, identifier: Callable[[str], str], *, schema: str | None) -> None:
        self.dialect = verbatim_dialect(dialect, identifier, schema=schema)
        self.schema = schema
        self.preparer: sa_compiler.IdentifierPreparer = self.dialect.identifier_preparer
        self.ddl: Any = self.dialect.ddl_compiler(self.dialect, None)  # type: ignore[arg-type]
        self._defaults: dict[object, str | None] = {}

    def quote(self, name: str) -> str:
        """A name, quoted where it needs to be."""
        return self.preparer.quote(name)

    def table(self, name: TableName) -> str:
        """A table's name, with its schema."""
        return self._placed(name, self.quote(name.name))

    def enumeration(self, name: TableName) -> str:
        """The name of an enumeration, with its schema."""
        force = needs_quotes_as_type(name.name)
        return self._placed(name, self.preparer.quote_identifier(name.name) if force else self.quote(name.name))

    def _placed(self, name: TableName, quoted: str) -> str:
        schema = name.schema or self.schema
        return quoted if schema is None else f"{self.quote(schema)}.{quoted}"

    def expression(self, clause: Any) -> str:
        """An expression with column names alone and literal values in place; raises sa.exc.CompileError."""
        text: str = self.ddl.sql_compiler.process(clause, include_table=False, literal_binds=True)
        return text

    def literal(self, value: object, type_: sa.types.TypeEngine[Any] | None = None) -> str:
        """A value as a SQL literal; raises sa.exc.CompileError where the type has no literal form."""
        text: str = self.ddl.sql_compiler.render_literal_value(value, type_ if type_ is not None else sa.String())
        return text

    def server_default(self, column: sa.Column[Any]) -> str | None:
        """A column's server default as DDL has it, None where it is not SQL that was given; see ``expression``."""
        arg: Any = getattr(column.server_default, "arg", None)
        # Plain texts are the same everywhere, and a schema has few of them.
        plain = arg.text if arg.__class__ is sa_elements.TextClause and not arg._bindparams else arg  # noqa: SLF001
        if plain.__class__ in _CONSTANTS:
            plain = ""
        if plain.__class__ is not str:
            written: str | None = self.ddl.get_column_default_string(column)
            return written
        key = (arg.__class__, plain)
        if key not in self._defaults:
            self._defaults[key] = self.ddl.get_column_default_string(column)
        return self._defaults[key]

    def type(self, type_: sa.types.TypeEngine[Any], column: sa.Column[Any] | None = None) -> str:
        """A type as DDL writes it; raises sa.exc.CompileError where this dialect has no such type."""
        text: str = self.ddl.type_compiler.process(type_, type_expression=column)
        return text

    def constraint_name(self, constraint: sa.Constraint | sa.Index) -> str | None:
        """The name that DDL would give it, naming conventions applied, not yet cut; None where it has none."""
        name = constraint.name
        if name is None or name.__class__ in _GIVEN:
            return name
        return self.preparer.format_constraint(constraint, _alembic_quote=False)

    def statement(self, statement: Statement) -> str:
        """Any statement as text.

        Raises:
            InvalidMetadata: SQLAlchemy cannot write it for this dialect.
        """
        if isinstance(statement, str):
            return statement
        compiled: Any = statement
        try:
            if isinstance(statement, sa.schema.ExecutableDDLElement):
                # One compiler for all of them: to make two for each statement takes longer than most statements.
                return str(self.ddl.process(compiled)).strip()
            return str(compiled.compile(dialect=self.dialect, compile_kwargs={"literal_binds": True})).strip()
        except sa.exc.SQLAlchemyError as error:
            raise InvalidMetadata(f"This cannot be written as SQL: {error}") from error
