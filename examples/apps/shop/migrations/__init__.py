"""Hooks of the shop. They are called with what they name: plan, result, engine, connection, app."""

from __future__ import annotations

import logging
from typing import Any

logger = logging.getLogger(__name__)


def before_sync(plan: Any, app: str) -> None:
    """Say what is about to happen; raising here stops the sync before any change."""
    logger.info("%s: %d changes planned", app, len(plan.changes))


async def after_sync(result: Any, app: str) -> None:
    """Hooks may be async as well, whichever way the engine runs."""
    logger.info("%s: done: %s", app, result)
