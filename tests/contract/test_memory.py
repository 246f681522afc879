"""The in-memory adapter holds every contract."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import cast

import pytest

from framework_m_migrations.domain.capabilities import Capabilities
from framework_m_migrations.domain.events import Event
from framework_m_migrations.ports.event_sink import EventSink
from framework_m_migrations.testing import (
    AppDiscoveryContract,
    AsyncRunnerContract,
    ClockContract,
    EventSinkContract,
    ExecutorContract,
    HookRegistryContract,
    InspectorContract,
    LedgerContract,
    MigrationLockContract,
    PersistenceContract,
    PrunerContract,
    RunnerContract,
    Scenario,
    SchemaSourceContract,
    SessionContract,
    VersionedTrackContract,
)
from tests.contract import memory
from tests.fakes.memory import CAPABILITIES, FakeClock, ListSink


class Memory:
    adapter = "memory"

    @pytest.fixture
    def harness(self) -> memory.MemoryHarness:
        return memory.MemoryHarness(CAPABILITIES)

    @pytest.fixture
    def sources(self) -> memory.MemorySources:
        return memory.MemorySources()

    @pytest.fixture
    def discovery(self) -> memory.MemoryApps:
        return memory.MemoryApps()

    @pytest.fixture
    def declared_hooks(self) -> memory.MemoryDeclaredHooks:
        return memory.MemoryDeclaredHooks()

    @pytest.fixture
    def store(self) -> memory.MemoryStores:
        return memory.MemoryStores()

    @pytest.fixture
    def sink(self) -> ListSink:
        return ListSink()

    def received(self, sink: EventSink) -> list[Event]:
        return cast("ListSink", sink).events

    @pytest.fixture
    def clock(self) -> FakeClock:
        return FakeClock(jitters=[0.0, 0.5, 0.99])


class Poor(Memory):
    """The same with a database that can do very little."""

    adapter = "memory, fewest capabilities"

    @pytest.fixture
    def harness(self) -> memory.MemoryHarness:
        return memory.MemoryHarness(Capabilities("memory", alter_constraints=False, alter_column=False))


class NoTransactions(Memory):
    """The same with a database that commits at every change of its catalog."""

    adapter = "memory, DDL outside transactions"

    @pytest.fixture
    def harness(self) -> memory.MemoryHarness:
        return memory.MemoryHarness(replace(CAPABILITIES, transactional_ddl=False))


class Sync:
    adapter = "memory"

    @pytest.fixture
    def runner(self) -> memory.MemoryRunnerHarness:
        return memory.MemoryRunnerHarness(wait=False)


class Async:
    adapter = "memory"

    @pytest.fixture
    def runner(self) -> memory.MemoryRunnerHarness:
        return memory.MemoryRunnerHarness(wait=True)

    @pytest.fixture
    def carry_out(self) -> Callable[[Scenario], object]:
        return asyncio.run


class TestExecutor(Memory, ExecutorContract): ...


class TestPoorExecutor(Poor, ExecutorContract): ...


class TestInspector(Memory, InspectorContract): ...


class TestPruner(Memory, PrunerContract): ...


class TestPoorPruner(Poor, PrunerContract): ...


class TestLedger(Memory, LedgerContract): ...


class TestLock(Memory, MigrationLockContract): ...


class TestSession(Memory, SessionContract): ...


class TestSessionWithoutTransactions(NoTransactions, SessionContract): ...


class TestLedgerWithoutTransactions(NoTransactions, LedgerContract): ...


class TestVersionedTrackWithoutTransactions(NoTransactions, VersionedTrackContract): ...


class TestVersionedTrack(Memory, VersionedTrackContract): ...


class TestSchemaSource(Memory, SchemaSourceContract): ...


class TestAppDiscovery(Memory, AppDiscoveryContract): ...


class TestHookRegistry(Memory, HookRegistryContract): ...


class TestEventSink(Memory, EventSinkContract): ...


class TestClock(Memory, ClockContract): ...


class TestPersistence(Async, Memory, PersistenceContract): ...


class TestRunner(Sync, RunnerContract): ...


class TestAsyncRunner(Async, AsyncRunnerContract): ...
