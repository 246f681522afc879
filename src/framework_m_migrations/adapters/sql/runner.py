"""The runner for synchronous drivers."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.connections import (
    Attempts,
    Translate,
    call_arguments,
    connected_within,
    connection_failed,
    hook_failures,
)
from framework_m_migrations.domain.effects import CallHook, Effect, Pause, UseCase
from framework_m_migrations.domain.errors import HookFailed
from framework_m_migrations.domain.hook_arguments import describe_hook, is_async_hook
from framework_m_migrations.ports.session import Session

type SyncSource = sa.Engine | sa.Connection | Callable[[], sa.Engine]
"""Where a connection comes from: a caller's engine or connection, left open, or a function that makes an engine,
which is disposed of."""


class SyncSqlRunner:
    """Drives use cases on a synchronous SQLAlchemy connection. Implements ports.session.Runner.

    Args:
        source: see SyncSource. A function is called once for each run.
        session_factory: makes the session of a connection.
        sleep: takes seconds; time.sleep unless a test says otherwise.
        translate: SqlDialect.translate, for errors while the connection is opened.
        attempts: makes what decides about further tries to connect; None for one try.
    """

    def __init__(
        self,
        source: SyncSource,
        session_factory: Callable[[sa.Connection], Session],
        *,
        sleep: Callable[[float], None] = time.sleep,
        translate: Translate | None = None,
        attempts: Callable[[], Attempts] | None = None,
    ) -> None:
        self._attempts = attempts
        self._source = source
        self._session_factory = session_factory
        self._sleep = sleep
        self._translate = translate

    def run[T](self, use_case: Callable[[Session], UseCase[T]]) -> T:
        """Run a use case to its end and return what it returns.

        Raises:
            MigrationError: as the use case.
            ConnectionFailed: no connection is to be had; the URL is shown without its password.
            HookFailed: a hook raised, or is ``async`` while an event loop runs in this thread.
        """
        attempts = None if self._attempts is None else self._attempts()
        with opened(self._source, self._translate, attempts, self._sleep) as connection:
            session = self._session_factory(connection)
            generator = use_case(session)
            try:
                return self._drive(generator, connection)
            finally:
                finish(generator, session)

    def _drive[T](self, generator: UseCase[T], connection: sa.Connection) -> T:
        try:
            effect = next(generator)
            while True:
                try:
                    self._carry_out(effect, connection)
                except HookFailed as error:
                    effect = generator.throw(error)
                else:
                    effect = generator.send(None)
        except StopIteration as stop:
            result: T = stop.value
            return result

    def _carry_out(self, effect: Effect, connection: sa.Connection) -> None:
        match effect:
            case Pause(seconds=seconds):
                self._sleep(seconds)
            case CallHook():
                with hook_failures(effect), settled(connection):
                    _call(effect, connection)


@contextmanager
def opened(
    source: SyncSource,
    translate: Translate | None,
    attempts: Attempts | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[sa.Connection]:
    """A connection from ``source``, closed at the end unless the caller of the run handed it in.

    Args:
        source: see SyncSource.
        translate: of the dialect.
        attempts: decides about further tries; None for one.
        sleep: takes the seconds between two tries.

    Raises:
        ConnectionFailed: no connection is to be had; or what ``translate`` makes of the driver's error.
    """
    if isinstance(source, sa.Connection):
        yield source
        return
    engine = source if isinstance(source, sa.Engine) else source()
    try:
        connection: sa.Connection | None = None
        while connection is None:
            pause = 0.0
            try:
                connection = engine.connect() if attempts is None else connected_within(engine, attempts.limit)
            except Exception as error:
                failed = connection_failed(engine.url, error, translate)
                if attempts is None:
                    raise failed from error
                pause = attempts.pause(engine.url, error, failed)
            if pause:
                sleep(pause)
        with connection:
            yield connection
    finally:
        if engine is not source:
            engine.dispose()


def finish[T](generator: UseCase[T], session: Session) -> None:
    """End a use case and its session, while the connection is still there.

    Where the run ends by an exception that the use case does not see (Ctrl-C in a pause or a hook), this runs its
    finally blocks.
    """
    try:
        generator.close()
    finally:
        session.close()


@contextmanager
def settled(connection: sa.Connection) -> Iterator[None]:
    """Ends the transaction that a hook opened on the shared connection by using it.

    What it wrote is committed when it returns and rolled back when it raises. Left open, that transaction would
    swallow every step after it. A transaction from before the hook is the caller's and stays.
    """
    before = connection.in_transaction()
    try:
        yield
    except BaseException:
        if not before and connection.in_transaction():
            connection.rollback()
        raise
    if not before and connection.in_transaction():
        connection.commit()


def _call(effect: CallHook, connection: sa.Connection) -> None:
    """Call a plain hook, or run an ``async`` one to its end in an event loop of its own."""
    if is_async_hook(effect.hook):
        _refuse_running_loop(effect)
    positional, named = call_arguments(effect, connection.engine, connection)
    answer = effect.hook.function(*positional, **named)
    if not inspect.isawaitable(answer):
        return
    if inspect.iscoroutine(answer):
        coroutine: Coroutine[object, object, object] = answer
    else:

        async def awaited() -> object:
            return await answer

        coroutine = awaited()
    import asyncio

    try:
        _refuse_running_loop(effect)
    except HookFailed:
        coroutine.close()
        raise
    asyncio.run(coroutine)


def _refuse_running_loop(effect: CallHook) -> None:
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise HookFailed(
        f"The hook {describe_hook(effect.hook)} is async, but an event loop runs already in this thread, "
        "which a synchronous caller would block for ever.",
        next_step="Use AsyncMigrationManager inside an event loop, or make the hook a plain function.",
        details={"app": effect.hook.app},
    )
