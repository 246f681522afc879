"""The host's comparison of two MetaData without a connection, with the differences taken out that are none.

The host's readiness check reflects the database itself and hands the result over. Its own detector compares type names
as they are written, and so sees on SQLite, where a UUID comes back as NUMERIC, a type change in every table.
"""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa
from framework_m_standard.adapters.db.schema_detector import SchemaChange, SchemaChangeType, SchemaDetector
from sqlalchemy.dialects import postgresql

from framework_m_migrations.domain.errors import InvalidMetadata


def detect(
    target: sa.MetaData,
    current: sa.MetaData | None,
    *,
    version_table: str | None,
    backend: str,
    allow_drop: bool,
    force_unowned: bool,
) -> list[SchemaChange]:
    """What the host's detector finds, less the type changes that are only another spelling.

    Args:
        target: what is wanted.
        current: what was reflected; None for an empty database.
        version_table: is left out of account.
        backend: SQLAlchemy's name of the database that ``current`` is from.
        allow_drop: look for what is too much as well.
        force_unowned: take tables for droppable that ``target`` does not have.
    """
    found: list[SchemaChange] = SchemaDetector(version_table=version_table).detect(
        target_metadata=target, current_metadata=current, allow_drop=allow_drop, force_unowned=force_unowned
    )
    suspects = [change for change in found if change.change_type is SchemaChangeType.TYPE_CHANGE]
    if current is None or not suspects:
        return found
    names = {change.table_name for change in suspects}
    expected = _as_sqlite_reflects(target, names) if backend == "sqlite" else target
    return [change for change in found if change not in suspects or _differs(change, expected, current, backend)]


def _differs(change: SchemaChange, expected: sa.MetaData, current: sa.MetaData, backend: str) -> bool:
    if change.details.get("target_enums"):
        return True
    want = expected.tables[change.table_name].columns[change.column_name or ""].type
    have = current.tables[change.table_name].columns[change.column_name or ""].type
    dialect = postgresql.dialect() if backend == "postgresql" else None  # type: ignore[no-untyped-call]
    return want.compile(dialect=dialect) != have.compile(dialect=dialect)


def _as_sqlite_reflects(target: sa.MetaData, names: Iterable[str]) -> sa.MetaData:
    """The tables as they come back from a SQLite database in memory, made of their columns alone."""
    bare = sa.MetaData()
    for name in names:
        table = target.tables[name]
        sa.Table(table.name, bare, *(sa.Column(column.name, column.type) for column in table.columns))
    engine = sa.create_engine("sqlite://")
    try:
        with engine.begin() as connection:
            bare.create_all(connection)
            reflected = sa.MetaData()
            reflected.reflect(connection)
    except sa.exc.SQLAlchemyError as error:
        raise InvalidMetadata(f"SQLite refuses the tables that are wanted: {error}") from error
    finally:
        engine.dispose()
    return reflected
