"""How a dialect spells what SQLAlchemy's objects and SQL texts say, and what most spellings have in common."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, ClassVar, Protocol

import sqlalchemy as sa

from framework_m_migrations.domain.errors import InvalidMetadata
from framework_m_migrations.domain.schema import ColumnType, EnumType, Generated, Index, Table, TableName


def refuse_reserved(table: TableName, names: Iterable[str]) -> None:
    """Raise InvalidMetadata where a table uses names that the database keeps for itself."""
    for name in names:
        raise InvalidMetadata(
            f"The name {name} in table {table} is reserved by the database.",
            next_step="Give it another name.",
            details={"table": str(table), "name": name},
        )


class Spelling(Protocol):
    """Turns SQLAlchemy's objects and SQL texts into the dialect's canonical spelling, without a connection.

    It need not be perfect, only never wrong: texts that mean different things must stay different. What it leaves
    different although it means the same, ``Inspector.normalise`` settles by asking the database.
    """

    def identifier(self, name: str) -> str:
        """The name as the database stores it: cut to the limit in bytes, on a character's border."""
        ...

    def column_type(self, type_: sa.types.TypeEngine[object]) -> ColumnType:
        """The canonical type (for a named enumeration with ``enum`` set), ``native`` holding ``type_``."""
        ...

    def enum_types(self, type_: sa.types.TypeEngine[object]) -> tuple[EnumType, ...]:
        """The named enumerations that a type needs (an array's element included); empty for other types."""
        ...

    def default(self, sql: str, type_: ColumnType) -> str | None:
        """A server default's SQL in canonical form; None when it means no default (``NULL``)."""
        ...

    def is_volatile(self, sql: str) -> bool:
        """True when a default is evaluated row by row (random(), clock_timestamp(), nextval()), not once."""
        ...

    def expression(self, sql: str) -> str:
        """A check, predicate, index or computed expression in canonical form: white space, redundant parentheses."""
        ...

    def generated(self, column: sa.Column[object]) -> Generated | None:
        """Identity, owned sequence (``serial``) or computed expression of a wanted column.

        Asked of key columns and of those with a server default only: no other column has any of these.
        """
        ...

    def table_options(self, table: sa.Table) -> tuple[tuple[str, str], ...]:
        """Options of a wanted table beside columns, constraints and comment, sorted, with the defaults left out."""
        ...

    def column_options(self, column: sa.Column[object]) -> tuple[tuple[str, str], ...]:
        """As ``table_options``. Asked of columns with keyword arguments for some dialect only."""
        ...

    def key_takes_null(self, column: sa.Column[object]) -> bool:
        """Whether a column of the primary key that the model lets be NULL holds NULL in this database."""
        ...

    def index_options(self, index: sa.Index) -> tuple[str | None, tuple[str, ...], tuple[tuple[str, str], ...]]:
        """(method, included columns, other options) of a wanted index, canonical, with the defaults left out.

        Asked of indexes with keyword arguments for some dialect only, as ``index_modifiers`` of plain columns is.
        """
        ...

    def index_modifiers(self, index: sa.Index, position: int, rendered: str) -> tuple[str, str]:
        """Split a rendered key (``lower(x) DESC``) of an index into body and canonical modifiers."""
        ...

    def index_keywords(self, index: Index) -> dict[str, object]:
        """The method and options of an index as the dialect's keyword arguments of ``sa.Index``, without its name."""
        ...

    def binary(self, value: bytes) -> str | None:
        """A literal of a binary type, None where there is none."""
        ...

    def adopt(self, table: sa.Table) -> None:
        """Give a model's table the options that it declares for the database under another name of the dialect."""
        ...

    def refuse(self, table: Table) -> None:
        """Raise InvalidMetadata for a wanted table that the database rejects by rule: reserved names, old servers."""
        ...


class BaseSpelling:
    """What most spellings have in common; implements Spelling. A dialect gives its names for types.

    Args:
        dialect: SQLAlchemy's, which compiles.

    Attributes:
        aliases: how the database spells a type that DDL calls otherwise, in capitals and without parameters.
        plain: types whose parameters the database does not keep.
    """

    aliases: ClassVar[Mapping[str, str]] = MappingProxyType({})
    plain: ClassVar[Collection[str]] = ()

    def __init__(self, dialect: sa.Dialect) -> None:
        self._dialect: Any = dialect

    def identifier(self, name: str) -> str:
        """See Spelling: the name itself."""
        return name

    def column_type(self, type_: sa.types.TypeEngine[Any]) -> ColumnType:
        """See Spelling.

        Raises:
            InvalidMetadata: SQLAlchemy cannot write this type.
        """
        try:
            return replace(self.type_of(self._dialect.type_compiler_instance.process(type_)), native=type_)
        except sa.exc.CompileError as error:
            raise InvalidMetadata(f"The type {type_!r} cannot be written for {self._dialect.name}: {error}") from error

    def type_of(self, sql: str) -> ColumnType:
        """The canonical type of a text, be it from DDL or from the catalog."""
        said = _TYPE.fullmatch(sql.strip())
        if said is None:
            return ColumnType(sql, sql.partition("(")[0].strip().lower())
        word = " ".join((said["base"] + (said["rest"] or "")).upper().split())
        word = self.aliases.get(word, word)
        one, two = (int(said[part]) if said[part] and word not in self.plain else None for part in ("one", "two"))
        if one is None:
            return ColumnType(word, word.lower())
        if word in {"DECIMAL", "NUMERIC"}:
            return ColumnType(f"{word}({one},{two or 0})", word.lower(), None, one, two or 0)
        return ColumnType(f"{word}({one})", word.lower(), one)

    def enum_types(self, type_: sa.types.TypeEngine[Any]) -> tuple[EnumType, ...]:
        """See Spelling: none; an enumeration is a part of its column."""
        del type_
        return ()

    def default(self, sql: str, type_: ColumnType) -> str | None:
        """See Spelling."""
        del type_
        found = self.expression(sql)
        return None if found.upper() == "NULL" else found

    def is_volatile(self, sql: str) -> bool:
        """See Spelling: whatever calls a function."""
        return _CALL.search(_LITERALS.sub("", sql)) is not None

    def expression(self, sql: str) -> str:
        """See Spelling: without line breaks, and without parentheses around all of it."""
        parts = enumerate(_LITERALS.split(sql))
        found = "".join(part if place % 2 else re.sub(r"\s+", " ", part) for place, part in parts).strip()
        while found.startswith("(") and _closes(found) == len(found) - 1:
            found = found[1:-1].strip()
        return found

    def generated(self, column: sa.Column[Any]) -> Generated | None:
        """See Spelling: computed columns, and whole-numbered keys that the database numbers."""
        if column.computed is not None:
            text = self.rendered(column.computed.sqltext)
            return Generated("computed", self.expression(text), stored=column.computed.persisted is True)
        counts = column is column.table._autoincrement_column and column.server_default is None  # noqa: SLF001
        return Generated("serial") if counts and not isinstance(column.default, sa.Sequence) else None

    def rendered(self, clause: Any) -> str:
        """An expression as DDL has it, literal values in place."""
        compiler = self._dialect.ddl_compiler(self._dialect, None).sql_compiler
        text: str = compiler.process(clause, include_table=False, literal_binds=True)
        return text

    def table_options(self, table: sa.Table) -> tuple[tuple[str, str], ...]:
        """See Spelling: none."""
        del table
        return ()

    def column_options(self, column: sa.Column[Any]) -> tuple[tuple[str, str], ...]:
        """See Spelling: none."""
        del column
        return ()

    def key_takes_null(self, column: sa.Column[Any]) -> bool:
        """See Spelling: never."""
        del column
        return False

    def index_options(self, index: sa.Index) -> tuple[str | None, tuple[str, ...], tuple[tuple[str, str], ...]]:
        """See Spelling: there is one kind of index."""
        del index
        return None, (), ()

    def index_modifiers(self, index: sa.Index, position: int, rendered: str) -> tuple[str, str]:
        """See Spelling: ``DESC``."""
        del index, position
        body = re.sub(r"\s+ASC\Z", "", rendered, flags=re.IGNORECASE)
        found = re.sub(r"\s+DESC\Z", "", body, flags=re.IGNORECASE)
        return found, "" if found == body else "DESC"

    def index_keywords(self, index: Index) -> dict[str, object]:
        """See Spelling: ``using`` and ``include``."""
        found = {"using": index.method, "include": list(index.include)}
        return {name: value for name, value in found.items() if value}

    def binary(self, value: bytes) -> str | None:
        """See Spelling: not known."""
        del value
        return None

    def adopt(self, table: sa.Table) -> None:
        """See Spelling: there is none."""

    def refuse(self, table: Table) -> None:
        """See Spelling: nothing."""


_TYPE = re.compile(
    r"(?P<base>[^\W\d][\w ]*?)\s*(?:\(\s*(?P<one>\d+)\s*(?:,\s*(?P<two>\d+)\s*)?\)(?P<rest>[\w ]*))?", re.ASCII
)
_LITERALS = re.compile(r"('(?:[^']|'')*'|\"(?:[^\"]|\"\")*\")")
_CALL = re.compile(r"[^\W\d]\w*\s*\(")


def _closes(sql: str) -> int:
    """The position of the parenthesis that closes the first one; -1 where none does."""
    depth = position = 0
    for place, part in enumerate(_LITERALS.split(sql)):
        for offset, character in enumerate(part if place % 2 == 0 else ""):
            depth += {"(": 1, ")": -1}.get(character, 0)
            if depth == 0 and character == ")":
                return position + offset
        position += len(part)
    return -1
