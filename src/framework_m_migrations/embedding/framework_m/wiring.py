"""The ports that differ inside Framework M: which apps there are, what they want, and how tables are named."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from framework_m_core.config import get_installed_apps

from framework_m_migrations.adapters.doctypes.metadata import DOCTYPE_KEY
from framework_m_migrations.adapters.filesystem.apps import ENTRY_POINT_GROUP, FilesystemDiscovery
from framework_m_migrations.adapters.installed import entry_points_of
from framework_m_migrations.container import factories
from framework_m_migrations.container.context import Context, Factory
from framework_m_migrations.ports.app_discovery import App

if TYPE_CHECKING:
    import sqlalchemy as sa

    from framework_m_migrations.adapters.doctypes.metadata import DocTypeTables
    from framework_m_migrations.ports.schema_source import SchemaSource


def name_doctypes(metadata: sa.MetaData) -> None:
    """Note in each table's ``info`` the registered DocType that it is the table of.

    The ledger then knows it by the name that the commands and the boot use, rather than by the table's.

    Args:
        metadata: of the host's making; tables that say whose they are, and those of no DocType, are left as they are.
    """
    from framework_m_core.registry import MetaRegistry

    registry = MetaRegistry.get_instance()
    names: dict[str, str] = {}
    for name in registry.list_doctypes():
        meta = registry.get_doctype(name)._meta_config  # noqa: SLF001 - the host gives no other way
        if meta.create_schema:
            names.setdefault(meta.table_name or name.lower(), name)
    for table in metadata.tables.values():
        if table.name in names:
            table.info.setdefault(DOCTYPE_KEY, names[table.name])


# The apps of a Framework M project, found where the host looks for them.


OWN_PACKAGE = "framework_m_migrations"


def host_apps(names: Sequence[str], project: Path) -> tuple[App, ...]:
    """The apps asked for; else the host's installed apps; else all entry points; else the packages in ``src``.

    The host reads FRAMEWORK_M_INSTALLED_APPS, INSTALLED_APPS, SERVICE_NAME and framework_config.toml, and takes
    ``m-shop`` and ``m_shop`` for one name. Its last resort are the project's own packages, as here.

    Args:
        names: from ``--apps``.
        project: the project's folder.

    Raises:
        AppNotFound: there is no such app.
        AppBroken: a package cannot be looked up, or an entry point cannot be read.
    """
    known = {_normal(entry.name): entry.name for entry in entry_points_of(ENTRY_POINT_GROUP)}
    asked = tuple(names) or tuple(get_installed_apps() or ())
    chosen = [name for name in asked if _normal(name) != OWN_PACKAGE]
    # An app of the project's src folder goes by its package's name, installed or not.
    unknown = not known if not asked else any(_normal(name) not in known for name in chosen)
    local = _local_packages(project) if unknown else []
    known = {_normal(name): name for name in local} | known
    wanted = [known.get(_normal(name), name) for name in chosen] if asked else local
    if not wanted and (asked or not known):
        return ()
    return FilesystemDiscovery(tuple(dict.fromkeys(wanted))).apps()


class HostDiscovery:
    """AppDiscovery over ``host_apps``.

    Args:
        names: from ``--apps``.
        project: the project's folder.
    """

    def __init__(self, names: Sequence[str], project: Path) -> None:
        self._names = tuple(names)
        self._project = project

    def apps(self) -> tuple[App, ...]:
        """See ``host_apps``."""
        return host_apps(self._names, self._project)

    def holding(self, revision: str) -> tuple[str, ...]:
        """See the port."""
        return FilesystemDiscovery(tuple(app.package for app in self.apps())).holding(revision)


def _normal(name: str) -> str:
    return name.strip().replace("-", "_")


def _local_packages(project: Path) -> list[str]:
    """Packages under ``src`` of a project that is not installed."""
    source = project / "src"
    if not source.is_dir():
        return []
    found = sorted(folder.name for folder in source.iterdir() if (folder / "__init__.py").is_file())
    if found and str(source.resolve()) not in sys.path:
        sys.path.insert(0, str(source.resolve()))
    return found


# The ports that differ inside Framework M: which apps there are, what they want, and how revisions run.


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
    from framework_m_migrations.embedding.framework_m.host_database import patterns

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
