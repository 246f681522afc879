"""The options of every ``m migrate`` command: ours, and those that Framework M's users know."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_type_hints

from cyclopts import Parameter

from framework_m_migrations.cli.options import DATABASE, JOBS, Common
from framework_m_migrations.container.settings import MigrationSettings

if TYPE_CHECKING:
    from framework_m_migrations.embedding.fleet import TenantCommands
    from framework_m_migrations.embedding.framework_m.settings import HostPlace
    from framework_m_migrations.embedding.sync import MigrationManager
    from framework_m_migrations.ports.event_sink import EventSink


HOST_PROGRAM = "m migrate"


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class HostCommon(Common):
    """Options of every command."""

    database_url: Annotated[str | None, Parameter(name=("--database-url", "-d"), group=DATABASE, metavar="URL")] = None
    """Database URL. Default: the site's or tenant's, else DATABASE_URL, else framework_config.toml, else dev.db."""

    site: Annotated[str | None, Parameter(group=DATABASE, metavar="NAME")] = None
    """Site: the name of a folder in sites/, or a folder."""

    config: Annotated[Path | None, Parameter(group=DATABASE, metavar="FILE")] = None
    """Configuration file of a tenant or site."""

    x_args: Annotated[
        tuple[str, ...] | None,
        Parameter(name=("-x", "--x-arg"), negative="--empty-x-arg", group=DATABASE, n_tokens=1, metavar="NAME=VALUE"),
    ] = None
    """Argument for the project's env.py; may be repeated."""

    @property
    def program(self) -> str:
        """See Common."""
        return HOST_PROGRAM

    def _place(self, tenant: str | None = None) -> HostPlace:
        from framework_m_migrations.embedding.framework_m.settings import resolve_place

        return resolve_place(
            database_url=self.database_url,
            tenant=tenant,
            site=self.site,
            config=self.config,
            x_args=self.x_args or (),
        )

    def settings(self) -> MigrationSettings:
        """The settings: these options over the host's environment and configuration, for one schema."""
        from framework_m_migrations.embedding.framework_m.settings import place_settings

        # A tenant may have a database, or a schema of another name: the host knows.
        Common.settings(self)
        return place_settings(Common.shared_settings(self), self._place(next(iter(self.tenants()), None)))

    def shared_settings(self) -> MigrationSettings:
        """The settings for what all tenants share."""
        from framework_m_migrations.embedding.framework_m.settings import place_settings

        return place_settings(Common.shared_settings(self), self._place())

    def manager(self, events: EventSink) -> MigrationManager:
        """The manager, with the ports that know the host."""
        from framework_m_migrations.embedding.framework_m.hydrate import register_added_fields
        from framework_m_migrations.embedding.framework_m.wiring import host_factories
        from framework_m_migrations.embedding.sync import MigrationManager

        settings = self.settings()
        register_added_fields()
        x_args = self._place(next(iter(self.tenants()), None)).x_args
        factories = host_factories(x_args=x_args)
        return MigrationManager(settings, events=events, overrides=factories)

    def fleet(self, events: EventSink) -> TenantCommands:
        """The commands over the tenants that are named, or over those that the host's configuration lists."""
        from framework_m_migrations.embedding.fleet_flow import TenantPlace
        from framework_m_migrations.embedding.framework_m.hydrate import register_added_fields
        from framework_m_migrations.embedding.framework_m.settings import configured_tenants
        from framework_m_migrations.embedding.framework_m.wiring import host_factories
        from framework_m_migrations.embedding.sync import MigrationManager

        settings = self.shared_settings()
        names = self.tenants() or configured_tenants()
        found = [(name, self._place(name)) for name in names]
        places = [TenantPlace(name, place.schema, place.database_url) for name, place in found]
        register_added_fields()
        manager = MigrationManager(settings, events=events, overrides=host_factories(x_args=self._place().x_args))
        return manager.tenants(places or None, jobs=self.jobs or JOBS, shared=self.all_tenants)


# cyclopts resolves the annotations of ``__init__`` where this class is defined; the inherited ones are from elsewhere.
HostCommon.__init__.__annotations__.update(get_type_hints(HostCommon, include_extras=True))
