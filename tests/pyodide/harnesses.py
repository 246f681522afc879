"""What the contract suite needs to work inside Pyodide."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyodide.ffi
import pytest
import sqlalchemy as sa
from pyodide.code import run_js

from framework_m_migrations.adapters.pyodide import IdbfsPersistence, NoPersistence
from framework_m_migrations.container.settings import MigrationSettings
from framework_m_migrations.container.wiring import Assembly
from framework_m_migrations.domain.effects import UseCase
from framework_m_migrations.ports.persistence import Persistence
from framework_m_migrations.ports.session import Session
from framework_m_migrations.testing import Scenario
from tests.contract.sql import SqlHarness

IN_MEMORY = {"persistence": lambda _: NoPersistence()}
_numbers = itertools.count(1)


def carry_out(scenario: Scenario) -> object:
    """Wait for a coroutine on the loop that runs already."""
    return pyodide.ffi.run_sync(scenario)


class WorkerHarness(SqlHarness):
    """A database file in the worker's memory, named as the server's configuration names it."""

    def __init__(self, folder: Path) -> None:
        database = folder / "app.db"
        super().__init__(f"sqlite+aiosqlite:///{database}", f"sqlite:///{database}", folder)

    def die_holding_lock(self) -> bool:
        return False  # no process to kill; tests/browser kills workers


class WorkerRunnerHarness:
    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite+aiosqlite:///{folder / 'app.db'}"
        self.unreachable = f"sqlite+aiosqlite:///{folder / 'nowhere' / 'app.db'}"

    def run[T](self, use_case: Callable[[Session], UseCase[T]]) -> T:
        return self._assembly(self.url).runner().run(use_case)

    async def run_async[T](self, use_case: Callable[[Session], UseCase[T]]) -> T:
        return await self._assembly(self.url).run_async(use_case, drops=False)

    async def run_borrowed[T](self, use_case: Callable[[Session], UseCase[T]]) -> tuple[T, bool]:
        engine = sa.create_engine(self.url.replace("+aiosqlite", ""), poolclass=sa.NullPool)
        with engine.connect() as connection:
            answer = await self._assembly(self.url, connection).run_async(use_case, drops=False)
            return answer, connection.scalar(sa.text("select 1")) == 1

    async def run_unreachable[T](self, use_case: Callable[[Session], UseCase[T]]) -> T:
        return await self._assembly(self.unreachable).run_async(use_case, drops=False)

    @staticmethod
    def _assembly(url: str, database: object = None) -> Assembly:
        return Assembly(MigrationSettings(url, metadata=(sa.MetaData(),), allow_empty=True), database, None, IN_MEMORY)


class IdbfsStores:
    """IndexedDB of fake-indexeddb. Holders are of one worker, which loads anew each time."""

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self.folder = f"/stores/{next(_numbers)}"
        self.note = Path(self.folder) / "note"
        request.addfinalizer(lambda: self.break_store(broken=False))

    def open(self) -> IdbfsPersistence:
        return IdbfsPersistence(self.folder, patience=0.5)

    def write(self, holder: Persistence, text: str) -> None:
        self.note.write_text(text, encoding="utf-8")

    def read(self, holder: Persistence) -> str | None:
        return self.note.read_text(encoding="utf-8") if self.note.exists() else None

    def break_store(self, *, broken: bool) -> None:
        set_broken(broken)


set_broken: Any = run_js("""
(() => {
  const transaction = IDBDatabase.prototype.transaction;
  const refusing = function (stores, mode, ...rest) {
    if (mode === "versionchange") return transaction.call(this, stores, mode, ...rest);
    throw new DOMException("on purpose", "UnknownError");
  };
  return (broken) => { IDBDatabase.prototype.transaction = broken ? refusing : transaction; };
})()
""")
