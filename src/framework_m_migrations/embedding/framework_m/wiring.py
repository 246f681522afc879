"""The ports that differ inside Framework M: which apps there are, what they want, and how revisions run."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from framework_m_migrations.container import factories
from framework_m_migrations.container.context import Context, Factory
from framework_m_migrations.embedding.framework_m.discovery import HostDiscovery

if TYPE_CHECKING:
    import sqlalchemy as sa

    from framework_m_migrations.adapters.doctypes.metadata import DocTypeTables
    from framework_m_migrations.ports.app_discovery import App
    from framework_m_migrations.ports.schema_source import SchemaSource


def host_factories(*, x_args: Sequence[str] = ()) -> dict[str, Factory]:
    """Factories for ``overrides`` of a manager.

    Args:
        x_args: for the project's env.py.
    """
    return {
        "discovery": discovery,
        "source": host_source,
        "versions": partial(factories.versions, x_args=tuple(x_args)),
    }


def discovery(context: Context) -> HostDiscovery:
    """The host's apps."""
    return HostDiscovery(context.settings.apps or (), context.settings.path)


def host_source(context: Context) -> SchemaSource:
    """What the settings' MetaData wants, else the DocTypes of the host and of all apps; see container.tenancy.

    An app without DocTypes may declare its tables as SQLAlchemy models, as outside the host.

    Raises:
        AppBroken, InvalidMetadata: as the sources.
    """
    from framework_m_migrations.container.desired import schema_source, source_of

    if context.settings.metadata:
        return schema_source(context)
    from framework_m_migrations.embedding.framework_m.triggers import patterns

    return source_of(
        host_doctypes(context.make("discovery").apps()),
        context,
        excluded=lambda doctypes: patterns(doctypes, context.sql.name),
    )


def host_doctypes(apps: Sequence[App]) -> list[DocTypeTables]:
    """The host's DocTypes, those of the apps, and the models of apps that have none."""
    from framework_m_migrations.adapters.doctypes.framework_m import framework_m_doctypes
    from framework_m_migrations.container.desired import doctypes_in, models_metadata

    models: list[tuple[str | None, sa.MetaData]] = []
    for app in apps:
        if not _has(f"{app.package}.doctypes") and _has(f"{app.package}.models"):
            metadata = models_metadata(app)
            if metadata is not None:
                models.append((app.name, metadata))
    own = doctypes_in(models)
    return [*framework_m_doctypes(apps), *own]


def _has(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False
