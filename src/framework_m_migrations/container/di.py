"""The wiring as a dependency-injector container: the only file that imports that package.

A provider a port, made from the table of providers. A maintainer overrides one as any other provider::

    container = MigrationContainer(settings=MigrationSettings(...))
    container.ledger.override(providers.Object(my_ledger_factory))
    MigrationManager(container=container).sync()

Each port's provider gives a factory (container.context.Factory): sessions are made for each connection, and the
factory is called with its context. ``runner`` selects by mode: one to be awaited in ASYNC, a plain one otherwise.
"""

from __future__ import annotations

import os
import sys

from dependency_injector import containers, providers

from framework_m_migrations.container.factories import PORTS
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
    """One provider a port, under the port's name, and the runners made of them."""

    settings = providers.Dependency(instance_of=MigrationSettings)
    ports = providers.Dict({name: providers.Object(factory) for name, factory in PORTS.items()})
    mode = providers.Callable(_mode, settings)
    assembly = providers.Factory(Assembly, settings, None, None, ports)
    runner = providers.Selector(
        mode,
        **{"async": providers.Callable(_async_runner, assembly)},
        sync=providers.Callable(_runner, assembly),
        sync_worker=providers.Callable(_runner, assembly),
    )


for _name, _provider in MigrationContainer.ports.kwargs.items():
    setattr(MigrationContainer, _name, _provider)
