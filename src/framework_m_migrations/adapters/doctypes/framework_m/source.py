"""Framework M's DocTypes as a schema source."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import EntryPoint
from typing import Any

import sqlalchemy as sa

from framework_m_migrations.adapters.doctypes.framework_m.classes import CORE, load_doctypes
from framework_m_migrations.adapters.doctypes.framework_m.tables import ALIASES_KEY, map_doctypes
from framework_m_migrations.adapters.doctypes.metadata import TENANT_KEY, DocTypeTables, MetadataSource
from framework_m_migrations.adapters.installed import entry_points_of
from framework_m_migrations.adapters.sql.desired.tables import Target
from framework_m_migrations.domain.errors import AppBroken
from framework_m_migrations.ports.app_discovery import App

OVERRIDES = "framework_m.overrides"
MAPPER = "schema_mapper"


def framework_m_doctypes(
    apps: Sequence[App], *, include_core: bool = True, mapper: Any = None
) -> tuple[DocTypeTables, ...]:
    """The DocTypes of apps with their tables, in one MetaData made for this call.

    Calling it again in the same process is safe: nothing of it is kept, and nothing that a running host has
    registered is touched, beyond DocTypes that MetaRegistry.load_apps adds.

    Args:
        apps: the installed apps; those without DocTypes add nothing.
        include_core: take in the DocTypes that Framework M itself brings, and its ``_jobs`` table, which the host
            makes at every boot.
        mapper: what maps a class to a table; None for the host's own (see ``schema_mapper``).

    Raises:
        AppBroken: a module of an app, or an override of the mapper, failed to import.
        InvalidMetadata: the DocTypes contradict each other.
    """
    wanted = [CORE, *apps] if include_core and all(app.package != CORE.package for app in apps) else list(apps)
    mapped = map_doctypes(load_doctypes(wanted), schema_mapper() if mapper is None else mapper)
    found = [DocTypeTables(item.doctype.name, item.doctype.app, item.tables) for item in mapped]
    if include_core:
        found.append(_jobs())
    return tuple(found)


class FrameworkMSource(MetadataSource):
    """SchemaSource over the DocTypes of apps; loads them when it is made.

    Args:
        apps: as for framework_m_doctypes.
        target: the database that wanted values are spelled for.
        include_core: as for framework_m_doctypes.
        mapper: as for framework_m_doctypes.
    """

    def __init__(self, apps: Sequence[App], target: Target, *, include_core: bool = True, mapper: Any = None) -> None:
        super().__init__(framework_m_doctypes(apps, include_core=include_core, mapper=mapper), target)


def schema_mapper() -> Any:
    """The host's mapper: of its container where a process has one, else of an override, else the standard one.

    Raises:
        AppBroken: the override cannot be loaded. The host itself would pass over it and use the standard one.
    """
    overrides: list[EntryPoint] = [entry for entry in entry_points_of(OVERRIDES) if entry.name == MAPPER]
    # As in the host, the last one wins. It is made even where the container has made it: the host says nothing of one
    # that cannot be loaded, and its container would go on with the standard mapper.
    own = _load(overrides[-1]) if overrides else None
    container = sys.modules.get("framework_m_core.container")
    if container is not None:
        return container.Container().schema_mapper()
    if own is not None:
        return own
    from framework_m_standard.adapters.db.schema_mapper import SchemaMapper

    return SchemaMapper()


def _load(entry: EntryPoint) -> Any:
    try:
        return entry.load()()
    except Exception as error:
        raise AppBroken(
            f"The override {entry.name} = {entry.value} in {OVERRIDES} cannot be used: "
            f"{type(error).__name__}: {error}.",
            next_step="Fix or uninstall the package that registers it.",
            details={"entry_point": entry.name, "value": entry.value},
        ) from error


def _jobs() -> DocTypeTables:
    """The queue of background jobs, which no DocType stands for."""
    from framework_m_standard.adapters.db.job_queue_repository import create_jobs_table

    table: sa.Table = create_jobs_table(sa.MetaData())
    table.info[TENANT_KEY] = False
    return DocTypeTables(table.name, CORE.name, (table,))


def publish_tables(doctypes: Iterable[DocTypeTables]) -> None:
    """Put the tables into the host's TableRegistry, from which its repositories take them, in place of what was there.

    For a boot step: booting again in a long-lived process replaces the tables and never collides.
    """
    from framework_m_standard.adapters.db.table_registry import TableRegistry

    registry = TableRegistry()
    registry.reset()
    for doctype in doctypes:
        table, *others = doctype.tables
        for name in (doctype.name or table.name, *table.info.get(ALIASES_KEY, ())):
            registry.register_table(name, table)
        for other in others:
            registry.register_table(other.name, other)
