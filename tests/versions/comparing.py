"""What differs between models and a database, found by the engine's own parts, as `create` would find it."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.desired.tables import Target, wanted_table
from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain.diff import diff_doctype
from framework_m_migrations.domain.ownership import OwnedTable
from framework_m_migrations.domain.plan import PlannedChange
from framework_m_migrations.domain.risk.rules import Knowledge, judge
from framework_m_migrations.domain.schema import Catalog, DocTypeSchema, Table
from framework_m_migrations.services.sync_planner import object_changes
from tests.versions.support import SCOPES

IGNORED = frozenset({"alembic_version"})


def differences(connection: sa.Connection, metadata: sa.MetaData, *, owned: bool = False) -> list[PlannedChange]:
    """All changes that ``metadata`` wants. ``owned``: everything in the database is ours, so surplus counts too."""
    dialect = SCOPES[connection.dialect.name]
    with connection.begin():
        target = Target.of(connection.dialect, dialect)
        capabilities = dialect.capabilities(connection.dialect)
        inspector = dialect.inspector(connection, schema=None, ignored=IGNORED)
        catalog: Catalog = inspector.read()
        wanted = [wanted_table(table, target) for table in metadata.tables.values()]
        settled = _settled([item.table for item in wanted], catalog, inspector)
        ownership = (
            {table.name: OwnedTable.of(table, str(table.name), "created") for table in catalog.tables.values()}
            if owned
            else {}
        )
        found: list[PlannedChange] = []
        for item, table in zip(wanted, settled, strict=True):
            doctype = DocTypeSchema(str(table.name), (table,), item.enums, "wms", item.objects)
            beside = object_changes(doctype, inspector.objects(doctype.objects) if doctype.objects else ())
            for change in (*beside, *diff_doctype(doctype, catalog, ownership, capabilities)):
                types = {}
                if isinstance(change, c.ColumnTypeChanged):
                    kind = inspector.type_change(change.table, change.before, change.column)
                    types = {(change.table, change.column.name): kind}
                judgement = judge(change, Knowledge(types=types))
                found.append(PlannedChange(doctype.name, "wms", change, judgement))
        seen: set[object] = set()
        unique = []
        for planned in found:
            key = _made_once(planned.change)
            if key not in seen:
                seen.add(key)
                unique.append(planned)
        if owned:
            names = {table.name for table in settled}
            for table in catalog.tables.values():
                if table.name not in names:
                    gone = c.TableRemoved(table.name, owned=True)
                    unique.append(PlannedChange(str(table.name), "wms", gone, judge(gone, Knowledge())))
        return unique


def _made_once(change: c.Change) -> object:
    match change:
        case c.EnumAdded(enum=enum):
            return enum.name
        case c.ObjectAdded(object=wanted) | c.ObjectChanged(object=wanted):
            return wanted.kind, wanted.name
        case _:
            return object()


def _settled(wanted: Sequence[Table], catalog: Catalog, inspector: object) -> list[Table]:
    pairs = [
        (table, catalog.tables[table.name])
        for table in wanted
        if table.name in catalog.tables and table != catalog.tables[table.name]
    ]
    normalised = inspector.normalise(pairs)  # type: ignore[attr-defined]
    by_name = {table.name: table for table in normalised}
    return [by_name.get(table.name, table) for table in wanted]
