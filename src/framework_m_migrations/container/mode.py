"""RuntimeMode: which adapters serve."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from framework_m_migrations.domain.errors import ConfigurationError

MODE_VARIABLE = "FRAMEWORK_M_RUNTIME_MODE"
ASYNC_DRIVERS = ("+asyncpg", "+aiosqlite", "+psycopg_async", "+asyncmy", "+aiomysql")


class RuntimeMode(StrEnum):
    """Where the engine runs."""

    ASYNC = "async"
    """A server: an event loop and an async driver."""
    SYNC = "sync"
    """Local files, tests, scripts: a synchronous driver."""
    SYNC_WORKER = "sync_worker"
    """A browser worker under Pyodide: one thread, no greenlet, a file system to load and to flush."""


def detect_mode(chosen: RuntimeMode | str | None, environ: Mapping[str, str], url: str, platform: str) -> RuntimeMode:
    """The mode by the first of: the setting, the environment, the platform, the URL's driver.

    Args:
        chosen: from the settings, None when they leave it open.
        environ: environment variables; FRAMEWORK_M_RUNTIME_MODE is read, in Framework M's spelling or ours.
        url: the database URL.
        platform: ``sys.platform``.

    Raises:
        ConfigurationError: a mode was named that does not exist.
    """
    named = chosen or environ.get(MODE_VARIABLE) or None
    if named is not None:
        text = str(named).strip().lower().replace("-", "_")
        try:
            return RuntimeMode(text)
        except ValueError:
            if named is chosen:
                known = ", ".join(mode.value for mode in RuntimeMode)
                raise ConfigurationError(
                    f"There is no runtime mode {text!r}.", next_step=f"Use one of {known}."
                ) from None
            # Framework M has modes of deployment (monolith, ...) in the same variable: they decide nothing here.
    if platform == "emscripten":
        return RuntimeMode.SYNC_WORKER
    scheme = url.split("://", 1)[0]
    return RuntimeMode.ASYNC if scheme.endswith(ASYNC_DRIVERS) or scheme == "postgresql" else RuntimeMode.SYNC
