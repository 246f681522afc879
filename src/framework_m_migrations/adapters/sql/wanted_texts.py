"""Wrong declarations: texts that no statement can hold, names that the server keeps for itself, tables that vanish."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.names import unsendable
from framework_m_migrations.domain.errors import InvalidMetadata
from framework_m_migrations.domain.schema import Column, EnumType, Index, Table


def refuse_unsendable(table: Table, enums: Iterable[EnumType]) -> None:
    """Go on where every text of a table can be sent to a database.

    Raises:
        InvalidMetadata: a comment, default, expression, type or label holds a NUL or half a character.
    """
    # Nearly always all is well, and one look at all texts together says so.
    if unsendable("".join(text for _, text in _texts(table, enums))) is None:
        return
    for what, text in _texts(table, enums):
        wrong = unsendable(text)
        if wrong is not None:
            raise InvalidMetadata(f"The {what} of table {table.name} {wrong}: {text!r}.")


_SYSTEM_COLUMNS = {"postgresql": frozenset({"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"})}
_INDEX_NAMES = {"mariadb": frozenset({"primary", "gen_clust_index"})}
_LABEL_LIMIT = 63
"""PostgreSQL's longest label of an enumeration, in bytes; the server refuses a longer one."""


def refuse_temporary(table: sa.Table) -> None:
    """Raise InvalidMetadata for a table that would be gone with the connection that creates it."""
    says = table.__dict__
    words = {word.upper() for prefix in says.get("_prefixes") or () for word in str(prefix).split()}
    on_commit = "dialect_options" in says and table.dialect_kwargs.get("postgresql_on_commit")
    if on_commit or not words.isdisjoint({"TEMPORARY", "TEMP"}):
        raise InvalidMetadata(
            f"Table {table.name} is declared TEMPORARY: it is gone when the connection that creates it is closed.",
            next_step="Let the application create it, from a MetaData of its own.",
            details={"table": str(table.name)},
        )


def refuse_reserved(table: Table, enums: Iterable[EnumType], dialect: str) -> None:
    """Raise InvalidMetadata for a name that the server keeps for itself, and for a label that is too long."""
    indexes = [index.name for index in table.indexes]
    if dialect == "sqlite":
        reserved = [name for name in (table.name.name, *indexes) if name[:7].lower() == "sqlite_"]
    else:
        columns, keywords = _SYSTEM_COLUMNS.get(dialect), _INDEX_NAMES.get(dialect)
        reserved = [column.name for column in table.columns if column.name in columns] if columns else []
        reserved += [name for name in indexes if name.lower() in keywords] if keywords else []
    if reserved:
        raise InvalidMetadata(
            f"The name {reserved[0]} in table {table.name} is reserved by the database.",
            next_step="Give it another name.",
            details={"table": str(table.name), "name": reserved[0]},
        )
    for enum in enums:
        refuse_labels(enum)


def refuse_labels(enum: EnumType) -> None:
    """Raise InvalidMetadata for labels that the server refuses."""
    for value in enum.values:
        if len(value.encode("utf-8", "surrogatepass")) > _LABEL_LIMIT:
            raise InvalidMetadata(
                f"The label {value!r} of enumeration {enum.name} is longer than {_LABEL_LIMIT} bytes.",
                next_step="Shorten it, or declare the enumeration with native_enum=False.",
                details={"enumeration": str(enum.name)},
            )


def _texts(table: Table, enums: Iterable[EnumType]) -> Iterator[tuple[str, str]]:
    if table.comment:
        yield "comment", table.comment
    for column in table.columns:
        yield from _of_column(column)
    for index in table.indexes:
        yield from _of_index(index)
    for check in table.checks:
        yield "check", check.expression
    for enum in enums:
        for value in enum.values:
            yield f"enumeration {enum.name}", value


def _of_column(column: Column) -> Iterator[tuple[str, str]]:
    yield f"type of column {column.name}", column.type.spelling
    if column.comment:
        yield f"comment of column {column.name}", column.comment
    if column.default is not None:
        yield f"default of column {column.name}", column.default
    if column.fill is not None:
        yield f"default in Python of column {column.name}", column.fill
    if column.generated is not None and column.generated.expression is not None:
        yield f"expression of column {column.name}", column.generated.expression


def _of_index(index: Index) -> Iterator[tuple[str, str]]:
    if index.where is not None:
        yield f"predicate of index {index.name}", index.where
    for key in index.keys:
        if key.expression is not None:
            yield f"expression of index {index.name}", key.expression
    for name, value in index.options:
        yield f"option {name} of index {index.name}", value
