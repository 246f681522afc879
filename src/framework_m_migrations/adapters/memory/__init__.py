"""An in-memory twin of every port, for tests and as the shortest example of an adapter. Standard library only."""

from framework_m_migrations.adapters.memory.database import CAPABILITIES, MemoryConnection, MemoryDatabase
from framework_m_migrations.adapters.memory.executor import MemoryExecutor, MemoryPruner
from framework_m_migrations.adapters.memory.inspector import MemoryInspector
from framework_m_migrations.adapters.memory.ledger import MemoryLedger
from framework_m_migrations.adapters.memory.lock import MemoryLock
from framework_m_migrations.adapters.memory.persistence import MemoryPersistence, MemoryStore
from framework_m_migrations.adapters.memory.runner import AsyncMemoryRunner, MemoryRunner
from framework_m_migrations.adapters.memory.session import MemorySession, MemoryWorld
from framework_m_migrations.adapters.memory.source import MemorySource
from framework_m_migrations.adapters.memory.surroundings import FakeClock, ListSink, MemoryDiscovery, MemoryHooks
from framework_m_migrations.adapters.memory.track import MemoryRevision, MemoryRevisions, MemoryTrack
from framework_m_migrations.adapters.memory.types import enum_type, memory_type

__all__ = [
    "CAPABILITIES",
    "AsyncMemoryRunner",
    "FakeClock",
    "ListSink",
    "MemoryConnection",
    "MemoryDatabase",
    "MemoryDiscovery",
    "MemoryExecutor",
    "MemoryHooks",
    "MemoryInspector",
    "MemoryLedger",
    "MemoryLock",
    "MemoryPersistence",
    "MemoryPruner",
    "MemoryRevision",
    "MemoryRevisions",
    "MemoryRunner",
    "MemorySession",
    "MemorySource",
    "MemoryStore",
    "MemoryTrack",
    "MemoryWorld",
    "enum_type",
    "memory_type",
]
