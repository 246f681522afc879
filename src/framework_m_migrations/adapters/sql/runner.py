"""The runner for synchronous drivers, and what it shares with the asynchronous one."""

from __future__ import annotations

import asyncio
import inspect
import re
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.engines import redact, secrets_of, show_url
from framework_m_migrations.domain.effects import CallHook, Effect, Pause, UseCase
from framework_m_migrations.domain.errors import ConnectionFailed, HookFailed, MigrationError
from framework_m_migrations.domain.events import ConnectionRetried
from framework_m_migrations.domain.hook_arguments import CallArguments, describe_hook, hook_arguments, is_async_hook
from framework_m_migrations.ports.session import Session

_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 5.0
_LEAST_TRY, _LONGEST_TRY, _ONLY_TRY = 5.0, 30.0, 60.0
_STARTING = frozenset({"57P01", "57P02", "57P03", "53300"})
_NOT_YET = re.compile(
    r"refused|starting up|shutting down|not yet accepting|name or service not known|name resolution|translate host name"
    r"|timed? ?out|timeout|unreachable|reset by peer|closed the connection|can't connect|lost connection"
    r"|no such file or directory|too many (clients|connections)",
    re.IGNORECASE,
)

type Translate = Callable[[sa.exc.DBAPIError], MigrationError | None]
"""SqlDialect.translate."""


def connection_failed(url: sa.URL, error: Exception, translate: Translate | None = None) -> MigrationError:
    """The error to raise when a connection could not be opened; the password shows up nowhere in it.

    Args:
        url: of the database.
        error: what the driver raised: drivers raise their own errors, those of SQLAlchemy and plain OSErrors.
        translate: of the dialect; what it recognises (a file that is no database) is told as such.
    """
    if isinstance(error, MigrationError):
        return error
    known = translate(error) if translate is not None and isinstance(error, sa.exc.DBAPIError) else None
    if known is not None:
        return known
    reason = error.orig if isinstance(error, sa.exc.DBAPIError) and error.orig is not None else error
    text = redact(" ".join(str(reason).split()) or type(reason).__name__, secrets_of(url))
    shown = show_url(url)
    return ConnectionFailed(f"No connection to {shown}: {text.rstrip('.')}.", details={"url": shown})


class Attempts:
    """Tries to connect to a server that may not have started yet, with growing pauses; one run uses one.

    Args:
        seconds: how long to go on trying; 0 for one try.
        emit: told of each failed try that is followed by another.
    """

    def __init__(self, seconds: float, emit: Callable[[ConnectionRetried], None]) -> None:
        self._seconds = seconds
        self._emit = emit
        self._began = time.monotonic()
        self._tried = 0

    @property
    def limit(self) -> float:
        """Seconds that the next try may take: a proxy may take a connection and never answer on it."""
        left = self._seconds - (time.monotonic() - self._began)
        return min(_LONGEST_TRY, max(_LEAST_TRY, left)) if self._seconds else _ONLY_TRY

    def pause(self, url: sa.URL, error: Exception, failed: MigrationError) -> float:
        """Seconds to wait before the next try.

        Args:
            url: of the database.
            error: what the driver raised.
            failed: what connection_failed made of it.

        Raises:
            MigrationError: ``failed``: the time is over, or waiting does not help, as with a wrong password.
        """
        waited = time.monotonic() - self._began
        left = self._seconds - waited
        if left <= 0 or not isinstance(failed, ConnectionFailed) or not _may_start(url, error):
            if self._tried:
                failed.what = f"{failed.what} Tried {self._tried + 1} times in {waited:.0f} s."
            raise failed from error
        wait = min(left, _LONGEST_PAUSE, _FIRST_PAUSE * 1.5**self._tried)
        self._tried += 1
        self._emit(ConnectionRetried(self._tried, wait, waited, failed.what))
        return wait


def no_answer(seconds: float) -> TimeoutError:
    """The error of a try that took longer than its limit."""
    return TimeoutError(f"the server did not answer within {seconds:.0f} s")


def connected_within(engine: sa.Engine, seconds: float) -> sa.Connection:
    """A connection of a synchronous driver, few of which know a limit for all that it takes to open one.

    Raises:
        TimeoutError: it took longer; what comes of the try later is closed.
        Exception: as ``connect``.
    """
    if engine.dialect.name == "sqlite":
        return engine.connect()
    made: Future[sa.Connection] = Future()

    def connect() -> None:
        try:
            connection = engine.connect()
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            made.set_exception(error)
            return
        made.set_result(connection)

    threading.Thread(target=connect, name="m-migrate connect", daemon=True).start()
    try:
        return made.result(seconds)
    except TimeoutError:
        if made.done():
            raise
        made.add_done_callback(lambda late: None if late.exception() else late.result().close())
        raise no_answer(seconds) from None


def _may_start(url: sa.URL, error: BaseException) -> bool:
    """Whether the server may be about to start, or to come back; SQLite has none."""
    if url.get_backend_name() == "sqlite":
        return False
    causes = [error, getattr(error, "orig", None), error.__cause__, getattr(error, "orig", error).__cause__]
    state = next((found for cause in causes if (found := getattr(cause, "sqlstate", None))), None)
    if isinstance(state, str):
        return state in _STARTING or state.startswith("08")
    return any(isinstance(cause, OSError) for cause in causes) or _NOT_YET.search(str(error)) is not None


def call_arguments(effect: CallHook, engine: object, connection: object) -> CallArguments:
    """What to call the hook of ``effect`` with, given the engine and connection that fit its kind."""
    offered = {
        "engine": engine,
        "connection": connection,
        "plan": effect.plan,
        "result": effect.result,
        "app": effect.hook.app,
        "schema": effect.schema,
    }
    return hook_arguments(effect.hook, offered)


@contextmanager
def hook_failures(effect: CallHook) -> Iterator[None]:
    """Turns whatever a hook raises into HookFailed; a Ctrl-C, an exit or a cancellation passes."""
    try:
        yield
    except HookFailed:
        raise
    except Exception as error:
        what = f"The hook {describe_hook(effect.hook)} raised {type(error).__name__}: {redact(str(error))}"
        raise HookFailed(what.rstrip(".") + ".", details={"app": effect.hook.app}) from error


async def to_the_end(cleanup: Coroutine[object, object, None]) -> None:
    """Await a clean-up, however often the task is cancelled meanwhile; a cancellation is raised when it is done.

    Timeouts of anyio and of web servers cancel again at every await: without this a lock would stay held.
    """
    task = asyncio.ensure_future(cleanup)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    task.result()
    if cancelled is not None:
        raise cancelled


# The runner for synchronous drivers.


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
