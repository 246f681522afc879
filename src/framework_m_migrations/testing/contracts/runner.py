"""What every runner must do, synchronous or not: one set of scenarios, awaited or stepped by hand."""

from __future__ import annotations

from collections.abc import Callable, Coroutine

import pytest

from framework_m_migrations.domain.effects import CallHook, Hook, HookPhase, Pause, UseCase
from framework_m_migrations.domain.errors import ConnectionFailed, HookFailed
from framework_m_migrations.domain.options import Limits
from framework_m_migrations.domain.plan import Plan
from framework_m_migrations.ports.session import Session
from framework_m_migrations.testing.contracts.base import ContractSuite, missing
from framework_m_migrations.testing.harness import RunnerHarness, as_use_case
from framework_m_migrations.testing.obligations import obligation

type Scenario = Coroutine[object, None, None]


def call(function: Callable[..., object], phase: HookPhase = HookPhase.BEFORE_SYNC) -> CallHook:
    """The effect of calling a hook of an app ``shop``."""
    return CallHook(Hook("shop", phase, function), Plan(token="contract"))


class _RunnerScenarios(ContractSuite):
    """The scenarios. ``carry_out`` is what the two contracts differ in."""

    @pytest.fixture
    def runner(self) -> RunnerHarness:
        """A runner over an empty database."""
        missing(self, "runner", "RunnerHarness")

    @pytest.fixture
    def carry_out(self) -> Callable[[Scenario], object]:
        """How a scenario is brought to its end."""
        missing(self, "carry_out", "a function that brings a scenario to its end")

    @obligation("runner.run.returns")
    def test_the_answer_is_returned(self, runner: RunnerHarness, carry_out: Callable[[Scenario], object]) -> object:
        """A use case is run to its end with a live session, and what it returns is returned."""

        async def scenario() -> None:
            assert await runner.run_async(as_use_case(lambda session: session.capabilities.dialect))

        return carry_out(scenario())

    @obligation("runner.pause.waits")
    def test_a_pause_waits(self, runner: RunnerHarness, carry_out: Callable[[Scenario], object]) -> object:
        """A Pause lets at least its seconds pass on the session's clock, and the use case goes on after it."""

        def use_case(session: Session) -> UseCase[float]:
            started = session.clock.monotonic()
            answer: object = yield Pause(0.05)
            assert answer is None
            yield Pause(0)
            return session.clock.monotonic() - started

        async def scenario() -> None:
            assert await runner.run_async(use_case) >= 0.045

        return carry_out(scenario())

    @obligation("runner.hook.called-with-what-it-names")
    def test_a_hook_gets_what_it_names(self, runner: RunnerHarness, carry_out: Callable[[Scenario], object]) -> object:
        """A hook is called with what it names among engine, connection, plan, result and app, and nothing else."""
        seen: list[object] = []

        def few(app: str, plan: Plan) -> None:
            seen.append((app, plan.token))

        def many(engine: object, connection: object, result: object, own: int = 5) -> None:
            seen.append((engine is not None, connection is not None, result, own))

        def use_case(_: Session) -> UseCase[None]:
            for hook in (few, many):
                answer: object = yield call(hook)
                assert answer is None

        async def scenario() -> None:
            await runner.run_async(use_case)
            assert seen == [("shop", "contract"), (True, True, None, 5)]

        return carry_out(scenario())

    @obligation("runner.hook.async-awaited")
    def test_an_async_hook_is_awaited(self, runner: RunnerHarness, carry_out: Callable[[Scenario], object]) -> object:
        """An async hook has run to its end before the use case goes on."""
        seen: list[str] = []

        async def deeper() -> None:
            seen.append("awaited")

        async def hook(app: str) -> None:
            await deeper()
            seen.append(app)

        def use_case(_: Session) -> UseCase[list[str]]:
            yield call(hook)
            return list(seen)

        async def scenario() -> None:
            assert await runner.run_async(use_case) == ["awaited", "shop"]

        return carry_out(scenario())

    @obligation("runner.hook.failure-thrown-in")
    def test_a_failing_hook_is_thrown_into_the_use_case(
        self, runner: RunnerHarness, carry_out: Callable[[Scenario], object]
    ) -> object:
        """A hook that raises, or asks for what nobody has, throws HookFailed into the use case, which may go on."""

        def raises() -> None:
            raise ZeroDivisionError("it's broken")

        async def raises_later() -> None:
            raise ZeroDivisionError("it's broken")

        def greedy(everything: object) -> None:
            raise AssertionError(everything)

        def use_case(_: Session) -> UseCase[list[str]]:
            caught: list[str] = []
            for hook in (raises, raises_later, greedy):
                try:
                    yield call(hook)
                except HookFailed as error:
                    caught.append(error.what)
            return caught

        async def scenario() -> None:
            caught = await runner.run_async(use_case)
            assert len(caught) == 3
            assert all("shop" in what for what in caught)
            assert "it's broken" in caught[0]

        return carry_out(scenario())

    @obligation("runner.hook.failure-ends-run")
    def test_a_failing_hook_ends_the_run(
        self, runner: RunnerHarness, carry_out: Callable[[Scenario], object]
    ) -> object:
        """A HookFailed that the use case does not catch ends the run, after its finally blocks."""
        cleaned: list[bool] = []

        def raises() -> None:
            raise ZeroDivisionError

        def use_case(session: Session) -> UseCase[None]:
            try:
                yield call(raises)
            finally:
                with session.reading():
                    cleaned.append(not session.inspector.read().tables)

        async def scenario() -> None:
            with pytest.raises(HookFailed):
                await runner.run_async(use_case)
            assert cleaned == [True]

        return carry_out(scenario())

    @obligation("runner.error.passes")
    def test_an_error_passes_unchanged(self, runner: RunnerHarness, carry_out: Callable[[Scenario], object]) -> object:
        """What the use case raises reaches the caller unchanged, and the runner can be used again."""

        def use_case(_: Session) -> UseCase[None]:
            yield Pause(0)
            raise ZeroDivisionError

        async def scenario() -> None:
            for _ in range(2):
                with pytest.raises(ZeroDivisionError):
                    await runner.run_async(use_case)
            assert await runner.run_async(as_use_case(lambda _: "again")) == "again"

        return carry_out(scenario())

    @obligation("runner.end.closes")
    def test_a_session_ends_with_its_run(
        self, runner: RunnerHarness, carry_out: Callable[[Scenario], object]
    ) -> object:
        """A run that ends leaves no lock and no transaction: the next one has the migration lock at once."""

        def takes(session: Session) -> bool:
            return session.lock.try_acquire()

        async def scenario() -> None:
            assert await runner.run_async(as_use_case(takes))
            assert await runner.run_async(as_use_case(takes))

        return carry_out(scenario())

    @obligation("runner.borrowed.left-open")
    def test_what_the_caller_holds_stays_open(
        self, runner: RunnerHarness, carry_out: Callable[[Scenario], object]
    ) -> object:
        """A connection that the caller handed in is used and left open, after an error too."""

        def use_case(session: Session) -> UseCase[str]:
            with session.transaction(Limits(10)):
                session.ledger.prepare()
            yield Pause(0)
            return session.ledger.snapshot().form.value

        async def scenario() -> None:
            assert await runner.run_borrowed(use_case) == ("current", True)

        return carry_out(scenario())

    @obligation("runner.unreachable.named")
    def test_an_unreachable_database_is_named(
        self, runner: RunnerHarness, carry_out: Callable[[Scenario], object]
    ) -> object:
        """Where no connection is to be had ConnectionFailed is raised, and the use case is never begun."""
        begun: list[bool] = []

        def use_case(session: Session) -> UseCase[None]:
            begun.append(True)
            with session.reading():
                session.inspector.read()
            yield Pause(0)

        async def scenario() -> None:
            with pytest.raises(ConnectionFailed):
                await runner.run_unreachable(use_case)
            assert begun == []

        return carry_out(scenario())


def step(scenario: Scenario) -> None:
    """Run a coroutine that never has to wait, without an event loop."""
    try:
        scenario.send(None)
    except StopIteration:
        return
    scenario.close()
    raise AssertionError("a synchronous runner waited for an event loop")


class RunnerContract(_RunnerScenarios):
    """Obligations of ports.session.Runner. Fixture: ``runner``, see testing.RunnerHarness."""

    @pytest.fixture
    def carry_out(self) -> Callable[[Scenario], object]:
        """Synchronous runners never wait for an event loop."""
        return step


class AsyncRunnerContract(_RunnerScenarios):
    """Obligations of ports.session.AsyncRunner. Fixtures: ``runner`` and ``carry_out``.

    ``carry_out`` brings a coroutine to its end: asyncio.run, or, where a loop runs already, a function that returns
    the coroutine to a test runner that awaits what tests return.
    """

    @pytest.fixture
    def carry_out(self) -> Callable[[Scenario], object]:
        """How coroutines are run here."""
        missing(self, "carry_out", "contracts.runner.AsyncRunnerContract: a function that runs a coroutine")

    @obligation("async-runner.hook.really-waits")
    def test_a_hook_may_really_wait(self, runner: RunnerHarness, carry_out: Callable[[Scenario], object]) -> object:
        """An async hook may wait for the event loop, which runs other tasks meanwhile."""
        import asyncio

        seen: list[str] = []

        async def hook() -> None:
            for _ in range(3):
                await asyncio.sleep(0)
            seen.append("hook")

        async def other() -> None:
            seen.append("other")

        def use_case(_: Session) -> UseCase[None]:
            yield call(hook)

        async def scenario() -> None:
            task = asyncio.ensure_future(other())
            await runner.run_async(use_case)
            await task
            assert seen == ["other", "hook"]

        return carry_out(scenario())

    @obligation("async-runner.cancelled.cleans-up")
    def test_a_cancelled_run_cleans_up(self, runner: RunnerHarness, carry_out: Callable[[Scenario], object]) -> object:
        """A run that is cancelled in a hook has run the use case's finally blocks before it ends."""
        import asyncio

        seen: list[str] = []
        begun = asyncio.Event()

        async def hook() -> None:
            seen.append("waiting")
            begun.set()
            await asyncio.sleep(60)

        def use_case(session: Session) -> UseCase[None]:
            try:
                assert session.lock.try_acquire()
                yield call(hook)
            finally:
                session.lock.release()
                seen.append("cleaned")

        async def scenario() -> None:
            task = asyncio.ensure_future(runner.run_async(use_case))
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert seen == ["waiting", "cleaned"]

        return carry_out(scenario())
