"""From the host's options, environment and configuration to settings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from framework_m_migrations.container.settings import MigrationSettings
from framework_m_migrations.domain.errors import ConfigurationError

SYSTEM_DATABASE = "sqlite+aiosqlite:///dev.db"
"""The host's own last resort, relative to the working directory."""


class DatabaseDisabled(ConfigurationError):
    """DATABASE_URL is ``none``: this project keeps nothing in a SQL database."""

    code = "M107"
    exit_code = 0


@dataclass(frozen=True, slots=True)
class HostPlace:
    """Where a command works.

    Attributes:
        database_url: the URL.
        schema: of the tenant; None for the default one.
        x_args: for env.py, the tenant's name included.
    """

    database_url: str
    schema: str | None
    x_args: tuple[str, ...]


def resolve_place(
    *,
    database_url: str | None,
    tenant: str | None = None,
    site: str | None = None,
    config: Path | None = None,
    x_args: tuple[str, ...] = (),
) -> HostPlace:
    """Resolve the database as the host does: option, site, tenant, environment, configuration, secrets.

    Raises:
        DatabaseDisabled: the host is set to have no database.
        ConfigurationError: a site or configuration file was named that does not exist.
    """
    from framework_m_core.cli.tenant_resolver import resolve_tenant

    found = resolve_tenant(tenant=tenant, site=site, config=config, database_url=database_url)
    if (site or config) and found.config_file is None:
        raise ConfigurationError(
            f"There is no configuration for {site or config}.",
            next_step="Name a site in sites/, its folder, or a configuration file.",
        )
    url = found.database_url or _secret_url() or SYSTEM_DATABASE
    if url.strip().lower() == "none":
        raise DatabaseDisabled(
            "Migrations are disabled: DATABASE_URL is 'none'.", next_step="Set DATABASE_URL to migrate a database."
        )
    if found.schema and not any(argument.startswith("tenant=") for argument in x_args):
        x_args = (*x_args, f"tenant={found.schema}")
    return HostPlace(url, schema_of(url, found.schema), x_args)


def configured_tenants() -> tuple[str, ...]:
    """The tenants that the host's configuration lists, as ``m tenants list`` shows them."""
    from framework_m_core.cli.tenant_resolver import list_configured_tenants

    return tuple(list_configured_tenants())


def schema_of(url: str, tenant: str | None) -> str | None:
    """The schema of a tenant; None where the database has no schemas: there a tenant has a database of its own."""
    return None if url.startswith("sqlite") else tenant


def _secret_url() -> str | None:
    from framework_m_core.container import Container, load_overrides

    container = Container()
    load_overrides(container)
    found: str | None = container.secrets_manager().get("DATABASE_URL")
    return found


def place_settings(settings: MigrationSettings, place: HostPlace) -> MigrationSettings:
    """The settings with the database and schema of a place; an explicit ``--schema``, which is no tenant's, stays."""
    if place.schema is None:
        return replace(settings, database_url=place.database_url)
    return replace(settings, database_url=place.database_url, schema=place.schema, tenant=True)
