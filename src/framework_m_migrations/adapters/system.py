"""The real clock, and places for events to go."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import random
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Self

from framework_m_migrations.domain.errors import MissingDependency
from framework_m_migrations.domain.events import Event, event_name, event_values
from framework_m_migrations.domain.ownership import Author


class SystemClock:
    """Time as the machine tells it. Implements ports.clock.Clock."""

    def now(self) -> datetime:
        """The current time in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back."""
        return time.monotonic()

    def jitter(self) -> float:
        """A random number in [0, 1)."""
        return random.random()  # noqa: S311 - spreads retries, keeps no secret


_JOBS = (
    "FRAMEWORK_M_MIGRATIONS_JOB", "CI_JOB_URL", "BUILD_URL", "CIRCLE_BUILD_URL", "BUILDKITE_BUILD_URL",
)  # fmt: skip
"""Variables that name a CI job: our own, GitLab's, Jenkins', CircleCI's and Buildkite's."""


@functools.cache
def author() -> Author:
    """Who works on this machine, as far as it says so."""
    import getpass
    import platform
    from importlib.metadata import PackageNotFoundError, version

    user = ""
    with contextlib.suppress(Exception):  # A container may have a user without a name, a browser has none.
        user = getpass.getuser()
    job = next((found for name in _JOBS if (found := os.environ.get(name))), "")
    if not job and (run := os.environ.get("GITHUB_RUN_ID")):
        server, repository = (os.environ.get(f"GITHUB_{name}", "") for name in ("SERVER_URL", "REPOSITORY"))
        job = f"{server}/{repository}/actions/runs/{run}"
    try:
        installed = version("framework-m-migrations")
    except PackageNotFoundError:
        installed = ""
    return Author(user, job, platform.node(), installed)


# Places for events to go. All implement ports.event_sink.EventSink; none raises.


class NullSink:
    """Lets events go by."""

    def emit(self, event: Event) -> None:
        """Do nothing."""


class ListSink:
    """Keeps events in ``events``, in their order."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def emit(self, event: Event) -> None:
        """Keep one event."""
        self.events.append(event)


class CallbackSink:
    """Hands events to a function.

    Args:
        callback: called with each event. What it raises is kept in ``failures`` and not raised on: a progress display
            that breaks must not break a migration half way.
    """

    def __init__(self, callback: Callable[[Event], object]) -> None:
        self._callback = callback
        self.failures: list[Exception] = []

    def emit(self, event: Event) -> None:
        """Call the function."""
        try:
            self._callback(event)
        except Exception as error:  # noqa: BLE001 - anything may be raised by the caller's own function
            self.failures.append(error)


class LoggingSink:
    """Writes events to a logger of the standard library: what has to be waited for as WARNING, else as INFO.

    A record has ``event`` (the name) and ``values``.

    Args:
        logger: the logger, ``framework_m_migrations`` when None.
    """

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self._logger = logger or logging.getLogger("framework_m_migrations")

    def emit(self, event: Event) -> None:
        """Write one record."""
        name, values = event_name(event), event_values(event)
        level = logging.WARNING if _is_waited_for(name, values) else logging.INFO
        words = " ".join(f"{key}={value}" for key, value in values.items())
        self._logger.log(level, "%s %s", name, words, extra={"event": name, "values": values})


class StructlogSink:
    """Writes events to a structlog logger: the name as the event, the values as its keys.

    Args:
        logger: what ``structlog.get_logger()`` returns.
    """

    def __init__(self, logger: Any) -> None:
        self._logger = logger

    def emit(self, event: Event) -> None:
        """Write one entry."""
        name, values = event_name(event), event_values(event)
        with contextlib.suppress(Exception):
            (self._logger.warning if _is_waited_for(name, values) else self._logger.info)(name, **values)


class OpenTelemetrySink:
    """Makes a span of each step and revision; other events are events of the innermost open span.

    A context manager: at its end spans that are still open, of what failed, end with an error.

    Args:
        tracer: the tracer, that of the global provider when None; needs the extra ``opentelemetry`` then.
    """

    def __init__(self, tracer: Any = None) -> None:
        if tracer is None:
            try:
                from opentelemetry import trace
            except ImportError as error:
                raise MissingDependency(
                    "OpenTelemetry is not installed.",
                    next_step="Install it: pip install framework-m-migrations[opentelemetry].",
                ) from error
            tracer = trace.get_tracer("framework_m_migrations")
        self._tracer = tracer
        self._open: dict[tuple[str, str], Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        while self._open:
            _, span = self._open.popitem()
            span.set_attribute("error", True)
            if error is not None:
                span.record_exception(error)
            span.end()

    def emit(self, event: Event) -> None:
        """Open or end a span, or add an event to one."""
        with contextlib.suppress(Exception):
            self._emit(event_name(event), event_values(event))

    def _emit(self, name: str, values: dict[str, str | int | float]) -> None:
        what, _, how = name.rpartition("_")
        attributes = {f"m_migrate.{key}": value for key, value in values.items()}
        key = what, str((values.get("tenant"), values.get("number", values.get("revision"))))
        if what in {"step", "revision"} and how == "started":
            self._open[key] = self._tracer.start_span(f"m-migrate {what}", attributes=attributes)
        elif how == "finished" and key in self._open:
            self._open.pop(key).end()
        elif self._open:
            next(reversed(self._open.values())).add_event(name, attributes)


def _is_waited_for(name: str, values: Mapping[str, object]) -> bool:
    """Whether an event says that something has to be waited for, or tried again."""
    return "reason" in values or name in {"waiting_for_lock", "lock_awaited"}
