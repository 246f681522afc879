"""What the entry point ``framework_m.overrides: migration_manager`` loads, before any boot step runs."""

from __future__ import annotations

from typing import Any

from framework_m_migrations.embedding.framework_m.boot import engage


def __getattr__(name: str) -> Any:
    """``Manager``. The host asks for it at each boot, of which a process may have several; each engages the steps."""
    if name != "Manager":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from framework_m_migrations.embedding.framework_m.manager import Manager

    engage()
    return Manager
