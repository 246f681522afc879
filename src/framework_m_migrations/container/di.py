"""The wiring as a dependency-injector container: the only file that imports that package.

A maintainer who uses it already overrides a port in its own way::

    container = MigrationContainer(settings=MigrationSettings(...))
    container.ledger.override(providers.Object(my_ledger_factory))
    MigrationManager(container.settings(), overrides=container.ports()).sync()

Each port's provider gives a factory (container.context.Factory): sessions are made for each connection, and the
factory is called with its context. ``runner`` selects by mode: one to be awaited in ASYNC, a plain one otherwise.
"""

from __future__ import annotations

import os
import sys

from dependency_injector import containers, providers

from framework_m_migrations.container import factories
from framework_m_migrations.container.context import PORTS
from framework_m_migrations.container.mode import detect_mode
from framework_m_migrations.container.settings import MigrationSettings
from framework_m_migrations.container.wiring import Assembly
from framework_m_migrations.ports.session import AsyncRunner, Runner


def _mode(settings: MigrationSettings) -> str:
    return detect_mode(settings.mode, os.environ, settings.url, sys.platform).value


def _runner(assembly: Assembly) -> Runner:
    return assembly.runner()


def _async_runner(assembly: Assembly) -> AsyncRunner:
    return assembly.async_runner()


class MigrationContainer(containers.DeclarativeContainer):
    """One provider a port, and the runners made of them."""

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
    prover = providers.Object(factories.prover)
    events = providers.Object(factories.events)
    clock = providers.Object(factories.clock)
    persistence = providers.Object(factories.persistence)

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
        prover=prover,
        events=events,
        clock=clock,
        persistence=persistence,
    )
    mode = providers.Callable(_mode, settings)
    assembly = providers.Factory(Assembly, settings, None, None, ports)
    runner = providers.Selector(
        mode,
        **{"async": providers.Callable(_async_runner, assembly)},
        sync=providers.Callable(_runner, assembly),
        sync_worker=providers.Callable(_runner, assembly),
    )


if set(PORTS) != set(factories.DEFAULTS):  # the table of ports and the wiring must not drift apart
    raise AssertionError("container.context.PORTS and container.factories.DEFAULTS name different ports")
