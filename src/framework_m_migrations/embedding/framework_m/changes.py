"""Our changes in the host's words: SchemaChange with its seven kinds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from framework_m_standard.adapters.db.schema_detector import SchemaChange, SchemaChangeType

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain.describe import sentence
from framework_m_migrations.domain.plan import PlannedChange


def host_changes(planned: Iterable[PlannedChange]) -> list[SchemaChange]:
    """Planned changes as the host's, in the same order; what the change is stands in ``details["what"]``."""
    return [_host_change(one) for one in planned]


def _host_change(planned: PlannedChange) -> SchemaChange:
    change: Any = planned.change
    kind, column = _kind(planned.change)
    found = SchemaChange(kind, change.table.name, column)
    if isinstance(change, c.ColumnTypeChanged):
        found.old_type, found.new_type = str(change.before.type), str(change.column.type)
    found.details = {
        "what": sentence(change),
        "risk": planned.judgement.risk.label,
        "reason": planned.judgement.reason,
        "handled_by": planned.judgement.handled_by,
    }
    return found


def _kind(change: c.Change) -> tuple[SchemaChangeType, str | None]:
    match change:
        case c.TableAdded():
            return SchemaChangeType.NEW_TABLE, None
        case c.TableRemoved():
            return SchemaChangeType.DROPPED_TABLE, None
        case c.ColumnAdded(column=column):
            return SchemaChangeType.NEW_COLUMN, column.name
        case c.ColumnRemoved(column=column):
            return SchemaChangeType.DROPPED_COLUMN, column.name
        case c.IndexAdded(index=index):
            return SchemaChangeType.NEW_INDEX, index.name
        case c.UniqueAdded(unique=unique):
            return SchemaChangeType.NEW_INDEX, unique.name
        case c.IndexRemoved(index=index):
            return SchemaChangeType.DROPPED_INDEX, index.name
        case c.UniqueRemoved(unique=unique):
            return SchemaChangeType.DROPPED_INDEX, unique.name
        case _:
            # The host knows no other kind of change to what exists.
            touched: Any = getattr(change, "column", None)
            return SchemaChangeType.TYPE_CHANGE, getattr(touched, "name", touched)
