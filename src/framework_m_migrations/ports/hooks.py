"""The hooks of apps."""

from __future__ import annotations

from typing import Protocol

from framework_m_migrations.domain.effects import Hook


class HookRegistry(Protocol):
    """Finds before_sync and after_sync in each app's ``migrations/__init__.py``. Calls none: runners do."""

    def hooks(self) -> tuple[Hook, ...]:
        """Hooks in the order of apps.

        Raises:
            AppBroken: a hook module failed to import.
        """
        ...
