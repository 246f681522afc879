"""SQLAlchemy's objects and SQL texts in MariaDB's canonical spelling; implements base.Spelling."""

from __future__ import annotations

import re
from typing import Any

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.base_spelling import BaseSpelling, refuse_reserved
from framework_m_migrations.adapters.sql.dialects.mariadb.expressions import (
    canonical_default,
    canonical_expression,
    is_constant_default,
)
from framework_m_migrations.adapters.sql.dialects.mariadb.options import adopt_mysql_names, declared_options
from framework_m_migrations.adapters.sql.dialects.mariadb.text import quoted
from framework_m_migrations.adapters.sql.dialects.mariadb.types import parse_type
from framework_m_migrations.domain.errors import InvalidMetadata
from framework_m_migrations.domain.renames import stands_on
from framework_m_migrations.domain.schema import ColumnType, Generated, Index, Table

NAME_LIMIT = 64
"""Characters of a name (mariadb.com: identifier names)."""
_INDEXES = frozenset({"primary", "gen_clust_index"})
AUTO_INCREMENT = Generated("serial")
_PREFIX = re.compile(
    r"^(?P<body>.*?)\s*(?:\((?P<length>\d+)\))?\s*(?P<order>ASC|DESC)?\s*\Z", re.IGNORECASE | re.DOTALL
)


class MariadbSpelling(BaseSpelling):
    """The canonical spelling for one SQLAlchemy dialect object."""

    def identifier(self, name: str) -> str:
        """See Spelling. The server cuts nothing: it refuses.

        Raises:
            InvalidMetadata: the name is longer than the server takes, or ends with a blank.
        """
        if len(name) > NAME_LIMIT:
            raise InvalidMetadata(
                f"The name {name!r} has {len(name)} characters, and MariaDB takes {NAME_LIMIT}.",
                next_step="Give it a shorter name.",
            )
        if name.endswith(" "):
            raise InvalidMetadata(f"The name {name!r} ends with a blank, which MariaDB refuses.")
        return name

    def column_type(self, type_: sa.types.TypeEngine[Any]) -> ColumnType:
        """See Spelling."""
        return parse_type(self._dialect.type_compiler_instance.process(type_)).column_type(type_)

    def default(self, sql: str, type_: ColumnType) -> str | None:
        """See Spelling. What the server does when a row changes (ON UPDATE) is a part of the default."""
        return canonical_default(sql, type_)

    def is_volatile(self, sql: str) -> bool:
        """True for all but a literal and the time of the statement: the server copies the table for them."""
        return not is_constant_default(sql)

    def expression(self, sql: str) -> str:
        """See Spelling."""
        return canonical_expression(sql)

    def generated(self, column: sa.Column[Any]) -> Generated | None:
        """See Spelling."""
        if column.computed is not None:
            text = self.rendered(column.computed.sqltext)
            return Generated("computed", self.expression(text), stored=column.computed.persisted is True, always=True)
        # The conditions of MySQLDDLCompiler.get_column_specification.
        counts = (
            column is column.table._autoincrement_column  # noqa: SLF001
            and (column.server_default is None or column.identity is not None)
            and not (isinstance(column.default, sa.Sequence) and not column.default.optional)
        )
        return AUTO_INCREMENT if counts else None

    def table_options(self, table: sa.Table) -> tuple[tuple[str, str], ...]:
        """See Spelling."""
        return declared_options(table)

    def index_options(self, index: sa.Index) -> tuple[str | None, tuple[str, ...], tuple[tuple[str, str], ...]]:
        """See Spelling. The method is ``fulltext`` or ``spatial``; a parser is an option."""
        given = index.dialect_options["mariadb"]
        kind = str(given.get("prefix") or "").strip().lower()
        options = {"parser": given.get("with_parser"), "using": str(given.get("using") or "").lower()}
        found = tuple((name, str(value)) for name, value in options.items() if value)
        return kind if kind in {"fulltext", "spatial"} else None, (), found

    def index_keywords(self, index: Index) -> dict[str, object]:
        """See Spelling. What MEMORY takes by itself is a hash."""
        if index.method:
            return {"prefix": index.method.upper()}
        return {name: value for name, value in index.options if name == "using" and value != "hash"}

    def binary(self, value: bytes) -> str:
        """See Spelling."""
        return f"X'{value.hex()}'"

    def adopt(self, table: sa.Table) -> None:
        """See Spelling: what is declared as ``mysql_*``."""
        adopt_mysql_names(table)

    def refuse(self, table: Table) -> None:
        """See Spelling: names of InnoDB's own indexes, and what the server refuses of columns, checks and keys."""
        refuse_reserved(table.name, [index.name for index in table.indexes if index.name.lower() in _INDEXES])
        counting = [column.name for column in table.columns if column.generated and column.generated.kind == "serial"]
        required = {column.name for column in table.columns if not column.nullable}
        wrong = [
            f"check {one.name or one.expression} names the AUTO_INCREMENT column"
            for one in table.checks
            if counting and stands_on(one, counting)
        ]
        wrong += [
            f"foreign key ({', '.join(key.columns)}) sets a column to NULL that is NOT NULL"
            for key in table.foreign_keys
            if "SET NULL" in {key.on_delete, key.on_update} and not required.isdisjoint(key.columns)
        ]
        indexes = {index.name.lower() for index in table.indexes}
        wrong += [
            f"{one.name} names a constraint and an index"
            for one in table.uniques
            if (one.name or "").lower() in indexes
        ]
        if wrong:
            raise InvalidMetadata(
                f"MariaDB refuses table {table.name}: {wrong[0]}.",
                next_step="Correct the model, or declare it for other databases alone (ddl_if).",
                details={"table": str(table.name)},
            )

    def index_modifiers(self, index: sa.Index, position: int, rendered: str) -> tuple[str, str]:
        """See Spelling: the length of a prefix as ``(n)``, and ``DESC``."""
        match = _PREFIX.match(rendered)
        if match is None:
            return rendered, ""
        length = match["length"] or self._prefix_length(index, position)
        modifiers = [f"({length})"] if length else []
        if (match["order"] or "").upper() == "DESC":
            modifiers.append("DESC")
        return match["body"], " ".join(modifiers)

    @staticmethod
    def _prefix_length(index: sa.Index, position: int) -> int | None:
        given = index.dialect_options["mariadb"].get("length") if index.dialect_kwargs else None
        if given is None:
            return None
        if isinstance(given, int):
            return given
        expression: Any = index.expressions[position]
        while isinstance(expression, sa.sql.elements.UnaryExpression) and expression.modifier is not None:
            expression = expression.element
        name = getattr(expression, "name", None)
        length: int | None = given.get(name) or given.get(expression)
        return length


def key_text(column: str, modifiers: str) -> str:
    """A key of an index as DDL has it, its prefix directly behind the name."""
    separator = "" if modifiers.startswith("(") else " "
    return f"{quoted(column)}{separator}{modifiers}".rstrip()
