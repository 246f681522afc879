"""What the synchronous and the asynchronous runner share: calling hooks, and telling why no connection was had."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.url import redact, secrets_of, show_url
from framework_m_migrations.domain.effects import CallHook
from framework_m_migrations.domain.errors import ConnectionFailed, HookFailed, MigrationError
from framework_m_migrations.domain.hook_arguments import CallArguments, describe_hook, hook_arguments

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
