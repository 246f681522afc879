"""An in-memory twin of every port, for tests and as the shortest example of an adapter. Standard library only."""

from tests.fakes.memory.database import CAPABILITIES, MemoryConnection, MemoryDatabase
from tests.fakes.memory.executor import MemoryExecutor, MemoryPruner
from tests.fakes.memory.inspector import MemoryInspector
from tests.fakes.memory.ledger import MemoryLedger
from tests.fakes.memory.lock import MemoryLock
from tests.fakes.memory.persistence import MemoryPersistence, MemoryStore
from tests.fakes.memory.runner import AsyncMemoryRunner, MemoryRunner
from tests.fakes.memory.session import MemorySession, MemoryWorld
from tests.fakes.memory.source import MemorySource
from tests.fakes.memory.surroundings import FakeClock, ListSink, MemoryDiscovery, MemoryHooks
from tests.fakes.memory.track import MemoryRevision, MemoryRevisions, MemoryTrack
from tests.fakes.memory.types import enum_type, memory_type

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
