"""The contract suite: what an adapter must prove, as abstract test classes to inherit from.

    class Mine:
        @pytest.fixture
        def harness(self) -> Harness:
            return MyHarness()

    globals().update(database_contracts(Mine))

``pytest -p framework_m_migrations.testing.plugin --contract-report`` shows which obligations each adapter holds. Names
are loaded when they are first used, so that a run which does not use them pays nothing. For the tests of a project's
own migrations see ``framework_m_migrations.testing.migrations``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from framework_m_migrations.testing.contracts.base import ContractSuite as ContractSuite
    from framework_m_migrations.testing.contracts.base import DatabaseContract as DatabaseContract
    from framework_m_migrations.testing.contracts.base import MissingFixture as MissingFixture
    from framework_m_migrations.testing.contracts.base import database_contracts as database_contracts
    from framework_m_migrations.testing.contracts.executor import ExecutorContract as ExecutorContract
    from framework_m_migrations.testing.contracts.inspector import InspectorContract as InspectorContract
    from framework_m_migrations.testing.contracts.ledger import LedgerContract as LedgerContract
    from framework_m_migrations.testing.contracts.life import LifeContract as LifeContract
    from framework_m_migrations.testing.contracts.lock import MigrationLockContract as MigrationLockContract
    from framework_m_migrations.testing.contracts.persistence import PersistenceContract as PersistenceContract
    from framework_m_migrations.testing.contracts.pruner import PrunerContract as PrunerContract
    from framework_m_migrations.testing.contracts.runner import AsyncRunnerContract as AsyncRunnerContract
    from framework_m_migrations.testing.contracts.runner import RunnerContract as RunnerContract
    from framework_m_migrations.testing.contracts.runner import Scenario as Scenario
    from framework_m_migrations.testing.contracts.session import SessionContract as SessionContract
    from framework_m_migrations.testing.contracts.surroundings import AppDiscoveryContract as AppDiscoveryContract
    from framework_m_migrations.testing.contracts.surroundings import ClockContract as ClockContract
    from framework_m_migrations.testing.contracts.surroundings import EventSinkContract as EventSinkContract
    from framework_m_migrations.testing.contracts.surroundings import HookRegistryContract as HookRegistryContract
    from framework_m_migrations.testing.contracts.surroundings import SchemaSourceContract as SchemaSourceContract
    from framework_m_migrations.testing.contracts.versioned_track import (
        VersionedTrackContract as VersionedTrackContract,
    )
    from framework_m_migrations.testing.databases import AppFiles as AppFiles
    from framework_m_migrations.testing.databases import SqlHarness as SqlHarness
    from framework_m_migrations.testing.databases import SqlRunnerHarness as SqlRunnerHarness
    from framework_m_migrations.testing.harness import KINDS as KINDS
    from framework_m_migrations.testing.harness import DiscoveryHarness as DiscoveryHarness
    from framework_m_migrations.testing.harness import Harness as Harness
    from framework_m_migrations.testing.harness import HooksHarness as HooksHarness
    from framework_m_migrations.testing.harness import Meddling as Meddling
    from framework_m_migrations.testing.harness import RevisionFiles as RevisionFiles
    from framework_m_migrations.testing.harness import RunnerHarness as RunnerHarness
    from framework_m_migrations.testing.harness import SourceHarness as SourceHarness
    from framework_m_migrations.testing.harness import StoreHarness as StoreHarness
    from framework_m_migrations.testing.harness import as_use_case as as_use_case
    from framework_m_migrations.testing.obligations import Obligation as Obligation
    from framework_m_migrations.testing.obligations import obligation as obligation

_WHERE = {
    "contracts.base": ("ContractSuite", "DatabaseContract", "MissingFixture", "database_contracts"),
    "contracts.executor": ("ExecutorContract",),
    "contracts.inspector": ("InspectorContract",),
    "contracts.ledger": ("LedgerContract",),
    "contracts.life": ("LifeContract",),
    "contracts.lock": ("MigrationLockContract",),
    "contracts.persistence": ("PersistenceContract",),
    "contracts.pruner": ("PrunerContract",),
    "contracts.runner": ("AsyncRunnerContract", "RunnerContract", "Scenario"),
    "contracts.session": ("SessionContract",),
    "contracts.surroundings": (
        "AppDiscoveryContract",
        "ClockContract",
        "EventSinkContract",
        "HookRegistryContract",
        "SchemaSourceContract",
    ),
    "contracts.versioned_track": ("VersionedTrackContract",),
    "databases": ("AppFiles", "SqlHarness", "SqlRunnerHarness"),
    "harness": (
        "KINDS",
        "DiscoveryHarness",
        "Harness",
        "HooksHarness",
        "Meddling",
        "RevisionFiles",
        "RunnerHarness",
        "SourceHarness",
        "StoreHarness",
        "as_use_case",
    ),
    "obligations": ("Obligation", "obligation"),
}
_MODULE_OF = {name: module for module, names in _WHERE.items() for name in names}

__all__ = list(_MODULE_OF)

CONTRACTS = tuple(name for name in _MODULE_OF if name.endswith("Contract") and name != "DatabaseContract")
"""The names of all contract classes, for reports on obligations that nobody ran."""


def __getattr__(name: str) -> object:
    """Load a public name when it is first used."""
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{module}"), name)


def __dir__() -> list[str]:
    """All public names."""
    return sorted(_MODULE_OF)
