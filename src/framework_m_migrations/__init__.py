"""Schema migration for Framework M and SQLAlchemy: declarative sync and ordered revisions over one database.

The names below are the public ones; they are imported when they are first used, so that importing the package is
quick and touches no driver.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from framework_m_migrations.adapters.system import CallbackSink, LoggingSink, OpenTelemetrySink, StructlogSink
    from framework_m_migrations.container.mode import RuntimeMode
    from framework_m_migrations.container.settings import MigrationSettings
    from framework_m_migrations.domain.errors import MigrationError
    from framework_m_migrations.domain.lint import LintFinding, LintResult
    from framework_m_migrations.domain.options import LockOptions
    from framework_m_migrations.domain.plan import PlannedChange, Risk
    from framework_m_migrations.domain.results import (
        AllResult,
        AppStatus,
        CreateResult,
        Finding,
        HistoryResult,
        InitResult,
        LogResult,
        PlanResult,
        ProveResult,
        RenderedChange,
        RepairResult,
        RunResult,
        StatusResult,
        SyncResult,
        VerifyResult,
    )
    from framework_m_migrations.domain.revisions import PreviewResult, ShowResult, SquashResult
    from framework_m_migrations.embedding.aio import AsyncMigrationManager
    from framework_m_migrations.embedding.sync import MigrationManager

__version__ = "0.1.0"

_HOMES = {
    "CallbackSink": "adapters.system",
    "LoggingSink": "adapters.system",
    "OpenTelemetrySink": "adapters.system",
    "StructlogSink": "adapters.system",
    "SquashResult": "domain.revisions",
    "ShowResult": "domain.revisions",
    "PreviewResult": "domain.revisions",
    "AllResult": "domain.results",
    "AppStatus": "domain.results",
    "AsyncMigrationManager": "embedding.aio",
    "CreateResult": "domain.results",
    "Finding": "domain.results",
    "HistoryResult": "domain.results",
    "LogResult": "domain.results",
    "InitResult": "domain.results",
    "LintFinding": "domain.lint",
    "LintResult": "domain.lint",
    "LockOptions": "domain.options",
    "MigrationError": "domain.errors",
    "MigrationManager": "embedding.sync",
    "MigrationSettings": "container.settings",
    "PlanResult": "domain.results",
    "PlannedChange": "domain.plan",
    "ProveResult": "domain.results",
    "RenderedChange": "domain.results",
    "RepairResult": "domain.results",
    "Risk": "domain.plan",
    "RunResult": "domain.results",
    "RuntimeMode": "container.mode",
    "StatusResult": "domain.results",
    "SyncResult": "domain.results",
    "VerifyResult": "domain.results",
}

__all__ = [
    "AllResult",
    "AppStatus",
    "AsyncMigrationManager",
    "CallbackSink",
    "CreateResult",
    "Finding",
    "HistoryResult",
    "InitResult",
    "LintFinding",
    "LintResult",
    "LockOptions",
    "LogResult",
    "LoggingSink",
    "MigrationError",
    "MigrationManager",
    "MigrationSettings",
    "OpenTelemetrySink",
    "PlanResult",
    "PlannedChange",
    "PreviewResult",
    "ProveResult",
    "RenderedChange",
    "RepairResult",
    "Risk",
    "RunResult",
    "RuntimeMode",
    "ShowResult",
    "SquashResult",
    "StatusResult",
    "StructlogSink",
    "SyncResult",
    "VerifyResult",
    "__version__",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
