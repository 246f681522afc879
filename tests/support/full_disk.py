"""What the tests of full disks share."""

from __future__ import annotations

from framework_m_migrations import MigrationManager
from framework_m_migrations.domain.errors import StorageFull


def attempt(manager: MigrationManager) -> StorageFull | None:
    """Sync; what stood against it."""
    try:
        manager.sync()
    except StorageFull as error:
        return error
    return None
