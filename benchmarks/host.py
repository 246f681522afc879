"""Framework M's present engine, the real one, where framework-m-standard is installed."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa


def available() -> bool:
    """True when it can be run here."""
    return importlib.util.find_spec("framework_m_standard") is not None


def engine_of(folder: Path) -> Callable[..., int]:
    """A function that lets the host's own manager sync MetaData, and returns how many changes it applied."""
    from framework_m_standard.adapters.db.migration import MigrationManager

    logging.disable(logging.WARNING)

    def sync(engine: sa.Engine, metadata: sa.MetaData, *, force: bool = False) -> int:
        url = engine.url.render_as_string(hide_password=False)
        manager = MigrationManager(base_path=folder, database_url=url)
        return len(manager.auto_migrate(target_metadata=metadata, dev_mode=True, engine=engine, force=force))

    return sync
