"""What every persistence must do."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from framework_m_migrations.domain.errors import PersistenceError
from framework_m_migrations.testing.contracts.base import ContractSuite, missing
from framework_m_migrations.testing.contracts.runner import Scenario
from framework_m_migrations.testing.harness import StoreHarness
from framework_m_migrations.testing.obligations import obligation


class PersistenceContract(ContractSuite):
    """Obligations of ports.persistence.Persistence. Fixtures: ``store`` (testing.StoreHarness) and ``carry_out``."""

    @pytest.fixture
    def store(self) -> StoreHarness:
        """An empty store."""
        missing(self, "store", "StoreHarness")

    @pytest.fixture
    def carry_out(self) -> Callable[[Scenario], object]:
        """How coroutines are run here; see AsyncRunnerContract."""
        missing(self, "carry_out", "contracts.runner.AsyncRunnerContract: a function that runs a coroutine")

    @obligation("persistence.flush.survives")
    def test_what_was_flushed_is_loaded(self, store: StoreHarness, carry_out: Callable[[Scenario], object]) -> object:
        """What was flushed is there when another holder loads."""

        async def scenario() -> None:
            first = store.open()
            await first.load()
            assert store.read(first) is None
            store.write(first, "kept")
            await first.flush()
            await first.release()
            second = store.open()
            await second.load()
            assert store.read(second) == "kept"
            await second.release()

        return carry_out(scenario())

    @obligation("persistence.flush.only-then")
    def test_what_was_not_flushed_is_lost(self, store: StoreHarness, carry_out: Callable[[Scenario], object]) -> object:
        """What was written and not flushed is not stored."""

        async def scenario() -> None:
            first = store.open()
            await first.load()
            store.write(first, "lost")
            await first.release()
            second = store.open()
            await second.load()
            assert store.read(second) is None
            await second.release()

        return carry_out(scenario())

    @obligation("persistence.flush.failure-keeps-store")
    def test_a_failed_flush_leaves_the_store(
        self, store: StoreHarness, carry_out: Callable[[Scenario], object]
    ) -> object:
        """A flush that fails raises PersistenceError and leaves the store as it was; the next one works."""

        async def scenario() -> None:
            first = store.open()
            await first.load()
            store.write(first, "old")
            await first.flush()
            store.write(first, "new")
            store.break_store(broken=True)
            with pytest.raises(PersistenceError):
                await first.flush()
            store.break_store(broken=False)
            await first.release()
            second = store.open()
            await second.load()
            assert store.read(second) == "old"
            store.write(second, "newer")
            await second.flush()
            await second.release()
            third = store.open()
            await third.load()
            assert store.read(third) == "newer"
            await third.release()

        return carry_out(scenario())

    @obligation("persistence.load.failure")
    def test_a_failed_load_is_told(self, store: StoreHarness, carry_out: Callable[[Scenario], object]) -> object:
        """A load that fails raises PersistenceError and holds nothing; a later one works."""

        async def scenario() -> None:
            store.break_store(broken=True)
            first = store.open()
            with pytest.raises(PersistenceError):
                await first.load()
            store.break_store(broken=False)
            second = store.open()
            await second.load()
            await second.release()

        return carry_out(scenario())

    @obligation("persistence.load.one-holder")
    def test_a_second_holder_is_refused(self, store: StoreHarness, carry_out: Callable[[Scenario], object]) -> object:
        """While one holder has the store another is refused, or waits, until release."""
        import asyncio

        async def scenario() -> None:
            first, second = store.open(), store.open()
            await first.load()
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:
                with pytest.raises(PersistenceError):
                    await second.load()
                await first.release()
                await second.load()
            else:
                waiting = loop.create_task(_load(second))
                await asyncio.sleep(0.05)
                assert not waiting.done() or waiting.result() is False
                await first.release()
                if not await waiting:
                    await second.load()
            await second.release()

        async def _load(holder: object) -> bool:
            try:
                await holder.load()  # type: ignore[attr-defined]
            except PersistenceError:
                return False
            return True

        return carry_out(scenario())

    @obligation("persistence.release.again")
    def test_a_holder_can_load_again(self, store: StoreHarness, carry_out: Callable[[Scenario], object]) -> object:
        """After release the same holder can load again; releasing twice does nothing."""

        async def scenario() -> None:
            holder = store.open()
            for _ in range(2):
                await holder.load()
                await holder.release()
                await holder.release()

        return carry_out(scenario())
