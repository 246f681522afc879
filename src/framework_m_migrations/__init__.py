"""Schema migration for Framework M and SQLAlchemy: declarative sync and ordered revisions over one database.

The names below are the public ones; they are imported when they are first used, so that importing the package is
quick and touches no driver.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from framework_m_migrations.container.mode import RuntimeMode
    from framework_m_migrations.container.settings import MigrationSettings
    from framework_m_migrations.domain.errors import MigrationError
    from framework_m_migrations.domain.plan import Risk
    from framework_m_migrations.embedding.aio import AsyncMigrationManager
    from framework_m_migrations.embedding.sync import MigrationManager

__version__ = "0.1.0"

_HOMES = {
    "AsyncMigrationManager": "embedding.aio",
    "MigrationError": "domain.errors",
    "MigrationManager": "embedding.sync",
    "MigrationSettings": "container.settings",
    "Risk": "domain.plan",
    "RuntimeMode": "container.mode",
}

__all__ = [
    "AsyncMigrationManager",
    "MigrationError",
    "MigrationManager",
    "MigrationSettings",
    "Risk",
    "RuntimeMode",
    "__version__",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
