"""Sessions over memory that note what services do with them, and services carried through without waiting."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from framework_m_migrations.domain.effects import UseCase
from framework_m_migrations.domain.options import Limits, LockOptions
from framework_m_migrations.domain.ownership import OwnedTable
from framework_m_migrations.domain.schema import Column, PrimaryKey, Table, TableName
from tests.fakes.memory import (
    ListSink,
    MemoryDatabase,
    MemorySession,
    MemorySource,
    MemoryWorld,
    memory_type,
)

T = TableName("t")
ID = Column("id", memory_type("integer"), nullable=False)
A = Column("a", memory_type("integer"))
TABLE = Table(T, (ID, A), PrimaryKey(("id",)))
OURS = OwnedTable.of(TABLE, "T", "created", "shop")
LIMITS = LockOptions(lock_timeout=0.25, statement_timeout=7.0, retries=2)


class Watched(MemorySession):
    """A session over memory that notes the limits of its transactions, and what is not in any."""

    def __init__(self, database: MemoryDatabase, *, allow_drop: bool = False) -> None:
        self.sink = ListSink()
        super().__init__(database.connect(), MemoryWorld(MemorySource(), events=self.sink, allow_drop=allow_drop))
        self.scopes: list[object] = []
        assert self.lock.try_acquire()

    @contextmanager
    def transaction(self, limits: Limits) -> Iterator[None]:
        self.scopes.append(limits)
        with super().transaction(limits):
            yield

    @contextmanager
    def autocommit(self) -> Iterator[None]:
        self.scopes.append("autocommit")
        with super().autocommit():
            yield


def finish[T](use_case: UseCase[T]) -> T:
    """Run a use case that waits for nothing but the clock."""
    while True:
        try:
            next(use_case)
        except StopIteration as ended:
            result: T = ended.value
            return result
