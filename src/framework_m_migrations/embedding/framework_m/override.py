"""What the entry point ``framework_m.overrides: migration_manager`` loads, before any boot step runs."""

from __future__ import annotations

from framework_m_migrations.embedding.framework_m.boot import engage
from framework_m_migrations.embedding.framework_m.manager import Manager

__all__ = ["Manager"]

engage()
