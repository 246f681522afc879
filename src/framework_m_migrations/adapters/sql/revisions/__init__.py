"""The versioned track over Alembic: revisions of all apps, one history."""

from __future__ import annotations

from framework_m_migrations.adapters.sql.revisions.project import init_project
from framework_m_migrations.adapters.sql.revisions.track import VERSION_TABLE, AlembicTrack

__all__ = ["VERSION_TABLE", "AlembicTrack", "init_project"]
