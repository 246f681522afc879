"""Hooks of sync: they run under the migration lock, and only when there is something to apply."""

import logging
from typing import Any

logger = logging.getLogger("library")


def before_sync(engine: Any) -> None:
    """Called with an engine over the same database, before the first step."""
    logger.info("the schema is about to change on %s", engine.dialect.name)


def after_sync(engine: Any) -> None:
    """Called after the last step; the place to fill tables that are new."""
    logger.info("the schema is up to date on %s", engine.dialect.name)
