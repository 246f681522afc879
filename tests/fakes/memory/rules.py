"""What a memory database enforces of its rows: NOT NULL, uniqueness, foreign keys, checks and enumerations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from framework_m_migrations.domain.errors import DatabaseError
from framework_m_migrations.domain.schema import Check, Column, ForeignKey, Index, Table, TableName
from tests.fakes.memory.expressions import OPAQUE, CannotTell, constant, holds
from tests.fakes.memory.state import MemoryState, Row
from tests.fakes.memory.types import coerce


def need_table(state: MemoryState, name: TableName) -> Table:
    """The table called ``name``; raises DatabaseError where there is none."""
    table = state.tables.get(name)
    if table is None:
        raise DatabaseError(f"There is no table {name}.")
    return table


def need_columns(table: Table, columns: Iterable[str]) -> None:
    """Raise DatabaseError where one of the columns does not exist."""
    for column in columns:
        if table.column(column) is None:
            raise DatabaseError(f"Table {table.name} has no column {column!r}.")


def default_value(column: Column) -> object:
    """What a row gets that says nothing of this column. A computed default is stored as its own text."""
    if column.default is None:
        return None
    value = constant(column.default)
    return column.default if value is OPAQUE else coerce(value, column.type)


def insert_rows(state: MemoryState, name: TableName, rows: Sequence[Mapping[str, object]]) -> None:
    """Insert rows, or none of them.

    Raises:
        DatabaseError: there is no such table or column, or a rule is broken.
    """
    table = need_table(state, name)
    stored = list(state.rows.get(name, ()))
    for given in rows:
        need_columns(table, given)
        row: dict[str, object] = {}
        for number, column in enumerate(table.columns):
            if column.name in given:
                row[column.name] = coerce(given[column.name], column.type)
            elif column.generated is not None:
                row[column.name] = len(stored) + 1 if number == 0 else None
            else:
                row[column.name] = default_value(column)
        stored.append(row)
    replaced = state.copy()
    replaced.rows[name] = tuple(stored)
    _enforce(replaced, table, stored[len(state.rows.get(name, ())) :])
    state.rows[name] = replaced.rows[name]


def _enforce(state: MemoryState, table: Table, added: Sequence[Row]) -> None:
    """Hold a table to its rules. Checks and foreign keys concern the rows just added: older ones may be exempt."""
    rows = state.rows.get(table.name, ())
    keys = () if table.primary_key is None else table.primary_key.columns
    for column in table.columns:
        if not column.nullable or column.name in keys:
            require_no_nulls(table, column.name, rows)
        if column.type.enum is not None:
            _require_labels(state, table, column, rows)
    if keys:
        require_unique(table, keys, rows)
    for unique in table.uniques:
        require_unique(table, unique.columns, rows)
    for index in table.indexes:
        require_unique_index(table, index, rows)
    for check in table.checks:
        require_check(table, check, added)
    for key in table.foreign_keys:
        require_partners(state, table, key, added)


def require_no_nulls(table: Table, column: str, rows: Iterable[Row]) -> None:
    """Raise DatabaseError where a row has NULL in the column."""
    if any(row[column] is None for row in rows):
        raise DatabaseError(f"Column {column!r} of {table.name} holds NULL.")


def _require_labels(state: MemoryState, table: Table, column: Column, rows: Iterable[Row]) -> None:
    enum = state.enums.get(column.type.enum) if column.type.enum is not None else None
    labels = {None, *(enum.values if enum is not None else ())}
    if any(row[column.name] not in labels for row in rows):
        raise DatabaseError(f"Column {column.name!r} of {table.name} holds what is no label of {column.type}.")


def duplicated(
    columns: Sequence[str], rows: Iterable[Row], where: str | None = None, *, nulls_agree: bool = False
) -> bool:
    """Whether two rows agree in all the columns; NULLs are distinct unless ``nulls_agree``.

    Raises:
        CannotTell: the predicate ``where`` is beyond this database.
    """
    seen: set[tuple[object, ...]] = set()
    for row in rows:
        if where is not None and holds(where, row) is not True:
            continue
        values = tuple(row[column] for column in columns)
        if None in values and not nulls_agree:
            continue
        key = tuple(repr(value) if isinstance(value, dict | list) else value for value in values)
        if key in seen:
            return True
        seen.add(key)
    return False


def require_unique(table: Table, columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Raise DatabaseError where two rows agree in all the columns."""
    if duplicated(columns, rows):
        raise DatabaseError(f"Rows of {table.name} are not unique in ({', '.join(columns)}).")


def require_unique_index(table: Table, index: Index, rows: Iterable[Row]) -> None:
    """Raise DatabaseError where rows break a unique index. One over expressions is not enforced."""
    columns = [key.column for key in index.keys if key.column is not None]
    if not index.unique or not index.valid or len(columns) != len(index.keys):
        return
    try:
        broken = duplicated(columns, rows, index.where)
    except CannotTell:
        return
    if broken:
        raise DatabaseError(f"Rows of {table.name} are not unique in ({', '.join(columns)}), as {index.name} wants.")


def violated(condition: str, rows: Iterable[Row]) -> bool:
    """Whether a row breaks a check; raises CannotTell as ``holds``."""
    return any(holds(condition, row) is False for row in rows)


def require_check(table: Table, check: Check, rows: Iterable[Row]) -> None:
    """Raise DatabaseError where a row breaks a check. One that cannot be told is not enforced."""
    try:
        broken = violated(check.expression, rows)
    except CannotTell:
        return
    if broken:
        raise DatabaseError(f"A row of {table.name} breaks the check {check.name or check.expression}.")


def orphaned(
    rows: Iterable[Row], columns: Sequence[str], partners: Iterable[Row], target_columns: Sequence[str]
) -> bool:
    """Whether a row, with no NULL in ``columns``, has no partner."""
    present = {tuple(row[column] for column in target_columns) for row in partners}
    values = (tuple(row[column] for column in columns) for row in rows)
    return any(None not in value and value not in present for value in values)


def require_partners(state: MemoryState, table: Table, key: ForeignKey, rows: Iterable[Row]) -> None:
    """Raise DatabaseError where a row has no partner in the table that a foreign key names."""
    partners = state.rows.get(key.target, ())
    if orphaned(rows, key.columns, partners, key.target_columns):
        raise DatabaseError(f"A row of {table.name} has no partner in {key.target}.")
