"""The wiring as a dependency-injector container: the only file that imports that package.

A maintainer who uses it already overrides a port in its own way::

    container = MigrationContainer(settings=MigrationSettings(...))
    container.ledger.override(providers.Object(my_ledger_factory))
    container.manager().sync()

Each port's provider gives a factory (container.context.Factory): sessions are made for each connection, and the
factory is called with its context. ``facade`` selects by mode: awaited methods in ASYNC, plain ones otherwise.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

from dependency_injector import containers, providers

from framework_m_migrations.container import factories
from framework_m_migrations.container.context import PORTS, Factory
from framework_m_migrations.container.mode import detect_mode
from framework_m_migrations.container.settings import MigrationSettings


def _mode(settings: MigrationSettings) -> str:
    return detect_mode(settings.mode, os.environ, settings.url, sys.platform).value


def _manager(settings: MigrationSettings, ports: Mapping[str, Factory], **resources: Any) -> Any:
    from framework_m_migrations.embedding.sync import MigrationManager

    return MigrationManager(settings, overrides=ports, **resources)


def _async_manager(settings: MigrationSettings, ports: Mapping[str, Factory], **resources: Any) -> Any:
    from framework_m_migrations.embedding.aio import AsyncMigrationManager

    return AsyncMigrationManager(settings, overrides=ports, **resources)


class MigrationContainer(containers.DeclarativeContainer):
    """One provider a port, and the facades made of them."""

    settings = providers.Dependency(instance_of=MigrationSettings)

    discovery = providers.Object(factories.discovery)
    hooks = providers.Object(factories.hooks)
    source = providers.Object(factories.source)
    inspector = providers.Object(factories.inspector)
    executor = providers.Object(factories.executor)
    pruner = providers.Object(factories.pruner)
    ledger = providers.Object(factories.ledger)
    lock = providers.Object(factories.lock)
    versions = providers.Object(factories.versions)
    events = providers.Object(factories.events)
    clock = providers.Object(factories.clock)

    ports = providers.Dict(
        discovery=discovery,
        hooks=hooks,
        source=source,
        inspector=inspector,
        executor=executor,
        pruner=pruner,
        ledger=ledger,
        lock=lock,
        versions=versions,
        events=events,
        clock=clock,
    )
    mode = providers.Callable(_mode, settings)
    manager = providers.Factory(_manager, settings, ports)
    async_manager = providers.Factory(_async_manager, settings, ports)
    facade = providers.Selector(mode, **{"async": async_manager}, sync=manager, sync_worker=manager)


if set(PORTS) != set(factories.DEFAULTS):  # the table of ports and the wiring must not drift apart
    raise AssertionError("container.context.PORTS and container.factories.DEFAULTS name different ports")
