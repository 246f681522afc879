"""Where the wanted schema of these settings comes from."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framework_m_migrations.container.context import Context
from framework_m_migrations.container.exclusion import exclusion
from framework_m_migrations.container.settings import MigrationSettings
from framework_m_migrations.container.tenancy import kept
from framework_m_migrations.domain.errors import AppBroken, ConfigurationError
from framework_m_migrations.ports.app_discovery import App, AppDiscovery

if TYPE_CHECKING:
    import sqlalchemy as sa

    from framework_m_migrations.adapters.doctypes.metadata import DocTypeTables
    from framework_m_migrations.ports.schema_source import SchemaSource


def schema_source(context: Context) -> SchemaSource:
    """The MetaData that the settings name; else what the apps declare (see ``declared``).

    Raises:
        ConfigurationError: there is neither MetaData nor an app.
        AppBroken: a module failed to import.
        MissingDependency: an app has DocTypes, and Framework M is not installed.
    """
    apps = named_apps(context.settings, context.make("discovery"))
    return source_of(declared(context.settings, apps), context, apps)


def source_of(
    doctypes: Sequence[DocTypeTables],
    context: Context,
    apps: Sequence[App] = (),
    excluded: Callable[[Sequence[DocTypeTables]], Iterable[str]] | None = None,
) -> SchemaSource:
    """The wanted schema of a session from DocTypes that are at hand.

    Args:
        doctypes: all that are declared; the session keeps those that belong into its schema.
        context: of the session.
        apps: that were asked for, whether they declare a DocType or not.
        excluded: gives patterns of what is not ours, for the DocTypes that are kept, beside those of the settings.
    """
    from framework_m_migrations.adapters.doctypes.metadata import MetadataSource
    from framework_m_migrations.adapters.sql.desired.tables import Target
    from framework_m_migrations.adapters.sql.ledger import ENGINE_TABLES

    settings = context.settings
    target = Target.of(context.live.dialect, context.sql, schema=settings.schema)
    own = kept(doctypes, context)
    reserved = (*ENGINE_TABLES, settings.version_table)
    left_out = exclusion(settings, excluded(own) if excluded is not None else ())
    return MetadataSource(own, target, [app.name for app in apps], reserved, left_out, _absent(settings))


def named_apps(settings: MigrationSettings, discovery: AppDiscovery) -> tuple[App, ...]:
    """The apps to look at. MetaData that is named needs none, so only apps that were asked for count beside it."""
    if settings.metadata and not settings.apps and not settings.installed_apps:
        return ()
    return discovery.apps()


def declared(settings: MigrationSettings, apps: Sequence[App]) -> list[DocTypeTables]:
    """Everything wanted, as DocTypes.

    An app declares its tables as DocTypes in a ``doctypes`` subpackage, or as SQLAlchemy models: an attribute
    ``metadata``, or ``Base`` with one, of its ``models`` module.

    Raises:
        ConfigurationError, AppBroken, MissingDependency: as schema_source.
    """
    if settings.metadata:
        named = declared_metadata(settings, apps)
        return doctypes_in(named)
    if not apps:
        raise ConfigurationError(
            "There is nothing to migrate: no --metadata was named and no app was found.",
            next_step="Name --metadata package.module:attribute, or --apps, INSTALLED_APPS or an entry point in "
            "framework_m.apps.",
        )
    with_doctypes = [app for app in apps if _has_module(f"{app.package}.doctypes")]
    named = declared_metadata(settings, apps)
    doctypes = doctypes_in(named)
    if with_doctypes:
        from framework_m_migrations.adapters.doctypes.framework_m import framework_m_doctypes

        doctypes.extend(framework_m_doctypes(with_doctypes))
    return doctypes


def _absent(settings: MigrationSettings) -> tuple[str, ...]:
    """MetaData that declare nothing. Who says which tables of a database are not theirs may have none of their own."""
    if settings.allow_empty or settings.exclude:
        return ()
    named = ((name, load_metadata(name, settings.path)) for name in settings.named_metadata)
    return tuple(
        name if isinstance(name, str) else "given to the settings"
        for name, metadata in named
        if not metadata.tables and not doctypes_in([(None, metadata)])
    )


def declared_metadata(settings: MigrationSettings, apps: Sequence[App]) -> list[tuple[str | None, sa.MetaData]]:
    """The MetaData of the user's own: what the settings name, else that of the apps' ``models`` modules.

    Raises:
        ConfigurationError, AppBroken: as schema_source.
    """
    if settings.metadata:
        named = [(app_of(name, apps), load_metadata(name, settings.path)) for name in settings.named_metadata]
        # Modules may share one MetaData: it counts once, for the app that names it first.
        once: dict[int, tuple[str | None, sa.MetaData]] = {}
        for one in named:
            once.setdefault(id(one[1]), one)
        return list(once.values())
    return [
        (app.name, found)
        for app in apps
        if not _has_module(f"{app.package}.doctypes")
        and _has_module(f"{app.package}.models")
        and (found := models_metadata(app)) is not None
    ]


def doctypes_in(named: Sequence[tuple[str | None, sa.MetaData]]) -> list[DocTypeTables]:
    """What several MetaData declare, each with its app: their tables, and the objects of each beside them."""
    from framework_m_migrations.adapters.doctypes.metadata import doctypes_of

    whole = _joined(named)
    found = [one for app, metadata in whole for one in doctypes_of(metadata, app=app)]
    if whole is not named:
        found += [one for app, metadata in named for one in doctypes_of(metadata, app=app) if one.objects]
    return found


def _joined(named: Sequence[tuple[str | None, sa.MetaData]]) -> Sequence[tuple[str | None, sa.MetaData]]:
    """The same, with tables that one MetaData references in another brought together.

    Apps keep MetaData of their own and still have foreign keys to each other's tables, which SQLAlchemy resolves
    within one MetaData only. Copies are made just when there is such a reference; each copy remembers its app.
    """
    if len(named) == 1:
        return named
    from framework_m_migrations.adapters.sql.sqlalchemy_versions import query_behind, tokens

    own = [{(table.schema, table.name) for table in metadata.tables.values()} for _, metadata in named]
    every = set().union(*own)
    if not any(
        tokens(key)[:2] in every - known
        for (_, metadata), known in zip(named, own, strict=True)
        for table in metadata.tables.values()
        for key in table.foreign_keys
    ):
        return named
    import sqlalchemy as sa

    together = sa.MetaData()
    for app, metadata in named:
        for table in metadata.tables.values():
            # A view stays with its own MetaData.
            if table.key not in together.tables and query_behind(table) is None:
                table.to_metadata(together).info.setdefault("app", app)
    return [(None, together)]


def load_metadata(name: str | sa.MetaData, path: Path) -> sa.MetaData:
    """Import ``package.module:attribute``, looking in the project's folder too; MetaData is returned as it is.

    Raises:
        ConfigurationError: the name is malformed, or what it names is no MetaData.
        AppBroken: the module failed to import.
    """
    return _as_metadata(load_attribute(name, path), name) if isinstance(name, str) else name


def load_attribute(name: str, path: Path) -> Any:
    """Import what ``package.module:attribute`` names, None where the module has no such attribute.

    Raises:
        ConfigurationError: the name is malformed.
        AppBroken: the module failed to import.
    """
    module_name, _, attribute = name.partition(":")
    if not module_name or not attribute:
        raise ConfigurationError(
            f"{name!r} does not name an object of a module.", next_step="Write it as package.module:attribute."
        )
    found: object = import_module(module_name, path)
    for part in attribute.split("."):
        found = getattr(found, part, None)
    return found


def _as_metadata(found: object, name: str) -> sa.MetaData:
    import sqlalchemy as sa

    if not isinstance(found, sa.MetaData):
        found = getattr(found, "metadata", found)
    if not isinstance(found, sa.MetaData):
        raise ConfigurationError(
            f"{name!r} is no SQLAlchemy MetaData, nor a class or module that has one.",
            next_step="Name the MetaData, or the declarative Base.",
        )
    return found


def import_module(name: str, path: Path | None = None) -> object:
    """Import a module of the user's; the project's folder is on the search path for it, as for ``python -m``.

    Raises:
        ConfigurationError: there is no such module.
        AppBroken: it failed to import; the failure is chained.
    """
    if path is not None and (folder := str(path.resolve())) not in sys.path:
        sys.path.insert(0, folder)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise ConfigurationError(
                f"There is no module {name!r}.", next_step="Check the spelling and --path."
            ) from error
        raise AppBroken(f"The module {name!r} failed to import: {error}.", details={"module": name}) from error
    except Exception as error:
        what = f"The module {name!r} failed to import: {type(error).__name__}: {error}."
        raise AppBroken(what, details={"module": name}) from error


def models_metadata(app: App) -> sa.MetaData | None:
    """The MetaData of an app's ``models`` module, None where it has none."""
    module = import_module(f"{app.package}.models")
    for attribute in ("metadata", "Base"):
        found = getattr(module, attribute, None)
        if found is not None:
            return _as_metadata(found, f"{app.package}.models:{attribute}")
    return None


def app_of(name: object, apps: Sequence[App]) -> str | None:
    """The app whose package holds the module of ``package.module:attribute``; the only app there is, else None."""
    module = name.partition(":")[0] if isinstance(name, str) else ""
    for app in apps:
        if module == app.package or module.startswith(f"{app.package}."):
            return app.name
    return apps[0].name if len(apps) == 1 else None


def _has_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False
