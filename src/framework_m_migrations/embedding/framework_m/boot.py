"""Boot: what takes the place of the host's ``sync_schema`` step.

Two steps enclose the host's (order 30): the first switches it off, the second restores the setting and registers a
startup hook. The host loads our steps only when INSTALLED_APPS is unset or names this package; where it would leave
them out, ``engage`` does the same from the override, which the host always loads, and before the steps.
"""

from __future__ import annotations

import logging
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framework_m_migrations.container.tenancy import has_tenant_schemas, is_tenants
from framework_m_migrations.domain.changes import PrimaryKeyChanged
from framework_m_migrations.domain.hints import Invocation
from framework_m_migrations.embedding.framework_m.event_bus import EventBusSink
from framework_m_migrations.embedding.framework_m.host_database import attach_triggers
from framework_m_migrations.embedding.framework_m.settings import configured_tenants
from framework_m_migrations.embedding.framework_m.wiring import (
    OWN_PACKAGE,
    HostDiscovery,
    host_doctypes,
    host_factories,
)

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from framework_m_migrations.adapters.doctypes.metadata import DocTypeTables
    from framework_m_migrations.domain.errors import MigrationError
    from framework_m_migrations.domain.results import SyncResult
    from framework_m_migrations.embedding.aio import AsyncMigrationManager
    from framework_m_migrations.ports.event_sink import EventSink

logger = logging.getLogger("framework_m_migrations")

SETTING = "auto_sync_schema"
WISH = "framework_m_migrations_auto_sync_schema"
ENGAGED = "framework_m_migrations_engaged"
"""Keys of the host's configuration: its own, ours for what it said before, and ours for hooks that are registered."""

entering: ContextVar[str | None] = ContextVar("framework_m_migrations_entering", default=None)
"""While the web server's lifespan starts: the URL of the database that was synced for it; empty when none was."""


class SilenceSyncSchema:
    """Boot step: keeps the host's ``sync_schema`` from creating tables by itself."""

    name = "framework_m_migrations_silence"
    order = 29

    def run(self, container: Any) -> None:
        """Remember the project's setting, then switch the host's step off."""
        _wrap_lifespan()
        if container.config.get(ENGAGED):
            return
        container.config.from_dict({WISH: container.config.get(SETTING), SETTING: False})


class SyncSchema:
    """Boot step: fills the TableRegistry, and has the tables brought up to date when the application starts."""

    name = "framework_m_migrations_sync"
    order = 31

    def run(self, container: Any) -> None:
        """Restore the setting; unless it is False, publish the tables and register the startup hook.

        Raises:
            MigrationError: an app is broken, or its DocTypes contradict each other.
        """
        if container.config.get(ENGAGED):
            return
        container.config.from_dict({SETTING: container.config.get(WISH), WISH: None})
        if is_wanted(container):
            publish()
            container.startup_hooks.add_args(sync_at_startup)
        else:
            logger.info("The schema is not synced at boot: auto_sync_schema is False.")


def engage() -> None:
    """Do what the steps do, for a host that will leave them out because INSTALLED_APPS does not name this package."""
    _wrap_lifespan()
    from framework_m_core.config import get_installed_apps
    from framework_m_core.container import Container

    allowed = get_installed_apps()
    if allowed is None or OWN_PACKAGE in {name.replace("-", "_") for name in allowed}:
        return
    wish = Container.config.get(SETTING)
    if Container.config.get(ENGAGED) or not (wish is None or wish):
        return
    Container.config.from_dict({SETTING: False, ENGAGED: True})
    Container.startup_hooks.add_args(sync_at_startup)


def publish() -> list[DocTypeTables]:
    """Put the tables of all DocTypes into the host's TableRegistry, in place of what was there."""
    from framework_m_migrations.adapters.doctypes.framework_m import publish_tables

    doctypes = host_doctypes(HostDiscovery((), Path()).apps())
    publish_tables(doctypes)
    return doctypes


def is_wanted(container: Any) -> bool:
    """False where the project has set ``auto_sync_schema`` to False; asked after the boot steps."""
    wish = container.config.get(SETTING)
    return bool(container.config.get(ENGAGED)) or wish is None or bool(wish)


def _wrap_lifespan() -> None:
    from framework_m_migrations.embedding.framework_m.lifespan import wrap_lifespan

    wrap_lifespan()


async def sync_at_startup(container: Any) -> SyncResult | None:
    """Startup hook: sync over the container's own engine, in the running loop.

    Replicas that start together take turns by the migration lock; all but the first find nothing to do. What the web
    server's lifespan has synced already is not looked at again.

    Raises:
        MigrationError: the sync failed. The host logs it and starts all the same.
    """
    from framework_m_standard.bootstrap.init_engine import NullEngine

    engine = container.engine() if hasattr(container, "engine") else container.config.engine()
    if engine is None or isinstance(engine, NullEngine):
        logger.info("The schema is not synced at boot: there is no database.")
        return None
    if engine.url.render_as_string(hide_password=False) == entering.get():
        return None
    return await sync_engine(container, engine)


async def sync_engine(container: Any, engine: AsyncEngine) -> SyncResult:
    """Sync the database of an engine for a boot, and create the host's triggers.

    Args:
        container: the host's.
        engine: is left open.

    Raises:
        MigrationError: the sync failed.
    """
    doctypes = publish() if container.config.get(ENGAGED) else host_doctypes(HostDiscovery((), Path()).apps())
    async with EventBusSink(container) as events:
        return await _sync(manager_of(engine, events), engine, doctypes)


async def _sync(manager: AsyncMigrationManager, engine: AsyncEngine, doctypes: list[DocTypeTables]) -> SyncResult:
    result = await manager.sync()
    for planned in result.withheld:
        change = planned.change
        of_the_host = isinstance(change, PrimaryKeyChanged) and change.before is None
        step = "repair --boot` adds what the host left out" if of_the_host else "plan` has the reasons"
        logger.warning("Withheld at boot: %s: %s (`m migrate %s)", change.table, planned.judgement.rule, step)
    if await attach_triggers(engine, _in_default_schema(engine, doctypes)):
        # Where a trigger changes the catalog's token, the ledger gets the new one now: the next sync finds it equal.
        await manager.sync()
    return result


def manager_of(engine: AsyncEngine, events: EventSink | None = None) -> AsyncMigrationManager:
    """The manager of the shared schema, over an engine of the host."""
    from framework_m_migrations.container.settings import MigrationSettings
    from framework_m_migrations.embedding.aio import AsyncMigrationManager

    return AsyncMigrationManager(MigrationSettings(), engine=engine, events=events, overrides=host_factories())


def in_words(error: MigrationError) -> str:
    """A failure with its next step, for the host's log."""
    return Invocation("m migrate").spell(f"{error.code}: {error.what} Next: {error.next_step}")


def _in_default_schema(engine: AsyncEngine, doctypes: list[DocTypeTables]) -> list[DocTypeTables]:
    """The DocTypes that are synced at boot: those of tenants are kept in the tenants' schemas, where there are any."""
    if not has_tenant_schemas(engine.dialect.name):
        return doctypes
    apart = sorted(doctype.name or "" for doctype in doctypes if is_tenants(doctype))
    if apart and not _has_tenants():
        logger.warning(
            "Not synced at boot, for each tenant has a schema of its own: %s. Use `m migrate sync --tenant NAME`; "
            'or, where there are no tenants, write mode = "single" under [tenancy] in framework_config.toml.',
            ", ".join(apart),
        )
    return [doctype for doctype in doctypes if not is_tenants(doctype)]


def _has_tenants() -> bool:
    from framework_m_core.interfaces.tenant import is_multi_tenant

    return is_multi_tenant() or bool(configured_tenants())
