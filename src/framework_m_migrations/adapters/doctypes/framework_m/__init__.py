"""The DocTypes of Framework M as a wanted schema. The host is imported here and nowhere else.

Importing this package needs the extra ``framework-m``; no module of the core imports it on its own.
"""

from __future__ import annotations

from framework_m_migrations.domain.errors import MissingDependency

try:
    import framework_m_core
    import framework_m_standard
except ModuleNotFoundError as error:
    raise MissingDependency(
        f"The DocTypes of Framework M need the package {error.name!r}, which is not installed.",
        next_step="Install the extra: pip install 'framework-m-migrations[framework-m]'.",
        details={"package": error.name, "extra": "framework-m-migrations[framework-m]"},
    ) from error

from framework_m_migrations.adapters.doctypes.framework_m.source import (
    FrameworkMSource,
    framework_m_doctypes,
    publish_tables,
)
from framework_m_migrations.adapters.doctypes.framework_m.worker import make_importable

make_importable()

__all__ = ["FrameworkMSource", "framework_m_core", "framework_m_doctypes", "framework_m_standard", "publish_tables"]
