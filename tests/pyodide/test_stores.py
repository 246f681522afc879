"""What can go wrong around the store, on IndexedDB of fake-indexeddb: a clear error, and what is stored untouched."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from framework_m_migrations import AsyncMigrationManager, MigrationSettings
from framework_m_migrations.adapters.pyodide import IdbfsPersistence, OpfsPersistence, PyodideRunner
from framework_m_migrations.domain.errors import (
    DatabaseCorrupt,
    PersistenceError,
    QuotaExceeded,
    StoreConflict,
    StoreInUse,
    StoreUnavailable,
)
from tests.pyodide.where import INSIDE

if INSIDE or TYPE_CHECKING:
    from tests.pyodide import files

pytestmark = pytest.mark.pyodide
_numbers = itertools.count(1)


@pytest.fixture
def folder() -> Iterator[str]:
    yield f"/kept/{next(_numbers)}"
    files.fail_with("")


def manager(folder: str, *columns: str) -> AsyncMigrationManager:
    metadata = sa.MetaData()
    more = (sa.Column(name, sa.Text) for name in columns)
    sa.Table("thing", metadata, sa.Column("id", sa.Integer, primary_key=True), *more)
    return AsyncMigrationManager(MigrationSettings(f"sqlite:///{folder}/dev.db", metadata=(metadata,)))


def execute(folder: str, statement: str) -> None:
    with sa.create_engine(f"sqlite:///{folder}/dev.db", poolclass=sa.NullPool).begin() as connection:
        connection.execute(sa.text(statement))


def columns(folder: str) -> list[str]:
    engine = sa.create_engine(f"sqlite:///{folder}/dev.db", poolclass=sa.NullPool)
    return [column["name"] for column in sa.inspect(engine).get_columns("thing")]


async def test_a_full_quota_is_told_and_the_store_is_as_before(folder: str) -> None:
    await manager(folder, "name").sync()
    files.fail_with("QuotaExceededError")
    with pytest.raises(QuotaExceeded) as caught:
        await manager(folder, "name", "note").sync()
    assert caught.value.code == "M601"
    files.fail_with("")
    files.another_worker(folder)
    assert len((await manager(folder, "name", "note").plan()).plan.changes) == 1
    assert columns(folder) == ["id", "name"]
    assert (await manager(folder, "name", "note").sync()).steps


async def test_after_a_failed_flush_the_same_worker_goes_on_from_the_store(folder: str) -> None:
    await manager(folder, "name").sync()
    files.fail_with("QuotaExceededError")
    with pytest.raises(QuotaExceeded):
        await manager(folder, "name", "note").sync()
    files.fail_with("")
    assert len((await manager(folder, "name", "note").plan()).plan.changes) == 1


async def test_two_writes_within_one_tick_of_the_clock_are_two(folder: str) -> None:
    store = IdbfsPersistence(folder)
    await store.load()
    files.coarse_clock(300)
    try:
        for content in (b"first", b"other"):
            files.write(f"{folder}/note", content)
            await store.flush()
    finally:
        files.coarse_clock(0)
    await store.release()
    files.another_worker(folder)
    await store.load()
    assert files.read(f"{folder}/note") == b"other"
    await store.release()


async def test_a_second_holder_is_refused_until_the_first_releases(folder: str) -> None:
    first, second = IdbfsPersistence(folder), IdbfsPersistence(folder, patience=0.05)
    await first.load()
    with pytest.raises(StoreInUse) as caught:
        await second.load()
    assert (caught.value.code, caught.value.exit_code) == ("M602", 4)
    await first.release()
    await second.load()
    await second.release()


async def test_a_store_that_cannot_be_opened_runs_nothing(folder: str) -> None:
    files.fail_with("UnknownError")
    with pytest.raises(StoreUnavailable) as caught:
        await manager(folder, "name").sync()
    assert caught.value.code == "M603"
    files.fail_with("")
    assert (await manager(folder, "name").sync()).steps


async def test_a_worker_without_a_private_file_system_says_so(folder: str) -> None:
    with pytest.raises(StoreUnavailable):
        await OpfsPersistence(folder).load()


async def test_a_corrupt_database_is_told_and_its_stored_file_untouched(folder: str) -> None:
    store = IdbfsPersistence(folder)
    await store.load()
    files.write(f"{folder}/dev.db", b"this is no database at all, but a text" * 100)
    await store.flush()
    await store.release()
    files.another_worker(folder)
    with pytest.raises(DatabaseCorrupt):
        await manager(folder, "name").sync()
    files.another_worker(folder)
    await store.load()
    assert files.read(f"{folder}/dev.db") == b"this is no database at all, but a text" * 100
    await store.release()


async def test_a_command_joins_an_application_that_holds_its_store(folder: str) -> None:
    store = IdbfsPersistence(folder)
    await store.load()
    await manager(folder, "name").sync()
    execute(folder, "INSERT INTO thing (name) VALUES ('written, not flushed')")
    await manager(folder, "name", "note").sync()
    assert store.held
    await store.release()
    files.another_worker(folder)
    await manager(folder, "name", "note").plan()
    execute(folder, "UPDATE thing SET note = name WHERE name = 'written, not flushed'")
    assert columns(folder) == ["id", "name", "note"]


async def test_rows_written_between_two_commands_are_never_reverted(folder: str) -> None:
    await manager(folder, "name").sync()
    execute(folder, "INSERT INTO thing (name) VALUES ('mine')")
    await manager(folder, "name").plan()
    files.another_worker(folder)
    await manager(folder, "name").plan()
    engine = sa.create_engine(f"sqlite:///{folder}/dev.db", poolclass=sa.NullPool)
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT name FROM thing")) == "mine"


async def test_changes_on_both_sides_are_a_conflict_that_touches_neither(folder: str) -> None:
    await manager(folder, "name").sync()
    here = files.read(f"{folder}/dev.db")
    files.another_worker(folder)
    await manager(folder, "name", "note").sync()  # as another tab would
    there = files.read(f"{folder}/dev.db")
    files.write(f"{folder}/dev.db", here)
    files.forget(folder)
    with pytest.raises(StoreConflict) as caught:
        await manager(folder, "name").sync()
    assert caught.value.code == "M604"
    assert files.read(f"{folder}/dev.db") == here
    files.another_worker(folder)
    await manager(folder, "name", "note").plan()
    assert files.read(f"{folder}/dev.db") == there


async def test_files_in_memory_are_not_hidden_by_a_mount(tmp_path: Path) -> None:
    files.write(f"{tmp_path}/dev.db", b"")
    with pytest.raises(StoreConflict, match=r"dev\.db"):
        await manager(str(tmp_path), "name").sync()
    assert files.read(f"{tmp_path}/dev.db") == b""


async def test_an_application_that_uses_syncfs_sees_the_same_files(folder: str) -> None:
    await manager(folder, "name").sync()
    files.another_worker(folder)
    await files.syncfs_from_store(folder)
    assert columns(folder) == ["id", "name"]
    execute(folder, "INSERT INTO thing (name) VALUES ('by the application')")
    await files.syncfs_to_store(folder)
    assert (await manager(folder, "name", "note").sync()).steps
    assert columns(folder) == ["id", "name", "note"]


async def test_a_store_that_is_not_loaded_is_not_flushed(folder: str) -> None:
    for store in (IdbfsPersistence(folder), OpfsPersistence(folder)):
        with pytest.raises(PersistenceError, match="not loaded"):
            await store.flush()


async def test_success_is_told_after_the_flush_and_the_store_is_released_whatever_happens() -> None:
    seen: list[str] = []

    class Store:
        async def load(self) -> None:
            seen.append("load")

        async def flush(self) -> None:
            seen.append("flush")
            raise PersistenceError("on purpose")

        async def release(self) -> None:
            seen.append("release")

    class Session:
        def close(self) -> None:
            seen.append("close")

    def use_case(_: object) -> Iterator[None]:
        yield from ()
        seen.append("work")

    runner = PyodideRunner(lambda: sa.create_engine("sqlite://"), lambda _: Session(), Store())  # type: ignore[arg-type,return-value]
    with pytest.raises(PersistenceError, match="on purpose"):
        await runner.run(use_case)  # type: ignore[arg-type]
    assert seen == ["load", "work", "close", "flush", "release"]
