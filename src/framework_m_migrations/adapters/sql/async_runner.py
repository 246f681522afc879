"""The runner for asynchronous drivers: the same use cases, with the event loop free between and during statements."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from framework_m_migrations.adapters.sql.runner import (
    Attempts,
    Translate,
    call_arguments,
    connection_failed,
    finish,
    hook_failures,
    no_answer,
    settled,
    to_the_end,
)
from framework_m_migrations.adapters.sql.sqlalchemy_versions import wait_for
from framework_m_migrations.domain.effects import CallHook, Effect, Pause, UseCase
from framework_m_migrations.domain.errors import HookFailed
from framework_m_migrations.domain.hook_arguments import is_async_hook
from framework_m_migrations.ports.session import Session

type AsyncSource = AsyncEngine | AsyncConnection | Callable[[], AsyncEngine]
"""Where a connection comes from: a caller's engine or connection, left open, or a function that makes an engine,
which is disposed of."""


@dataclass(frozen=True, slots=True)
class _Done[T]:
    """The use case has returned. StopIteration itself cannot leave a coroutine."""

    value: T


class AsyncSqlRunner:
    """Drives use cases on an asynchronous SQLAlchemy connection. Implements ports.session.AsyncRunner.

    Each stage between two effects runs within ``AsyncConnection.run_sync``. Async hooks are awaited on the caller's
    event loop with AsyncEngine and AsyncConnection; plain ones get the synchronous face of the same connection.

    Args:
        source: see AsyncSource. A function is called once for each run.
        session_factory: makes the session of the synchronous face of a connection; called within ``run_sync``.
        sleep: takes seconds; asyncio.sleep unless a test says otherwise.
        translate: SqlDialect.translate, for errors while the connection is opened.
        attempts: makes what decides about further tries to connect; None for one try.
    """

    def __init__(
        self,
        source: AsyncSource,
        session_factory: Callable[[sa.Connection], Session],
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        translate: Translate | None = None,
        attempts: Callable[[], Attempts] | None = None,
    ) -> None:
        self._attempts = attempts
        self._source = source
        self._session_factory = session_factory
        self._sleep = sleep
        self._translate = translate

    async def run[T](self, use_case: Callable[[Session], UseCase[T]]) -> T:
        """Run a use case to its end and return what it returns.

        Raises:
            MigrationError: as the use case.
            ConnectionFailed: no connection is to be had; the URL is shown without its password.
            HookFailed: a hook raised.
            asyncio.CancelledError: the task was cancelled; the use case has released what it held.
        """
        async with self._connection() as connection:
            session = await connection.run_sync(self._session_factory)
            generator = use_case(session)
            try:
                return await self._drive(generator, connection)
            finally:
                await to_the_end(connection.run_sync(lambda _: finish(generator, session)))

    async def _drive[T](self, generator: UseCase[T], connection: AsyncConnection) -> T:
        error: HookFailed | None = None
        while True:
            stage = await connection.run_sync(_advance, generator, error)
            if isinstance(stage, _Done):
                return stage.value
            error = None
            try:
                await self._carry_out(stage, connection)
            except HookFailed as failure:
                error = failure

    async def _carry_out(self, effect: Effect, connection: AsyncConnection) -> None:
        match effect:
            case Pause(seconds=seconds):
                await self._sleep(seconds)
            case CallHook() if is_async_hook(effect.hook):
                with hook_failures(effect):
                    await _call_async(effect, connection)
            case CallHook():
                with hook_failures(effect):
                    await connection.run_sync(_call_plain, effect)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[AsyncConnection]:
        if isinstance(self._source, AsyncConnection):
            yield self._source
            return
        engine = self._source if isinstance(self._source, AsyncEngine) else self._source()
        connection: AsyncConnection | None = None
        try:
            attempts = None if self._attempts is None else self._attempts()
            while connection is None:
                pause = 0.0
                limit = None if attempts is None else attempts.limit
                trying = asyncio.timeout(limit)
                try:
                    async with trying:
                        connection = await engine.connect()
                except Exception as error:
                    reason = no_answer(limit) if limit is not None and trying.expired() else error
                    failed = connection_failed(engine.url, reason, self._translate)
                    if attempts is None:
                        raise failed from error
                    pause = attempts.pause(engine.url, reason, failed)
                if pause:
                    await self._sleep(pause)
            yield connection
        finally:
            if connection is not None:
                await to_the_end(connection.close())
            if engine is not self._source:
                await to_the_end(engine.dispose())


def _advance[T](_: sa.Connection, generator: UseCase[T], error: HookFailed | None) -> Effect | _Done[T]:
    try:
        return generator.send(None) if error is None else generator.throw(error)
    except StopIteration as stop:
        return _Done(stop.value)


async def _call_async(effect: CallHook, connection: AsyncConnection) -> None:
    before = connection.in_transaction()
    positional, named = call_arguments(effect, connection.engine, connection)
    try:
        await _awaited(effect.hook.function(*positional, **named))
    except BaseException:
        if not before and connection.in_transaction():
            await to_the_end(connection.rollback())
        raise
    if not before and connection.in_transaction():
        await connection.commit()


def _call_plain(connection: sa.Connection, effect: CallHook) -> None:
    positional, named = call_arguments(effect, connection.engine, connection)
    with settled(connection):
        answer = effect.hook.function(*positional, **named)
        if inspect.isawaitable(answer):
            wait_for(_awaited(answer))


async def _awaited(answer: object) -> None:
    if inspect.isawaitable(answer):
        await answer
