"""The runner for a browser worker: no thread, no greenlet, no event loop of its own."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.runner import (
    SyncSource,
    Translate,
    call_arguments,
    finish,
    hook_failures,
    opened,
    settled,
    to_the_end,
)
from framework_m_migrations.domain.effects import CallHook, Effect, Pause, UseCase
from framework_m_migrations.domain.errors import HookFailed, PersistenceError
from framework_m_migrations.ports.persistence import Persistence
from framework_m_migrations.ports.session import Session


class PyodideRunner:
    """Drives use cases on a synchronous connection, between the load and the flush of a persisted file system.

    Implements ports.session.AsyncRunner. Pauses and async hooks are awaited on the worker's event loop; hooks of
    either kind get the synchronous engine and connection, for there are no others in a browser.

    Args:
        source: see SyncSource. A function is called once for each run.
        session_factory: makes the session of a connection.
        persistence: of the folder with the database file.
        sleep: takes seconds; asyncio.sleep unless a test says otherwise.
        translate: SqlDialect.translate, for errors while the connection is opened.
    """

    def __init__(
        self,
        source: SyncSource,
        session_factory: Callable[[sa.Connection], Session],
        persistence: Persistence,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        translate: Translate | None = None,
    ) -> None:
        self._source = source
        self._session_factory = session_factory
        self._persistence = persistence
        self._sleep = sleep
        self._translate = translate

    async def run[T](self, use_case: Callable[[Session], UseCase[T]]) -> T:
        """Run a use case to its end, make the files durable, and only then return what it returns.

        After a failure the files are flushed too: the steps that were finished stand, as they do on a server.

        Raises:
            MigrationError: as the use case.
            PersistenceError: the store could not be loaded, and nothing was run; or it could not be flushed, and it
                is as it was before.
            ConnectionFailed: the database file cannot be opened.
            asyncio.CancelledError: the task was cancelled; the use case has released what it held.
        """
        await self._persistence.load()
        try:
            try:
                answer = await self._on_connection(use_case)
            except BaseException as error:
                await self._keep_finished_steps(error)
                raise
            await to_the_end(self._persistence.flush())
            return answer
        finally:
            await to_the_end(self._persistence.release())

    async def _keep_finished_steps(self, error: BaseException) -> None:
        try:
            await to_the_end(self._persistence.flush())
        except PersistenceError as second:
            error.add_note(f"What was finished before is not stored either: {second}")

    async def _on_connection[T](self, use_case: Callable[[Session], UseCase[T]]) -> T:
        with opened(self._source, self._translate) as connection:
            session = self._session_factory(connection)
            generator = use_case(session)
            try:
                return await self._drive(generator, connection)
            finally:
                finish(generator, session)

    async def _drive[T](self, generator: UseCase[T], connection: sa.Connection) -> T:
        try:
            effect = next(generator)
            while True:
                try:
                    await self._carry_out(effect, connection)
                except HookFailed as error:
                    effect = generator.throw(error)
                else:
                    effect = generator.send(None)
        except StopIteration as stop:
            result: T = stop.value
            return result

    async def _carry_out(self, effect: Effect, connection: sa.Connection) -> None:
        match effect:
            case Pause(seconds=seconds):
                await self._sleep(seconds)
            case CallHook():
                with hook_failures(effect), settled(connection):
                    positional, named = call_arguments(effect, connection.engine, connection)
                    answer = effect.hook.function(*positional, **named)
                    if inspect.isawaitable(answer):
                        await answer
