"""What the synchronous and the asynchronous runner share: calling hooks, and telling why no connection was had."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.url import redact, secrets_of, show_url
from framework_m_migrations.domain.effects import CallHook
from framework_m_migrations.domain.errors import ConnectionFailed, HookFailed, MigrationError
from framework_m_migrations.domain.events import ConnectionRetried
from framework_m_migrations.domain.hook_arguments import CallArguments, describe_hook, hook_arguments

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
