"""The ports that differ inside Framework M: which apps there are, what they want, and how revisions run."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from framework_m_migrations.container.context import Context, Factory
from framework_m_migrations.embedding.framework_m.discovery import HostDiscovery

if TYPE_CHECKING:
    import sqlalchemy as sa

    from framework_m_migrations.adapters.doctypes.metadata import DocTypeTables
    from framework_m_migrations.ports.app_discovery import App
    from framework_m_migrations.ports.schema_source import SchemaSource


def host_factories(
    *, x_args: Sequence[str] = (), version_schema: str | None = None, tenants_apart: bool = True
) -> dict[str, Factory]:
    """Factories for ``overrides`` of a manager.

    Args:
        x_args: for the project's env.py.
        version_schema: where the version table is. None for the default schema, for tenants too: revisions are the
            database's, unless an env.py reads ``-x tenant=`` and says otherwise.
        tenants_apart: leave DocTypes of tenants out of the default schema, where the database has schemas: they
            belong into those of the tenants. The host does so in its commands and not at boot.
    """

    def versions(context: Context) -> Any:
        from framework_m_migrations.adapters.sql.versions.track import AlembicTrack

        settings = context.settings
        return AlembicTrack(
            context.live,
            context.sql,
            context.make("discovery"),
            version_table=settings.version_table,
            version_table_schema=version_schema,
            project=settings.path if (settings.path / "alembic.ini").is_file() else None,
            x_args=tuple(x_args),
        )

    def source(context: Context) -> SchemaSource:
        return host_source(context, tenants_apart=tenants_apart)

    return {"discovery": discovery, "source": source, "versions": versions}


def discovery(context: Context) -> HostDiscovery:
    """The host's apps."""
    return HostDiscovery(context.settings.apps or (), context.settings.path)


def host_source(context: Context, *, tenants_apart: bool) -> SchemaSource:
    """What the settings' MetaData wants, else the DocTypes of the host and of all apps.

    An app without DocTypes may declare its tables as SQLAlchemy models, as outside the host.

    Raises:
        AppBroken, InvalidMetadata: as the sources.
    """
    from framework_m_migrations.container.desired import schema_source

    if context.settings.metadata:
        return schema_source(context)
    from framework_m_migrations.adapters.doctypes.metadata import MetadataSource
    from framework_m_migrations.adapters.sql.wanted import Target

    schema = context.settings.schema
    doctypes = host_doctypes(context.make("discovery").apps())
    if schema is not None:
        doctypes = for_tenant(doctypes)
    elif tenants_apart and context.live.dialect.name == "postgresql":
        doctypes = [doctype for doctype in doctypes if not _is_tenants(doctype)]
    return MetadataSource(doctypes, Target.of(context.live.dialect, context.sql, schema=schema))


def host_doctypes(apps: Sequence[App]) -> list[DocTypeTables]:
    """The host's DocTypes, those of the apps, and the models of apps that have none."""
    from framework_m_migrations.adapters.doctypes.framework_m import framework_m_doctypes
    from framework_m_migrations.adapters.doctypes.metadata import doctypes_of
    from framework_m_migrations.container.desired import joined, models_metadata

    models: list[tuple[str | None, sa.MetaData]] = []
    for app in apps:
        if not _has(f"{app.package}.doctypes") and _has(f"{app.package}.models"):
            metadata = models_metadata(app)
            if metadata is not None:
                models.append((app.name, metadata))
    own = [doctype for name, metadata in joined(models) for doctype in doctypes_of(metadata, app=name)]
    return [*framework_m_doctypes(apps), *own]


def for_tenant(doctypes: Sequence[DocTypeTables]) -> list[DocTypeTables]:
    """The DocTypes that a tenant has tables of its own for.

    Foreign keys to tables of other schemas are left out, as the host does: each tenant's schema stands alone.
    """
    chosen = [doctype for doctype in doctypes if _is_tenants(doctype)]
    own = {table.name for doctype in chosen for table in doctype.tables}
    for doctype in chosen:
        for table in doctype.tables:
            for key in list(table.foreign_key_constraints):
                if key.elements[0].target_fullname.rpartition(".")[0] not in own:
                    table.constraints.discard(key)
                    for element in key.elements:
                        element.parent.foreign_keys.discard(element)
                        table.foreign_keys.discard(element)
    return chosen


def _is_tenants(doctype: DocTypeTables) -> bool:
    from framework_m_migrations.adapters.doctypes.framework_m.tables import TENANT_KEY

    return bool(doctype.tables[0].info.get(TENANT_KEY))


def _has(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False
