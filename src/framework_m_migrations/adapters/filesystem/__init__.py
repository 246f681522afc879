"""Apps, their version folders and their hooks, as they lie in the file system."""

from __future__ import annotations

from framework_m_migrations.adapters.filesystem.apps import ENTRY_POINT_GROUP, FilesystemDiscovery
from framework_m_migrations.adapters.filesystem.hooks import FilesystemHooks

__all__ = ["ENTRY_POINT_GROUP", "FilesystemDiscovery", "FilesystemHooks"]
