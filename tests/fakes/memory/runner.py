"""Runners over a memory database.

There is one driver, a coroutine. The asynchronous runner awaits it; the synchronous one steps it by hand, which is
possible because nothing in memory ever has to be waited for, and needs no event loop.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, nullcontext

from framework_m_migrations.domain.effects import CallHook, Effect, Pause, UseCase
from framework_m_migrations.domain.errors import HookFailed
from framework_m_migrations.domain.hook_arguments import describe_hook, hook_arguments
from framework_m_migrations.ports.session import Session
from tests.fakes.memory.database import MemoryConnection, MemoryDatabase
from tests.fakes.memory.session import MemorySession, MemoryWorld
from tests.fakes.memory.surroundings import FakeClock

type MemoryEnd = MemoryDatabase | MemoryConnection
"""A database, on which each run opens a connection of its own, or a caller's connection, which is left open."""


class AsyncMemoryRunner:
    """Implements ports.session.AsyncRunner.

    Args:
        source: see MemoryEnd.
        world: what sessions share.
        while_pausing: called with the seconds of each Pause, after the fake clock has been set forward: the place for
            a test to let another session do something.

    Attributes:
        pauses: the seconds of all pauses so far.
    """

    def __init__(
        self,
        source: MemoryEnd,
        world: MemoryWorld | None = None,
        *,
        while_pausing: Callable[[float], None] | None = None,
    ) -> None:
        self._source = source
        self._world = world or MemoryWorld()
        self._while_pausing = while_pausing
        self.pauses: list[float] = []

    async def run[T](self, use_case: Callable[[Session], UseCase[T]]) -> T:
        """Run to the end."""
        with self._connection() as connection:
            session = MemorySession(connection, self._world)
            generator = use_case(session)
            try:
                return await self._drive(generator, connection)
            finally:
                try:
                    generator.close()
                finally:
                    session.close()

    async def _drive[T](self, generator: UseCase[T], connection: MemoryConnection) -> T:
        error: HookFailed | None = None
        while True:
            try:
                effect = generator.send(None) if error is None else generator.throw(error)
            except StopIteration as stop:
                result: T = stop.value
                return result
            error = None
            try:
                await self._carry_out(effect, connection)
            except HookFailed as failure:
                error = failure

    async def _carry_out(self, effect: Effect, connection: MemoryConnection) -> None:
        match effect:
            case Pause(seconds=seconds):
                self.pauses.append(seconds)
                if isinstance(self._world.clock, FakeClock):
                    self._world.clock.advance(seconds)
                if self._while_pausing is not None:
                    self._while_pausing(seconds)
            case CallHook():
                await _call(effect, connection)

    @contextmanager
    def _connection(self) -> Iterator[MemoryConnection]:
        if isinstance(self._source, MemoryConnection):
            yield self._source
            return
        connection = self._source.connect()
        try:
            yield connection
        finally:
            connection.close()


class MemoryRunner:
    """Implements ports.session.Runner. The arguments and ``pauses`` are those of AsyncMemoryRunner.

    An ``async`` hook may await what is ready; one that really has to wait needs an event loop, hence the other runner.
    """

    def __init__(
        self,
        source: MemoryEnd,
        world: MemoryWorld | None = None,
        *,
        while_pausing: Callable[[float], None] | None = None,
    ) -> None:
        self._runner = AsyncMemoryRunner(source, world, while_pausing=while_pausing)

    @property
    def pauses(self) -> list[float]:
        """The seconds of all pauses so far."""
        return self._runner.pauses

    def run[T](self, use_case: Callable[[Session], UseCase[T]]) -> T:
        """Run to the end."""
        coroutine: Coroutine[object, None, T] = self._runner.run(use_case)
        try:
            coroutine.send(None)
            while True:
                coroutine.throw(HookFailed("An async hook waits for an event loop, and a memory runner has none."))
        except StopIteration as stop:
            result: T = stop.value
            return result
        finally:
            coroutine.close()


async def _call(effect: CallHook, connection: MemoryConnection) -> None:
    hook = effect.hook
    offered = {
        "engine": connection.database,
        "connection": connection,
        "plan": effect.plan,
        "result": effect.result,
        "app": hook.app,
        "schema": effect.schema,
    }
    try:
        positional, named = hook_arguments(hook, offered)
        # Its writes on the shared connection stand or fall with it; one that asks for none opens its own.
        with connection.transaction() if "connection" in named else nullcontext():
            answer = hook.function(*positional, **named)
            if inspect.isawaitable(answer):
                await answer
    except HookFailed:
        raise
    except Exception as error:
        what = f"The hook {describe_hook(hook)} raised {type(error).__name__}: {error}"
        raise HookFailed(what.rstrip(".") + ".", details={"app": hook.app}) from error
