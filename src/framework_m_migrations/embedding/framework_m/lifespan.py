"""The host's web server: our sync runs before its lifespan, and its ``create_all`` then creates nothing.

``framework_m_standard.adapters.web.lifespan.app_lifespan`` maps every DocType into one MetaData and calls
``metadata.create_all`` before any startup hook runs. It gives child tables no primary key, creates tables for virtual
and tenant-specific DocTypes, and two replicas collide. No plug-in point runs between the boot steps and that call, so
this one function is wrapped where ``create_app`` looks it up. The guard is its own code: a lifespan that calls no
``create_all`` stays as it is.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from framework_m_migrations.domain.errors import MigrationError
from framework_m_migrations.embedding.framework_m import boot

logger = logging.getLogger("framework_m_migrations")

WEB_APP = "framework_m_standard.adapters.web.app"
FUNCTION = "app_lifespan"
_MARK = "__framework_m_migrations_wraps__"
_READY = "framework_m_migrations_ready"


def wrap_lifespan() -> None:
    """Wrap the lifespan that ``create_app`` uses; nothing where the web server is not imported, or it is done."""
    module = sys.modules.get(WEB_APP)
    lifespan = getattr(module, FUNCTION, None)
    if module is not None and lifespan is not None and not hasattr(lifespan, _MARK) and creates_tables(lifespan):
        setattr(module, FUNCTION, _wrapped(lifespan))


def creates_tables(lifespan: Any) -> bool:
    """True for a lifespan of the kind that is wrapped: an asynccontextmanager over code that calls ``create_all``."""
    code = getattr(getattr(lifespan, "__wrapped__", None), "__code__", None)
    return code is not None and "create_all" in code.co_names


def wrapping_state() -> tuple[bool, str]:
    """Whether the web server's boot is ours, and what to say of it; imports the web server.

    Raises:
        ImportError: the packages that the host's web server needs are not installed.
    """
    from framework_m_standard.adapters.web import app, lifespan

    wrap_lifespan()
    found = f"framework-m-standard {version('framework-m-standard')}"
    if hasattr(getattr(app, FUNCTION), _MARK):
        return True, f"{FUNCTION} of {found} is wrapped: sync runs before its create_all, which creates nothing"
    if creates_tables(lifespan.app_lifespan):
        return False, f"{FUNCTION} of {found} calls create_all and is not wrapped"
    return True, f"{FUNCTION} of {found} creates no tables: not wrapped"


def _wrapped(lifespan: Any) -> Any:
    import sqlalchemy as sa

    sa.event.listen(sa.Table, "after_parent_attach", _silence)

    @asynccontextmanager
    async def app_lifespan(app: Any) -> AsyncIterator[None]:
        boot.entering.set(await _sync_before_serving(app.state.container))
        try:
            async with lifespan(app):
                boot.entering.set(None)
                yield
        finally:
            boot.entering.set(None)

    setattr(app_lifespan, _MARK, lifespan)
    return app_lifespan


def _silence(table: Any, metadata: Any) -> None:
    """Let ``create_all`` of the lifespan's own MetaData create nothing; a hook's own MetaData, if any, is not touched.

    The column is one that the host gives every DocType's table, and no other.
    """
    if boot.entering.get() is not None and "custom_fields" in table.columns:
        metadata.create_all = _create_nothing


def _create_nothing(*_: Any, **__: Any) -> None:
    """In the place of ``metadata.create_all``."""


async def _sync_before_serving(container: Any) -> str:
    """Sync the database that the lifespan will serve. A failure is logged; the readiness check sees it too.

    Returns:
        The database's URL; empty where there is none, or where the project wants no sync at boot.
    """
    url = _served_url() if boot.is_wanted(container) else None
    if url is None:
        return ""
    from sqlalchemy.ext.asyncio import create_async_engine
    from sqlalchemy.pool import NullPool

    try:
        engine = create_async_engine(url, poolclass=NullPool)
        try:
            await boot.sync_engine(container, engine)
        finally:
            await engine.dispose()
    except MigrationError as error:
        logger.error("The schema was not synced at boot: %s", boot.in_words(error))  # noqa: TRY400 - it is explained
    except Exception:
        logger.exception("The schema was not synced at boot.")
    return url


def _served_url() -> str | None:
    """The URL that the lifespan takes, read as it reads it; None where there is no SQL database."""
    from framework_m_core.config import expand_variables, load_config

    found = os.environ.get("DATABASE_URL") or load_config().get("database", {}).get(
        "url", "sqlite+aiosqlite:///./dev.db"
    )
    if not found or str(found).strip().lower() == "none":
        return None
    return str(expand_variables(str(found), os.environ.get))


async def ready(request: Any) -> bool:
    """Readiness check of the host's ``/ready``: False while this release cannot be served from the database's schema.

    Once a process has been ready, a schema that is newer than its release is ready too, so that replicas that are being
    replaced stay in service.

    Args:
        request: the host's; its application has the engine.

    Raises:
        MigrationError: an app is broken, or the database cannot be read; the host answers 503 with the text.
    """
    state = request.app.state
    found = await boot.manager_of(state.engine).is_ready(tolerant=getattr(state, _READY, False))
    setattr(state, _READY, getattr(state, _READY, False) or found)
    return found
