"""What the same change is on PostgreSQL: its statements and their locks, written by the engine without a server."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields, is_dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from framework_m_migrations.adapters.sql.ddl import SharedForms
from framework_m_migrations.adapters.sql.desired.tables import Target, wanted_table
from framework_m_migrations.adapters.sql.dialects.postgresql.ddl import lock_levels, statements
from framework_m_migrations.adapters.sql.dialects.postgresql.dialect import PostgresqlDialect
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.changes import TableAdded
from framework_m_migrations.domain.errors import MigrationError
from framework_m_migrations.domain.lowering import Lowering
from framework_m_migrations.domain.plan import LockLevel, PlannedChange
from framework_m_migrations.domain.schema import Check, Column, ForeignKey, Index, PrimaryKey, Table, Unique

VERSION = (18, 0)
LEVELS = tuple(LockLevel)
"""The weaker before the stronger."""
BLOCKS = {
    LockLevel.ACCESS_EXCLUSIVE: "blocks readers and writers",
    LockLevel.SHARE_ROW_EXCLUSIVE: "blocks writers",
    LockLevel.SHARE: "blocks writers",
}


class Postgres:
    """The wanted tables as PostgreSQL spells them."""

    def __init__(self, wanted: tuple[sa.MetaData, ...]) -> None:
        dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
        dialect.server_version_info = VERSION
        self._target = Target.of(dialect, PostgresqlDialect())
        self._forms = SharedForms(self._target.text, comments=True)
        self._tables: dict[str, Table] = {}
        self._error = ""
        try:
            for metadata in wanted:
                for table in metadata.tables.values():
                    found = wanted_table(table, self._target).table
                    self._tables[found.name.name] = found
        except (MigrationError, sa.exc.SQLAlchemyError) as error:
            self._error = str(error)

    def shown(self, planned: PlannedChange, existing: Collection[str]) -> dict[str, Any]:
        """SQL and locks of a change. Where there are rows, sync uses the forms that block no one."""
        table = self._tables.get(planned.change.table.name)
        if self._error:
            return {"sql": [], "locks": [self._error]}
        change = planned.change
        names = {one.name: one for one in fields(change)}
        given = {
            name: _spelled(getattr(change, name), table, self._tables)
            for name in names.keys()
            & {"definition", "column", "index", "unique", "check", "foreign_key", "primary_key"}
        }
        change = replace(change, **given)
        caps = self._target.capabilities
        rows = change.table.name in existing and "definition" not in given
        inline = change.definition.foreign_keys if isinstance(change, TableAdded) else ()
        lowering = Lowering(caps, rows and not planned.withheld, inline, rows=rows, revision=planned.withheld)
        try:
            operations = lowering.operations(change)
            sql = [text for operation in operations for text in self._statements(operation)]
        except MigrationError as error:
            return {"sql": [], "locks": [str(error)]}
        taken: dict[str, LockLevel] = {}
        for name, level in (lock for operation in operations for lock in lock_levels(operation)):
            if name.name not in existing:
                continue
            taken[str(name)] = max(taken.get(str(name), level), level, key=LEVELS.index)
        return {
            "sql": sql,
            "locks": [
                f"{name}: {level.value} ({BLOCKS.get(level, 'blocks neither readers nor writers')})"
                for name, level in taken.items()
            ],
        }

    def _statements(self, operation: o.Operation) -> tuple[str, ...]:
        own = statements(operation, None, schema=None)
        if own is None:
            return self._forms.statements(operation)
        return tuple(self._target.text.statement(statement) for statement in own)


def _spelled(value: Any, table: Table | None, tables: dict[str, Table]) -> Any:
    """The part of the wanted table that this value of SQLite's is; the value itself where there is none."""
    if value is None or not is_dataclass(value):
        return value
    match value:
        case Table():
            return tables.get(value.name.name, value)
        case _ if table is None:
            return value
        case Column():
            return table.column(value.name) or value
        case PrimaryKey():
            return table.primary_key or value
        case Index():
            found: Any = (one for one in table.indexes if one.name == value.name)
        case Unique():
            found = (one for one in table.uniques if one.columns == value.columns)
        case ForeignKey():
            found = (one for one in table.foreign_keys if one.columns == value.columns)
        case Check():
            found = (one for one in table.checks if one.name == value.name)
        case _:
            return value
    return next(found, value)
